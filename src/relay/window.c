#include "relay/window.h"

#include <assert.h>
#include <string.h>

#include "base/status.h"

static_assert((LEAT_WINDOW_FLIGHT_MAX & (LEAT_WINDOW_FLIGHT_MAX - 1)) == 0, "a power of two");

void leat_window_start(struct leat_window *w, int64_t recorded, int64_t head)
{
    memset(w, 0, sizeof *w);
    w->recorded = w->acked = recorded;
    w->next = recorded + 1;
    w->head = head > recorded ? head : recorded;
}

int64_t leat_window_room(const struct leat_window *w)
{
    return LEAT_WINDOW_FLIGHT_MAX - (w->next - 1 - w->acked);
}

void leat_window_sent(struct leat_window *w, int64_t n)
{
    leat_assert(n >= 0 && n <= leat_window_room(w));
    w->next += n;
    leat_window_head(w, w->next - 1);
}

static uint64_t *word_of(struct leat_window *w, int64_t seq, uint64_t *ret_bit)
{
    uint64_t i = (uint64_t)seq & (LEAT_WINDOW_FLIGHT_MAX - 1);
    *ret_bit = 1ull << (i & 63);
    return &w->bits[i / 64];
}

void leat_window_ack(struct leat_window *w, int64_t seq)
{
    uint64_t bit;
    if (seq <= w->acked || seq >= w->next)
        return;
    *word_of(w, seq, &bit) |= bit;
    for (;;) {
        uint64_t *word = word_of(w, w->acked + 1, &bit);
        if (w->acked + 1 >= w->next || (*word & bit) == 0)
            return;
        *word &= ~bit;
        w->acked++;
    }
}

void leat_window_rewind(struct leat_window *w)
{
    memset(w->bits, 0, sizeof w->bits);
    w->next = w->acked + 1;
}

void leat_window_head(struct leat_window *w, int64_t head)
{
    if (head > w->head)
        w->head = head;
}

bool leat_window_behind(const struct leat_window *w)
{
    return w->next <= w->head;
}

bool leat_window_to_record(const struct leat_window *w)
{
    return w->acked > w->recorded;
}

void leat_window_recorded(struct leat_window *w, int64_t seq)
{
    if (seq > w->recorded)
        w->recorded = seq;
}
