/* status.h - error values that say what to do next and carry their own trail.
 * A function returns an error or logs it, never both. Threads: a struct leat_error
 * has one owner. */
#ifndef LEAT_BASE_STATUS_H
#define LEAT_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

#define LEAT_MUST_CHECK        __attribute__((warn_unused_result))
#define LEAT_AUTO(fn)          __attribute__((cleanup(fn)))
#define LEAT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LEAT_TAKE(p)                                                                               \
    __extension__({                                                                                \
        __typeof__(p) leat_take_ = (p);                                                            \
        (p) = NULL;                                                                                \
        leat_take_;                                                                                \
    })

typedef enum leat_status {
    LEAT_OK = 0,
    LEAT_RETRY,   /* transient (database, broker, time-out): the same call may succeed later */
    LEAT_POISON,  /* these bytes can never succeed: dead letter                              */
    LEAT_FENCED,  /* another owner took over: drop the work, acquire again                   */
    LEAT_INVALID, /* what the user gave us is wrong (file, flag, parameter): exit code 2     */
    LEAT_ABSENT,  /* asked-for thing does not exist                                          */
    LEAT_FATAL,   /* this process cannot go on: exit code 1                                  */
} leat_status;

struct leat_error { /* caller-owned, fixed size: reporting never allocates */
    leat_status status;
    const char *file; /* where it was raised, for debug logs */
    int line;
    char msg[512];  /* "could not <verb> '<thing>': <cause>", no full stop */
    char hint[256]; /* what the user can do about it, a sentence; may be empty */
};

/* Sets *err (NULL allowed) and returns `status`. */
leat_status leat_error_set(struct leat_error *err, leat_status status, const char *file, int line,
                           const char *fmt, ...) LEAT_PRINTF(5, 6);
/* Prepends "context: " to the message. */
void leat_error_wrap(struct leat_error *err, const char *fmt, ...) LEAT_PRINTF(2, 3);
void leat_error_hint(struct leat_error *err, const char *fmt, ...) LEAT_PRINTF(2, 3);
const char *leat_status_name(leat_status status);

#define leat_fail(err, status, ...) leat_error_set((err), (status), __FILE__, __LINE__, __VA_ARGS__)

/* The only macro in the tree that hides a return. */
#define LEAT_TRY(call, err, ...)                                                                   \
    do {                                                                                           \
        leat_status leat_try_status = (call);                                                      \
        if (leat_try_status != LEAT_OK) {                                                          \
            leat_error_wrap((err), __VA_ARGS__);                                                   \
            return leat_try_status;                                                                \
        }                                                                                          \
    } while (0)

/* Programmer errors only; stays on in release. Bytes from outside go through statuses. */
#define leat_assert(cond) ((cond) ? (void)0 : leat_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void leat_assert_failed(const char *what, const char *file, int line);

#endif
