#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "query/http.h"

#define METRICS_BYTES_MAX (4U << 20)

void leat_route_health(struct leat_request *rq)
{
    leat_buf_puts(&rq->out, "{\"status\":\"ok\"}");
    leat_answer_json(rq, 200);
}

void leat_route_ready(struct leat_request *rq)
{
    const struct leat_http_config *c = &rq->http->c;
    const char *why = atomic_load(&rq->http->stopping) ? "stopping"
                      : c->ready == NULL               ? NULL
                                                       : c->ready(c->arg);
    if (why != NULL) {
        leat_answer_problem(rq, 503, "Not ready", NULL, why, "");
        return;
    }
    leat_buf_puts(&rq->out, "{\"status\":\"ready\"}");
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
    put_own_metrics(h, &rq->out);
    rq->content_type = "text/plain; version=0.0.4; charset=utf-8";
    leat_answer_json(rq, 200);
}

void leat_route_openapi(struct leat_request *rq)
{
    leat_openapi(rq->http->c.topology, &rq->out);
    leat_answer_json(rq, 200);
}
