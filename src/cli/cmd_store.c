/* leat store adopt: after a fail-over or a restore, says which commits were lost and goes on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/kafka_config.h"
#include "cli/show.h"
#include "cli/words.h"
#include "relay/tails.h"
#include "store/store.h"

#define OUTPUT_MAX  ((size_t)1 << 30)
#define CLIENT_MS   10000
#define ARENA_BLOCK ((size_t)256 << 10)
#define ARENA_KEEP  ((size_t)1 << 20)

struct store_options {
    const char *topology;
    bool dry_run, force, json;
};

#define FIELD(name) offsetof(struct store_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct store_options, topology),
    {"dry-run", 0, LEAT_OPT_FLAG, FIELD(dry_run), NULL, NULL, NULL, 0, 0,
     "Compare and tell; change nothing. Exit code 3 when there is something to adopt."},
    {"force", 0, LEAT_OPT_FLAG, FIELD(force), NULL, NULL, NULL, 0, 0,
     "Also when events topic and store have nothing in common."},
    LEAT_CLI_JSON(struct store_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat store adopt [options]",
    .summary = "Compare the store with the events topic, name lost commits, and go on.",
    .details =
        "After a fail-over or a restore Postgres is another server, or on another timeline, and "
        "may "
        "lack its\nlast commits: leat stops until somebody has looked. adopt compares the end of "
        "each partition of the\nevents topic with its slice. Events that readers of Kafka have got "
        "and the store has not are lost\ncommits: each is named, and kept in the table "
        "lost_events. "
        "Their slices fork: they get a new store id,\nread models are rebuilt from the store, and "
        "what stands in the topic above the fork is passed over.\nThe commands they were of are "
        "read from Kafka again and done anew. Slices that lost nothing stay as\nthey are. "
        "Processes "
        "of `leat run` go on by themselves. Make sure that the old server is gone for\ngood before "
        "you run it.\n\n"
        "  leat store adopt --dry-run\n"
        "  leat store adopt --json > lost.json\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = -1,
};

struct adoption {
    const struct store_options *o;
    struct leat_topology *topology;
    struct leat_store *store;
    struct leat_arena *arena;
    struct leat_servers servers;
    struct leat_tails tails;
    struct leat_adoption plan;
    bool adopted;
};

/* ---- finding out ---- */

static struct leat_str stream_of(const struct adoption *a, const struct leat_tail_record *r)
{
    const struct leat_aggregate *aggregate = leat_topology_emitter(a->topology, r->type);
    if (aggregate == NULL)
        return r->key;
    return leat_str_of(leat_arena_printf(a->arena, "%.*s-%.*s", LEAT_STR_FMT(aggregate->name),
                                         LEAT_STR_FMT(r->key)));
}

static void name_lost(struct adoption *a)
{
    struct leat_lost_event *lost = leat_arena_alloc(a->arena, (a->tails.n_lost + 1) * sizeof *lost);
    a->plan.lost = lost;
    a->plan.n_lost = a->tails.n_lost;
    for (size_t i = 0; i < a->plan.n_lost; i++) {
        const struct leat_tail_record *r = &a->tails.lost[i];
        lost[i] = (struct leat_lost_event){.slice = r->slice,
                                           .seq = r->seq,
                                           .version = r->version,
                                           .offset = r->offset,
                                           .published_ms = r->published_ms,
                                           .store_id = r->store_id,
                                           .event_id = r->event_id,
                                           .command_id = r->command_id,
                                           .type = r->type,
                                           .stream = stream_of(a, r)};
    }
}

static void plan_forks(struct adoption *a)
{
    size_t n = (size_t)a->tails.n;
    struct leat_fork *foreign =
        leat_arena_zalloc(a->arena, n * LEAT_TAIL_FOREIGN_MAX, sizeof *foreign);
    a->plan.forks = leat_arena_zalloc(a->arena, n, sizeof *a->plan.forks);
    a->plan.foreign = foreign;
    for (int32_t k = 0; k < a->tails.n; k++) {
        const struct leat_tail *t = &a->tails.at[k];
        if (t->forks)
            a->plan.forks[a->plan.n_forks++] = (struct leat_fork){.slice = k, .seq = t->fork_seq};
        for (size_t i = 0; i < t->n_foreign; i++)
            foreign[a->plan.n_foreign++] =
                (struct leat_fork){.slice = k, .store_id = t->foreign[i]};
    }
}

static leat_status look(struct adoption *a, struct leat_error *err)
{
    struct leat_kafka_config kafka = leat_cli_kafka_config(a->topology, "adopt", a->arena);
    struct leat_tails_config c = {
        .topology = a->topology, .kafka = &kafka, .store = a->store, .timeout_ms = CLIENT_MS};
    LEAT_TRY(leat_store_servers(a->store, &a->servers, err), err, "store");
    if (a->servers.partitions != a->topology->partitions)
        return leat_fail(err, LEAT_INVALID, "the store has %d partitions, the topology says %d",
                         a->servers.partitions, a->topology->partitions);
    if (a->servers.standby) {
        (void)leat_fail(err, LEAT_RETRY, "this server is a standby: it takes no writes");
        leat_error_hint(err, "Promote it first, or point store.url at the primary.");
        return LEAT_RETRY;
    }
    LEAT_TRY(leat_tails_compare(&c, a->arena, &a->tails, err), err, "compare");
    if (!a->tails.in_common && !a->o->force) {
        (void)leat_fail(err, LEAT_FATAL, "topic '%s' and store '%s' have no event in common",
                        a->topology->events_topic.at, a->topology->store.schema);
        leat_error_hint(err, "Is store.url right, and was the backup put back? With --force all "
                             "that is in the topic counts as lost.");
        return LEAT_FATAL;
    }
    name_lost(a);
    plan_forks(a);
    return LEAT_OK;
}

static bool is_needed(const struct adoption *a)
{
    return a->plan.n_forks > 0 || !leat_server_is_adopted(&a->servers);
}

static leat_status adopt(struct adoption *a, struct leat_error *err)
{
    if (a->o->dry_run || !is_needed(a))
        return LEAT_OK;
    LEAT_TRY(leat_store_adopt(a->store, &a->plan, err), err, "store");
    a->adopted = true;
    return LEAT_OK;
}

/* ---- telling ---- */

static void put_id(struct leat_json_writer *w, const char *name, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_json_put_cstr(w, name, text);
}

static void write_lost(const struct adoption *a, struct leat_json_writer *w)
{
    struct leat_buf when;
    leat_buf_init(&when, 64);
    leat_json_begin_array(w);
    for (size_t i = 0; i < a->plan.n_lost; i++) {
        const struct leat_lost_event *e = &a->plan.lost[i];
        leat_buf_clear(&when);
        leat_show_time(e->published_ms, &when);
        leat_json_begin_object(w);
        leat_json_put_int(w, "slice", e->slice);
        leat_json_put_int(w, "seq", e->seq);
        put_id(w, "event", &e->event_id);
        leat_json_put_str(w, "type", e->type);
        leat_json_put_str(w, "stream", e->stream);
        leat_json_put_int(w, "version", e->version);
        put_id(w, "command", &e->command_id);
        leat_json_put_int(w, "offset", e->offset);
        leat_json_put_str(w, "published", leat_buf_str(&when));
        put_id(w, "store", &e->store_id);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    leat_buf_done(&when);
}

static const struct leat_fork *fork_of(const struct adoption *a, int32_t slice)
{
    for (size_t i = 0; i < a->plan.n_forks; i++)
        if (a->plan.forks[i].slice == slice)
            return &a->plan.forks[i];
    return NULL;
}

/* Slices that fork; with `all` also those that stay as they are. */
static void write_slices(const struct adoption *a, bool all, struct leat_json_writer *w)
{
    leat_json_begin_array(w);
    for (int32_t k = 0; k < a->tails.n; k++) {
        const struct leat_tail *t = &a->tails.at[k];
        const struct leat_fork *fork = fork_of(a, k);
        if (fork == NULL && !all)
            continue;
        leat_json_begin_object(w);
        leat_json_put_int(w, "slice", k);
        leat_json_put_int(w, "store seq", t->head_seq);
        leat_json_put_int(w, "topic seq", t->topic_seq);
        leat_json_put_int(w, "lost", (int64_t)t->lost);
        if (fork != NULL)
            leat_json_put_int(w, "forks at", fork->seq);
        put_id(w, "store", &t->store_id);
        if (fork != NULL && a->adopted)
            put_id(w, "new store", &fork->store_id);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

static int by_command(const void *a, const void *b)
{
    const struct leat_lost_event *const *x = a, *const *y = b;
    return memcmp((*x)->command_id.b, (*y)->command_id.b, sizeof(*x)->command_id.b);
}

/* Each command whose events were lost, once; gives how many. `w` NULL: only counts. */
static size_t write_commands(const struct adoption *a, struct leat_json_writer *w)
{
    size_t n = a->tails.n_lost, found = 0;
    const struct leat_lost_event **at = leat_arena_alloc(a->arena, (n + 1) * sizeof(*at));
    for (size_t i = 0; i < n; i++)
        at[i] = &a->plan.lost[i];
    qsort(at, n, sizeof(*at), by_command);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && leat_uuid_eq(&at[i]->command_id, &at[i - 1]->command_id))
            continue;
        char id[LEAT_UUID_TEXT];
        leat_uuid_format(&at[i]->command_id, id);
        if (w != NULL)
            leat_json_cstr(w, id);
        found++;
    }
    return found;
}

static void write_server(const struct leat_server *s, const char *name, struct leat_json_writer *w)
{
    char system[24];
    (void)snprintf(system, sizeof system, "%" PRIu64, s->system);
    leat_json_key(w, leat_str_of(name));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "system", system);
    leat_json_put_int(w, "timeline", s->timeline);
    leat_json_end_object(w);
}

static void write_json(const struct adoption *a, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "store", a->topology->store.schema);
    write_server(&a->servers.adopted, "was", &w);
    write_server(&a->servers.now, "is", &w);
    leat_json_put_bool(&w, "changed", !leat_server_is_adopted(&a->servers));
    leat_json_put_bool(&w, "adopted", a->adopted);
    leat_json_key(&w, LEAT_STR("slices"));
    write_slices(a, true, &w);
    leat_json_key(&w, LEAT_STR("lost"));
    write_lost(a, &w);
    leat_json_key(&w, LEAT_STR("commands"));
    leat_json_begin_array(&w);
    (void)write_commands(a, &w);
    leat_json_end_array(&w);
    leat_json_put_int(&w, "strangers", (int64_t)a->tails.strangers);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static leat_status put_table(void (*write)(const struct adoption *, struct leat_json_writer *),
                             const struct adoption *a, struct leat_buf *out, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json;
    struct leat_json_writer w;
    leat_buf_init(&json, OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    write(a, &w);
    return leat_show_rows(leat_buf_str(&json), out, err);
}

static void write_forked(const struct adoption *a, struct leat_json_writer *w)
{
    write_slices(a, false, w);
}

static void put_what_changed(const struct adoption *a, struct leat_buf *out)
{
    const struct leat_servers *s = &a->servers;
    leat_buf_printf(out, "store %s: ", a->topology->store.schema);
    if (s->adopted.system != s->now.system)
        leat_buf_puts(out, "another Postgres: its system identifier changed\n");
    else if (s->adopted.timeline != s->now.timeline)
        leat_buf_printf(out, "Postgres went from timeline %d to %d\n", s->adopted.timeline,
                        s->now.timeline);
    else
        leat_buf_puts(out, "the same Postgres as before\n");
}

static leat_status write_text(const struct adoption *a, struct leat_buf *out,
                              struct leat_error *err)
{
    put_what_changed(a, out);
    if (a->tails.strangers > 0)
        leat_buf_printf(out, "%zu records of the topic are not leat's and were passed over\n",
                        a->tails.strangers);
    if (a->plan.n_forks == 0) {
        leat_buf_puts(out, "nothing is lost that readers of Kafka have got\n");
    } else {
        leat_buf_printf(out, "%zu events of %zu commands are lost; %zu of %d slices fork\n\n",
                        a->tails.n_lost, write_commands(a, NULL), a->plan.n_forks, a->tails.n);
        LEAT_TRY(put_table(write_lost, a, out, err), err, "show");
        leat_buf_puts(out, "\n");
        LEAT_TRY(put_table(write_forked, a, out, err), err, "show");
        leat_buf_puts(out, "\n");
    }
    if (a->adopted)
        leat_buf_puts(out, "adopted: leat goes on\n");
    else
        leat_buf_puts(out, is_needed(a) ? "not adopted: a dry run\n" : "nothing to adopt\n");
    return LEAT_OK;
}

static int tell(const struct adoption *a)
{
    struct leat_error err = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, OUTPUT_MAX);
    if (a->o->json)
        write_json(a, &out);
    else if (write_text(a, &out, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    int code = leat_cli_print(&out);
    return code == LEAT_EXIT_OK && a->o->dry_run && is_needed(a) ? LEAT_EXIT_NO : code;
}

static int run(struct adoption *a)
{
    struct leat_error err = {0};
    struct leat_store_options o = {.url = a->topology->store.url,
                                   .schema = a->topology->store.schema,
                                   .application_name = "leat-adopt"};
    leat_status status = leat_store_open(&o, &a->store, &err);
    if (status == LEAT_OK)
        status = look(a, &err);
    if (status == LEAT_OK)
        status = adopt(a, &err);
    if (status == LEAT_OK)
        return tell(a);
    int code = leat_cli_fail(&err);
    return code == LEAT_EXIT_NO ? LEAT_EXIT_FAILED : code; /* no store is no answer */
}

static const struct leat_word word_list[] = {{"adopt", 1, 0, 0, "takes no arguments"}};
static const struct leat_words words = {"store", word_list, sizeof word_list / sizeof *word_list};

int leat_cmd_store(struct leat_cli *cli, int argc, char **argv);
int leat_cmd_store(struct leat_cli *cli, int argc, char **argv)
{
    struct store_options o = {0};
    struct adoption a = {.o = &o};
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    (void)cli;
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (leat_word_find(&words, argv[1], args - 1, &err) < 0)
        return leat_cli_fail(&err);
    if ((code = leat_cli_topology(o.topology, false, &a.topology)) != LEAT_EXIT_GO_ON)
        return code;
    a.arena = leat_arena_new(ARENA_BLOCK, ARENA_KEEP);
    code = run(&a);
    leat_store_close(a.store);
    leat_arena_free(a.arena);
    leat_topology_free(a.topology);
    return code;
}
