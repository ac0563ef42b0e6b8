/* mailers.c - mails through a server that would send a repeated one again. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "effects.h"

static void sent(struct box_state *s, const struct mail_sent *e)
{
    s->number = e->number;
}

static void unknown(struct box_state *s, const struct mail_unknown *e)
{
    s->number = e->number;
}

LEAT_AGGREGATE(box, 1, FOLD_MAIL_SENT(sent), FOLD_MAIL_UNKNOWN(unknown));

typedef enum smtp {
    SMTP_SENT,
    SMTP_NOT_SENT, /* nobody was there */
    SMTP_SILENT,   /* the mail went out to it, and no answer came */
} smtp;

static int reach(const char *url)
{
    char host[64] = "";
    int port = 0;
    if (sscanf(url, "http://%63[0-9.]:%d", host, &port) != 2)
        return -1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    return fd;
}

static smtp deliver(struct leat_ctx *ctx, const struct send_mail *c, const char *via,
                    struct leat_str *ret_id)
{
    int fd = reach(leat_call_url(ctx, via));
    if (fd < 0)
        return SMTP_NOT_SENT;
    struct leat_str request =
        leat_text(ctx, "POST /mail/%.*s/%lld HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
                  LEAT_STR_FMT(c->box), (long long)c->number);
    char answer[600] = "", id[64] = "";
    bool written = send(fd, request.at, request.len, MSG_NOSIGNAL) == (ssize_t)request.len;
    ssize_t got = written ? recv(fd, answer, sizeof answer - 1, 0) : -1;
    (void)close(fd);
    answer[got > 0 ? got : 0] = '\0';
    const char *header = strstr(answer, "Mail-Id: ");
    if (strstr(answer, " 200 ") == NULL || header == NULL ||
        sscanf(header, "Mail-Id: %63[0-9a-z-]", id) != 1)
        return SMTP_SILENT;
    *ret_id = leat_text(ctx, "%s", id);
    return SMTP_SENT;
}

static leat_answer send_it(struct leat_ctx *ctx, const struct send_mail *c, const char *via,
                           struct leat_str *ret_id)
{
    if (!leat_call_begin(ctx, via))
        return leat_retry(ctx, "the mail server is away");
    smtp how = deliver(ctx, c, via, ret_id);
    leat_call_end(ctx, via, how == SMTP_SENT);
    if (how == SMTP_SENT) {
        leat_effect_done(ctx, via, 0, *ret_id);
        return LEAT_DONE;
    }
    if (how == SMTP_NOT_SENT)
        leat_effect_undone(ctx, via, 0);
    return leat_retry(ctx, "the mail server did not answer");
}

static const char *service(struct leat_str via)
{
    if (leat_str_eq(via, LEAT_STR("hold")))
        return "hold";
    return leat_str_eq(via, LEAT_STR("give_up")) ? "give_up" : "repeat";
}

static leat_answer mail(struct leat_ctx *ctx, const struct send_mail *c, const struct box_state *s)
{
    const char *via = service(c->via);
    struct leat_str id = {0};
    leat_answer answer = LEAT_DONE;
    (void)s;
    switch (leat_effect_claim(ctx, via, 0, &id)) {
    case LEAT_CLAIM_AWAY:
        return leat_retry(ctx, "the claim could not be stored");
    case LEAT_CLAIM_UNKNOWN:
        emit_mail_unknown(ctx, &(struct mail_unknown){.box = c->box, .number = c->number});
        return LEAT_DONE;
    case LEAT_CLAIM_MINE:
        answer = send_it(ctx, c, via, &id);
        break;
    case LEAT_CLAIM_DONE:
        break;
    }
    if (answer == LEAT_DONE)
        emit_mail_sent(ctx,
                       &(struct mail_sent){.box = c->box, .number = c->number, .server_id = id});
    return answer;
}

LEAT_PROCESSOR(mailers, 1, ON_SEND_MAIL(mail));
