#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/doctor.h"
#include "cli/http_get.h"
#include "cli/kafka_config.h"

#define CLIENT_MIN       0x01090000 /* what the groups' protocol was tried with */
#define CLIENT_MIN_TXT   "1.9.0"
#define CLOCK_WARN_MS    1000
#define CLOCK_PARTITIONS 4 /* whose newest event is read */

/* ---- reaching the brokers ---- */

static const char *brokers_of(const struct leat_topology *t)
{
    const char *list = leat_props_get(&t->kafka.common, "bootstrap.servers", NULL);
    return list != NULL ? list : leat_props_get(&t->kafka.common, "metadata.broker.list", "");
}

/* A refused connection is told by librdkafka only as a time-out: asked here, broker by broker. */
static bool reach_bootstrap(struct leat_doctor *d)
{
    const char *list = brokers_of(d->topology);
    size_t reached = 0, asked = 0;
    for (const char *at = list; *at != 0;) {
        size_t len = strcspn(at, ", ");
        struct leat_str item = {at, (uint32_t)len};
        at += len + (at[len] != 0);
        const char *text = leat_arena_cstr(d->arena, item), *why = "";
        const char *plain = strstr(text, "://") == NULL ? text : strstr(text, "://") + 3;
        struct leat_address a;
        struct leat_error err = {0};
        if (len == 0)
            continue;
        if (strrchr(plain, ':') == NULL)
            plain = leat_arena_printf(d->arena, "%s:9092", plain);
        asked++;
        bool valid = leat_address_parse(plain, &a, &err) == LEAT_OK;
        int fd = valid ? leat_address_connect(&a, d->timeout_ms, &why) : -1;
        if (fd >= 0) {
            (void)close(fd);
            reached++;
            continue;
        }
        leat_doctor_say(d, LEAT_CHECK_FAIL, "reachable",
                        "commands cannot be read, events cannot be published",
                        "is the broker up, and kafka.bootstrap.servers right?", "%s: %s", plain,
                        valid ? why : err.msg);
    }
    if (asked == 0) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "reachable", "no broker can be asked",
                        "give kafka.bootstrap.servers", "the topology names no broker");
    }
    return reached > 0;
}

static bool look_at_cluster(struct leat_doctor *d, struct leat_probe *p,
                            struct leat_probe_cluster *ret)
{
    struct leat_error err = {0};
    if (leat_probe_cluster(p, d->arena, ret, d->timeout_ms, &err) != LEAT_OK) {
        leat_doctor_error(d, "reachable", "the port is open, but no broker answers in Kafka's way",
                          "look at security.protocol and the sasl.* and ssl.* properties, and at "
                          "the broker's log",
                          &err);
        return false;
    }
    LEAT_AUTO(leat_buf_done) struct leat_buf names;
    leat_buf_init(&names, 2048);
    for (size_t i = 0; i < ret->n; i++) {
        leat_buf_printf(&names, "%s%.*s:%d", i > 0 ? ", " : "", LEAT_STR_FMT(ret->brokers[i].host),
                        (int)ret->brokers[i].port);
    }
    leat_doctor_ok(d, "reachable", "%zu broker%s: %.*s", ret->n, ret->n == 1 ? "" : "s",
                   LEAT_STR_FMT(leat_buf_str(&names)));
    return ret->n > 0;
}

/* Brokers advertise names of their own: reachable ones at the start are no proof. */
static void look_at_advertised(struct leat_doctor *d, const struct leat_probe_cluster *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const char *why = "";
        struct leat_address a;
        struct leat_error err = {0};
        const char *text = leat_arena_printf(d->arena, "%.*s:%d", LEAT_STR_FMT(c->brokers[i].host),
                                             (int)c->brokers[i].port);
        int fd = leat_address_parse(text, &a, &err) == LEAT_OK
                     ? leat_address_connect(&a, d->timeout_ms, &why)
                     : -1;
        if (fd >= 0) {
            (void)close(fd);
        } else {
            leat_doctor_say(d, LEAT_CHECK_FAIL, "advertised",
                            "clients talk to the addresses that brokers advertise",
                            "mend advertised.listeners of that broker, or this machine's names",
                            "broker %d calls itself %s: %s", (int)c->brokers[i].id, text, why);
        }
    }
}

static void look_at_versions(struct leat_doctor *d, struct leat_probe *p,
                             const struct leat_probe_cluster *c)
{
    char id[16];
    struct leat_probe_settings settings = {0};
    struct leat_error err = {0};
    (void)snprintf(id, sizeof id, "%d", (int)c->brokers[0].id);
    const char *version = NULL;
    if (leat_probe_settings(p, (struct leat_probe_of){LEAT_PROBE_BROKER, id}, d->arena, &settings,
                            d->timeout_ms, &err) == LEAT_OK)
        version = leat_probe_setting(&settings, "inter.broker.protocol.version");
    if (version == NULL) {
        leat_doctor_ok(d, "version", "brokers do not tell theirs; they answer what leat asks");
    } else if (strtod(version, NULL) < 2.3) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "version", "static membership needs Kafka 2.3 or newer",
                        "upgrade the brokers", "the brokers speak %s", version);
    } else {
        leat_doctor_ok(d, "version", "the brokers speak %s", version);
    }
}

static void look_at_client(struct leat_doctor *d)
{
    if (leat_probe_client_version_number() >= CLIENT_MIN) {
        leat_doctor_ok(d, "librdkafka", "%s", leat_probe_client_version());
    } else {
        leat_doctor_say(d, LEAT_CHECK_WARN, "librdkafka", "older ones were not tried",
                        "install " CLIENT_MIN_TXT " or newer", "%s", leat_probe_client_version());
    }
}

/* ---- clocks: Kafka does not tell its own, but records carry the time of who wrote them ---- */

static bool newest_time(struct leat_doctor *d, struct leat_admin *a, int32_t k, int64_t *ret_ms)
{
    struct leat_position at = {d->topology->events_topic.at, k, 0};
    struct leat_watermarks marks = {0};
    struct leat_record record = {0};
    struct leat_error err = {0};
    if (leat_admin_watermarks(a, &at, 1, &marks, d->timeout_ms, &err) != LEAT_OK ||
        marks.high <= marks.low)
        return false;
    at.offset = marks.high - 1;
    if (leat_admin_record(a, &at, d->arena, &record, d->timeout_ms, &err) != LEAT_OK)
        return false;
    *ret_ms = record.timestamp_ms;
    return true;
}

static void look_at_clock(struct leat_doctor *d, const struct leat_kafka_config *c)
{
    struct leat_admin *a = NULL;
    struct leat_error err = {0};
    int64_t newest_ms = 0, now_ms = 0, at_ms = 0;
    char text[LEAT_UNITS_TEXT];
    if (leat_admin_new(c, &a, &err) != LEAT_OK)
        return;
    for (int32_t k = 0, read = 0; k < d->topology->partitions && read < CLOCK_PARTITIONS; k++) {
        if (!newest_time(d, a, k, &at_ms))
            continue;
        newest_ms = at_ms > newest_ms ? at_ms : newest_ms;
        read++;
    }
    leat_admin_free(a);
    now_ms = leat_now_ms();
    if (newest_ms == 0) {
        leat_doctor_skip(d, "clock", "no events yet to compare with");
    } else if (newest_ms <= now_ms + CLOCK_WARN_MS) {
        leat_doctor_ok(d, "clock", "the newest event looked at is %s old",
                       leat_format_duration((now_ms - newest_ms) / 1000 * 1000, text));
    } else {
        leat_doctor_say(d, LEAT_CHECK_WARN, "clock", "ages are counted from the times of records",
                        "run NTP on the machines of leat and on the brokers",
                        "an event is %s ahead of this machine's clock",
                        leat_format_duration(newest_ms - now_ms, text));
    }
}

/* ---- groups ---- */

/* Members of ours call themselves "<topology>.<…>". */
static size_t strangers(const struct leat_doctor *d, const struct leat_probe_group *g)
{
    struct leat_str name = d->topology->name;
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct leat_str id = g->members[i].client_id;
        n += id.len <= name.len || memcmp(id.at, name.at, name.len) != 0 || id.at[name.len] != '.';
    }
    return n;
}

static void look_at_group(struct leat_doctor *d, struct leat_probe *p, const char *group)
{
    struct leat_probe_group g = {0};
    struct leat_error err = {0};
    const char *name = leat_arena_printf(d->arena, "group %s", group);
    if (leat_probe_group(p, group, d->arena, &g, d->timeout_ms, &err) != LEAT_OK) {
        leat_doctor_error(d, name, "partitions are shared out through it",
                          "may this user describe and join groups? see the broker's log", &err);
        return;
    }
    size_t foreign = strangers(d, &g);
    if (foreign > 0) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, name, "their partitions are handled by nobody of leat",
                        "stop them, or give them a group of their own",
                        "%zu of %zu members are not of leat; one is '%.*s'", foreign, g.n,
                        LEAT_STR_FMT(g.members[0].client_id));
    } else {
        leat_doctor_ok(d, name, "%.*s, %zu member%s", LEAT_STR_FMT(g.state), g.n,
                       g.n == 1 ? "" : "s");
    }
}

void leat_doctor_kafka(struct leat_doctor *d)
{
    struct leat_probe *p = NULL;
    struct leat_probe_cluster cluster = {0};
    struct leat_error err = {0};
    const struct leat_topology *t = d->topology;
    struct leat_kafka_config c = leat_cli_kafka_config(t, "doctor", d->arena);
    look_at_client(d);
    bool reached = reach_bootstrap(d);
    if (reached && leat_probe_new(&c, &p, &err) != LEAT_OK) {
        leat_doctor_error(d, "properties", "no client can be made", "see `leat check`", &err);
        reached = false;
    }
    if (!reached || !look_at_cluster(d, p, &cluster)) {
        leat_doctor_skip(d, "topics", "no broker was to be reached");
        leat_probe_free(p);
        return;
    }
    look_at_advertised(d, &cluster);
    look_at_versions(d, p, &cluster);
    leat_doctor_topics(d, p);
    leat_doctor_events(d, &c);
    look_at_clock(d, &c);
    for (uint32_t i = 0; i < t->n_processors; i++)
        look_at_group(d, p, t->processors[i].group);
    look_at_group(d, p, t->relay_group);
    leat_probe_free(p);
}
