/* Group members: who is given what, what a commit proves, what a lane hands out.
 * `member <group> <instance|-> <topic>` stays until stdin ends and prints what it is told: the
 * driver kills and stops such processes. */
#include "kafka_kit.h"

static void two_members_share_the_partitions(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member a, b;
    kit_join(&a, group, NULL, topic);
    AWAIT(a.k_count == 4);
    kit_join(&b, group, NULL, topic);
    AWAIT(a.k_count == 2 && b.k_count == 2);
    CHECK(a.revoked == 1 && a.lost == 0);
    CHECK(a.ks[0] != b.ks[0]);
    kit_leave(&a, true);
    AWAIT(b.k_count == 4);
    kit_leave(&b, true);
}

static leat_status commit_status(struct kit_member *m, const char *topic)
{
    struct leat_position at = {topic, m->ks[0], 0};
    struct leat_error err;
    return leat_group_commit(m->g, &at, 1, 5000, &err);
}

static void commit_proves_membership_also_for_other_topics(void)
{
    const char *topic = kit_topic(), *other = kit_topic(), *group = kit_name("group");
    static struct kit_member m;
    kit_join(&m, group, NULL, topic);
    CHECK_EQ(commit_status(&m, topic), LEAT_FENCED); /* nothing assigned yet */
    AWAIT(m.k_count == 4);
    CHECK_EQ(commit_status(&m, topic), LEAT_OK);
    CHECK_EQ(commit_status(&m, other), LEAT_OK);
    kit_leave(&m, true);
}

static void newcomer_with_the_same_instance_fences_the_old(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member old, new;
    kit_join(&old, group, "one", topic);
    AWAIT(old.k_count == 4);
    kit_join(&new, group, "one", topic);
    AWAIT(new.k_count == 4);
    CHECK(commit_status(&old, topic) != LEAT_OK);
    AWAIT(old.poll_status == LEAT_FATAL);
    CHECK(leat_group_replaced(old.g) && !leat_group_replaced(new.g));
    CHECK_EQ(commit_status(&new, topic), LEAT_OK);
    kit_leave(&old, false);
    kit_leave(&new, true);
}

static void static_member_that_leaves_gives_back_at_once(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member a, b;
    kit_join(&a, group, "a", topic);
    AWAIT(a.k_count == 4);
    kit_join(&b, group, "b", topic);
    AWAIT(a.k_count == 2 && b.k_count == 2);
    int64_t left = leat_now_ms();
    kit_leave(&a, true);
    AWAIT(b.k_count == 4);
    CHECK(leat_now_ms() - left < 4000); /* the session would last 6 s */
    kit_leave(&b, true);
}

static void *leaves(void *arg)
{
    kit_leave(arg, true);
    return NULL;
}

/* Of the newcomer a and the two before it, one is slow to hear of the rebalance; the other waits
 * for it without partitions when it is told to go. */
static void static_member_that_leaves_amid_a_rebalance_is_gone(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member a, b, slow;
    pthread_t leaving;
    kit_join(&a, group, "a", topic);
    AWAIT(a.k_count == 4);
    kit_join(&slow, group, "slow", topic);
    AWAIT(a.k_count == 2 && slow.k_count == 2);
    slow.stop = true;
    (void)pthread_join(slow.thread, NULL);
    kit_join(&b, group, "b", topic);
    AWAIT(a.revoked == 2);
    int64_t left = leat_now_ms();
    CHECK(pthread_create(&leaving, NULL, leaves, &a) == 0);
    (void)poll(NULL, 0, 300);
    slow.stop = false;
    CHECK(pthread_create(&slow.thread, NULL, kit_polls, &slow) == 0);
    (void)pthread_join(leaving, NULL);
    CHECK(leat_now_ms() - left < 3000); /* of 5 s */
    AWAIT(b.k_count == 2 && slow.k_count == 2);
    CHECK(leat_now_ms() - left < 4500); /* the session would last 6 s */
    kit_leave(&slow, true);
    kit_leave(&b, true);
}

static void static_member_comes_back_without_a_rebalance(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member a, b;
    kit_join(&a, group, "a", topic);
    AWAIT(a.k_count == 4);
    kit_join(&b, group, "b", topic);
    AWAIT(a.k_count == 2 && b.k_count == 2);
    int32_t had = a.ks[0];
    int seen = b.revoked;
    kit_leave(&a, false);
    kit_join(&a, group, "a", topic);
    AWAIT(a.k_count == 2);
    CHECK_EQ(a.ks[0], had);
    CHECK_EQ(b.revoked, seen);
    kit_leave(&a, true);
    kit_leave(&b, true);
}

/* ---- lanes ---- */

static void read_all(struct kit_member *m, const char *topic, int64_t offset, int fd)
{
    struct leat_position at[KIT_PARTITIONS];
    int fds[KIT_PARTITIONS];
    for (int i = 0; i < KIT_PARTITIONS; i++) {
        at[i] = (struct leat_position){topic, i, offset};
        fds[i] = fd;
    }
    OK(leat_group_read(m->g, at, fds, KIT_PARTITIONS, &err));
}

static void lanes_give_their_records_in_order_after_seek_too(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member m;
    for (int p = 0; p < KIT_PARTITIONS; p++)
        kit_fill(topic, p, 0, 3000);
    kit_join(&m, group, NULL, topic);
    AWAIT(m.k_count == 4);
    read_all(&m, topic, 0, -1);
    for (size_t lane = 0; lane < KIT_PARTITIONS; lane++)
        kit_take(&m, lane, 0, 2500);
    struct leat_position back = {topic, 2, 100};
    OK(leat_group_seek(m.g, &back, &err));
    kit_take(&m, 2, 100, 2900);
    kit_take(&m, 1, 2500, 500); /* others are where they were */
    kit_leave(&m, true);
}

static void idle_lane_wakes_its_eventfd(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member m;
    int fd = eventfd(0, EFD_NONBLOCK);
    kit_join(&m, group, NULL, topic);
    AWAIT(m.k_count == 4);
    read_all(&m, topic, 0, fd);
    for (int round = 0; round < 3; round++) {
        struct leat_record r[8];
        CHECK_EQ(leat_group_take(m.g, 3, r, 8), 0);
        kit_fill(topic, 3, round, 1);
        struct pollfd p = {fd, POLLIN, 0};
        CHECK_EQ(poll(&p, 1, KIT_DEADLINE), 1);
        uint64_t n = 0;
        CHECK_EQ(read(fd, &n, sizeof n), sizeof n);
        kit_take(&m, 3, round, 1);
    }
    kit_leave(&m, true);
    close(fd);
}

static void offset_out_of_range_is_told_and_seek_recovers(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member m;
    struct leat_record r[8];
    kit_fill(topic, 0, 0, 10);
    kit_fill(topic, 1, 0, 10);
    kit_join(&m, group, NULL, topic);
    AWAIT(m.k_count == 4);
    struct leat_position at[2] = {{topic, 0, 5000}, {topic, 1, 0}};
    OK(leat_group_read(m.g, at, NULL, 2, &err));
    AWAIT(leat_group_take(m.g, 0, r, 8) == 0 && m.errors > 0);
    CHECK(strstr(m.error, topic) != NULL && strstr(m.error, "[0]") != NULL);
    struct leat_position good = {topic, 0, 4};
    OK(leat_group_seek(m.g, &good, &err));
    kit_take(&m, 0, 4, 6);
    kit_take(&m, 1, 0, 10);
    kit_leave(&m, true);
}

static void revoked_lanes_give_nothing(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member a, b;
    struct leat_record r[8];
    kit_fill(topic, 0, 0, 10);
    kit_join(&a, group, NULL, topic);
    AWAIT(a.k_count == 4);
    read_all(&a, topic, 0, -1);
    kit_take(&a, 0, 0, 1);
    kit_join(&b, group, NULL, topic);
    AWAIT(a.revoked > 0);
    for (size_t lane = 0; lane < KIT_PARTITIONS; lane++)
        CHECK_EQ(leat_group_take(a.g, lane, r, 8), 0);
    kit_leave(&a, true);
    kit_leave(&b, true);
}

/* A queue that was full is fetched again as soon as it is empty, not a second later. */
static void long_backlog_flows_without_pauses(void)
{
    const char *topic = kit_topic(), *group = kit_name("group");
    static struct kit_member m;
    struct leat_record r[512];
    const int n = 60000;
    kit_fill(topic, 0, 0, n);
    kit_join(&m, group, NULL, topic);
    AWAIT(m.k_count == 4);
    struct leat_position at = {topic, 0, 0};
    OK(leat_group_read(m.g, &at, NULL, 1, &err));
    int64_t last = leat_mono_us();
    int stalls = 0; /* without the nudge there is one for every 4000 records or so */
    for (int got = 0; got < n;) {
        size_t k = leat_group_take(m.g, 0, r, 512);
        CHECK(leat_mono_us() - last < KIT_DEADLINE * 1000ll);
        if (k == 0)
            continue;
        stalls += got > 0 && leat_mono_us() - last > 300000;
        got += (int)k;
        leat_records_free(r, k);
        for (last = leat_mono_us(); leat_mono_us() - last < 2000;) {
        } /* 4 us of work for each: slower than it comes */
        last = leat_mono_us();
    }
    CHECK(stalls <= 3);
    kit_leave(&m, true);
}

static int stay(char **argv)
{
    static struct kit_member m;
    if (setjmp(kit_out) != 0)
        return 1;
    kit_join(&m, argv[2], strcmp(argv[3], "-") == 0 ? NULL : argv[3], argv[4]);
    int told = 0;
    char line[64];
    for (;;) {
        struct pollfd p = {0, POLLIN, 0};
        (void)poll(&p, 1, 5);
        if (m.assigned > told) {
            told = m.assigned;
            (void)printf("assigned %d at %lld\n", m.k_count, (long long)leat_now_ms());
        }
        if ((p.revents & (POLLIN | POLLHUP)) != 0) {
            if (fgets(line, sizeof line, stdin) == NULL)
                break;
            (void)printf("commit %s\n", leat_status_name(commit_status(&m, argv[4])));
        }
        (void)fflush(stdout);
    }
    kit_leave(&m, true);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "member") == 0)
        return stay(argv);
#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    static const struct kit_test tests[] = {
        T(two_members_share_the_partitions),
        T(commit_proves_membership_also_for_other_topics),
        T(newcomer_with_the_same_instance_fences_the_old),
        T(static_member_that_leaves_gives_back_at_once),
        T(static_member_that_leaves_amid_a_rebalance_is_gone),
        T(static_member_comes_back_without_a_rebalance),
        T(lanes_give_their_records_in_order_after_seek_too),
        T(idle_lane_wakes_its_eventfd),
        T(offset_out_of_range_is_told_and_seek_recovers),
        T(revoked_lanes_give_nothing),
        T(long_backlog_flows_without_pauses),
    };
    return kit_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
