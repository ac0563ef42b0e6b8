/* log.h - one line per event on stderr: text on a terminal, else JSON lines. Any thread; each line
 * is one write(2). Only task loops, the supervisor and main log; a function that returns an error
 * does not. Never payloads, never secrets: ids, names, positions, counts. */
#ifndef LEAT_BASE_LOG_H
#define LEAT_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

typedef enum leat_log_level {
    LEAT_LOG_ERROR = 0, /* somebody has to do something */
    LEAT_LOG_WARN,      /* unusual, handled             */
    LEAT_LOG_INFO,      /* a change of state, rare      */
    LEAT_LOG_DEBUG,     /* may be frequent              */
} leat_log_level;

typedef enum leat_log_format {
    LEAT_LOG_AUTO = 0, /* text when stderr is a terminal, else JSON */
    LEAT_LOG_TEXT,
    LEAT_LOG_JSON,
} leat_log_format;

/* Before the first line: $LEAT_LOG (error warn info debug) and $LEAT_LOG_FORMAT (text json). */
void leat_log_set_level(leat_log_level level);
void leat_log_set_format(leat_log_format format);
/* Who writes, on every line: "worker-2"; copied, at most 31 bytes; default empty. */
void leat_log_set_process(const char *name);
bool leat_log_enabled(leat_log_level level);

typedef enum leat_log_kind {
    LEAT_LOG_KIND_STR,
    LEAT_LOG_KIND_INT,
} leat_log_kind;

struct leat_log_field { /* borrowed for the call; the list ends with a NULL key */
    const char *key;    /* snake_case */
    leat_log_kind kind;
    struct leat_str str;
    int64_t num;
};

static inline struct leat_log_field leat_log_str(const char *key, struct leat_str value)
{
    return (struct leat_log_field){.key = key, .kind = LEAT_LOG_KIND_STR, .str = value};
}

static inline struct leat_log_field leat_log_int(const char *key, int64_t value)
{
    return (struct leat_log_field){.key = key, .kind = LEAT_LOG_KIND_INT, .num = value};
}

#define LEAT_LOG_STR(key, value)  leat_log_str((key), (value))
#define LEAT_LOG_CSTR(key, value) leat_log_str((key), leat_str_of(value))
#define LEAT_LOG_INT(key, value)  leat_log_int((key), (int64_t)(value))
#define LEAT_LOG_END              leat_log_int(NULL, 0)
#define LEAT_LOG_FIELDS(...)      ((const struct leat_log_field[]){__VA_ARGS__, LEAT_LOG_END})

/* `area` is the folder, `event` a fixed dashed name to search for, `fmt` the human sentence. */
void leat_log_write(leat_log_level level, const char *area, const char *event,
                    const struct leat_log_field *fields, const char *fmt, ...) LEAT_PRINTF(5, 6);

#define leat_log(level, area, event, ...)                                                          \
    (leat_log_enabled(level) ? leat_log_write((level), (area), (event), NULL, __VA_ARGS__)         \
                             : (void)0)
/* leat_log_kv(LEAT_LOG_INFO, "worker", "lane-acquired",
 *             LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", name), LEAT_LOG_INT("k", k)), "…"); */
#define leat_log_kv(level, area, event, ...)                                                       \
    (leat_log_enabled(level) ? leat_log_write((level), (area), (event), __VA_ARGS__) : (void)0)

struct leat_log_site { /* zero-initialised static of one call site */
    _Atomic int64_t next_us;
    _Atomic uint32_t suppressed;
};

/* True at most once a second per site; *ret_suppressed = lines dropped since the last one. */
bool leat_log_site_pass(struct leat_log_site *site, uint32_t *ret_suppressed);

/* As leat_log_kv, at most once a second from this place in the code; says how many were dropped. */
#define leat_log_limited_kv(level, area, event, fields, fmt, ...)                                  \
    do {                                                                                           \
        static struct leat_log_site leat_site_;                                                    \
        uint32_t leat_drop_ = 0;                                                                   \
        if (leat_log_enabled(level) && leat_log_site_pass(&leat_site_, &leat_drop_))               \
            leat_log_write_limited((level), (area), (event), leat_drop_, (fields),                 \
                                   (fmt)__VA_OPT__(, ) __VA_ARGS__);                               \
    } while (0)
#define leat_log_limited(level, area, event, ...)                                                  \
    leat_log_limited_kv(level, area, event, NULL, __VA_ARGS__)
void leat_log_write_limited(leat_log_level level, const char *area, const char *event,
                            uint32_t suppressed, const struct leat_log_field *fields,
                            const char *fmt, ...) LEAT_PRINTF(6, 7);

/* The message and, when there is one, the hint of an error somebody returned. */
void leat_log_error(leat_log_level level, const char *area, const char *event,
                    const struct leat_error *err);

#endif
