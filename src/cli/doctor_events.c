/* Are the records of the events topic those of this store? */
#include "base/record_headers.h"
#include "cli/doctor.h"
#include "cli/kafka_config.h"
#include "kafka/kafka.h"

#define PARTITIONS_READ 64 /* of those that have records */

static const char check[] = "events topic";

static const struct leat_published *of_slice(const struct leat_doctor *d, int32_t k)
{
    for (size_t i = 0; i < d->n_published; i++)
        if (d->published[i].slice == k)
            return &d->published[i];
    return NULL;
}

static void say_foreign(struct leat_doctor *d, const struct leat_position *at, struct leat_str is,
                        const struct leat_uuid *should)
{
    char ours[LEAT_UUID_TEXT];
    leat_uuid_format(should, ours);
    const char *todo = leat_arena_printf(
        d->arena,
        "start over: stop leat, delete the topics of '%s' and the read models' folder %s, run "
        "`leat apply`; or restore the store that the records belong to",
        d->topology->name.at, d->data_dir);
    leat_doctor_say(d, LEAT_CHECK_FAIL, check,
                    "the relay publishes nothing there, and read models pass the records over",
                    todo, "the last record of %s[%d] is of store %.*s; this store is %s", at->topic,
                    (int)at->partition, LEAT_STR_FMT(is), ours);
}

/* A slice that forked has had another id; the relay knows which of its events are void. */
static bool is_ancestor(const struct leat_doctor *d, int32_t k, const struct leat_uuid *id)
{
    return leat_lineage_judge(&d->lineage, k, id, INT64_MAX) != LEAT_DESCENT_FOREIGN;
}

/* False: it was found wrong, and said. */
static bool compare(struct leat_doctor *d, struct leat_admin *a, const struct leat_position *at,
                    size_t *compared)
{
    const struct leat_published *p = of_slice(d, at->partition);
    struct leat_record last = {0};
    struct leat_error err = {0};
    struct leat_str text = {0};
    struct leat_uuid id;
    if (p == NULL || leat_admin_record(a, at, d->arena, &last, d->timeout_ms, &err) != LEAT_OK)
        return true; /* a transaction's marker, or gone meanwhile */
    if (!leat_headers_find(last.packed_headers, LEAT_STR("leat-store"), &text) ||
        !leat_uuid_parse(text, &id)) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, check,
                        "the relay publishes nothing behind a record it does not know",
                        "let nobody but leat write to it; else start over with new topics",
                        "the last record of %s[%d] is not one of leat", at->topic,
                        (int)at->partition);
        return false;
    }
    ++*compared;
    if (leat_uuid_eq(&id, &p->store_id) || is_ancestor(d, at->partition, &id))
        return true;
    say_foreign(d, at, text, &p->store_id);
    return false;
}

static bool read_ends(struct leat_doctor *d, const struct leat_kafka_config *c,
                      struct leat_position *at, struct leat_admin **ret)
{
    size_t n = (size_t)d->topology->partitions;
    struct leat_watermarks *marks = leat_arena_zalloc(d->arena, n, sizeof *marks);
    struct leat_error err = {0};
    for (size_t k = 0; k < n; k++)
        at[k] = (struct leat_position){d->topology->events_topic.at, (int32_t)k, -1};
    if (leat_admin_new(c, ret, &err) != LEAT_OK ||
        leat_admin_watermarks(*ret, at, n, marks, d->timeout_ms, &err) != LEAT_OK) {
        leat_doctor_skip(d, check, "its end could not be read: %s", err.msg);
        return false;
    }
    for (size_t k = 0; k < n; k++)
        if (marks[k].high > marks[k].low)
            at[k].offset = marks[k].high - 1;
    return true;
}

static void compare_all(struct leat_doctor *d, struct leat_admin *a, const struct leat_position *at)
{
    size_t compared = 0;
    for (int32_t k = 0, read = 0; k < d->topology->partitions && read < PARTITIONS_READ; k++) {
        if (at[k].offset < 0)
            continue;
        read++;
        if (!compare(d, a, &at[k], &compared))
            return;
    }
    if (compared == 0) {
        leat_doctor_skip(d, check, "no events yet to compare with the store");
    } else {
        leat_doctor_ok(d, check, "the last records of %zu partition%s are of this store", compared,
                       compared == 1 ? "" : "s");
    }
}

void leat_doctor_events(struct leat_doctor *d, const struct leat_kafka_config *c)
{
    struct leat_admin *a = NULL;
    if (d->n_published == 0) {
        leat_doctor_skip(d, check, "there is no store to compare its records with");
        return;
    }
    struct leat_position *at =
        leat_arena_zalloc(d->arena, (size_t)d->topology->partitions, sizeof *at);
    if (read_ends(d, c, at, &a))
        compare_all(d, a, at);
    leat_admin_free(a);
}
