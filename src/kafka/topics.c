#include "kafka/topics.h"

#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

static void resources_free(rd_kafka_ConfigResource_t **all, size_t n)
{
    if (n > 0)
        rd_kafka_ConfigResource_destroy_array(all, n);
    free(all);
}

static int by_name(const void *va, const void *vb)
{
    return strcmp(((const struct leat_topic_live *)va)->name,
                  ((const struct leat_topic_live *)vb)->name);
}

leat_status leat_admin_topics(struct leat_admin *a, struct leat_arena *arena,
                              struct leat_topic_live **ret, size_t *ret_n, int timeout_ms,
                              struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_metadata_freep) const struct rd_kafka_metadata *m = NULL;
    rd_kafka_resp_err_t e = rd_kafka_metadata(leat_admin_handle(a), 1, NULL, &m, timeout_ms);
    if (e != 0)
        return leat_fail(err, LEAT_RETRY, "could not list topics: %s", rd_kafka_err2str(e));
    struct leat_topic_live *all = leat_arena_zalloc(arena, (size_t)m->topic_cnt + 1, sizeof *all);
    size_t n = 0;
    for (int i = 0; i < m->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &m->topics[i];
        if (t->err != 0)
            continue;
        all[n++] = (struct leat_topic_live){
            .name = leat_arena_cstr(arena, leat_str_of(t->topic)),
            .partitions = t->partition_cnt,
            .replicas = t->partition_cnt > 0 ? t->partitions[0].replica_cnt : 0};
    }
    qsort(all, n, sizeof *all, by_name);
    *ret = all;
    *ret_n = n;
    return LEAT_OK;
}

/* ---- asking ---- */

/* Takes the resources. The answer's event, NULL with an error. */
static rd_kafka_event_t *ask(struct leat_admin *a, rd_kafka_admin_op_t op,
                             rd_kafka_ConfigResource_t **all, size_t n, int timeout_ms)
{
    char text[LEAT_KAFKA_ERRSTR];
    rd_kafka_t *rk = leat_admin_handle(a);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, text, sizeof text);
    LEAT_AUTO(leat_kafka_queue_freep) rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    if (op == RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
        rd_kafka_DescribeConfigs(rk, all, n, o, q);
    else
        rd_kafka_AlterConfigs(rk, all, n, o, q);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, timeout_ms + 1000);
    resources_free(all, n);
    return ev;
}

static leat_status check_answer(rd_kafka_event_t *ev, const char *verb, int timeout_ms,
                                struct leat_error *err)
{
    if (ev == NULL)
        return leat_fail(err, LEAT_RETRY, "could not %s configs of topics: no answer within %d ms",
                         verb, timeout_ms);
    if (rd_kafka_event_error(ev) != 0)
        return leat_fail(err, LEAT_RETRY, "could not %s configs of topics: %s", verb,
                         rd_kafka_event_error_string(ev));
    return LEAT_OK;
}

static void copy_configs(const rd_kafka_ConfigResource_t *r, struct leat_arena *arena,
                         struct leat_topic_live *to)
{
    size_t n = 0;
    if (rd_kafka_ConfigResource_error(r) != 0) {
        const char *why = rd_kafka_ConfigResource_error_string(r);
        to->config_error = leat_arena_cstr(arena, leat_str_of(why == NULL ? "refused" : why));
        return;
    }
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(r, &n);
    struct leat_topic_config *configs = leat_arena_zalloc(arena, n + 1, sizeof *configs);
    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        configs[i].name =
            leat_arena_cstr(arena, leat_str_of(rd_kafka_ConfigEntry_name(entries[i])));
        configs[i].value = leat_arena_cstr(arena, leat_str_of(value == NULL ? "" : value));
        configs[i].own =
            rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
    }
    to->configs = configs;
    to->config_count = n;
}

leat_status leat_admin_configs(struct leat_admin *a, struct leat_topic_live *topics, size_t n,
                               struct leat_arena *arena, int timeout_ms, struct leat_error *err)
{
    if (n == 0)
        return LEAT_OK;
    rd_kafka_ConfigResource_t **all = calloc(n, sizeof(rd_kafka_ConfigResource_t *));
    leat_assert(all != NULL);
    for (size_t i = 0; i < n; i++)
        all[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i].name);
    LEAT_AUTO(leat_kafka_event_freep)
    rd_kafka_event_t *ev = ask(a, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, all, n, timeout_ms);
    leat_status status = check_answer(ev, "read", timeout_ms, err);
    if (status != LEAT_OK)
        return status;
    size_t count = 0;
    const rd_kafka_ConfigResource_t **found = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(ev), &count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < n; k++) {
            if (strcmp(topics[k].name, rd_kafka_ConfigResource_name(found[i])) == 0)
                copy_configs(found[i], arena, &topics[k]);
        }
    }
    return LEAT_OK;
}

/* ---- changing ---- */

static leat_status check_changed(const rd_kafka_ConfigResource_t *r, struct leat_error *err)
{
    if (rd_kafka_ConfigResource_error(r) == 0)
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "could not change configs of topic '%s': %s",
                     rd_kafka_ConfigResource_name(r), rd_kafka_ConfigResource_error_string(r));
}

static bool is_changed(const char *name, const struct leat_kafka_prop *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(changes[i].name, name) == 0)
            return true;
    }
    return false;
}

leat_status leat_admin_alter(struct leat_admin *a, const struct leat_topic_live *live,
                             const struct leat_kafka_prop *changes, size_t n, int timeout_ms,
                             struct leat_error *err)
{
    /* The request replaces all of a topic's own configs: those it has go in again. */
    rd_kafka_ConfigResource_t **all = calloc(1, sizeof(rd_kafka_ConfigResource_t *));
    leat_assert(all != NULL);
    all[0] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, live->name);
    for (size_t i = 0; i < live->config_count; i++) {
        if (live->configs[i].own && !is_changed(live->configs[i].name, changes, n))
            (void)rd_kafka_ConfigResource_set_config(all[0], live->configs[i].name,
                                                     live->configs[i].value);
    }
    for (size_t i = 0; i < n; i++)
        (void)rd_kafka_ConfigResource_set_config(all[0], changes[i].name, changes[i].value);
    LEAT_AUTO(leat_kafka_event_freep)
    rd_kafka_event_t *ev = ask(a, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, all, 1, timeout_ms);
    leat_status status = check_answer(ev, "change", timeout_ms, err);
    if (status != LEAT_OK)
        return status;
    size_t count = 0;
    const rd_kafka_ConfigResource_t **done =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(ev), &count);
    for (size_t i = 0; i < count && status == LEAT_OK; i++)
        status = check_changed(done[i], err);
    return status;
}
