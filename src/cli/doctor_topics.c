#include <inttypes.h>
#include <stdlib.h>

#include "base/units.h"
#include "cli/doctor.h"

#define DAY_MS ((int64_t)86400 * 1000)

typedef enum topic_role {
    ROLE_COMMANDS,
    ROLE_EVENTS,
    ROLE_DLQ,
    ROLE_SOURCE,
} topic_role;

struct topic {
    const char *name;
    topic_role role;
    const struct leat_props *declared; /* NULL: nobody's */
    const char *check;
    struct leat_probe_topic is;
    struct leat_probe_settings settings;
};

static int64_t number(const char *text, int64_t fallback)
{
    int64_t value = fallback;
    if (text == NULL || leat_parse_int(leat_str_of(text), &value) != LEAT_UNITS_OK)
        return fallback;
    return value;
}

/* Each of these says whether it found something. */

static bool bad_partitions(struct leat_doctor *d, const struct topic *t)
{
    int32_t should = d->topology->partitions;
    if (t->is.without_leader > 0) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, t->check, "they can neither be read nor written",
                        "see which brokers are down", "%d partitions have no leader",
                        (int)t->is.without_leader);
        return true;
    }
    if (t->role == ROLE_SOURCE || t->is.partitions == should)
        return false;
    leat_doctor_say(d, LEAT_CHECK_FAIL, t->check,
                    "partition k of each topic belongs to slice k of the store",
                    "the count is fixed for the store's life: delete the topic and run `leat "
                    "apply`, or give the topology a name of its own",
                    "%d partitions, the topology says %d", (int)t->is.partitions, (int)should);
    return true;
}

static bool bad_cleanup(struct leat_doctor *d, const struct topic *t)
{
    const char *policy = leat_probe_setting(&t->settings, "cleanup.policy");
    if (t->role == ROLE_SOURCE || policy == NULL || strstr(policy, "compact") == NULL)
        return false;
    leat_doctor_say(d, LEAT_CHECK_FAIL, t->check,
                    "compaction drops all but the last record of a key",
                    "set cleanup.policy=delete on the topic", "cleanup.policy is %s", policy);
    return true;
}

static bool bad_replicas(struct leat_doctor *d, const struct topic *t)
{
    int64_t min = number(leat_probe_setting(&t->settings, "min.insync.replicas"), 1);
    if (t->role == ROLE_SOURCE)
        return false;
    if (min > t->is.in_sync) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, t->check, "with acks=all nothing can be written to it",
                        "bring back brokers, or lower min.insync.replicas",
                        "min.insync.replicas is %" PRId64 ", in sync %d of %d", min,
                        (int)t->is.in_sync, (int)t->is.replicas);
        return true;
    }
    return false;
}

static bool short_retention(struct leat_doctor *d, const struct topic *t)
{
    int64_t ms = number(leat_probe_setting(&t->settings, "retention.ms"), -1);
    int64_t keep_ms = d->topology->store.keep_commands_ms;
    char text[LEAT_UNITS_TEXT], kept[LEAT_UNITS_TEXT];
    if (t->role != ROLE_COMMANDS || ms < 0)
        return false;
    if (ms < DAY_MS) {
        leat_doctor_say(d, LEAT_CHECK_WARN, t->check,
                        "a command that waits longer than that is lost",
                        "raise topics.commands.retention.ms, run `leat apply`",
                        "retention.ms is %s", leat_format_duration(ms, text));
        return true;
    }
    if (keep_ms > 0 && ms > keep_ms) {
        leat_doctor_say(d, LEAT_CHECK_WARN, t->check,
                        "a record older than keep_commands is not known again when read twice",
                        "lower topics.commands.retention.ms, or raise store.keep_commands",
                        "retention.ms is %s, store.keep_commands %s",
                        leat_format_duration(ms, text), leat_format_duration(keep_ms, kept));
        return true;
    }
    return false;
}

static bool small_messages(struct leat_doctor *d, const struct topic *t)
{
    int64_t max = number(leat_probe_setting(&t->settings, "max.message.bytes"), 0);
    if (t->role == ROLE_SOURCE || max <= 0 || max >= d->topology->message_bytes_max)
        return false;
    leat_doctor_say(d, LEAT_CHECK_WARN, t->check,
                    "a message that leat takes would be refused by the broker",
                    "raise max.message.bytes of the topic, or lower limits.message",
                    "max.message.bytes is %" PRId64 ", limits.message %" PRId64, max,
                    d->topology->message_bytes_max);
    return true;
}

/* What the file declares and the broker has otherwise. */
static bool other_settings(struct leat_doctor *d, const struct topic *t)
{
    for (uint32_t i = 0; t->declared != NULL && i < t->declared->n; i++) {
        const struct leat_prop *p = &t->declared->at[i];
        const char *is = leat_probe_setting(&t->settings, p->name);
        if (is == NULL || strcmp(is, p->value) == 0 || strcmp(p->name, "replication.factor") == 0)
            continue;
        leat_doctor_say(d, LEAT_CHECK_WARN, t->check, "the topic is not as the file declares it",
                        "change the topic (kafka-configs --alter), or the file",
                        "%s is %s, the topology says %s", p->name, is, p->value);
        return true;
    }
    return false;
}

/* False when there is no more to say about it. */
static bool read_topic(struct leat_doctor *d, struct leat_probe *p, struct topic *t)
{
    bool foreign = t->role == ROLE_SOURCE;
    struct leat_error err = {0};
    leat_status status = leat_probe_topic(p, t->name, &t->is, d->timeout_ms, &err);
    if (status == LEAT_OK) {
        status = leat_probe_settings(p, (struct leat_probe_of){LEAT_PROBE_TOPIC, t->name}, d->arena,
                                     &t->settings, d->timeout_ms, &err);
    }
    if (status == LEAT_ABSENT) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, t->check,
                        foreign ? "its records are commands or events of this topology"
                                : "leat run refuses to start",
                        foreign ? "it belongs to somebody else: have it made"
                                : "run `leat apply`: it creates what is missing",
                        "it does not exist");
    } else if (status != LEAT_OK) {
        leat_doctor_error(d, t->check, "leat reads or writes it",
                          "may this user describe topics? see the broker's log", &err);
    }
    return status == LEAT_OK;
}

static void look_at(struct leat_doctor *d, struct leat_probe *p, struct topic t)
{
    char text[LEAT_UNITS_TEXT] = "for ever";
    t.check = leat_arena_printf(d->arena, "topic %s", t.name);
    if (!read_topic(d, p, &t))
        return;
    bool found = bad_partitions(d, &t);
    found = bad_cleanup(d, &t) || found;
    found = bad_replicas(d, &t) || found;
    found = short_retention(d, &t) || found;
    found = small_messages(d, &t) || found;
    found = other_settings(d, &t) || found;
    int64_t ms = number(leat_probe_setting(&t.settings, "retention.ms"), -1);
    if (ms >= 0)
        (void)leat_format_duration(ms, text);
    if (!found) {
        leat_doctor_ok(d, t.check, "%d partitions, %d replica%s, kept %s", (int)t.is.partitions,
                       (int)t.is.replicas, t.is.replicas == 1 ? "" : "s", text);
    }
}

void leat_doctor_topics(struct leat_doctor *d, struct leat_probe *p)
{
    const struct leat_topology *t = d->topology;
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *one = &t->processors[i];
        for (uint32_t c = 0; one->topics != NULL && c < one->priorities.n; c++) {
            look_at(d, p,
                    (struct topic){.name = one->topics[c].at,
                                   .role = ROLE_COMMANDS,
                                   .declared = &t->commands.configs});
        }
        look_at(d, p,
                (struct topic){
                    .name = one->dlq_topic.at, .role = ROLE_DLQ, .declared = &t->dlq.configs});
    }
    look_at(d, p,
            (struct topic){
                .name = t->events_topic.at, .role = ROLE_EVENTS, .declared = &t->events.configs});
    for (uint32_t i = 0; i < t->n_sources; i++)
        look_at(d, p, (struct topic){.name = t->sources[i].topic.at, .role = ROLE_SOURCE});
}
