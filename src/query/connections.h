/* connections.h - the open connections, so that one that takes too long to say what it wants is
 * cut: libmicrohttpd's time-out only counts silence, and a byte now and then is none. Any thread.
 */
#ifndef LEAT_QUERY_CONNECTIONS_H
#define LEAT_QUERY_CONNECTIONS_H

#include <stdint.h>

#define LEAT_REQUEST_TIMEOUT_S 20 /* for head and body of a request to be there */

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
/* The whole request is there / the next one may come. NULL allowed. */
void leat_connection_answers(struct leat_connection *c);
void leat_connection_reads(struct leat_connection *c);
/* Cuts those that have been reading for too long; cheap when called often. Returns how many. */
int leat_connections_expire(struct leat_connections *cs, int64_t mono_us);

#endif
