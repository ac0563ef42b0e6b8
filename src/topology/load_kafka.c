#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/units.h"
#include "topology/loader.h"

static const struct {
    const char *name, *why;
} owned[] = {
    {"group.id", "a processor's group is <topology>.<processor>"},
    {"group.instance.id", "given to each worker by `leat run`"},
    {"group.protocol", "ownership is built on the classic protocol"},
    {"group.remote.assignor", "ownership is built on the classic protocol"},
    {"partition.assignment.strategy", "ownership needs eager range"},
    {"enable.auto.commit", "offsets live in the store"},
    {"enable.auto.offset.store", "offsets live in the store"},
    {"auto.commit.enable", "offsets live in the store"},
    {"auto.commit.interval.ms", "offsets live in the store"},
    {"auto.offset.reset", "a lost offset is an error, not a jump"},
    {"isolation.level", "set by leat"},
    {"partitioner", "one partition number from end to end needs murmur2"},
    {"partitioner_cb", "one partition number from end to end needs murmur2"},
    {"enable.idempotence", "always on"},
    {"enable.gapless.guarantee", "set by leat"},
    {"acks", "always all"},
    {"request.required.acks", "always all"},
    {"transactional.id", "not used: the store is the transaction"},
    {"client.id", "says which process of leat it is"},
    {"enable.partition.eof", "set by leat"},
};

/* Kafka's topic configs, for spelling. */
static const char *const topic_configs[] = {
    "cleanup.policy",
    "compression.type",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.storage.enable",
    "replication.factor",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

bool leat_names_has(const struct leat_names *names, struct leat_str name)
{
    for (uint32_t i = 0; i < names->n; i++) {
        if (leat_str_eq(names->at[i], name))
            return true;
    }
    return false;
}

const char *leat_props_get(const struct leat_props *props, const char *name, const char *fallback)
{
    for (uint32_t i = props->n; i > 0; i--) { /* later ones win */
        if (strcmp(props->at[i - 1].name, name) == 0)
            return props->at[i - 1].value;
    }
    return fallback;
}

/* --- kafka: properties --- */

static bool is_owned(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path)
{
    for (size_t i = 0; i < COUNT(owned); i++) {
        if (!leat_str_eq(pair->key, leat_str_of(owned[i].name)))
            continue;
        leat_load_error(l, &pair->place, "%s: '%s' belongs to leat", path, owned[i].name);
        leat_report_hint(l->report, "%s", owned[i].why);
        return true;
    }
    return false;
}

/* A list becomes "a,b,c". NULL: nothing to set. */
static const char *property_value(struct leat_loader *l, const struct leat_yaml *n,
                                  const char *path)
{
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    const char *joined = NULL;
    for (uint32_t i = 0; i < count && i < 100; i++) {
        if (items[i]->kind != LEAT_YAML_SCALAR) {
            leat_load_error(l, &items[i]->place, "%s takes one value or a list of values", path);
            return NULL;
        }
        if (items[i]->text.len == 0)
            continue;
        joined = joined == NULL ? items[i]->text.at
                                : leat_arena_printf(l->arena, "%s,%s", joined, items[i]->text.at);
    }
    return joined;
}

static bool is_override(struct leat_str key)
{
    return leat_str_eq(key, LEAT_STR("consumer")) || leat_str_eq(key, LEAT_STR("producer"));
}

static void load_properties(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                            bool outer, struct leat_props *ret)
{
    if (!leat_load_is_map(l, n, path))
        return;
    struct leat_prop *at = leat_arena_zalloc(l->arena, n->n, sizeof *at);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct leat_yaml_pair *pair = &n->pairs[i];
        if ((outer && is_override(pair->key)) || is_owned(l, pair, path))
            continue;
        if (pair->key.len >= 2 && memcmp(pair->key.at, "x-", 2) == 0)
            continue;
        const char *value = property_value(l, pair->value, leat_load_path(l, path, pair->key));
        if (value != NULL)
            at[count++] = (struct leat_prop){pair->key.at, value};
    }
    *ret = (struct leat_props){at, count};
}

LEAT_KEY_LOADER(leat_load_kafka)
{
    struct leat_topology *t = target;
    if (!leat_load_is_map(l, n, path))
        return;
    load_properties(l, n, path, true, &t->kafka.common);
    const struct leat_yaml *consumer = leat_yaml_get(n, LEAT_STR("consumer"));
    const struct leat_yaml *producer = leat_yaml_get(n, LEAT_STR("producer"));
    if (consumer != NULL)
        load_properties(l, consumer, leat_load_path(l, path, LEAT_STR("consumer")), false,
                        &t->kafka.consumer);
    if (producer != NULL)
        load_properties(l, producer, leat_load_path(l, path, LEAT_STR("producer")), false,
                        &t->kafka.producer);
}

/* --- topics: configs --- */

static bool ends_with(struct leat_str s, const char *tail)
{
    size_t len = strlen(tail);
    return s.len > len && memcmp(s.at + s.len - len, tail, len) == 0;
}

/* "30d" of a `.ms` config in ms, "1GiB" of a `.bytes` one in bytes. A bare number stays: these are
 * Kafka's names, and Kafka's documentation writes them so; -1 is its "unlimited". */
static const char *config_value(struct leat_loader *l, const struct leat_yaml_pair *pair,
                                const char *path)
{
    const char *text = property_value(l, pair->value, path);
    if (text == NULL)
        return NULL;
    int64_t v = 0;
    bool ms = ends_with(pair->key, ".ms");
    bool bytes = ends_with(pair->key, ".bytes");
    struct leat_str s = leat_str_of(text);
    if ((!ms && !bytes) || leat_parse_int(s, &v) == LEAT_UNITS_OK)
        return text;
    bool ok = ms ? leat_load_duration(l, pair->value, path, 0, INT64_MAX, &v)
                 : leat_load_size(l, pair->value, path, 0, INT64_MAX, &v);
    return ok ? leat_arena_printf(l->arena, "%lld", (long long)v) : NULL;
}

static void check_spelling(struct leat_loader *l, const struct leat_yaml_pair *pair,
                           const char *path)
{
    struct leat_suggest s;
    if (leat_str_eq(pair->key, LEAT_STR("partitions"))) {
        leat_load_error(l, &pair->place, "%s: every topic has the topology's 'partitions'", path);
        return;
    }
    leat_suggest_start(&s, pair->key);
    for (size_t i = 0; i < COUNT(topic_configs); i++) {
        if (leat_str_eq(pair->key, leat_str_of(topic_configs[i])))
            return;
        leat_suggest_offer_cstr(&s, topic_configs[i]);
    }
    leat_load_warning(l, &pair->place, "%s: Kafka has no topic config '%.*s' that leat knows of",
                      path, LEAT_STR_FMT(pair->key));
    leat_load_suggest(l, s.best);
}

static const char *const placeholders[] = {"{topology}", "{processor}", "{priority}"};

/* `allowed` of the placeholders may stand in the pattern, `needed` of them must, so that two topics
 * never get one name. */
static void load_pattern(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                         size_t allowed, const char **ret)
{
    struct leat_str s;
    if (!leat_load_text(l, n, path, &s))
        return;
    size_t known = 0;
    for (size_t i = 0; i < COUNT(placeholders); i++) {
        bool there = strstr(s.at, placeholders[i]) != NULL;
        if (there && i < allowed)
            known++;
        if (there == (i < allowed) || i == 0)
            continue;
        leat_load_error(l, &n->place, "%s: '%.*s' %s %s", path, LEAT_STR_FMT(leat_load_quote(n)),
                        there ? "cannot hold" : "must hold", placeholders[i]);
        return;
    }
    size_t braces = 0;
    for (const char *p = s.at; *p != '\0'; p++)
        braces += *p == '{' ? 1 : 0;
    if (braces != known) {
        leat_load_error(l, &n->place, "%s: '%.*s' holds an unknown placeholder, or one twice", path,
                        LEAT_STR_FMT(leat_load_quote(n)));
        leat_report_hint(l->report, "{topology}, {processor}, {priority}");
        return;
    }
    *ret = s.at;
}

static struct leat_props load_configs(struct leat_loader *l, const struct leat_yaml *n,
                                      const char *path, struct leat_topic_section *section,
                                      size_t allowed)
{
    const struct leat_props *base = &l->topic_defaults;
    struct leat_prop *at = leat_arena_zalloc(l->arena, (size_t)n->n + base->n, sizeof *at);
    uint32_t count = base->n;
    if (count > 0)
        memcpy(at, base->at, count * sizeof *at);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct leat_yaml_pair *pair = &n->pairs[i];
        const char *inner = leat_load_path(l, path, pair->key);
        if (section != NULL && allowed != 2 && leat_str_eq(pair->key, LEAT_STR("format"))) {
            unsigned format = section->format;
            if (leat_load_enum(l, pair->value, inner, "avro|json", &format))
                section->format = (leat_format)format;
            continue;
        }
        if (section != NULL && leat_str_eq(pair->key, LEAT_STR("name"))) {
            load_pattern(l, pair->value, inner, allowed, &section->name);
            continue;
        }
        check_spelling(l, pair, path);
        const char *value = config_value(l, pair, inner);
        if (value != NULL)
            at[count++] = (struct leat_prop){pair->key.at, value};
    }
    return (struct leat_props){at, count};
}

static void load_topic(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                       struct leat_topic_section *section, size_t allowed)
{
    if (leat_load_is_map(l, n, path))
        section->configs = load_configs(l, n, path, section, allowed);
}

LEAT_KEY_LOADER(leat_load_topics)
{
    leat_load_section(l, LEAT_SECTION_TOPICS, n, path, target);
}

LEAT_KEY_LOADER(leat_load_topic_defaults)
{
    struct leat_topology *t = target;
    if (!leat_load_is_map(l, n, path))
        return;
    l->topic_defaults = load_configs(l, n, path, NULL, 0);
    t->commands.configs = t->events.configs = t->dlq.configs = l->topic_defaults;
}

LEAT_KEY_LOADER(leat_load_topic_commands)
{
    load_topic(l, n, path, &((struct leat_topology *)target)->commands, 3);
}

LEAT_KEY_LOADER(leat_load_topic_events)
{
    load_topic(l, n, path, &((struct leat_topology *)target)->events, 1);
}

LEAT_KEY_LOADER(leat_load_topic_dlq)
{
    load_topic(l, n, path, &((struct leat_topology *)target)->dlq, 2);
}
