#include "worker/keeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/effects.h"

#define KEEPER_CONNECTIONS_MAX 4
#define KEEPER_UNSTORED_MAX    1000

struct unstored { /* what the store does not know yet of an effect that is claimed by us */
    struct unstored *next;
    struct leat_uuid id;
    const char *service; /* the topology's */
    uint32_t n;
    bool done; /* else: it was not made */
    uint32_t result_len;
    char result[];
};

struct leat_keeper {
    struct leat_keeper_config c;
    struct leat_uuid self;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct leat_store *idle[KEEPER_CONNECTIONS_MAX];
    int idle_count, made;
    struct unstored *unstored;
    int unstored_count;
};

/* ---- connections ---- */

/* NULL: a new one is to be made. */
static struct leat_store *wait_for_one(struct leat_keeper *k)
{
    struct leat_store *s = NULL;
    (void)pthread_mutex_lock(&k->mutex);
    while (k->idle_count == 0 && k->made == k->c.connections)
        (void)pthread_cond_wait(&k->changed, &k->mutex);
    if (k->idle_count > 0)
        s = k->idle[--k->idle_count];
    else
        k->made++;
    (void)pthread_mutex_unlock(&k->mutex);
    return s;
}

static void give_back(struct leat_keeper *k, struct leat_store *s)
{
    (void)pthread_mutex_lock(&k->mutex);
    if (s != NULL)
        k->idle[k->idle_count++] = s;
    else
        k->made--;
    (void)pthread_cond_signal(&k->changed);
    (void)pthread_mutex_unlock(&k->mutex);
}

static leat_status take(struct leat_keeper *k, struct leat_store **ret, struct leat_error *err)
{
    struct leat_store *s = wait_for_one(k);
    leat_status status = LEAT_OK;
    if (s == NULL)
        status = leat_store_open(k->c.store, &s, err);
    else if (!leat_store_connected(s))
        status = leat_store_reconnect(s, err);
    if (status != LEAT_OK)
        give_back(k, s);
    else
        *ret = s;
    return status;
}

/* ---- what the store does not know yet ---- */

static struct unstored **find(struct leat_keeper *k, const struct leat_effect *e)
{
    struct unstored **at = &k->unstored;
    while (*at != NULL && !(leat_uuid_eq(&(*at)->id, &e->id) && (*at)->n == e->n &&
                            (*at)->service == e->service.at))
        at = &(*at)->next;
    return at;
}

static void forget(struct leat_keeper *k, const struct leat_effect *e)
{
    (void)pthread_mutex_lock(&k->mutex);
    struct unstored **at = find(k, e), *found = *at;
    if (found != NULL) {
        *at = found->next;
        k->unstored_count--;
        free(found);
    }
    (void)pthread_mutex_unlock(&k->mutex);
}

static void remember(struct leat_keeper *k, const struct leat_effect *e,
                     const struct leat_str *result)
{
    uint32_t len = result == NULL ? 0 : result->len;
    forget(k, e);
    struct unstored *u = malloc(sizeof *u + len);
    leat_assert(u != NULL);
    *u = (struct unstored){.id = e->id,
                           .service = e->service.at,
                           .n = e->n,
                           .done = result != NULL,
                           .result_len = len};
    if (len > 0)
        memcpy(u->result, result->at, len);
    (void)pthread_mutex_lock(&k->mutex);
    bool room = k->unstored_count < KEEPER_UNSTORED_MAX; /* else it will be unknown: never twice */
    if (room) {
        u->next = k->unstored;
        k->unstored = u;
        k->unstored_count++;
    }
    (void)pthread_mutex_unlock(&k->mutex);
    if (!room)
        free(u);
}

/* True when it is known here; then *ret_done and, if so, the result. */
static bool known(struct leat_keeper *k, const struct leat_effect *e, struct leat_arena *arena,
                  bool *ret_done, struct leat_str *ret_result)
{
    (void)pthread_mutex_lock(&k->mutex);
    const struct unstored *u = *find(k, e);
    bool found = u != NULL;
    if (found) {
        *ret_done = u->done;
        *ret_result = leat_arena_copy(arena, (struct leat_str){u->result, u->result_len});
    }
    (void)pthread_mutex_unlock(&k->mutex);
    return found;
}

/* ---- claims ---- */

static struct leat_effect_row row_of(const struct leat_keeper *k, const struct leat_effect *e)
{
    return (struct leat_effect_row){.processor = k->c.processor,
                                    .service = e->service,
                                    .key = e->key,
                                    .slice = e->k,
                                    .id = e->id,
                                    .n = e->n};
}

static void tell(const struct leat_keeper *k, const struct leat_effect *e, const char *what,
                 const struct leat_error *err)
{
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&e->id, id);
    leat_log_limited_kv(LEAT_LOG_WARN, "worker", "effect",
                        LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", k->c.processor),
                                        LEAT_LOG_STR("call", e->service), LEAT_LOG_CSTR("id", id),
                                        LEAT_LOG_INT("n", e->n)),
                        "%s: %s", what, err->msg);
}

/* Tries again once, as a connection that has idled may have been cut unnoticed. */
static leat_status ask(struct leat_keeper *k, struct leat_effect_ask *asked,
                       struct leat_arena *arena, leat_effect_state *ret,
                       struct leat_str *ret_result, struct leat_error *err)
{
    leat_status status = LEAT_RETRY;
    for (int i = 0; i < 2 && status == LEAT_RETRY; i++) {
        struct leat_store *s = NULL;
        *err = (struct leat_error){0};
        status = take(k, &s, err);
        if (status != LEAT_OK)
            continue;
        status = leat_store_effect_claim(s, asked, arena, ret, ret_result, err);
        give_back(k, s);
        asked->unused = true; /* it may have been claimed, and was not made */
    }
    return status;
}

static leat_status settle_row(struct leat_keeper *k, const struct leat_effect *e,
                              const struct leat_str *result, struct leat_error *err)
{
    struct leat_effect_row row = row_of(k, e);
    leat_status status = LEAT_RETRY;
    for (int i = 0; i < 2 && status == LEAT_RETRY; i++) {
        struct leat_store *s = NULL;
        *err = (struct leat_error){0};
        status = take(k, &s, err);
        if (status != LEAT_OK)
            continue;
        status = leat_store_effect_settle(s, &row, result, err);
        give_back(k, s);
    }
    return status == LEAT_ABSENT ? LEAT_OK : status; /* done by the try before, or by a person */
}

static leat_claim claim(void *arg, const struct leat_effect *e, struct leat_arena *arena,
                        struct leat_str *ret_result)
{
    static const leat_claim claims[] = {[LEAT_EFFECT_YOURS] = LEAT_CLAIM_MINE,
                                        [LEAT_EFFECT_DONE] = LEAT_CLAIM_DONE,
                                        [LEAT_EFFECT_UNKNOWN] = LEAT_CLAIM_UNKNOWN,
                                        [LEAT_EFFECT_FENCED] = LEAT_CLAIM_AWAY};
    static const char *const names[] = {[LEAT_ON_UNKNOWN_HOLD] = "hold",
                                        [LEAT_ON_UNKNOWN_GIVE_UP] = "give_up",
                                        [LEAT_ON_UNKNOWN_REPEAT] = "repeat"};
    struct leat_keeper *k = arg;
    struct leat_error err = {0};
    leat_effect_state state = LEAT_EFFECT_FENCED;
    bool done = false, unused = known(k, e, arena, &done, ret_result);
    if (done) {
        if (settle_row(k, e, ret_result, &err) == LEAT_OK)
            forget(k, e);
        return LEAT_CLAIM_DONE;
    }
    struct leat_effect_ask asked = {.effect = row_of(k, e),
                                    .epoch = e->epoch,
                                    .by = k->self,
                                    .unused = unused,
                                    .on_unknown = leat_str_of(names[e->on_unknown])};
    if (ask(k, &asked, arena, &state, ret_result, &err) != LEAT_OK) {
        remember(k, e, NULL);
        tell(k, e, "an effect can't be claimed", &err);
        return LEAT_CLAIM_AWAY;
    }
    if (state != LEAT_EFFECT_FENCED)
        forget(k, e);
    return claims[state];
}

static void settle(void *arg, const struct leat_effect *e, const struct leat_str *result)
{
    struct leat_keeper *k = arg;
    struct leat_error err = {0};
    if (settle_row(k, e, result, &err) == LEAT_OK)
        return;
    remember(k, e, result);
    tell(k, e, "what came of an effect can't be stored", &err);
}

/* ---- making one ---- */

struct leat_effect_keeper leat_keeper_functions(struct leat_keeper *k)
{
    return (struct leat_effect_keeper){claim, settle, k};
}

struct leat_keeper *leat_keeper_new(const struct leat_keeper_config *c)
{
    struct leat_keeper *k = calloc(1, sizeof *k);
    leat_assert(k != NULL);
    k->c = *c;
    if (k->c.connections < 1)
        k->c.connections = 1;
    if (k->c.connections > KEEPER_CONNECTIONS_MAX)
        k->c.connections = KEEPER_CONNECTIONS_MAX;
    k->self = leat_uuid_v4();
    (void)pthread_mutex_init(&k->mutex, NULL);
    (void)pthread_cond_init(&k->changed, NULL);
    return k;
}

void leat_keeper_free(struct leat_keeper *k)
{
    if (k == NULL)
        return;
    for (int i = 0; i < k->idle_count; i++)
        leat_store_close(k->idle[i]);
    while (k->unstored != NULL) {
        struct unstored *u = k->unstored;
        k->unstored = u->next;
        free(u);
    }
    (void)pthread_cond_destroy(&k->changed);
    (void)pthread_mutex_destroy(&k->mutex);
    free(k);
}
