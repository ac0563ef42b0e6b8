#include "cli/family.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"

/* "<fd>:<member>:<pid of the supervisor>"; what a child's own children may inherit names another
 * parent and is not believed. */
#define FAMILY_VARIABLE "LEAT_RUN_FAMILY"

static size_t size_of(uint32_t members)
{
    return sizeof(struct leat_family) + members * sizeof(struct leat_family_member);
}

leat_status leat_family_new(uint32_t workers, uint32_t others, struct leat_family **ret,
                            int *ret_fd, struct leat_error *err)
{
    uint32_t n = workers + others;
    leat_assert(n > 0 && n <= LEAT_FAMILY_MAX);
    int fd = memfd_create("leat-run", MFD_CLOEXEC);
    void *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size_of(n)) == 0)
        at = mmap(NULL, size_of(n), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        (void)leat_fail(err, LEAT_FATAL, "could not get memory to share with workers: %s",
                        strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return LEAT_FATAL;
    }
    struct leat_family *f = at;
    f->member_count = n;
    f->worker_count = workers;
    *ret = f;
    *ret_fd = fd;
    return LEAT_OK;
}

void leat_family_send(int fd, int i)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%d:%d:%ld", fd, i, (long)getppid());
    (void)setenv(FAMILY_VARIABLE, text, 1);
    (void)fcntl(fd, F_SETFD, 0);
}

/* Only what was used: the rest of the page was never there. */
void leat_family_clear(struct leat_family *f, uint32_t member)
{
    struct leat_family_member *m = &f->members[member];
    uint32_t used = atomic_load(&m->running.used);
    if (used > LEAT_RUNNING_SLOTS)
        used = LEAT_RUNNING_SLOTS;
    memset(&m->running, 0, offsetof(struct leat_running_table, slots));
    memset(m->running.slots, 0, used * sizeof m->running.slots[0]);
    atomic_store(&m->turn, 0);
    atomic_store(&m->up, false);
}

static struct leat_family *map(int fd)
{
    struct stat found;
    if (fstat(fd, &found) != 0 || (size_t)found.st_size < sizeof(struct leat_family))
        return NULL;
    void *at = mmap(NULL, (size_t)found.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return at == MAP_FAILED ? NULL : at;
}

/* Numbers with colons between them, exactly n. */
static bool numbers(const char *text, long *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        ret[i] = strtol(text, &end, 10);
        if (end == text || *end != (i + 1 < n ? ':' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

struct leat_family *leat_family_join(int *ret_member)
{
    const char *text = leat_env(FAMILY_VARIABLE);
    long at[3] = {-1, 0, 0};
    bool ours = text != NULL && numbers(text, at, 3) && at[2] == (long)getppid();
    (void)unsetenv(FAMILY_VARIABLE);
    struct leat_family *f = ours ? map((int)at[0]) : NULL;
    if (f == NULL || at[1] < LEAT_FAMILY_RECORDER || at[1] >= (long)f->member_count)
        return NULL;
    *ret_member = (int)at[1];
    return f;
}

/* ---- figures ---- */

/* Only the processors there are: what nobody touches of the page takes no memory. */
static void copy(struct leat_family_figures *to, const struct leat_family_figures *from)
{
    uint32_t n = from->processor_count;
    size_t tail = offsetof(struct leat_family_figures, has_relay);
    size_t text = offsetof(struct leat_family_figures, more);
    to->processor_count = n < LEAT_FAMILY_PROCESSORS ? n : LEAT_FAMILY_PROCESSORS;
    memcpy(to->processors, from->processors, to->processor_count * sizeof to->processors[0]);
    memcpy((char *)to + tail, (const char *)from + tail, text - tail);
    if (to->more_bytes > sizeof to->more)
        to->more_bytes = 0;
    memcpy(to->more, from->more, to->more_bytes);
}

void leat_family_publish(struct leat_family_member *m, const struct leat_family_figures *figures)
{
    uint32_t turn = atomic_load_explicit(&m->turn, memory_order_relaxed);
    atomic_store_explicit(&m->turn, turn + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    copy(&m->figures, figures);
    atomic_store_explicit(&m->turn, turn + 2, memory_order_release);
}

/* A writer that died while it wrote leaves an odd turn until it is started again. */
bool leat_family_read(const struct leat_family_member *m, struct leat_family_figures *ret)
{
    for (int tries = 0; tries < 1000; tries++) {
        uint32_t turn = atomic_load_explicit(&m->turn, memory_order_acquire);
        if (turn == 0)
            return false;
        if ((turn & 1) != 0)
            continue;
        copy(ret, &m->figures);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&m->turn, memory_order_relaxed) == turn)
            return true;
    }
    return false;
}

static struct leat_worker_figures *processor(struct leat_family_figures *sum, const char *name,
                                             bool *ret_new)
{
    uint32_t i = 0;
    while (i < sum->processor_count && strcmp(sum->processors[i].name, name) != 0)
        i++;
    *ret_new = i == sum->processor_count;
    if (i == LEAT_FAMILY_PROCESSORS)
        return NULL;
    if (*ret_new) {
        (void)snprintf(sum->processors[sum->processor_count++].name, sizeof sum->processors[0].name,
                       "%s", name);
    }
    return &sum->processors[i].figures;
}

/* The counters stand in front, all of one type. */
static void add_counters(struct leat_worker_figures *sum, const struct leat_worker_figures *one)
{
    for (size_t at = 0; at < offsetof(struct leat_worker_figures, ks_owned);
         at += sizeof(uint64_t)) {
        uint64_t a, b;
        memcpy(&a, (const char *)sum + at, sizeof a);
        memcpy(&b, (const char *)one + at, sizeof b);
        a += b;
        memcpy((char *)sum + at, &a, sizeof a);
    }
}

static void add_stalled(struct leat_worker_figures *sum, const struct leat_worker_figures *one)
{
    int32_t stalled = sum->lanes_stalled, unable = sum->lanes_unable;
    for (int32_t i = 0; i < one->stalled_count && i < LEAT_STALLED_MAX; i++)
        leat_worker_add_stalled(sum, &one->stalled[i]);
    sum->lanes += one->lanes;
    sum->lanes_stalled = stalled + one->lanes_stalled;
    sum->lanes_unable = unable + one->lanes_unable;
    if (one->store_away_since_ms > 0 &&
        (sum->store_away_since_ms == 0 || one->store_away_since_ms < sum->store_away_since_ms)) {
        sum->store_away_since_ms = one->store_away_since_ms;
        memcpy(sum->store_away, one->store_away, sizeof sum->store_away);
    }
}

static void add_worker(struct leat_worker_figures *sum, const struct leat_worker_figures *one)
{
    add_counters(sum, one);
    sum->ks_owned += one->ks_owned;
    sum->ks_acquiring += one->ks_acquiring;
    sum->joined &= one->joined;
    sum->lanes_stopped += one->lanes_stopped;
    if (sum->why[0] == '\0')
        memcpy(sum->why, one->why, sizeof sum->why);
    if (one->lanes_held > 0 && (sum->lanes_held == 0 || one->held_since_ms < sum->held_since_ms)) {
        sum->held_since_ms = one->held_since_ms;
        memcpy(sum->held, one->held, sizeof sum->held);
        memcpy(sum->held_text, one->held_text, sizeof sum->held_text);
    }
    sum->lanes_held += one->lanes_held;
    add_stalled(sum, one);
}

static void add_relay(struct leat_family_figures *sum, const struct leat_family_figures *one)
{
    if (!one->has_relay)
        return;
    sum->relay.joined = one->relay.joined && (sum->relay.joined || !sum->has_relay);
    sum->has_relay = true;
    sum->relay.events += one->relay.events;
    sum->relay.commands += one->relay.commands;
    sum->relay.store_reads += one->relay.store_reads;
    sum->relay.records += one->relay.records;
    sum->relay.slices_owned += one->relay.slices_owned;
    sum->relay.slices_acquiring += one->relay.slices_acquiring;
    sum->relay.events_again += one->relay.events_again;
    sum->relay.slices_waiting += one->relay.slices_waiting;
    if (one->relay.waiting_ms > sum->relay.waiting_ms)
        sum->relay.waiting_ms = one->relay.waiting_ms;
    if (sum->relay_stopped[0] == '\0')
        memcpy(sum->relay_stopped, one->relay_stopped, sizeof sum->relay_stopped);
}

void leat_family_add(struct leat_family_figures *sum, const struct leat_family_figures *one)
{
    for (uint32_t i = 0; i < one->processor_count; i++) {
        bool is_new = false;
        struct leat_worker_figures *f = processor(sum, one->processors[i].name, &is_new);
        if (f != NULL && is_new) {
            *f = one->processors[i].figures;
        } else if (f != NULL) {
            add_worker(f, &one->processors[i].figures);
        }
    }
    add_relay(sum, one);
}
