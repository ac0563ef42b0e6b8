/* web.h - reads one document from somebody else's web server: bounded in bytes and time.
 *
 * Of https the certificate and its name are verified, and at most three redirects followed, to
 * https only. Of http, which is for this machine, none, and by no proxy. Blocks: not for threads
 * that others wait for. Any thread. */
#ifndef LEAT_WEB_WEB_H
#define LEAT_WEB_WEB_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

struct leat_web_get {
    const char *url;         /* https://… or http://… */
    const char *ca;          /* file of certificates to trust; NULL: the system's */
    int timeout_ms;          /* of all of it */
    const atomic_bool *stop; /* NULL allowed; true ends it within a second */
};
struct leat_web_got {
    int64_t max_age_s; /* Cache-Control; -1: it says nothing */
};

/* The body of a 200 goes to `body`, whose maximum bounds it. RETRY: not reached, not trusted, not
 * 200, too large or too slow, and which of it; the message has no query and no password. */
LEAT_MUST_CHECK leat_status leat_web_fetch(const struct leat_web_get *g, struct leat_buf *body,
                                           struct leat_web_got *ret, struct leat_error *err);

#endif
