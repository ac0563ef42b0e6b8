/* The waiting room against a list of rows that is searched from end to end. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/waiting.h"

#define KEYS 12
#define ROWS 4000

struct plain {
    char key[8];
    int32_t k;
    int64_t ticket, due_ms;
    bool parks, here, on_hand;
};

static struct plain rows[ROWS];
static size_t n;
static struct leat_waiting *w;

static struct leat_waiting_ref ref(const struct plain *p)
{
    return (struct leat_waiting_ref){p->k, {p->key, (uint32_t)strlen(p->key)}, p->ticket};
}

static bool same_key(const struct plain *a, const struct plain *b)
{
    return a->k == b->k && strcmp(a->key, b->key) == 0;
}

/* The first of its key that is here; a row that does not park is its own. */
static struct plain *first_of(const struct plain *p)
{
    for (size_t i = 0; p->parks && i < n; i++)
        if (rows[i].here && rows[i].parks && same_key(&rows[i], p))
            return &rows[i];
    return &rows[p - rows];
}

static bool key_on_hand(const struct plain *p)
{
    for (size_t i = 0; p->parks && i < n; i++)
        if (rows[i].here && rows[i].parks && rows[i].on_hand && same_key(&rows[i], p))
            return true;
    return p->on_hand;
}

static int64_t plain_due(int32_t k)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (rows[i].here && rows[i].k == k && first_of(&rows[i]) == &rows[i] &&
            !key_on_hand(&rows[i]) && rows[i].due_ms < due)
            due = rows[i].due_ms;
    return due;
}

static void compare(void)
{
    for (int32_t k = 0; k < 2; k++) {
        size_t here = 0;
        for (size_t i = 0; i < n; i++)
            here += rows[i].here && rows[i].k == k;
        cr_assert_eq(leat_waiting_count(w, k), here);
        cr_assert_eq(leat_waiting_due_ms(w, k), plain_due(k));
        for (int key = 0; key < KEYS; key++) {
            struct plain p = {.k = k, .parks = true};
            bool parked = false;
            (void)snprintf(p.key, sizeof p.key, "k%d", key);
            for (size_t i = 0; i < n; i++)
                parked |= rows[i].here && rows[i].parks && same_key(&rows[i], &p);
            cr_assert_eq(leat_waiting_parked(w, k, ref(&p).key), parked);
        }
    }
}

static void put(int64_t now_ms)
{
    struct plain *p = &rows[n++];
    *p = (struct plain){.k = rand() % 2, .here = true, .parks = rand() % 4 != 0};
    (void)snprintf(p->key, sizeof p->key, "k%d", rand() % KEYS);
    p->ticket = leat_waiting_next_ticket(w, p->k);
    p->due_ms = rand() % 8 == 0 ? INT64_MAX : now_ms + rand() % 50;
    struct leat_waiting_ref r = ref(p);
    leat_waiting_put(w, &r, p->parks, p->due_ms);
}

static struct plain *find(const struct leat_waiting_ref *r)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].here && rows[i].k == r->k && rows[i].ticket == r->ticket)
            return &rows[i];
    cr_assert_fail("a row that is not there was fetched");
    return NULL;
}

/* What is fetched is handled as a flow does: in order; after the first of a key that waits again
 * the others of it are let go of. */
static void handle(int64_t now_ms)
{
    struct leat_waiting_ref got[16];
    struct plain *of[16];
    int32_t k = rand() % 2;
    size_t found = leat_waiting_fetch(w, k, now_ms, got, (size_t)(1 + rand() % 16));
    for (size_t i = 0; i < found; i++) {
        of[i] = find(&got[i]);
        cr_assert(of[i]->due_ms <= now_ms && !of[i]->on_hand);
        of[i]->on_hand = true;
        struct plain *before = NULL;
        for (size_t j = 0; j < i; j++)
            before = of[j]->parks && of[i]->parks && same_key(of[j], of[i]) ? of[j] : before;
        cr_assert(before == NULL ? first_of(of[i]) == of[i] : before->ticket < of[i]->ticket);
    }
    for (size_t i = 0; i < found; i++) {
        struct leat_waiting_ref r = ref(of[i]);
        bool stuck = false;
        for (size_t j = 0; j < i; j++)
            stuck |= of[j]->here && of[j]->parks && of[i]->parks && same_key(of[j], of[i]);
        of[i]->on_hand = false;
        if (stuck) {
            leat_waiting_let_go(w, &r);
        } else if (rand() % 3 == 0) {
            of[i]->due_ms = rand() % 4 == 0 ? INT64_MAX : now_ms + rand() % 50;
            leat_waiting_again(w, &r, of[i]->due_ms);
        } else {
            of[i]->here = false;
            leat_waiting_take(w, &r);
        }
    }
}

static void take_any(void)
{
    if (n == 0)
        return;
    struct plain *p = &rows[(size_t)rand() % n];
    struct leat_waiting_ref r = ref(p);
    leat_waiting_take(w, &r); /* one that is not here is no harm */
    p->here = false;
}

Test(waiting, is_what_a_plain_list_says)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        srand(seed);
        n = 0;
        w = leat_waiting_new(2);
        for (int64_t now_ms = 1000; n < 300; now_ms += rand() % 10) {
            int what = rand() % 8;
            if (what < 4)
                put(now_ms);
            else if (what < 7)
                handle(now_ms);
            else
                take_any();
            compare();
        }
        leat_waiting_drop(w, 0);
        for (size_t i = 0; i < n; i++)
            rows[i].here &= rows[i].k != 0;
        compare();
        leat_waiting_free(w);
    }
}
