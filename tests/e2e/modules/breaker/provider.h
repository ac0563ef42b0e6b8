/* provider.h - one request to the provider, over HTTP/1.0 on a plain socket. */
#ifndef BREAKER_PROVIDER_H
#define BREAKER_PROVIDER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "breaker.h"

static inline int provider_connect(const char *url, int64_t timeout_ms)
{
    char host[64] = "";
    int port = 0;
    if (sscanf(url, "http://%63[0-9.]:%d", host, &port) != 2)
        return -1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Status of the answer; -1: there was none. */
static inline int provider_pay(struct leat_ctx *ctx, const struct pay *c)
{
    char text[600];
    int status = -1;
    struct leat_str id = leat_call_id(ctx, "psp", 0);
    int fd = provider_connect(leat_call_url(ctx, "psp"), leat_call_timeout_ms(ctx, "psp"));
    if (fd < 0)
        return -1;
    int n = snprintf(text, sizeof text,
                     "POST /pay/%.*s/%lld HTTP/1.0\r\nIdempotency-Key: %.*s\r\n"
                     "Content-Length: 0\r\n\r\n",
                     LEAT_STR_FMT(c->account), (long long)c->number, LEAT_STR_FMT(id));
    if (n > 0 && (size_t)n < sizeof text && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n) {
        ssize_t got = recv(fd, text, sizeof text - 1, 0);
        text[got > 0 ? got : 0] = '\0';
        if (sscanf(text, "HTTP/1.%*d %d", &status) != 1)
            status = -1;
    }
    (void)close(fd);
    return status;
}

#endif
