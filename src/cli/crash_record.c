#include "cli/crash_record.h"

#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "store/crashes.h"

/* One line that names what happened and where; the number of tries is added where it is told. */
static void put_text(char *ret, size_t room, const struct leat_family_evidence *e)
{
    const struct leat_running *what = &e->what;
    const char *name = leat_running_verdict_name(e->verdict);
    char how[96];
    if (e->verdict == LEAT_RUNNING_HUNG) {
        (void)snprintf(how, sizeof how, "ran longer than %lld ms", (long long)what->timeout_ms);
    } else if (e->verdict == LEAT_RUNNING_EXITED) {
        (void)snprintf(how, sizeof how, "called exit()");
    } else {
        (void)snprintf(how, sizeof how, "signal %d (%s)", e->verdict, name);
    }
    (void)snprintf(ret, room, "%s in handler %s of %s v%d", how, what->type, what->processor,
                   what->version);
}

static leat_status record(struct leat_store *s, struct leat_family_evidence *e,
                          struct leat_error *err)
{
    const struct leat_running *what = &e->what;
    bool is_signal = e->verdict != LEAT_RUNNING_HUNG && e->verdict != LEAT_RUNNING_EXITED;
    int32_t tries = 0;
    char text[640], id[LEAT_UUID_TEXT];
    put_text(text, sizeof text, e);
    struct leat_crash c = {.processor = leat_str_of(what->processor),
                           .k = what->k,
                           .id = what->id,
                           .topic = leat_str_of(what->topic),
                           .offset = what->offset,
                           .signal = is_signal ? e->verdict : 0,
                           .hung = e->verdict == LEAT_RUNNING_HUNG,
                           .handler = leat_str_of(what->type),
                           .text = leat_str_of(text),
                           .evidence = e->id};
    LEAT_TRY(leat_store_record_crash(s, &c, &tries, err), err, "record");
    atomic_store(&e->written, true);
    leat_uuid_format(&what->id, id);
    leat_log_kv(LEAT_LOG_WARN, "run", "crash-recorded",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("processor", what->processor),
                                LEAT_LOG_CSTR("id", id), LEAT_LOG_INT("k", what->k),
                                LEAT_LOG_INT("tries", tries)),
                "%s, try %d", text, tries);
    return LEAT_OK;
}

int leat_crash_record(struct leat_family *f, const char *topology_path)
{
    struct leat_session s;
    struct leat_error err = {0};
    leat_status status = LEAT_OK;
    int code = leat_session_open_stored(&s, topology_path, NULL);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    for (uint32_t i = 0; i < f->evidence_count && status == LEAT_OK; i++) {
        if (!atomic_load(&f->evidence[i].written))
            status = record(s.store, &f->evidence[i], &err);
    }
    leat_session_close(&s);
    if (status == LEAT_OK)
        return LEAT_EXIT_OK;
    leat_log_error(LEAT_LOG_WARN, "run", "crash-not-recorded", &err);
    return LEAT_EXIT_FAILED;
}
