#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/doctor.h"
#include "cli/http_get.h"
#include "cli/status.h"
#include "projection/redis_fold.h"

#define FILES_WARN      4096
#define FILES_FAIL      512
#define FREE_WARN_BYTES ((int64_t)2 << 30)
#define FREE_FAIL_BYTES ((int64_t)100 << 20)
#define MAP_BYTES       ((uint64_t)16 << 30) /* first size of each read model's map */
#define MIB             ((int64_t)1 << 20)

static const char *size_text(int64_t bytes, char text[LEAT_UNITS_TEXT])
{
    return leat_format_size(bytes < 10 * MIB ? bytes : bytes / MIB * MIB, text);
}

/* ---- limits ---- */

static void look_at_files(struct leat_doctor *d)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    if (files.rlim_cur >= FILES_WARN) {
        leat_doctor_ok(d, "open files", "up to %llu", (unsigned long long)files.rlim_cur);
        return;
    }
    leat_doctor_say(d, files.rlim_cur < FILES_FAIL ? LEAT_CHECK_FAIL : LEAT_CHECK_WARN,
                    "open files",
                    "brokers, Postgres, HTTP requests and read models each need descriptors",
                    "raise it: ulimit -n 65536, or LimitNOFILE= in the service",
                    "only %llu may be open", (unsigned long long)files.rlim_cur);
}

static void look_at_memory(struct leat_doctor *d)
{
    struct rlimit space;
    uint64_t needed = MAP_BYTES * (d->topology->n_projections + 1u);
    if (getrlimit(RLIMIT_AS, &space) != 0)
        return;
    if (space.rlim_cur == RLIM_INFINITY || space.rlim_cur >= needed) {
        leat_doctor_ok(d, "address space", "not limited below what the read models map");
    } else {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "address space",
                        "each read model maps 16 GiB of addresses (not of memory)",
                        "lift it: ulimit -v unlimited", "limited to %llu MiB",
                        (unsigned long long)(space.rlim_cur >> 20));
    }
}

/* ---- the data folder ---- */

/* The folder itself, or the nearest one above that exists. */
static const char *existing(struct leat_doctor *d)
{
    char *path = leat_arena_cstr(d->arena, leat_str_of(d->data_dir));
    while (access(path, F_OK) != 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return ".";
        if (slash == path)
            return "/";
        *slash = 0;
    }
    return path;
}

static void look_at_space(struct leat_doctor *d, const char *path, int64_t models_bytes)
{
    struct statvfs fs;
    char have[LEAT_UNITS_TEXT], used[LEAT_UNITS_TEXT];
    if (statvfs(path, &fs) != 0) {
        leat_doctor_skip(d, "disk", "%s: %s", path, strerror(errno));
        return;
    }
    int64_t left = (int64_t)(fs.f_bavail * fs.f_frsize);
    if (left >= FREE_WARN_BYTES && left >= 2 * models_bytes) {
        leat_doctor_ok(d, "disk", "%s left for %s; the read models take %s", size_text(left, have),
                       d->data_dir, size_text(models_bytes, used));
        return;
    }
    leat_doctor_say(d, left < FREE_FAIL_BYTES ? LEAT_CHECK_FAIL : LEAT_CHECK_WARN, "disk",
                    "a full disk stops the read models; a rebuild keeps the old one beside the new",
                    "make room, or put the data folder elsewhere with --data",
                    "%s left for %s; the read models take %s", size_text(left, have), d->data_dir,
                    size_text(models_bytes, used));
}

static void look_at_redis(struct leat_doctor *d)
{
    const struct leat_topology *t = d->topology;
    struct leat_redis *r = NULL;
    struct leat_error err = {0};
    uint64_t seen = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_projections; i++)
        n += t->projections[i].store == LEAT_MODEL_REDIS;
    if (n == 0)
        return;
    leat_status status = leat_redis_of_topology(t, &r, &err);
    if (status == LEAT_OK)
        status = leat_redis_trusted(r, t, &seen, &err);
    if (status == LEAT_OK) {
        leat_doctor_ok(d, "Redis", "%s is a master and keeps what it is given; %u read models",
                       leat_redis_server(r), n);
    } else {
        leat_doctor_error(d, "Redis", "read models with `store: redis` are there",
                          "is Redis up, and redis.url right?", &err);
    }
    leat_redis_close(r);
}

static int64_t look_at_models(struct leat_doctor *d)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < d->topology->n_projections; i++) {
        const struct leat_projection *p = &d->topology->projections[i];
        struct leat_env_figures f = {0};
        char used[LEAT_UNITS_TEXT];
        const char *name = leat_arena_printf(d->arena, "model %s", p->name.at);
        if (p->store == LEAT_MODEL_REDIS)
            continue; /* nothing of it is on this host */
        if (!leat_model_files_figures(d->data_dir, p->name, &f)) {
            leat_doctor_skip(d, name, "not built here yet");
            continue;
        }
        sum += (int64_t)f.used_bytes;
        leat_doctor_ok(d, name, "%" PRIu64 " rows, %s; its map of %s grows by itself", f.rows,
                       size_text((int64_t)f.used_bytes, used),
                       size_text((int64_t)f.map_bytes, (char[LEAT_UNITS_TEXT]){0}));
    }
    return sum;
}

static void look_at_folder(struct leat_doctor *d)
{
    const char *path = existing(d);
    int64_t models_bytes = look_at_models(d);
    if (access(path, R_OK | W_OK | X_OK) == 0) {
        leat_doctor_ok(d, "data folder", "%s%s", d->data_dir,
                       strcmp(path, d->data_dir) == 0 ? "" : " (made when first needed)");
    } else {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "data folder", "the read models are written there",
                        "let this user write there, or name another with --data",
                        "'%s' may not be written: %s", path, strerror(errno));
    }
    look_at_redis(d);
    look_at_space(d, path, models_bytes);
}

/* ---- HTTP ---- */

static void look_at_port(struct leat_doctor *d)
{
    const char *listen = d->listen != NULL ? d->listen : LEAT_LISTEN_DEFAULT, *why = "";
    struct leat_address at;
    struct leat_http_answer answer = {0};
    struct leat_error err = {0};
    if (leat_address_parse(listen, &at, &err) != LEAT_OK) {
        leat_doctor_error(d, "HTTP", "leat run would not start", "write it as 127.0.0.1:8080",
                          &err);
        return;
    }
    int fd = leat_address_connect(&at, d->timeout_ms, &why);
    if (fd >= 0)
        (void)close(fd);
    if (fd < 0) {
        leat_doctor_ok(d, "HTTP", "%s is free (%s)", listen, why);
    } else if (leat_http_get(&at, "/healthz", d->timeout_ms, d->arena, &answer, &err) == LEAT_OK &&
               answer.status == 200) {
        leat_doctor_ok(d, "HTTP", "a leat answers at %s", listen);
    } else {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "HTTP", "leat run would not start its HTTP door",
                        "stop what listens there, or give another address with --listen",
                        "something else listens at %s", listen);
    }
}

static void look_at_clock(struct leat_doctor *d)
{
    int64_t now_ms = leat_now_ms();
    if (now_ms > 1577836800000) { /* 2020 */
        leat_doctor_ok(d, "processors", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    } else {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "clock", "ids and ages are made from it",
                        "set the clock", "this machine believes it is before 2020");
    }
}

void leat_doctor_host(struct leat_doctor *d)
{
    look_at_clock(d);
    look_at_files(d);
    look_at_memory(d);
    look_at_folder(d);
    look_at_port(d);
}
