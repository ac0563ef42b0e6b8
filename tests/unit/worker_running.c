/* uses: base topology codec kafka store worker */
/* What is under way is seen from outside; what crashes in a call is marked, and nothing else is. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#include <sanitizer/common_interface_defs.h>
#endif

#include "worker/running.h"

static struct leat_running_table *shared_table(void)
{
    void *at = mmap(NULL, sizeof(struct leat_running_table), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(at, MAP_FAILED);
    return at;
}

static const struct leat_uuid id = {{1, 2, 3}};

static void enter(struct leat_running_slot *slot)
{
    struct leat_running_call call = {.topic = "shop.orders.hot",
                                     .k = 5,
                                     .offset = 77,
                                     .id = &id,
                                     .type = LEAT_STR("PlaceOrder"),
                                     .key = LEAT_STR("o-1")};
    leat_running_enter(slot, &call);
}

/* ---- crashes ---- */

static void fault(void)
{
    volatile int *locked =
        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* UBSan knows NULL */
    *locked = 1;
}

static void give_up(void)
{
    abort();
}

static void sink(volatile char *at)
{
    volatile char room[4096];
    room[0] = at == NULL ? 1 : at[0];
    if (room[0] == 1)
        sink(room);
    room[1] = room[0]; /* keeps the call from being a jump */
}

static void overflow(void)
{
    sink(NULL);
}

static void from_outside(void)
{
    sigset_t none;
    pid_t pid = fork();
    if (pid == 0) {
        (void)kill(getppid(), SIGSEGV);
        _exit(0);
    }
    (void)sigemptyset(&none);
    for (;;)
        (void)sigsuspend(&none);
}

static void killed(void)
{
    (void)kill(getpid(), SIGKILL);
}

static void leave_process(void)
{
    exit(3);
}

/* A sanitizer tells of a fault and ends the process in its own way. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool own_end = false;

/* These faults are meant: what is said of them is nobody's finding. */
static void say_nothing(void)
{
    __sanitizer_set_report_path("stderr");
    if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(9);
}
#else
static const bool own_end = true;

static void say_nothing(void) {}
#endif

static int run_child(struct leat_running_table *t, void (*crash)(void), bool in_call)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        say_nothing();
        leat_running_start(t);
        struct leat_running_slot *slot = leat_running_slot(LEAT_STR("orders"), 3, 1000);
        enter(slot);
        if (!in_call)
            leat_running_leave(slot);
        crash();
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void is_marked(void (*crash)(void), int end, int verdict)
{
    struct leat_running_table *t = shared_table();
    struct leat_running what;
    uint32_t at = 0;
    int ended = run_child(t, crash, true);
    cr_assert(ended == end || !own_end, "it ended with %d", ended);
    cr_assert_eq(leat_running_evidence(t, &at, &what), verdict);
    cr_assert_str_eq(what.processor, "orders");
    cr_assert_str_eq(what.topic, "shop.orders.hot");
    cr_assert_str_eq(what.type, "PlaceOrder");
    cr_assert_eq(what.key_bytes, 3);
    cr_assert_eq(memcmp(what.key, "o-1", 3), 0);
    cr_assert_eq(what.version, 3);
    cr_assert_eq(what.k, 5);
    cr_assert_eq(what.offset, 77);
    cr_assert(leat_uuid_eq(&what.id, &id));
    cr_assert_eq(leat_running_evidence(t, &at, &what), 0);
}

static void is_not_marked(void (*crash)(void), bool in_call)
{
    struct leat_running_table *t = shared_table();
    struct leat_running what;
    uint32_t at = 0;
    (void)run_child(t, crash, in_call);
    cr_assert_eq(leat_running_evidence(t, &at, &what), 0);
}

Test(worker_running, marks_a_crash_in_a_call)
{
    is_marked(fault, SIGSEGV, SIGSEGV);
    is_marked(give_up, SIGABRT, SIGABRT);
    is_marked(leave_process, 3, LEAT_RUNNING_EXITED);
}

Test(worker_running, marks_an_overflow_of_the_stack)
{
    is_marked(overflow, SIGSEGV, SIGSEGV);
}

Test(worker_running, marks_nothing_else)
{
    is_not_marked(fault, false);
    is_not_marked(give_up, false);
    is_not_marked(leave_process, false);
    is_not_marked(from_outside, true);
    is_not_marked(killed, true);
}

/* ---- the watch ---- */

Test(worker_running, counts_the_ticks_of_a_call)
{
    struct leat_running_table *t = shared_table();
    static struct leat_running_clock clock;
    leat_running_start(t);
    struct leat_running_slot *slot = leat_running_slot(LEAT_STR("orders"), 3, 1000);
    cr_assert_eq(leat_running_tick(t, &clock, 100, 500), -1);
    cr_assert_not(leat_running_busy(t, &clock));
    enter(slot);
    cr_assert_not(leat_running_busy(t, &clock), "no tick has seen it yet");
    for (int i = 0; i < 16; i++)
        cr_assert_eq(leat_running_tick(t, &clock, 100, 500), -1);
    cr_assert(leat_running_busy(t, &clock));
    cr_assert_eq(leat_running_tick(t, &clock, 100, 500), 0);
    leat_running_leave(slot);
    enter(slot);
    cr_assert_not(leat_running_hung(t, &clock, 0), "the one that was late is over");
    for (int i = 0; i < 16; i++)
        cr_assert_eq(leat_running_tick(t, &clock, 100, 500), -1);
    cr_assert_eq(leat_running_tick(t, &clock, 100, 500), 0);
    cr_assert(leat_running_hung(t, &clock, 0));
    cr_assert_not(leat_running_hung(t, &clock, 0), "once");
    struct leat_running what;
    uint32_t at = 0;
    cr_assert_eq(leat_running_evidence(t, &at, &what), LEAT_RUNNING_HUNG);
    cr_assert_eq(what.offset, 77);
}

Test(worker_running, more_threads_than_slots_run_unwatched)
{
    struct leat_running_table *t = shared_table();
    static struct leat_running_clock clock;
    leat_running_start(t);
    for (int i = 0; i < LEAT_RUNNING_SLOTS; i++)
        cr_assert_not_null(leat_running_slot(LEAT_STR("orders"), 3, 1000));
    cr_assert_null(leat_running_slot(LEAT_STR("orders"), 3, 1000));
    enter(NULL);
    leat_running_leave(NULL);
    cr_assert_eq(leat_running_tick(t, &clock, 100, 0), -1);
}
