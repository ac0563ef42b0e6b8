/* redis_ask.h - one question about a model's versions in Redis: a connection and an arena for as
 * long as it takes, the keys of redis_versions.h, words sent. Inside of redis_versions and
 * redis_build. */
#ifndef LEAT_PROJECTION_REDIS_ASK_H
#define LEAT_PROJECTION_REDIS_ASK_H

#include "projection/redis_versions.h"

struct leat_redis_ask {
    const struct leat_redis_model *m;
    struct leat_redis *redis;
    struct leat_arena *arena;
};
/* To be ended also after a failure. */
LEAT_MUST_CHECK leat_status leat_redis_ask_start(const struct leat_redis_model *m,
                                                 struct leat_redis_ask *ret,
                                                 struct leat_error *err);
void leat_redis_ask_done(struct leat_redis_ask *a);

/* A key of the model, or of one version: `<what>:<version>`. */
struct leat_str leat_redis_ask_key(const struct leat_redis_ask *a, const char *what);
struct leat_str leat_redis_ask_key_of(const struct leat_redis_ask *a, const char *what,
                                      const char *version);
struct leat_str leat_redis_ask_number(const struct leat_redis_ask *a, int64_t number);
/* A number it has answered; 0: none. */
int64_t leat_redis_told(const struct leat_redis_reply *reply);

void leat_redis_send_words(struct leat_redis *r, const struct leat_str *words, size_t n);
#define LEAT_REDIS_SEND(a, ...)                                                                    \
    leat_redis_send_words((a)->redis, (const struct leat_str[]){__VA_ARGS__},                      \
                          sizeof((const struct leat_str[]){__VA_ARGS__}) /                         \
                              sizeof(struct leat_str))

/* Members of `about:<version>`. */
enum leat_redis_about {
    LEAT_ABOUT_MADE,
    LEAT_ABOUT_LEFT,
    LEAT_ABOUT_BUILD_PID,
    LEAT_ABOUT_BUILD_DONE,
    LEAT_ABOUT_BUILD_TOTAL,
    LEAT_ABOUT_BUILD_PER_S,
    LEAT_ABOUT_BUILD_STARTED,
    LEAT_ABOUT_BUILD_TOLD,
    LEAT_ABOUT_PAUSED,
    LEAT_ABOUT_PACE,
};
#define LEAT_ABOUTS 10
extern const char *const leat_redis_about[LEAT_ABOUTS];

#endif
