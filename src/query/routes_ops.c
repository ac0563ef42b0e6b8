#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "query/backlog.h"
#include "query/http.h"

#define METRICS_BYTES_MAX (4U << 20)
#define DETAILS_BYTES_MAX (1U << 20)

void leat_route_health(struct leat_request *rq)
{
    leat_buf_puts(&rq->out, "{\"status\":\"ok\"}");
    leat_answer_json(rq, 200);
}

static void put_array(struct leat_request *rq, const char *name, struct leat_str array)
{
    if (array.len > 2)
        leat_buf_printf(&rq->out, ",\"%s\":%.*s", name, LEAT_STR_FMT(array));
}

/* More members of the object that the answer is. */
static void put_details(struct leat_request *rq)
{
    const struct leat_http_config *c = &rq->http->c;
    struct leat_buf reasons, stalled;
    struct leat_json_writer r, s;
    leat_buf_init(&reasons, DETAILS_BYTES_MAX);
    leat_buf_init(&stalled, DETAILS_BYTES_MAX);
    leat_json_writer_init(&r, &reasons);
    leat_json_writer_init(&s, &stalled);
    leat_json_begin_array(&r);
    leat_json_begin_array(&s);
    c->details(c->arg, &r, &s);
    leat_json_end_array(&r);
    leat_json_end_array(&s);
    if (!reasons.overflow && !stalled.overflow) {
        rq->out.len--; /* its closing brace */
        put_array(rq, "reasons", leat_buf_str(&reasons));
        put_array(rq, "stalled", leat_buf_str(&stalled));
        leat_buf_putc(&rq->out, '}');
    }
    leat_buf_done(&reasons);
    leat_buf_done(&stalled);
}

void leat_route_ready(struct leat_request *rq)
{
    const struct leat_http_config *c = &rq->http->c;
    const char *why = atomic_load(&rq->http->stopping) ? "stopping"
                      : c->ready == NULL               ? NULL
                                                       : c->ready(c->arg);
    if (why != NULL)
        leat_answer_problem(rq, 503, "Not ready", NULL, why, "");
    else
        leat_buf_puts(&rq->out, "{\"status\":\"ready\"}");
    if (c->details != NULL)
        put_details(rq);
    if (why == NULL)
        leat_answer_json(rq, 200);
}

static void put_own_metrics(struct leat_http *h, struct leat_buf *out)
{
    static const char *const classes[] = {"2xx", "4xx", "5xx"};
    leat_buf_puts(out, "# HELP leat_http_requests_total Requests answered.\n"
                       "# TYPE leat_http_requests_total counter\n");
    for (size_t i = 0; i < leat_route_count * 3; i++) {
        uint64_t n = atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        if (n == 0)
            continue;
        const struct leat_route *r = &leat_routes[i / 3];
        leat_buf_printf(
            out,
            "leat_http_requests_total{topology=\"%.*s\",method=\"%s\",route=\"%s\",class=\"%s\"} "
            "%" PRIu64 "\n",
            LEAT_STR_FMT(h->c.topology->name), r->method, r->pattern, classes[i % 3], n);
    }
    leat_buf_printf(out,
                    "# HELP leat_http_requests_in_flight Requests under way.\n"
                    "# TYPE leat_http_requests_in_flight gauge\n"
                    "leat_http_requests_in_flight{topology=\"%.*s\"} %d\n",
                    LEAT_STR_FMT(h->c.topology->name), atomic_load(&h->requests));
}

void leat_route_metrics(struct leat_request *rq)
{
    struct leat_http *h = rq->http;
    if (h->c.metrics != NULL)
        h->c.metrics(h->c.arg, &rq->out);
    leat_backlog_metrics(h->backlog, &rq->out);
    put_own_metrics(h, &rq->out);
    rq->content_type = "text/plain; version=0.0.4; charset=utf-8";
    leat_answer_json(rq, 200);
}

void leat_route_openapi(struct leat_request *rq)
{
    leat_openapi(rq->http->c.topology, &rq->out);
    leat_answer_json(rq, 200);
}
