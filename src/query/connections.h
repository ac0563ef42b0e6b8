/* connections.h - the open connections, so that one that takes too long to say what it wants, or
 * to take the answer, is cut: libmicrohttpd's time-out only counts silence, and a byte now and then
 * is none. Any thread. */
#ifndef LEAT_QUERY_CONNECTIONS_H
#define LEAT_QUERY_CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>

#define LEAT_REQUEST_TIMEOUT_S  20    /* for head and body of a request to be there */
#define LEAT_ANSWER_TIMEOUT_S   20    /* for an answer to be taken, */
#define LEAT_ANSWER_BYTES_PER_S 32768 /* and a second more for so many bytes */

struct leat_connections;
struct leat_request;

struct leat_connection {
    struct leat_request *rq;    /* whose head is still coming: freed by its owner, not here */
    struct leat_request *spare; /* one that has ended, for the next: as above */
};

struct leat_connections *leat_connections_new(void);
void leat_connections_free(struct leat_connections *cs); /* all must be closed; NULL allowed */
/* It is reading from now on. */
struct leat_connection *leat_connection_open(struct leat_connections *cs, int fd);
void leat_connection_close(struct leat_connections *cs, struct leat_connection *c);
/* The whole request is there / an answer of so many bytes is sent / the next request may come. NULL
 * allowed. */
void leat_connection_answers(struct leat_connection *c);
void leat_connection_sends(struct leat_connection *c, size_t bytes);
void leat_connection_reads(struct leat_connection *c);
/* Cuts those whose time is over; cheap when called often. Returns how many. */
int leat_connections_expire(struct leat_connections *cs, int64_t mono_us);

#endif
