#include "cli/http_get.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/env.h"

#define ANSWER_BYTES_MAX ((size_t)8 << 20)
#define KEY_BYTES_MAX    512

leat_status leat_address_parse(const char *text, struct leat_address *ret, struct leat_error *err)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    bool bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (colon == NULL || colon[1] == 0 || n >= sizeof ret->host ||
        strlen(colon + 1) >= sizeof ret->port)
        return leat_fail(err, LEAT_INVALID, "'%.200s' is not an address:port", text);
    (void)snprintf(ret->host, sizeof ret->host, "%.*s", (int)(bracketed ? n - 2 : n),
                   bracketed ? text + 1 : text);
    (void)snprintf(ret->port, sizeof ret->port, "%s", colon + 1);
    if (ret->host[0] == 0 || strcmp(ret->host, "0.0.0.0") == 0 || strcmp(ret->host, "*") == 0)
        (void)snprintf(ret->host, sizeof ret->host, "127.0.0.1");
    if (strcmp(ret->host, "::") == 0)
        (void)snprintf(ret->host, sizeof ret->host, "::1");
    return LEAT_OK;
}

static bool wait_for(int fd, short events, int64_t until_us)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left_ms = (until_us - leat_mono_us()) / 1000;
    return left_ms > 0 && poll(&p, 1, (int)left_ms) > 0;
}

/* 0, or errno. */
static int connect_one(int fd, const struct addrinfo *at, int64_t until_us)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (!wait_for(fd, POLLOUT, until_us))
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

int leat_address_connect(const struct leat_address *a, int timeout_ms, const char **ret_why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    int rc = getaddrinfo(a->host, a->port, &hints, &found);
    if (rc != 0) {
        *ret_why = gai_strerror(rc);
        return -1;
    }
    int fd = -1, error = ENOENT;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        error = fd < 0 ? errno : connect_one(fd, at, until_us);
        if (fd >= 0 && error != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0)
        *ret_why = strerror(error);
    return fd;
}

static bool send_all(int fd, struct leat_str text, int64_t until_us)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.at, text.len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR) && wait_for(fd, POLLOUT, until_us))
            continue;
        if (n <= 0)
            return false;
        text = (struct leat_str){text.at + n, text.len - (uint32_t)n};
    }
    return true;
}

/* Until the other side closes: the request is HTTP/1.0. */
static bool read_all(int fd, struct leat_buf *into, int64_t until_us)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n == 0)
            return !into->overflow;
        if (n > 0) {
            leat_buf_put(into, chunk, (size_t)n);
        } else if ((errno != EAGAIN && errno != EINTR) || !wait_for(fd, POLLIN, until_us)) {
            return false;
        }
    }
}

static leat_status parse_answer(const struct leat_buf *text, struct leat_arena *arena,
                                struct leat_http_answer *ret, struct leat_error *err)
{
    const char *body = text->len > 12 ? memmem(text->at, text->len, "\r\n\r\n", 4) : NULL;
    if (body == NULL || memcmp(text->at, "HTTP/1.", 7) != 0)
        return leat_fail(err, LEAT_RETRY, "it does not answer in HTTP");
    body += 4;
    char code[4] = ""; /* the answer itself has no NUL at its end */
    memcpy(code, text->at + 9, 3);
    ret->status = (int)strtol(code, NULL, 10);
    ret->body = leat_arena_copy(
        arena, (struct leat_str){body, (uint32_t)(text->len - (size_t)(body - text->at))});
    return LEAT_OK;
}

/* The key of LEAT_API_KEY, for servers with http.auth; a text that is no header is left out. */
static const char *key_header(struct leat_arena *arena)
{
    const char *key = leat_env("LEAT_API_KEY");
    if (key == NULL || key[0] == '\0' || strlen(key) > KEY_BYTES_MAX)
        return "";
    for (const char *p = key; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return "";
    return leat_arena_printf(arena, "X-API-Key: %s\r\n", key);
}

leat_status leat_http_get(const struct leat_address *a, const char *path, int timeout_ms,
                          struct leat_arena *arena, struct leat_http_answer *ret,
                          struct leat_error *err)
{
    const char *why = "";
    char request[1024];
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    int fd = leat_address_connect(a, timeout_ms, &why);
    if (fd < 0)
        return leat_fail(err, LEAT_RETRY, "could not reach %s:%s: %s", a->host, a->port, why);
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, ANSWER_BYTES_MAX);
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n%s\r\n", path, a->host,
                   key_header(arena));
    bool read = send_all(fd, leat_str_of(request), until_us) && read_all(fd, &text, until_us);
    (void)close(fd);
    if (!read) {
        return leat_fail(err, LEAT_RETRY, "%s:%s does not answer within %d ms", a->host, a->port,
                         timeout_ms);
    }
    leat_status status = parse_answer(&text, arena, ret, err);
    if (status != LEAT_OK)
        leat_error_wrap(err, "%s:%s", a->host, a->port);
    return status;
}
