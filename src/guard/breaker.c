#include "guard/breaker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/status.h"

#define BREAKER_TENTHS      10 /* of the window */
#define BREAKER_WAIT_MIN_MS 20 /* while others try: when to ask again */
#define BREAKER_WAIT_MAX_MS 1000

struct breaker_tenth {      /* what ended in one tenth of the window */
    _Atomic int64_t number; /* now_ms / tenth_ms; -1 = empty */
    _Atomic int64_t calls, failures;
};

struct leat_breaker {
    struct leat_breaker_config c;
    int64_t tenth_ms;
    /* State in the lowest two bits, above them the number of turns it has taken: what began in
     * another turn decides nothing. Written under the mutex. */
    _Atomic uint64_t turn;
    _Atomic int64_t in_a_row;
    struct breaker_tenth tenths[BREAKER_TENTHS];
    _Atomic uint64_t calls, failures, refused, opened;
    pthread_mutex_t mutex; /* guards all below */
    int64_t until_ms;      /* OPEN */
    int64_t since_ms;      /* HALF_OPEN: when these trials began ... */
    int64_t given, worked; /* ... how many were allowed, and succeeded */
};

static leat_breaker_state state_of(uint64_t turn)
{
    return (leat_breaker_state)(turn & 3);
}

static uint64_t turn_of(struct leat_breaker *b)
{
    return atomic_load_explicit(&b->turn, memory_order_acquire);
}

static void count(_Atomic uint64_t *figure)
{
    (void)atomic_fetch_add_explicit(figure, 1, memory_order_relaxed);
}

const char *leat_breaker_state_name(leat_breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half-open"};
    return names[state];
}

/* ---- the window ---- */

static void window_clear(struct leat_breaker *b)
{
    for (int i = 0; i < BREAKER_TENTHS; i++)
        atomic_store(&b->tenths[i].number, -1);
}

static void tenth_begin(struct leat_breaker *b, struct breaker_tenth *s, int64_t number)
{
    (void)pthread_mutex_lock(&b->mutex);
    if (atomic_load(&s->number) < number) {
        atomic_store(&s->calls, 0);
        atomic_store(&s->failures, 0);
        atomic_store(&s->number, number);
    }
    (void)pthread_mutex_unlock(&b->mutex);
}

static void window_add(struct leat_breaker *b, bool ok, int64_t now_ms)
{
    int64_t number = now_ms / b->tenth_ms;
    struct breaker_tenth *s = &b->tenths[number % BREAKER_TENTHS];
    if (atomic_load_explicit(&s->number, memory_order_acquire) < number)
        tenth_begin(b, s, number);
    (void)atomic_fetch_add_explicit(&s->calls, 1, memory_order_relaxed);
    if (!ok)
        (void)atomic_fetch_add_explicit(&s->failures, 1, memory_order_relaxed);
}

static void window_sum(struct leat_breaker *b, int64_t now_ms, struct leat_breaker_change *ret)
{
    int64_t last = now_ms / b->tenth_ms;
    for (int i = 0; i < BREAKER_TENTHS; i++) {
        struct breaker_tenth *s = &b->tenths[i];
        int64_t number = atomic_load_explicit(&s->number, memory_order_acquire);
        if (number < 0 || number <= last - BREAKER_TENTHS)
            continue;
        ret->calls_in += atomic_load_explicit(&s->calls, memory_order_relaxed);
        ret->failures_in += atomic_load_explicit(&s->failures, memory_order_relaxed);
    }
}

/* ---- changes of state, under the mutex ---- */

static void turn_to(struct leat_breaker *b, leat_breaker_state to)
{
    uint64_t turn = (turn_of(b) >> 2) + 1;
    atomic_store_explicit(&b->turn, turn << 2 | (uint64_t)to, memory_order_release);
}

static void change(struct leat_breaker *b, leat_breaker_state to, struct leat_breaker_change why)
{
    why.from = state_of(turn_of(b));
    why.to = to;
    why.until_ms = to == LEAT_BREAKER_OPEN ? b->until_ms : 0;
    turn_to(b, to);
    if (b->c.changed != NULL)
        b->c.changed(b->c.arg, &why);
}

static void open_circuit(struct leat_breaker *b, int64_t now_ms, struct leat_breaker_change why)
{
    b->until_ms = now_ms + b->c.open_for_ms;
    count(&b->opened);
    change(b, LEAT_BREAKER_OPEN, why);
}

static void close_circuit(struct leat_breaker *b)
{
    atomic_store(&b->in_a_row, 0);
    window_clear(b);
    change(b, LEAT_BREAKER_CLOSED, (struct leat_breaker_change){0});
}

static void trials_begin(struct leat_breaker *b, int64_t now_ms)
{
    b->since_ms = now_ms;
    b->given = b->worked = 0;
}

/* ---- begin ---- */

static int64_t trials_wait_ms(const struct leat_breaker *b)
{
    int64_t wait = b->c.open_for_ms / 10;
    if (wait > BREAKER_WAIT_MAX_MS)
        return BREAKER_WAIT_MAX_MS;
    return wait < BREAKER_WAIT_MIN_MS ? BREAKER_WAIT_MIN_MS : wait;
}

static bool trials_given_up(const struct leat_breaker *b, int64_t now_ms)
{
    return now_ms - b->since_ms >= b->c.open_for_ms;
}

static struct leat_breaker_pass begin_unwell(struct leat_breaker *b, int64_t now_ms)
{
    leat_breaker_state state = state_of(turn_of(b));
    if (state == LEAT_BREAKER_OPEN) {
        if (now_ms < b->until_ms)
            return (struct leat_breaker_pass){.retry_at_ms = b->until_ms};
        trials_begin(b, now_ms);
        change(b, LEAT_BREAKER_HALF_OPEN, (struct leat_breaker_change){0});
    } else if (state == LEAT_BREAKER_HALF_OPEN && b->given >= b->c.trials) {
        if (!trials_given_up(b, now_ms))
            return (struct leat_breaker_pass){.retry_at_ms = now_ms + trials_wait_ms(b)};
        trials_begin(b, now_ms);
        turn_to(b, LEAT_BREAKER_HALF_OPEN);
    }
    bool trial = state != LEAT_BREAKER_CLOSED;
    b->given += trial ? 1 : 0;
    return (struct leat_breaker_pass){.allowed = true, .trial = trial, .turn = turn_of(b)};
}

struct leat_breaker_pass leat_breaker_begin(struct leat_breaker *b, int64_t now_ms)
{
    struct leat_breaker_pass pass = {.allowed = true, .turn = turn_of(b)};
    if (state_of(pass.turn) != LEAT_BREAKER_CLOSED) {
        (void)pthread_mutex_lock(&b->mutex);
        pass = begin_unwell(b, now_ms);
        (void)pthread_mutex_unlock(&b->mutex);
    }
    count(pass.allowed ? &b->calls : &b->refused);
    return pass;
}

/* ---- end ---- */

/* Only a failure opens a circuit: a success that makes up min_calls does not. */
static bool is_too_much(struct leat_breaker *b, int64_t now_ms, struct leat_breaker_change *ret)
{
    if (b->c.rate > 0)
        window_sum(b, now_ms, ret);
    if (b->c.failures > 0 && ret->in_a_row >= b->c.failures)
        return true;
    return b->c.rate > 0 && ret->calls_in >= b->c.min_calls &&
           (double)ret->failures_in >= b->c.rate * (double)ret->calls_in;
}

static void end_closed(struct leat_breaker *b, uint64_t turn, bool ok, int64_t now_ms)
{
    if (b->c.rate > 0)
        window_add(b, ok, now_ms);
    if (ok) { /* written only when it says something: others read it */
        if (atomic_load_explicit(&b->in_a_row, memory_order_relaxed) != 0)
            atomic_store_explicit(&b->in_a_row, 0, memory_order_relaxed);
        return;
    }
    struct leat_breaker_change why = {.in_a_row = atomic_fetch_add(&b->in_a_row, 1) + 1};
    if (!is_too_much(b, now_ms, &why))
        return;
    (void)pthread_mutex_lock(&b->mutex);
    if (turn_of(b) == turn)
        open_circuit(b, now_ms, why);
    (void)pthread_mutex_unlock(&b->mutex);
}

static void end_trial(struct leat_breaker *b, uint64_t turn, bool ok, int64_t now_ms)
{
    (void)pthread_mutex_lock(&b->mutex);
    if (turn_of(b) != turn) {
        /* another trial has decided */
    } else if (!ok) {
        open_circuit(b, now_ms, (struct leat_breaker_change){0});
    } else if (++b->worked >= b->c.trials) {
        close_circuit(b);
    }
    (void)pthread_mutex_unlock(&b->mutex);
}

void leat_breaker_end(struct leat_breaker *b, const struct leat_breaker_pass *pass, bool ok,
                      int64_t now_ms)
{
    leat_assert(pass->allowed);
    if (!ok)
        count(&b->failures);
    if (turn_of(b) != pass->turn)
        return;
    if (state_of(pass->turn) == LEAT_BREAKER_CLOSED)
        end_closed(b, pass->turn, ok, now_ms);
    else
        end_trial(b, pass->turn, ok, now_ms);
}

/* ---- facts ---- */

bool leat_breaker_unwell(struct leat_breaker *b, int64_t now_ms, int64_t *ret_retry_at_ms)
{
    if (state_of(turn_of(b)) == LEAT_BREAKER_CLOSED)
        return false;
    int64_t at = now_ms;
    (void)pthread_mutex_lock(&b->mutex);
    leat_breaker_state state = state_of(turn_of(b));
    if (state == LEAT_BREAKER_OPEN && b->until_ms > now_ms)
        at = b->until_ms;
    else if (state == LEAT_BREAKER_HALF_OPEN && b->given >= b->c.trials &&
             !trials_given_up(b, now_ms))
        at = now_ms + trials_wait_ms(b);
    (void)pthread_mutex_unlock(&b->mutex);
    if (state != LEAT_BREAKER_CLOSED)
        *ret_retry_at_ms = at;
    return state != LEAT_BREAKER_CLOSED;
}

void leat_breaker_figures(struct leat_breaker *b, struct leat_breaker_figures *ret)
{
    (void)pthread_mutex_lock(&b->mutex);
    leat_breaker_state state = state_of(turn_of(b));
    int64_t retry_at_ms = state == LEAT_BREAKER_OPEN ? b->until_ms : 0;
    (void)pthread_mutex_unlock(&b->mutex);
    *ret = (struct leat_breaker_figures){
        .state = state,
        .retry_at_ms = retry_at_ms,
        .calls = atomic_load_explicit(&b->calls, memory_order_relaxed),
        .failures = atomic_load_explicit(&b->failures, memory_order_relaxed),
        .refused = atomic_load_explicit(&b->refused, memory_order_relaxed),
        .opened = atomic_load_explicit(&b->opened, memory_order_relaxed)};
}

struct leat_breaker *leat_breaker_new(const struct leat_breaker_config *c)
{
    leat_assert(c->trials >= 1 && c->open_for_ms >= 1);
    leat_assert(c->rate <= 0 || (c->window_ms >= 1 && c->min_calls >= 1));
    struct leat_breaker *b = calloc(1, sizeof *b);
    leat_assert(b != NULL);
    b->c = *c;
    b->tenth_ms = (c->window_ms + BREAKER_TENTHS - 1) / BREAKER_TENTHS;
    (void)pthread_mutex_init(&b->mutex, NULL);
    window_clear(b);
    return b;
}

void leat_breaker_free(struct leat_breaker *b)
{
    if (b == NULL)
        return;
    (void)pthread_mutex_destroy(&b->mutex);
    free(b);
}
