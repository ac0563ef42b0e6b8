#include "kafka/probe.h"

#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

struct leat_probe {
    rd_kafka_t *rk;
};

const char *leat_probe_client_version(void)
{
    return rd_kafka_version_str();
}

int leat_probe_client_version_number(void)
{
    return rd_kafka_version();
}

leat_status leat_probe_new(const struct leat_kafka_config *c, struct leat_probe **ret,
                           struct leat_error *err)
{
    static const struct leat_kafka_setting owned[] = {
        {"allow.auto.create.topics", "false"},
        {NULL, NULL},
    };
    struct leat_probe *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    LEAT_AUTO(leat_kafka_conf_freep) rd_kafka_conf_t *conf = NULL;
    leat_status status = leat_kafka_conf(c, NULL, owned, p, &conf, err);
    if (status == LEAT_OK)
        status = leat_kafka_handle(RD_KAFKA_PRODUCER, &conf, &p->rk, err);
    if (status != LEAT_OK) {
        leat_probe_free(p);
        return status;
    }
    *ret = p;
    return LEAT_OK;
}

void leat_probe_free(struct leat_probe *p)
{
    if (p == NULL)
        return;
    if (p->rk != NULL)
        rd_kafka_destroy(p->rk);
    free(p);
}

static struct leat_str kept(struct leat_arena *arena, const char *text)
{
    return leat_arena_copy(arena, leat_str_of(text == NULL ? "" : text));
}

static const char *kept_cstr(struct leat_arena *arena, const char *text)
{
    return text == NULL ? NULL : leat_arena_cstr(arena, leat_str_of(text));
}

/* ---- metadata ---- */

leat_status leat_probe_cluster(struct leat_probe *p, struct leat_arena *arena,
                               struct leat_probe_cluster *ret, int timeout_ms,
                               struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_metadata_freep) const struct rd_kafka_metadata *m = NULL;
    rd_kafka_resp_err_t e = rd_kafka_metadata(p->rk, 0, NULL, &m, timeout_ms);
    if (e != 0) {
        return leat_fail(err, LEAT_RETRY, "no answer within %d ms: %s", timeout_ms,
                         rd_kafka_err2str(e));
    }
    struct leat_probe_cluster c = {.n = (size_t)m->broker_cnt};
    c.brokers = leat_arena_zalloc(arena, c.n + 1, sizeof *c.brokers);
    for (size_t i = 0; i < c.n; i++) {
        c.brokers[i] = (struct leat_probe_broker){.id = m->brokers[i].id,
                                                  .port = m->brokers[i].port,
                                                  .host = kept(arena, m->brokers[i].host)};
    }
    c.controller = rd_kafka_controllerid(p->rk, timeout_ms);
    *ret = c;
    return LEAT_OK;
}

static void look_at(const struct rd_kafka_metadata_topic *t, struct leat_probe_topic *ret)
{
    *ret = (struct leat_probe_topic){.partitions = t->partition_cnt};
    for (int i = 0; i < t->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *part = &t->partitions[i];
        ret->without_leader += part->leader < 0;
        if (i == 0 || part->replica_cnt < ret->replicas)
            ret->replicas = part->replica_cnt;
        if (i == 0 || part->isr_cnt < ret->in_sync)
            ret->in_sync = part->isr_cnt;
    }
}

leat_status leat_probe_topic(struct leat_probe *p, const char *topic, struct leat_probe_topic *ret,
                             int timeout_ms, struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_metadata_freep) const struct rd_kafka_metadata *m = NULL;
    leat_status status = leat_kafka_topic(p->rk, topic, timeout_ms, &m, err);
    if (status == LEAT_OK)
        look_at(&m->topics[0], ret);
    return status;
}

/* ---- admin requests ---- */

static rd_kafka_AdminOptions_t *admin_options(struct leat_probe *p, rd_kafka_admin_op_t op,
                                              int timeout_ms)
{
    char text[LEAT_KAFKA_ERRSTR];
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(p->rk, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, text, sizeof text);
    return o;
}

static leat_status await_event(rd_kafka_queue_t *q, const char *what, int timeout_ms,
                               rd_kafka_event_t **ret, struct leat_error *err)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, timeout_ms + 500);
    if (ev == NULL) {
        return leat_fail(err, LEAT_RETRY, "could not read %s: no answer within %d ms", what,
                         timeout_ms);
    }
    *ret = ev;
    if (rd_kafka_event_error(ev) != 0) {
        return leat_fail(err, LEAT_RETRY, "could not read %s: %s", what,
                         rd_kafka_event_error_string(ev));
    }
    return LEAT_OK;
}

static leat_status read_settings(rd_kafka_event_t *ev, const char *name, struct leat_arena *arena,
                                 struct leat_probe_settings *ret, struct leat_error *err)
{
    size_t n = 0;
    const rd_kafka_ConfigResource_t **found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(ev), &n);
    if (n != 1 || rd_kafka_ConfigResource_error(found[0]) != 0) {
        return leat_fail(err, LEAT_RETRY, "could not read the settings of '%s': %s", name,
                         n != 1 ? "no answer" : rd_kafka_ConfigResource_error_string(found[0]));
    }
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(found[0], &n);
    ret->at = leat_arena_zalloc(arena, n + 1, sizeof *ret->at);
    ret->n = n;
    for (size_t i = 0; i < n; i++) {
        ret->at[i].name = kept_cstr(arena, rd_kafka_ConfigEntry_name(entries[i]));
        ret->at[i].value = kept_cstr(arena, rd_kafka_ConfigEntry_value(entries[i]));
    }
    return LEAT_OK;
}

leat_status leat_probe_settings(struct leat_probe *p, struct leat_probe_of of,
                                struct leat_arena *arena, struct leat_probe_settings *ret,
                                int timeout_ms, struct leat_error *err)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(
        of.kind == LEAT_PROBE_TOPIC ? RD_KAFKA_RESOURCE_TOPIC : RD_KAFKA_RESOURCE_BROKER, of.name);
    LEAT_AUTO(leat_kafka_queue_freep) rd_kafka_queue_t *q = rd_kafka_queue_new(p->rk);
    rd_kafka_AdminOptions_t *o = admin_options(p, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(p->rk, &ask, 1, o, q);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_ConfigResource_destroy(ask);
    LEAT_AUTO(leat_kafka_event_freep) rd_kafka_event_t *ev = NULL;
    leat_status status = await_event(q, "settings", timeout_ms, &ev, err);
    return status != LEAT_OK ? status : read_settings(ev, of.name, arena, ret, err);
}

const char *leat_probe_setting(const struct leat_probe_settings *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->at[i].name, name) == 0)
            return s->at[i].value;
    }
    return NULL;
}

static void read_member(const rd_kafka_MemberDescription_t *from, struct leat_arena *arena,
                        struct leat_probe_member *ret)
{
    const rd_kafka_MemberAssignment_t *a = rd_kafka_MemberDescription_assignment(from);
    const rd_kafka_topic_partition_list_t *list =
        a == NULL ? NULL : rd_kafka_MemberAssignment_partitions(a);
    ret->client_id = kept(arena, rd_kafka_MemberDescription_client_id(from));
    ret->instance_id = kept(arena, rd_kafka_MemberDescription_group_instance_id(from));
    ret->host = kept(arena, rd_kafka_MemberDescription_host(from));
    ret->n = list == NULL ? 0 : (size_t)list->cnt;
    ret->partitions = leat_arena_zalloc(arena, ret->n + 1, sizeof *ret->partitions);
    for (size_t i = 0; i < ret->n; i++)
        ret->partitions[i] = list->elems[i].partition;
}

static leat_status read_group(rd_kafka_event_t *ev, const char *group, struct leat_arena *arena,
                              struct leat_probe_group *ret, struct leat_error *err)
{
    size_t n = 0;
    const rd_kafka_ConsumerGroupDescription_t **found =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(ev), &n);
    const rd_kafka_error_t *e = n == 1 ? rd_kafka_ConsumerGroupDescription_error(found[0]) : NULL;
    if (n != 1 || (e != NULL && rd_kafka_error_code(e) != 0)) {
        return leat_fail(err, LEAT_RETRY, "could not read group '%s': %s", group,
                         e == NULL ? "no answer" : rd_kafka_error_string(e));
    }
    ret->state =
        kept(arena,
             rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(found[0])));
    ret->n = rd_kafka_ConsumerGroupDescription_member_count(found[0]);
    ret->members = leat_arena_zalloc(arena, ret->n + 1, sizeof *ret->members);
    for (size_t i = 0; i < ret->n; i++)
        read_member(rd_kafka_ConsumerGroupDescription_member(found[0], i), arena, &ret->members[i]);
    return LEAT_OK;
}

leat_status leat_probe_group(struct leat_probe *p, const char *group, struct leat_arena *arena,
                             struct leat_probe_group *ret, int timeout_ms, struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_queue_freep) rd_kafka_queue_t *q = rd_kafka_queue_new(p->rk);
    rd_kafka_AdminOptions_t *o =
        admin_options(p, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout_ms);
    rd_kafka_DescribeConsumerGroups(p->rk, &group, 1, o, q);
    rd_kafka_AdminOptions_destroy(o);
    LEAT_AUTO(leat_kafka_event_freep) rd_kafka_event_t *ev = NULL;
    leat_status status = await_event(q, "a group", timeout_ms, &ev, err);
    return status != LEAT_OK ? status : read_group(ev, group, arena, ret, err);
}
