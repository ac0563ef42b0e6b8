#include "cli/supervise_watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

void leat_watch_clear(struct leat_watch *w)
{
    memset(w, 0, sizeof *w);
    w->aborted_ms = -1;
}

/* Stopped by a signal or a debugger: then its calls do not run at all. */
static bool is_stopped(pid_t pid)
{
    char path[64], line[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    const char *read = fgets(line, sizeof line, f);
    (void)fclose(f);
    const char *name_end = read == NULL ? NULL : strrchr(line, ')');
    return name_end != NULL && (name_end[2] == 'T' || name_end[2] == 't');
}

/* One line of printable ASCII: keys may be any bytes. */
static void key_text(char *to, size_t room, const struct leat_running *what)
{
    size_t n = what->key_bytes < room - 1 ? what->key_bytes : room - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(what->key[i] >= ' ' && what->key[i] <= '~' ? what->key[i] : '?');
    to[n] = '\0';
}

static void log_call(const char *event, const struct leat_running *what, int64_t ran_ms,
                     const char *text)
{
    char id[LEAT_UUID_TEXT], key[sizeof what->key + 1];
    leat_uuid_format(&what->id, id);
    key_text(key, sizeof key, what);
    leat_log_kv(LEAT_LOG_ERROR, "run", event,
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("processor", what->processor),
                                LEAT_LOG_CSTR("type", what->type), LEAT_LOG_CSTR("key", key),
                                LEAT_LOG_CSTR("id", id), LEAT_LOG_CSTR("topic", what->topic),
                                LEAT_LOG_INT("k", what->k), LEAT_LOG_INT("offset", what->offset),
                                LEAT_LOG_INT("ran_ms", ran_ms)),
                "handler %s of %s v%d %s", what->type, what->processor, what->version, text);
}

void leat_watch_tick(struct leat_watch *w, struct leat_running_table *t, pid_t pid, int64_t ms)
{
    if (w->aborted_ms >= 0) {
        w->aborted_ms += ms;
        if (w->aborted_ms > LEAT_WATCH_KILL_MS)
            (void)kill(pid, SIGKILL);
        return;
    }
    if (leat_running_busy(t, &w->clock) && is_stopped(pid))
        return;
    int32_t late = leat_running_tick(t, &w->clock, ms, LEAT_WATCH_GRACE_MS);
    if (late < 0 || !leat_running_hung(t, &w->clock, late))
        return;
    log_call("handler-hung", &t->slots[late].what, w->clock.ran_ms[late],
             "runs longer than its timeout allows; its process is ended");
    w->aborted_ms = 0;
    (void)kill(pid, SIGABRT);
}

/* Full, it is not kept: the message runs again, and is found again. */
static void keep(struct leat_family *f, int32_t verdict, const struct leat_running *what)
{
    if (f->evidence_count == LEAT_FAMILY_EVIDENCE) {
        log_call("evidence-lost", what, 0, "is not counted: too much waits for the store");
        return;
    }
    struct leat_family_evidence *e = &f->evidence[f->evidence_count++];
    e->id = leat_uuid_v4();
    e->verdict = verdict;
    e->what = *what;
    atomic_store(&e->written, false);
}

uint32_t leat_watch_collect(struct leat_family *f, uint32_t member)
{
    struct leat_running what;
    uint32_t at = 0, n = 0;
    const struct leat_running_table *t = &f->members[member].running;
    for (int32_t verdict = leat_running_evidence(t, &at, &what); verdict != 0;
         verdict = leat_running_evidence(t, &at, &what)) {
        char text[96];
        (void)snprintf(text, sizeof text, "ended its process: %s",
                       leat_running_verdict_name(verdict));
        log_call("handler-crashed", &what, 0, text);
        keep(f, verdict, &what);
        n++;
    }
    return n;
}

uint32_t leat_watch_forget_written(struct leat_family *f)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->evidence_count; i++) {
        if (!atomic_load(&f->evidence[i].written)) {
            if (kept != i)
                memcpy(&f->evidence[kept], &f->evidence[i], sizeof f->evidence[i]);
            kept++;
        }
    }
    return f->evidence_count = kept;
}
