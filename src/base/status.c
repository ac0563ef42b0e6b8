#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

leat_status leat_error_set(struct leat_error *err, leat_status status, const char *file, int line,
                           const char *fmt, ...)
{
    if (err == NULL)
        return status;
    err->status = status;
    err->file = file;
    err->line = line;
    err->hint[0] = '\0';
    /* The arguments may point into err itself (a cause being reworded): format beside it. */
    char msg[sizeof err->msg];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    memcpy(err->msg, msg, sizeof msg);
    return status;
}

void leat_error_wrap(struct leat_error *err, const char *fmt, ...)
{
    if (err == NULL)
        return;
    char msg[sizeof err->msg];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used >= sizeof msg)
        used = sizeof msg - 1;
    const char *parts[] = {": ", err->msg};
    for (size_t i = 0; i < 2; i++) { /* too long: the innermost cause is what gets cut */
        size_t len = strlen(parts[i]);
        if (len > sizeof msg - 1 - used)
            len = sizeof msg - 1 - used;
        memcpy(msg + used, parts[i], len);
        used += len;
    }
    msg[used] = '\0';
    memcpy(err->msg, msg, sizeof msg);
}

void leat_error_hint(struct leat_error *err, const char *fmt, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

const char *leat_status_name(leat_status status)
{
    switch (status) {
    case LEAT_OK:
        return "ok";
    case LEAT_RETRY:
        return "retry";
    case LEAT_POISON:
        return "poison";
    case LEAT_FENCED:
        return "fenced";
    case LEAT_INVALID:
        return "invalid";
    case LEAT_ABSENT:
        return "absent";
    case LEAT_FATAL:
        return "fatal";
    }
    return "unknown";
}

_Noreturn void leat_assert_failed(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "leat: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}
