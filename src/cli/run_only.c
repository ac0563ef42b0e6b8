#include "cli/run_only.h"

#include "base/hash.h"
#include "cli/kafka_config.h"
#include "kafka/probe.h"

#define ASK_MS 5000

static bool chosen(const struct leat_str *processors, size_t n, struct leat_str name)
{
    for (size_t i = 0; i < n; i++) {
        if (leat_str_eq(processors[i], name))
            return true;
    }
    return n == 0;
}

static leat_status refuse_members(struct leat_session *s, struct leat_probe *p,
                                  const struct leat_processor *processor, struct leat_error *err)
{
    struct leat_probe_group group = {0};
    LEAT_TRY(leat_probe_group(p, processor->group, s->arena, &group, ASK_MS, err), err,
             "--only-key");
    if (group.n == 0)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID,
                    "--only-key: '%.*s' runs processor '%s' too: it would miss the partitions that "
                    "this process is given and leaves alone",
                    LEAT_STR_FMT(group.members[0].client_id), processor->name.at);
    leat_error_hint(err, "Stop it first. One that was killed counts until its session time-out.");
    return LEAT_INVALID;
}

leat_status leat_run_only(struct leat_session *s, const char *key,
                          const struct leat_str *processors, size_t n, int32_t *ret_k,
                          struct leat_error *err)
{
    const struct leat_topology *t = s->topology;
    struct leat_probe *p = NULL;
    struct leat_kafka_config c = leat_cli_kafka_config(t, "run", s->arena);
    leat_status status = leat_probe_new(&c, &p, err);
    for (uint32_t i = 0; i < t->n_processors && status == LEAT_OK; i++) {
        if (chosen(processors, n, t->processors[i].name))
            status = refuse_members(s, p, &t->processors[i], err);
    }
    leat_probe_free(p);
    if (status == LEAT_OK)
        *ret_k = leat_partition(leat_str_of(key), t->partitions);
    return status;
}
