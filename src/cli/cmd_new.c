/* leat new: a project to start from, or a further processor or projection. */
#include <string.h>

#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/new.h"

int leat_cmd_new(struct leat_cli *cli, int argc, char **argv);

#define FIELD(name)      offsetof(struct leat_new_options, name)
#define LIST(name, help) #name, 0, LEAT_OPT_STR, FIELD(name), "TYPES", NULL, NULL, 0, 0, help
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct leat_new_options, topology),
    {"processor", 0, LEAT_OPT_STR, FIELD(processor), "NAME", NULL, NULL, 0, 0,
     "Of a topology: its first processor (default: items)."},
    {"aggregate", 0, LEAT_OPT_STR, FIELD(aggregate), "NAME", NULL, NULL, 0, 0,
     "Of a processor: whose streams it writes (default: its name in the singular)."},
    {LIST(commands, "Of a processor: what it handles (default: Create<Aggregate>).")},
    {LIST(emits, "Of a processor: what may happen then (default: <Aggregate>Created).")},
    {LIST(sends, "Of a processor: commands it may send.")},
    {LIST(events, "Of a processor: makes a policy of it, which reads these.")},
    {LIST(from, "Of a projection: events it reads (default: those of its aggregate).")},
    {"key", 0, LEAT_OPT_STR, FIELD(key), "FIELD", NULL, NULL, 0, 0,
     "Of a projection: field that is the row's key (default: the aggregate's key)."},
    {"c", 0, LEAT_OPT_FLAG, FIELD(c), NULL, NULL, NULL, 0, 0,
     "Of a projection: write it in C, into projections/."},
    {"force", 'f', LEAT_OPT_FLAG, FIELD(force), NULL, NULL, NULL, 0, 0,
     "Overwrite files that are there."},
    {"dry-run", 'n', LEAT_OPT_FLAG, FIELD(dry_run), NULL, NULL, NULL, 0, 0, "Only list the files."},
    LEAT_CLI_JSON(struct leat_new_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat new topology|processor|projection [options] <name>",
    .summary = "Write something to start from: a whole project, or one thing more of it.",
    .details =
        "topology: into the current folder, leat.yaml with schemas, a processor in C, its tests,\n"
        "CMakeLists.txt and README.md. processor, projection: adds to the topology file, leaving\n"
        "every line of it as it is, and writes the schemas and the C file. TYPES: A,B,C.\n\n"
        "  leat new topology shop --processor orders\n"
        "  leat new processor payments --commands TakePayment --emits PaymentTaken\n"
        "  leat new processor checkout --events PaymentTaken --sends MarkPaid\n"
        "  leat new projection payments_by_day --from PaymentTaken --key day\n"
        "  leat new projection payment_steps --from PaymentTaken --c\n",
    LEAT_OPTS(options),
    .args_min = 2,
    .args_max = 2,
};

#define TOPOLOGY   1u
#define PROCESSOR  2u
#define PROJECTION 4u

static const struct kind {
    const char *name;
    unsigned bit;
    int (*make)(const struct leat_new_options *o, struct leat_str name);
} kinds[] = {{"topology", TOPOLOGY, leat_new_make_topology},
             {"processor", PROCESSOR, leat_new_make_processor},
             {"projection", PROJECTION, leat_new_make_projection}};

static const struct kind *find_kind(const char *name, struct leat_error *err)
{
    struct leat_suggest s;
    leat_suggest_start(&s, leat_str_of(name));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
        leat_suggest_offer_cstr(&s, kinds[i].name);
    }
    (void)leat_fail(err, LEAT_INVALID, "cannot make a new '%.80s'", name);
    if (s.best.len > 0) {
        leat_error_hint(err, "Did you mean '%.*s'? There are topology, processor and projection.",
                        LEAT_STR_FMT(s.best));
    } else {
        leat_error_hint(err, "There are topology, processor and projection.");
    }
    return NULL;
}

/* An option of another kind would be left aside in silence. */
static leat_status refuse_foreign(const struct leat_new_options *o, const struct kind *kind,
                                  struct leat_error *err)
{
    const struct {
        const char *name, *value;
        unsigned kinds;
    } all[] = {
        {"processor", o->processor, TOPOLOGY}, {"aggregate", o->aggregate, TOPOLOGY | PROCESSOR},
        {"commands", o->commands, PROCESSOR},  {"emits", o->emits, PROCESSOR},
        {"sends", o->sends, PROCESSOR},        {"events", o->events, PROCESSOR},
        {"from", o->from, PROJECTION},         {"key", o->key, PROJECTION}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value != NULL && (all[i].kinds & kind->bit) == 0) {
            return leat_fail(err, LEAT_INVALID, "--%s is no option of a new %s", all[i].name,
                             kind->name);
        }
    }
    if (o->c && kind->bit != PROJECTION)
        return leat_fail(err, LEAT_INVALID, "--c is no option of a new %s", kind->name);
    return LEAT_OK;
}

int leat_cmd_new(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct leat_new_options o = {0};
    struct leat_error err = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    const struct kind *kind = find_kind(argv[1], &err);
    if (kind == NULL || refuse_foreign(&o, kind, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return kind->make(&o, leat_str_of(argv[2]));
}
