#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/json.h"

/* One line is one write(2); what does not fit is left out. */
#define LINE_BYTES_MAX    4096
#define MESSAGE_BYTES_MAX 1024
#define LIMIT_US          1000000

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int current_level = LEAT_LOG_INFO;
static _Atomic int current_format = LEAT_LOG_AUTO;
static char process_name[32];

static bool level_of(struct leat_str name, leat_log_level *ret_level)
{
    for (int i = LEAT_LOG_ERROR; i <= LEAT_LOG_DEBUG; i++) {
        if (leat_str_eq(name, leat_str_of(level_names[i]))) {
            *ret_level = (leat_log_level)i;
            return true;
        }
    }
    return false;
}

static void read_environment(void)
{
    leat_log_level level;
    if (level_of(leat_str_of(leat_env("LEAT_LOG")), &level))
        current_level = level;
    struct leat_str format = leat_str_of(leat_env("LEAT_LOG_FORMAT"));
    if (leat_str_eq(format, LEAT_STR("text")))
        current_format = LEAT_LOG_TEXT;
    else if (leat_str_eq(format, LEAT_STR("json")) || isatty(STDERR_FILENO) == 0)
        current_format = LEAT_LOG_JSON;
    else
        current_format = LEAT_LOG_TEXT;
}

void leat_log_set_level(leat_log_level level)
{
    (void)pthread_once(&once, read_environment);
    current_level = level;
}

void leat_log_set_format(leat_log_format format)
{
    (void)pthread_once(&once, read_environment);
    if (format == LEAT_LOG_AUTO)
        format = isatty(STDERR_FILENO) != 0 ? LEAT_LOG_TEXT : LEAT_LOG_JSON;
    current_format = format;
}

void leat_log_set_process(const char *name)
{
    (void)snprintf(process_name, sizeof process_name, "%s", name);
}

bool leat_log_enabled(leat_log_level level)
{
    (void)pthread_once(&once, read_environment);
    return (int)level <= current_level;
}

struct line {
    leat_log_level level;
    const char *area, *event, *message;
    const struct leat_log_field *fields;
    uint32_t suppressed;
};

static void put_time(struct leat_buf *b, bool with_date)
{
    int64_t now = leat_now_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    char text[32];
    (void)gmtime_r(&seconds, &tm);
    if (with_date && strftime(text, sizeof text, "%Y-%m-%dT", &tm) > 0)
        leat_buf_puts(b, text);
    if (strftime(text, sizeof text, "%H:%M:%S", &tm) > 0)
        leat_buf_puts(b, text);
    leat_buf_printf(b, ".%03dZ", (int)(now % 1000));
}

static void format_json(const struct line *l, struct leat_buf *b)
{
    char time_text[40];
    struct leat_buf t;
    leat_buf_init(&t, sizeof time_text);
    put_time(&t, true);
    struct leat_json_writer w;
    leat_json_writer_init(&w, b);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "time", leat_buf_str(&t));
    leat_json_put_cstr(&w, "level", level_names[l->level]);
    if (process_name[0] != '\0')
        leat_json_put_cstr(&w, "process", process_name);
    leat_json_put_cstr(&w, "area", l->area);
    leat_json_put_cstr(&w, "event", l->event);
    leat_json_put_cstr(&w, "message", l->message);
    for (const struct leat_log_field *f = l->fields; f != NULL && f->key != NULL; f++) {
        if (f->kind == LEAT_LOG_KIND_INT)
            leat_json_put_int(&w, f->key, f->num);
        else
            leat_json_put_str(&w, f->key, f->str);
    }
    if (l->suppressed > 0)
        leat_json_put_int(&w, "suppressed", l->suppressed);
    leat_json_end_object(&w);
    leat_buf_done(&t);
}

/* Names from outside end up in a terminal: no control characters. */
static void put_plain(struct leat_buf *b, struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++)
        leat_buf_putc(b, (unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f ? ' ' : s.at[i]);
}

static void format_text(const struct line *l, struct leat_buf *b)
{
    put_time(b, false);
    leat_buf_printf(b, " %-5s ", level_names[l->level]);
    if (process_name[0] != '\0')
        leat_buf_printf(b, "%s ", process_name);
    leat_buf_printf(b, "%s: ", l->area);
    put_plain(b, leat_str_of(l->message));
    for (const struct leat_log_field *f = l->fields; f != NULL && f->key != NULL; f++) {
        leat_buf_printf(b, " %s=", f->key);
        if (f->kind == LEAT_LOG_KIND_INT)
            leat_buf_printf(b, "%lld", (long long)f->num);
        else
            put_plain(b, f->str);
    }
    leat_buf_printf(b, " [%s]", l->event);
    if (l->suppressed > 0)
        leat_buf_printf(b, " (and %u more)", l->suppressed);
}

/* A line that is cut is no object any more: it goes without its fields, then without its message,
 * each of whose bytes may take six. */
static void format_whole_json(const struct line *l, struct leat_buf *b)
{
    struct line less = *l;
    format_json(l, b);
    less.fields = NULL;
    if (b->overflow) {
        leat_buf_clear(b);
        format_json(&less, b);
    }
    less.message = "(too long to be logged)";
    if (b->overflow) {
        leat_buf_clear(b);
        format_json(&less, b);
    }
}

static void write_line(const struct line *l)
{
    struct leat_buf b;
    leat_buf_init(&b, LINE_BYTES_MAX - 1);
    if (current_format == LEAT_LOG_JSON)
        format_whole_json(l, &b);
    else
        format_text(l, &b);
    char out[LINE_BYTES_MAX];
    size_t len = b.len;
    if (len > 0)
        memcpy(out, b.at, len);
    out[len] = '\n';
    leat_buf_done(&b);
    /* A log that cannot be written has nowhere to be reported. */
    ssize_t ignored = write(STDERR_FILENO, out, len + 1);
    (void)ignored;
}

void leat_log_write(leat_log_level level, const char *area, const char *event,
                    const struct leat_log_field *fields, const char *fmt, ...)
{
    if (!leat_log_enabled(level))
        return;
    char message[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct line l = {level, area, event, message, fields, 0};
    write_line(&l);
}

void leat_log_write_limited(leat_log_level level, const char *area, const char *event,
                            uint32_t suppressed, const struct leat_log_field *fields,
                            const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct line l = {level, area, event, message, fields, suppressed};
    write_line(&l);
}

bool leat_log_site_pass(struct leat_log_site *site, uint32_t *ret_suppressed)
{
    int64_t now = leat_mono_us();
    int64_t next = atomic_load(&site->next_us);
    if (now >= next && atomic_compare_exchange_strong(&site->next_us, &next, now + LIMIT_US)) {
        *ret_suppressed = atomic_exchange(&site->suppressed, 0);
        return true;
    }
    atomic_fetch_add(&site->suppressed, 1);
    return false;
}

void leat_log_error(leat_log_level level, const char *area, const char *event,
                    const struct leat_error *err)
{
    const char *slash = err->file == NULL ? NULL : strrchr(err->file, '/');
    const char *file = slash == NULL ? err->file : slash + 1;
    leat_log_kv(level, area, event,
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("status", leat_status_name(err->status)),
                                LEAT_LOG_CSTR("raised_in", file), LEAT_LOG_INT("line", err->line)),
                "%s%s%s", err->msg, err->hint[0] == '\0' ? "" : "; ", err->hint);
}
