#include "web/web.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX   3L
#define SHOWN_URL_BYTES 200

/* ---- addresses ---- */

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Without what may be secret: user and password, query. */
static void show(const char *url, char to[SHOWN_URL_BYTES])
{
    const char *host = strstr(url, "://") + 3;
    size_t scheme = (size_t)(host - url), n = strcspn(host, "?#");
    const char *at = memrchr(host, '@', strcspn(host, "/?#"));
    if (at != NULL) {
        n -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    (void)snprintf(to, SHOWN_URL_BYTES, "%.*s%.*s", (int)scheme, url, (int)n, host);
}

/* ---- one transfer ---- */

struct transfer {
    const struct leat_web_get *get;
    struct leat_buf *body;
    int64_t max_age_s;
};

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    leat_buf_put(t->body, bytes, size * n);
    return t->body->overflow ? 0 : size * n;
}

/* max-age of Cache-Control; the last response's, after redirects. */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    static const char name[] = "cache-control:", wanted[] = "max-age=";
    struct transfer *t = arg;
    size_t len = size * n, at = sizeof name - 1;
    char text[256];
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        t->max_age_s = -1;
    if (len <= at || len >= sizeof text || curl_strnequal(line, name, at) == 0)
        return len;
    memcpy(text, line, len);
    text[len] = 0;
    const char *age = strcasestr(text, wanted);
    char *end = NULL;
    long long seconds = age == NULL ? -1 : strtoll(age + sizeof wanted - 1, &end, 10);
    if (age != NULL && end != age + sizeof wanted - 1 && seconds >= 0)
        t->max_age_s = seconds;
    return len;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct transfer *t = arg;
    (void)a, (void)b, (void)c, (void)d;
    return t->get->stop != NULL && atomic_load(t->get->stop) ? 1 : 0;
}

static void freep_curl(CURL **c)
{
    curl_easy_cleanup(*c);
}

static void start_curl(void)
{
    leat_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static CURLcode set_up(CURL *c, struct transfer *t, char reason[CURL_ERROR_SIZE])
{
    const struct leat_web_get *g = t->get;
    bool secure = starts(g->url, "https:");
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, option, value)
    SET(CURLOPT_URL, g->url);
    SET(CURLOPT_PROTOCOLS_STR, secure ? "https" : "http");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, secure ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    if (!secure)
        SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (g->ca != NULL)
        SET(CURLOPT_CAINFO, g->ca);
    SET(CURLOPT_TIMEOUT_MS, (long)g->timeout_ms);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->body->max);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, t);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a name that is being looked up does not hold a stop */
    SET(CURLOPT_USERAGENT, "leat");
    SET(CURLOPT_ERRORBUFFER, reason);
#undef SET
    return rc;
}

static leat_status explain(CURL *c, CURLcode rc, const struct transfer *t, const char *reason,
                           struct leat_error *err)
{
    char shown[SHOWN_URL_BYTES];
    long code = 0;
    show(t->get->url, shown);
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
    if (t->body->overflow || rc == CURLE_FILESIZE_EXCEEDED)
        return leat_fail(err, LEAT_RETRY, "could not read '%s': more than %zu bytes", shown,
                         t->body->max);
    if (rc != CURLE_OK)
        return leat_fail(err, LEAT_RETRY, "could not read '%s': %s", shown,
                         *reason != 0 ? reason : curl_easy_strerror(rc));
    if (code != 200)
        return leat_fail(err, LEAT_RETRY, "could not read '%s': it answers %ld", shown, code);
    return LEAT_OK;
}

leat_status leat_web_fetch(const struct leat_web_get *g, struct leat_buf *body,
                           struct leat_web_got *ret, struct leat_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct transfer t = {.get = g, .body = body, .max_age_s = -1};
    char reason[CURL_ERROR_SIZE] = "";
    leat_assert(starts(g->url, "https://") || starts(g->url, "http://"));
    (void)pthread_once(&once, start_curl);
    LEAT_AUTO(freep_curl) CURL *c = curl_easy_init();
    leat_assert(c != NULL);
    CURLcode rc = set_up(c, &t, reason);
    if (rc == CURLE_OK)
        rc = curl_easy_perform(c);
    leat_status status = explain(c, rc, &t, reason, err);
    if (status == LEAT_OK)
        ret->max_age_s = t.max_age_s;
    return status;
}
