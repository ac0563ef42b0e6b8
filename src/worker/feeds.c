/* Which topics the owner of k reads for a processor: its command topics by priority, or the events
 * topic (a policy); and the foreign topics whose messages it handles. */
#include <stdio.h>
#include <stdlib.h>

#include "worker/worker_internal.h"

static void add(struct leat_worker *w, struct worker_feed feed, const char *name)
{
    w->feeds = realloc(w->feeds, (w->feed_count + 1) * sizeof *w->feeds);
    leat_assert(w->feeds != NULL);
    feed.name = strdup(name);
    leat_assert(feed.name != NULL);
    w->feeds[w->feed_count++] = feed;
}

/* Partitions first .. count-1 of a topic, each by the owner of (partition % ours): the store and
 * the flow call those beyond ours "topic#1", "topic#2" and so on. */
static leat_status add_foreign(struct leat_worker *w, const char *topic, int32_t first,
                               int32_t count, int32_t source, struct leat_error *err)
{
    int32_t ours = w->c.topology->partitions;
    if (count > ours * 64)
        return leat_fail(err, LEAT_INVALID, "topic '%s' has %d partitions, at most %d can be read",
                         topic, count, ours * 64);
    for (int32_t from = first; from < count; from = (from / ours + 1) * ours) {
        char name[300];
        int32_t turn = from / ours;
        int32_t end = (turn + 1) * ours < count ? (turn + 1) * ours : count;
        struct worker_feed feed = {.kind = LEAT_LANE_FOREIGN,
                                   .priority = -1,
                                   .source = source,
                                   .first_k = from - turn * ours,
                                   .last_k = end - 1 - turn * ours};
        (void)snprintf(name, sizeof name, turn == 0 ? "%s" : "%s#%d", topic, turn);
        add(w, feed, name);
    }
    return LEAT_OK;
}

static leat_status add_own(struct leat_worker *w, const char *topic, leat_lane_kind kind,
                           int32_t priority, struct leat_error *err)
{
    int32_t ours = w->c.topology->partitions, count = 0;
    LEAT_TRY(leat_admin_partitions(w->admin, topic, &count, 5000, err), err, "topic '%s'", topic);
    if (count < ours) {
        (void)leat_fail(err, LEAT_INVALID, "topic '%s' has %d partitions, the topology says %d",
                        topic, count, ours);
        leat_error_hint(err, "Run `leat apply`.");
        return LEAT_INVALID;
    }
    add(w,
        (struct worker_feed){
            .kind = kind, .priority = priority, .source = -1, .first_k = 0, .last_k = ours - 1},
        topic);
    return kind == LEAT_LANE_COMMANDS ? add_foreign(w, topic, ours, count, -1, err) : LEAT_OK;
}

/* The processor that handles a source's (first) type reads it. */
static bool reads_source(const struct leat_worker *w, const struct leat_source *s)
{
    struct leat_str type = s->type.len > 0 || s->n_routes == 0 ? s->type : s->routes[0].type;
    return leat_topology_handler(w->c.topology, type) == w->c.processor;
}

/* The group is assigned by the topic that was the anchor at the processor's first start, also when
 * another priority is the default by now. */
static leat_status find_anchor(struct leat_worker *w, struct leat_error *err)
{
    const struct leat_processor *p = w->c.processor;
    struct leat_str wish = p->topics != NULL ? p->topics[p->anchor] : w->c.topology->events_topic;
    struct leat_str fixed = {0};
    LEAT_TRY(leat_store_anchor(w->store, p->name, wish, w->arena, &fixed, err), err, "anchor");
    for (size_t i = 0; i < w->feed_count; i++)
        if (leat_str_eq(leat_str_of(w->feeds[i].name), fixed)) {
            w->anchor = w->feeds[i].name;
            return LEAT_OK;
        }
    (void)leat_fail(err, LEAT_INVALID,
                    "its group has always been assigned by topic '%.*s', which it no longer reads",
                    LEAT_STR_FMT(fixed));
    leat_error_hint(err,
                    "Keep that priority, or stop all its workers, delete the processor's row in "
                    "the table anchors, and start them again.");
    return LEAT_INVALID;
}

leat_status leat_worker_feeds(struct leat_worker *w, struct leat_error *err)
{
    const struct leat_topology *t = w->c.topology;
    const struct leat_processor *p = w->c.processor;
    for (uint32_t i = 0; p->topics != NULL && i < p->priorities.n; i++)
        LEAT_TRY(add_own(w, p->topics[i].at, LEAT_LANE_COMMANDS, (int32_t)i, err), err, "commands");
    if (p->events.n > 0)
        LEAT_TRY(add_own(w, t->events_topic.at, LEAT_LANE_EVENTS, -1, err), err, "events");
    for (uint32_t i = 0; i < t->n_sources; i++) {
        const struct leat_source *s = &t->sources[i];
        int32_t count = 0;
        if (!reads_source(w, s))
            continue;
        leat_status status = leat_admin_partitions(w->admin, s->topic.at, &count, 5000, err);
        if (status == LEAT_ABSENT)
            leat_error_hint(err, "It belongs to somebody else, so leat does not create it.");
        LEAT_TRY(status, err, "source '%s'", s->name.at);
        LEAT_TRY(add_foreign(w, s->topic.at, 0, count, (int32_t)i, err), err, "source '%s'",
                 s->name.at);
    }
    return find_anchor(w, err);
}
