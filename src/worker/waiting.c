#include "worker/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"

#define NOWHERE SIZE_MAX

struct row {
    int64_t ticket, due_ms;
};

/* A parked key with its rows, or a row that does not park, alone. */
struct entry {
    struct entry *next; /* of the same bucket */
    uint64_t hash;
    struct row *rows; /* by ticket; first .. first + count */
    size_t first, count, cap;
    size_t on_hand; /* of them, from the first on */
    size_t heap_at; /* NOWHERE: on hand, or not due until somebody says so */
    bool parks;
    bool stale; /* the rows on hand: the first one waits on */
    uint32_t key_len;
    char key[];
};

struct room {
    struct entry **buckets;
    size_t mask, entries, rows;
    struct entry **heap; /* by the time of the first row */
    size_t heap_count, heap_cap;
    int64_t last_ticket;
};

struct leat_waiting {
    struct room *rooms; /* [partitions] */
    int32_t partitions;
};

struct leat_waiting *leat_waiting_new(int32_t partitions)
{
    struct leat_waiting *w = calloc(1, sizeof *w);
    leat_assert(w != NULL && partitions > 0);
    w->rooms = calloc((size_t)partitions, sizeof *w->rooms);
    leat_assert(w->rooms != NULL);
    w->partitions = partitions;
    return w;
}

static struct room *room_of(const struct leat_waiting *w, int32_t k)
{
    leat_assert(k >= 0 && k < w->partitions);
    return &w->rooms[k];
}

static void entry_free(struct entry *e)
{
    free(e->rows);
    free(e);
}

void leat_waiting_drop(struct leat_waiting *w, int32_t k)
{
    struct room *r = room_of(w, k);
    for (size_t i = 0; r->buckets != NULL && i <= r->mask; i++)
        for (struct entry *e = r->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            entry_free(e);
        }
    free(r->buckets);
    free(r->heap);
    *r = (struct room){0};
}

void leat_waiting_free(struct leat_waiting *w)
{
    if (w == NULL)
        return;
    for (int32_t k = 0; k < w->partitions; k++)
        leat_waiting_drop(w, k);
    free(w->rooms);
    free(w);
}

/* ---- heap ---- */

static int64_t due_of(const struct entry *e)
{
    return e->rows[e->first].due_ms;
}

static bool before(const struct entry *a, const struct entry *b)
{
    int64_t x = due_of(a), y = due_of(b);
    return x != y ? x < y : a->rows[a->first].ticket < b->rows[b->first].ticket;
}

static void heap_set(struct room *r, size_t i, struct entry *e)
{
    r->heap[i] = e;
    e->heap_at = i;
}

static void sift_up(struct room *r, size_t i, struct entry *e)
{
    for (; i > 0 && before(e, r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_set(r, i, r->heap[(i - 1) / 2]);
    heap_set(r, i, e);
}

static void sift_down(struct room *r, size_t i, struct entry *e)
{
    for (size_t child = 2 * i + 1; child < r->heap_count; child = 2 * i + 1) {
        if (child + 1 < r->heap_count && before(r->heap[child + 1], r->heap[child]))
            child++;
        if (!before(r->heap[child], e))
            break;
        heap_set(r, i, r->heap[child]);
        i = child;
    }
    heap_set(r, i, e);
}

static void heap_remove(struct room *r, struct entry *e)
{
    size_t i = e->heap_at;
    if (i == NOWHERE)
        return;
    e->heap_at = NOWHERE;
    struct entry *last = r->heap[--r->heap_count];
    if (last == e)
        return;
    if (i > 0 && before(last, r->heap[(i - 1) / 2]))
        sift_up(r, i, last);
    else
        sift_down(r, i, last);
}

/* Where the entry stands now that its first row, or what of it is on hand, has changed. */
static void place(struct room *r, struct entry *e)
{
    heap_remove(r, e);
    if (e->count == 0 || e->on_hand > 0 || due_of(e) == INT64_MAX)
        return;
    if (r->heap_count == r->heap_cap) {
        r->heap_cap = r->heap_cap == 0 ? 16 : 2 * r->heap_cap;
        r->heap = realloc((void *)r->heap, r->heap_cap * sizeof(struct entry *));
        leat_assert(r->heap != NULL);
    }
    sift_up(r, r->heap_count++, e);
}

/* ---- entries ---- */

static uint64_t hash_of(struct leat_str key, bool parks, int64_t ticket)
{
    return leat_hash64(key.at, key.len, parks ? 0 : (uint64_t)ticket + 1);
}

static struct entry **find_at(const struct room *r, struct leat_str key, bool parks, int64_t ticket)
{
    uint64_t hash = hash_of(key, parks, ticket);
    struct entry **at = &r->buckets[hash & r->mask];
    for (; *at != NULL; at = &(*at)->next) {
        const struct entry *e = *at;
        if (e->hash == hash && e->parks == parks && (parks || e->rows[e->first].ticket == ticket) &&
            leat_str_eq((struct leat_str){e->key, e->key_len}, key))
            break;
    }
    return at;
}

static void grow(struct room *r)
{
    size_t mask = r->buckets == NULL ? 15 : 2 * r->mask + 1;
    struct entry **buckets = calloc(mask + 1, sizeof(struct entry *));
    leat_assert(buckets != NULL);
    for (size_t i = 0; r->buckets != NULL && i <= r->mask; i++)
        for (struct entry *e = r->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            e->next = buckets[e->hash & mask];
            buckets[e->hash & mask] = e;
        }
    free((void *)r->buckets);
    r->buckets = buckets;
    r->mask = mask;
}

static struct entry *entry_new(struct room *r, struct leat_str key, bool parks, int64_t ticket)
{
    if (r->buckets == NULL || r->entries > r->mask)
        grow(r);
    struct entry *e = calloc(1, sizeof *e + key.len);
    leat_assert(e != NULL);
    e->hash = hash_of(key, parks, ticket);
    e->heap_at = NOWHERE;
    e->parks = parks;
    e->key_len = key.len;
    if (key.len > 0)
        memcpy(e->key, key.at, key.len);
    e->next = r->buckets[e->hash & r->mask];
    r->buckets[e->hash & r->mask] = e;
    r->entries++;
    return e;
}

static void entry_remove(struct room *r, struct entry *e)
{
    struct entry **at = &r->buckets[e->hash & r->mask];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    r->entries--;
    heap_remove(r, e);
    entry_free(e);
}

static void push(struct entry *e, struct row row)
{
    if (e->first + e->count == e->cap) {
        if (e->first > 0) {
            memmove(e->rows, e->rows + e->first, e->count * sizeof *e->rows);
            e->first = 0;
        } else {
            e->cap = e->cap == 0 ? 1 : 2 * e->cap;
            e->rows = realloc(e->rows, e->cap * sizeof *e->rows);
            leat_assert(e->rows != NULL);
        }
    }
    e->rows[e->first + e->count++] = row;
}

void leat_waiting_put(struct leat_waiting *w, const struct leat_waiting_ref *row, bool parks,
                      int64_t due_ms)
{
    struct room *r = room_of(w, row->k);
    struct entry *e = NULL;
    if (parks && r->buckets != NULL)
        e = *find_at(r, row->key, true, 0);
    if (e == NULL)
        e = entry_new(r, row->key, parks, row->ticket);
    leat_assert(e->count == 0 || e->rows[e->first + e->count - 1].ticket < row->ticket);
    push(e, (struct row){row->ticket, due_ms});
    r->rows++;
    if (row->ticket > r->last_ticket)
        r->last_ticket = row->ticket;
    if (e->count == 1)
        place(r, e);
}

/* The entry that has the row, which stands at *ret_at in it; NULL: there is none. */
static struct entry *find(const struct room *r, const struct leat_waiting_ref *row, size_t *ret_at)
{
    if (r->buckets == NULL)
        return NULL;
    struct entry *e = *find_at(r, row->key, false, row->ticket);
    *ret_at = 0;
    if (e != NULL)
        return e;
    e = *find_at(r, row->key, true, 0);
    for (size_t i = 0; e != NULL && i < e->count; i++)
        if (e->rows[e->first + i].ticket == row->ticket) {
            *ret_at = i;
            return e;
        }
    return NULL;
}

void leat_waiting_take(struct leat_waiting *w, const struct leat_waiting_ref *row)
{
    struct room *r = room_of(w, row->k);
    size_t at = 0;
    struct entry *e = find(r, row, &at);
    if (e == NULL)
        return;
    if (at < e->on_hand)
        e->on_hand--;
    e->stale = e->stale && e->on_hand > 0;
    r->rows--;
    if (e->count == 1) {
        entry_remove(r, e);
        return;
    }
    heap_remove(r, e); /* while its first row is the one it was placed by */
    if (at == 0)
        e->first++;
    else
        memmove(&e->rows[e->first + at], &e->rows[e->first + at + 1],
                (e->count - at - 1) * sizeof *e->rows);
    e->count--;
    place(r, e);
}

void leat_waiting_again(struct leat_waiting *w, const struct leat_waiting_ref *row, int64_t due_ms)
{
    struct room *r = room_of(w, row->k);
    size_t at = 0;
    struct entry *e = find(r, row, &at);
    if (e == NULL)
        return;
    heap_remove(r, e);
    e->rows[e->first + at].due_ms = due_ms;
    if (at < e->on_hand)
        e->on_hand--;
    e->stale = e->on_hand > 0;
    place(r, e);
}

void leat_waiting_let_go(struct leat_waiting *w, const struct leat_waiting_ref *row)
{
    struct room *r = room_of(w, row->k);
    size_t at = 0;
    struct entry *e = find(r, row, &at);
    if (e == NULL || e->on_hand == 0)
        return;
    e->on_hand--;
    e->stale = e->on_hand > 0; /* those behind it must not pass it */
    place(r, e);
}

/* ---- asked ---- */

bool leat_waiting_stale(const struct leat_waiting *w, const struct leat_waiting_ref *row)
{
    size_t at = 0;
    const struct entry *e = find(room_of(w, row->k), row, &at);
    return e != NULL && e->stale;
}

bool leat_waiting_parked(const struct leat_waiting *w, int32_t k, struct leat_str key)
{
    const struct room *r = room_of(w, k);
    return r->rows > 0 && *find_at(r, key, true, 0) != NULL;
}

size_t leat_waiting_count(const struct leat_waiting *w, int32_t k)
{
    return room_of(w, k)->rows;
}

int64_t leat_waiting_next_ticket(const struct leat_waiting *w, int32_t k)
{
    return room_of(w, k)->last_ticket + 1;
}

int64_t leat_waiting_due_ms(const struct leat_waiting *w, int32_t k)
{
    const struct room *r = room_of(w, k);
    return r->heap_count == 0 ? INT64_MAX : due_of(r->heap[0]);
}

size_t leat_waiting_fetch(struct leat_waiting *w, int32_t k, int64_t now_ms,
                          struct leat_waiting_ref *ret, size_t max)
{
    struct room *r = room_of(w, k);
    size_t n = 0;
    while (n < max && r->heap_count > 0 && due_of(r->heap[0]) <= now_ms) {
        struct entry *e = r->heap[0];
        heap_remove(r, e);
        for (; n < max && e->on_hand < e->count; e->on_hand++) {
            const struct row *row = &e->rows[e->first + e->on_hand];
            if (row->due_ms > now_ms)
                break;
            ret[n++] = (struct leat_waiting_ref){k, {e->key, e->key_len}, row->ticket};
        }
    }
    return n;
}
