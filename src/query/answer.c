#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "query/http.h"

#define PROBLEM_TYPE "about:blank"

void leat_answer_json(struct leat_request *rq, int status)
{
    rq->state = LEAT_REQUEST_READY;
    rq->status = status;
    if (rq->content_type == NULL)
        rq->content_type = "application/json";
    if (rq->out.overflow) {
        leat_buf_clear(&rq->out);
        leat_answer_problem(rq, 500, "Answer too large", NULL, "the answer is over its limit", "");
    }
}

void leat_answer_header(struct leat_request *rq, const char *name, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n >= 0 && n < (int)sizeof text)
        leat_answer_header_text(rq, name, leat_arena_cstr(rq->arena, leat_str_of(text)));
}

void leat_answer_header_int(struct leat_request *rq, const char *name, int64_t value)
{
    char room[LEAT_INT_TEXT];
    leat_answer_header_text(rq, name, leat_arena_cstr(rq->arena, leat_int_text(value, room)));
}

void leat_answer_header_text(struct leat_request *rq, const char *name, const char *text)
{
    if (rq->n_headers < LEAT_HEADERS_MAX) /* one too many is left out: no answer depends on it */
        rq->headers[rq->n_headers++] = (struct leat_answer_header){name, text};
}

static const char *etag_of(struct leat_request *rq)
{
    static const char digits[] = "0123456789abcdef";
    char text[19] = {'"', [17] = '"'};
    uint64_t hash = leat_hash64(rq->out.at, rq->out.len, 0);
    for (int i = 16; i > 0; i--, hash >>= 4)
        text[i] = digits[hash & 15];
    return leat_arena_cstr(rq->arena, leat_str_of(text));
}

void leat_answer_tagged(struct leat_request *rq)
{
    leat_answer_json(rq, 200);
    if (rq->status != 200)
        return;
    const char *etag = etag_of(rq);
    leat_answer_header_text(rq, "ETag", etag);
    leat_answer_header_text(rq, "Cache-Control", "no-cache"); /* kept, but asked for again */
    struct leat_str known = leat_request_header(rq, "If-None-Match");
    bool read_only = strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;
    if (known.len == 0 || !read_only || !leat_etag_listed(known, leat_str_of(etag)))
        return;
    leat_buf_clear(&rq->out);
    rq->content_type = NULL;
    rq->status = 304;
}

void leat_answer_problem(struct leat_request *rq, int status, const char *title, const char *code,
                         const char *detail, const char *hint)
{
    struct leat_json_writer w;
    char correlation[LEAT_UUID_TEXT];
    struct leat_uuid id = leat_uuid_v7(leat_now_ms());
    leat_uuid_format(&id, correlation);
    leat_buf_clear(&rq->out);
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "type", PROBLEM_TYPE);
    leat_json_put_cstr(&w, "title", title);
    leat_json_put_int(&w, "status", status);
    leat_json_put_cstr(&w, "detail", detail);
    if (code != NULL)
        leat_json_put_cstr(&w, "code", code);
    if (hint != NULL && hint[0] != 0)
        leat_json_put_cstr(&w, "hint", hint);
    leat_json_put_cstr(&w, "correlation_id", correlation);
    leat_json_end_object(&w);
    rq->content_type = "application/problem+json";
    rq->status = status;
    rq->state = LEAT_REQUEST_READY;
    if (status >= 500) {
        leat_log_limited_kv(LEAT_LOG_WARN, "query", "request-failed",
                            LEAT_LOG_FIELDS(LEAT_LOG_CSTR("correlation_id", correlation),
                                            LEAT_LOG_INT("status", status)),
                            "%s: %s", title, detail);
    }
}

int leat_status_http(leat_status status)
{
    switch (status) {
    case LEAT_OK:
        return 200;
    case LEAT_INVALID:
        return 400;
    case LEAT_ABSENT:
        return 404;
    case LEAT_RETRY:
    case LEAT_FENCED:
        return 503;
    case LEAT_POISON:
    case LEAT_FATAL:
        break;
    }
    return 500;
}

void leat_answer_error(struct leat_request *rq, const struct leat_error *err)
{
    switch (err->status) {
    case LEAT_INVALID:
        leat_answer_problem(rq, 400, "Bad request", NULL, err->msg, err->hint);
        return;
    case LEAT_ABSENT:
        leat_answer_problem(rq, 404, "Not found", NULL, err->msg, err->hint);
        return;
    case LEAT_RETRY:
    case LEAT_FENCED:
        leat_answer_header(rq, "Retry-After", "1");
        leat_answer_problem(rq, 503, "Not available now", NULL, err->msg, err->hint);
        return;
    case LEAT_OK:
    case LEAT_POISON:
    case LEAT_FATAL:
        break;
    }
    leat_answer_problem(rq, 500, "Internal error", NULL, err->msg, err->hint);
}
