/* latency.c - time from a producer's send to the row read back over HTTP, at a steady rate.
 *
 * usage: bench_latency --broker B --topic T --http HOST:PORT [--model leads] [--rate 1000]
 *                      [--seconds 30] [--warmup 3] [--every 50]
 * The main thread sends `rate` commands a second by an absolute schedule (linger 1 ms). Each
 * `every`-th has a key of its own and is a probe: from then on a poller asks for that key's row,
 * every millisecond, until it carries the probe's `ts`. Latency is that moment minus the one
 * before produce() was called. Prints one JSON object; exit 1 when a send failed or no probe came
 * back. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLLERS       2
#define ASKS_MAX      2 /* per turn and poller: asking must not become the load that is measured */
#define PROBES_MAX    100000
#define POLL_EVERY_NS 1000000
#define GIVE_UP_NS    INT64_C(10000000000)
#define FIRST_TS      INT64_C(1700000000000)

struct options {
    const char *broker, *topic, *host, *model;
    int port;
    long rate, seconds, warmup, every;
};

struct probe {
    char key[24];
    int64_t ts, sent_ns, read_ns; /* read_ns 0: not seen */
    int http_status;              /* of the last answer */
};

struct poller {
    const struct options *options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t handed;
    struct probe **queue; /* handed over by the sender, in order */
    size_t queued, taken; /* under lock */
    bool closed;          /* under lock: nothing more comes */
    struct probe **open;  /* the thread's own: asked for and not yet seen */
    size_t n_open;
    int fd;
    uint64_t requests;
};

static _Atomic long failed_sends;

/* From produce() to the broker's acknowledgement, without the warm-up; only the sender polls. */
static struct {
    int64_t *took_ns;
    size_t seen, skip, n, max;
} acks;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void wait_until_ns(int64_t at_ns)
{
    struct timespec t = {at_ns / 1000000000, at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "latency: %s: %s\n", what, why);
    exit(1);
}

/* ---- reading rows ---- */

static int connect_to(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("connect", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* One answer of at most `room` - 1 bytes, NUL-terminated, body included. */
static void read_answer(int fd, char *at, size_t room)
{
    size_t got = 0, whole = 0;
    while (whole == 0 || got < whole) {
        if (got + 1 >= room)
            die("read", "the answer is too long");
        ssize_t n = read(fd, at + got, room - 1 - got);
        if (n <= 0)
            die("read", n == 0 ? "connection closed" : strerror(errno));
        got += (size_t)n;
        at[got] = 0;
        const char *body = strstr(at, "\r\n\r\n");
        if (whole != 0 || body == NULL)
            continue;
        const char *length = strcasestr(at, "\r\ncontent-length:");
        if (length == NULL || length > body)
            die("read", "no Content-Length");
        whole = (size_t)(body + 4 - at) + strtoul(length + 17, NULL, 10);
    }
}

/* True when the probe's row is there with the probe's value. */
static bool ask(struct poller *p, struct probe *probe)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "GET /v1/models/%s/%s HTTP/1.1\r\nHost: %s:%d\r\n\r\n",
                     p->options->model, probe->key, p->options->host, p->options->port);
    if (write(p->fd, text, (size_t)n) != n)
        die("write", strerror(errno));
    read_answer(p->fd, text, sizeof text);
    p->requests++;
    probe->http_status = (int)strtol(text + 9, NULL, 10);
    char want[40];
    snprintf(want, sizeof want, "\"ts\":%" PRId64, probe->ts);
    return probe->http_status == 200 && strstr(text, want) != NULL;
}

/* Takes what was handed over; waits only while nothing is open. False at the end. */
static bool take(struct poller *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->n_open == 0 && p->taken == p->queued && !p->closed)
        pthread_cond_wait(&p->handed, &p->lock);
    while (p->taken < p->queued)
        p->open[p->n_open++] = p->queue[p->taken++];
    bool more = p->n_open > 0;
    pthread_mutex_unlock(&p->lock);
    return more;
}

/* Asks for the first few open probes; who is not there yet goes to the end. */
static void ask_some(struct poller *p, int64_t began_ns)
{
    for (size_t n = p->n_open < ASKS_MAX ? p->n_open : ASKS_MAX; n > 0; n--) {
        struct probe *probe = p->open[0];
        memmove(p->open, p->open + 1, --p->n_open * sizeof(struct probe *));
        if (ask(p, probe))
            probe->read_ns = now_ns();
        else if (began_ns - probe->sent_ns < GIVE_UP_NS)
            p->open[p->n_open++] = probe;
    }
}

static void *poll_rows(void *arg)
{
    struct poller *p = arg;
    while (take(p)) {
        if (p->fd < 0) /* not sooner: the server drops connections that say nothing */
            p->fd = connect_to(p->options->host, p->options->port);
        int64_t began_ns = now_ns();
        ask_some(p, began_ns);
        wait_until_ns(began_ns + POLL_EVERY_NS);
    }
    return NULL;
}

static void start_poller(struct poller *p, const struct options *o)
{
    *p = (struct poller){.options = o, .fd = -1};
    p->queue = calloc(PROBES_MAX, sizeof(struct probe *));
    p->open = calloc(PROBES_MAX, sizeof(struct probe *));
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->handed, NULL);
    if (p->queue == NULL || p->open == NULL || pthread_create(&p->thread, NULL, poll_rows, p) != 0)
        die("poller", "no memory or thread");
}

static void hand_over(struct poller *p, struct probe *probe)
{
    pthread_mutex_lock(&p->lock);
    p->queue[p->queued++] = probe;
    pthread_cond_signal(&p->handed);
    pthread_mutex_unlock(&p->lock);
}

static uint64_t finish_poller(struct poller *p)
{
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    pthread_cond_signal(&p->handed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    if (p->fd >= 0)
        close(p->fd);
    free(p->queue);
    free(p->open);
    return p->requests;
}

/* ---- sending ---- */

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (m->err)
        atomic_fetch_add(&failed_sends, 1);
    else if (acks.seen++ >= acks.skip && acks.n < acks.max)
        acks.took_ns[acks.n++] = rd_kafka_message_latency(m) * 1000;
}

static void set(rd_kafka_conf_t *c, const char *name, const char *value)
{
    char why[512];
    if (rd_kafka_conf_set(c, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        die(name, why);
}

static rd_kafka_t *new_producer(const char *broker)
{
    char why[512];
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    set(c, "bootstrap.servers", broker);
    set(c, "linger.ms", "1"); /* as leat's own producers */
    set(c, "acks", "all");
    set(c, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(c, delivered);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof why);
    if (rk == NULL)
        die("producer", why);
    return rk;
}

/* The filler's fields; `ts` tells the commands apart. */
static void send_command(rd_kafka_topic_t *topic, const char *key, long i, int64_t ts)
{
    char value[400];
    long id = (i * 7919) % 10000;
    int n =
        snprintf(value, sizeof value,
                 "{\"command_id\":\"%08lx-0000-4000-8000-%012lx\",\"type\":\"ScoreLead\","
                 "\"lead_id\":\"%s\",\"email\":\"x%ld@example.com\",\"company\":\"Company %ld\","
                 "\"state\":\"CA\",\"source\":\"web\",\"budget\":%ld,\"employees\":%ld,"
                 "\"ts\":%" PRId64 "}",
                 (unsigned long)i & 0xffffffff, (unsigned long)i, key, id, id, (i * 31) % 90000,
                 (i * 17) % 500, ts);
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, (size_t)n, key,
                         strlen(key), NULL) != 0)
        atomic_fetch_add(&failed_sends, 1);
}

/* Sends all commands on time; gives the number of probes. */
static size_t send_all(const struct options *o, rd_kafka_t *rk, struct poller *pollers,
                       struct probe *probes)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, o->topic, NULL);
    long total = o->rate * (o->warmup + o->seconds), first_probe = o->rate * o->warmup;
    int64_t began_ns = now_ns(), step_ns = 1000000000 / o->rate;
    size_t n = 0;
    for (long i = 0; i < total; i++) {
        wait_until_ns(began_ns + i * step_ns);
        if (i >= first_probe && i % o->every == 0 && n < PROBES_MAX) {
            struct probe *probe = &probes[n];
            snprintf(probe->key, sizeof probe->key, "probe-%06zu", n);
            probe->ts = FIRST_TS + i;
            probe->sent_ns = now_ns();
            send_command(topic, probe->key, i, probe->ts);
            hand_over(&pollers[n % POLLERS], probe);
            n++;
        } else {
            char key[24];
            snprintf(key, sizeof key, "lead-%05ld", (i * 7919) % 10000);
            send_command(topic, key, i, FIRST_TS + i);
        }
        rd_kafka_poll(rk, 0);
    }
    if (rd_kafka_flush(rk, 20000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("flush", "records were not acknowledged in 20 s");
    rd_kafka_topic_destroy(topic);
    return n;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double at_share(const int64_t *sorted, size_t n, size_t per_mille)
{
    size_t i = n * per_mille / 1000;
    return n == 0 ? -1 : (double)sorted[i < n ? i : n - 1] / 1e6;
}

static int report(const struct options *o, const struct probe *probes, size_t n, uint64_t requests)
{
    int64_t *took = calloc(n + 1, sizeof *took);
    size_t seen = 0;
    if (took == NULL)
        die("report", "no memory");
    for (size_t i = 0; i < n; i++) {
        if (probes[i].read_ns != 0)
            took[seen++] = probes[i].read_ns - probes[i].sent_ns;
        else if (i - seen < 3)
            fprintf(stderr, "latency: %s was never seen (last HTTP status %d)\n", probes[i].key,
                    probes[i].http_status);
    }
    qsort(took, seen, sizeof *took, by_value);
    qsort(acks.took_ns, acks.n, sizeof *acks.took_ns, by_value);
    printf("{\"rate\":%ld,\"seconds\":%ld,\"p50_ms\":%.2f,\"p90_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"max_ms\":%.2f,\"count\":%zu,\"missed\":%zu,\"failed_sends\":%ld,"
           "\"http_requests\":%" PRIu64 ",\"ack_p50_ms\":%.2f,\"ack_p99_ms\":%.2f,"
           "\"ack_max_ms\":%.2f}\n",
           o->rate, o->seconds, at_share(took, seen, 500), at_share(took, seen, 900),
           at_share(took, seen, 990), at_share(took, seen, 1000), seen, n - seen,
           atomic_load(&failed_sends), requests, at_share(acks.took_ns, acks.n, 500),
           at_share(acks.took_ns, acks.n, 990), at_share(acks.took_ns, acks.n, 1000));
    free(took);
    return seen > 0 && atomic_load(&failed_sends) == 0 ? 0 : 1;
}

static void read_address(struct options *o, char *address)
{
    char *colon = strrchr(address, ':');
    if (colon == NULL)
        die("--http", "HOST:PORT expected");
    *colon = 0;
    o->host = address;
    o->port = (int)strtol(colon + 1, NULL, 10);
}

static void read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.model = "leads", .rate = 1000, .seconds = 30, .warmup = 3, .every = 50};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i];
        char *value = argv[i + 1];
        if (strcmp(name, "--broker") == 0)
            o->broker = value;
        else if (strcmp(name, "--topic") == 0)
            o->topic = value;
        else if (strcmp(name, "--http") == 0)
            read_address(o, value);
        else if (strcmp(name, "--model") == 0)
            o->model = value;
        else if (strcmp(name, "--rate") == 0)
            o->rate = strtol(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            o->seconds = strtol(value, NULL, 10);
        else if (strcmp(name, "--warmup") == 0)
            o->warmup = strtol(value, NULL, 10);
        else if (strcmp(name, "--every") == 0)
            o->every = strtol(value, NULL, 10);
        else
            die(name, "unknown option");
    }
    if (o->broker == NULL || o->topic == NULL || o->host == NULL || o->rate <= 0 || o->every <= 0 ||
        o->seconds < 0 || o->warmup < 0)
        die("usage", "--broker B --topic T --http HOST:PORT; see the head of latency.c");
}

int main(int argc, char **argv)
{
    struct options o;
    read_options(&o, argc, argv);
    struct probe *probes = calloc(PROBES_MAX, sizeof *probes);
    acks.skip = (size_t)(o.rate * o.warmup);
    acks.max = (size_t)(o.rate * (o.warmup + o.seconds));
    acks.took_ns = calloc(acks.max + 1, sizeof *acks.took_ns);
    if (probes == NULL || acks.took_ns == NULL)
        die("start", "no memory");
    rd_kafka_t *rk = new_producer(o.broker);
    struct poller pollers[POLLERS];
    for (size_t i = 0; i < POLLERS; i++)
        start_poller(&pollers[i], &o);
    size_t n = send_all(&o, rk, pollers, probes);
    uint64_t requests = 0;
    for (size_t i = 0; i < POLLERS; i++)
        requests += finish_poller(&pollers[i]);
    int code = report(&o, probes, n, requests);
    rd_kafka_destroy(rk);
    free(probes);
    free(acks.took_ns);
    return code;
}
