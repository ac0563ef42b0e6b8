/* sim_group.c - the group coordinator and its members: eager rebalances, static membership,
 * sessions, generations. Offsets themselves are not kept: leat commits to learn whether it is a
 * member. */
#include "log.h"

#define BEAT_US      (1500 * SIM_MS)
#define REBALANCE_US (8 * SIM_SECOND)
#define RETRY_US     (2 * SIM_SECOND)

struct sim_join { /* a request and, later, its answer */
    struct sim_member *member;
    struct sim_actor *actor;
    uint64_t life, id, session; /* id: given, then answered */
    int32_t instance, group;
    int64_t generation;
    sim_answer answer;
    bool ks[SIM_PARTITIONS];
    void (*answered)(struct sim *w, void *who, void *ok); /* commits */
};

static struct sim_join *request(struct sim_member *m)
{
    struct sim_join *j = leat_arena_zalloc(m->w->arena, 1, sizeof *j);
    *j = (struct sim_join){.member = m,
                           .actor = m->actor,
                           .life = m->actor->life,
                           .id = m->member,
                           .instance = m->instance,
                           .group = m->group,
                           .generation = m->generation};
    return j;
}

/* ---- the coordinator ---- */

static struct sim_seat *seat_of(struct sim_group *g, int32_t instance)
{
    for (size_t i = 0; i < SIM_MEMBERS_MAX; i++) {
        if (g->seats[i].used && g->seats[i].instance == instance)
            return &g->seats[i];
    }
    return NULL;
}

static void joined_back(struct sim *w, void *who, void *data);

static void answer_join(struct sim *w, struct sim_join *j, const struct sim_seat *seat)
{
    j->id = seat->member;
    j->generation = w->log->groups[j->group].generation;
    memcpy(j->ks, seat->ks, sizeof j->ks);
    struct sim_task t = {
        .actor = j->actor, .life = j->life, .what = "joined", .fire = joined_back, .data = j};
    sim_after(w, sim_net_delay(w), &t);
}

static void assign(struct sim_group *g)
{
    struct sim_seat *order[SIM_MEMBERS_MAX];
    int32_t n = 0;
    for (int32_t instance = 0; instance < SIM_MEMBERS_MAX * 2; instance++) {
        if (seat_of(g, instance) != NULL)
            order[n++] = seat_of(g, instance);
    }
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < SIM_PARTITIONS; k++)
            order[i]->ks[k] = k * n / SIM_PARTITIONS == i;
    }
}

/* k is `member`'s from now on; 0 = nobody's. */
static void note_tenure(struct sim *w, struct sim_group *g, int32_t k, uint64_t member)
{
    struct sim_tenure *last = g->tenure[k], *t;
    if (last != NULL && last->to_us < 0)
        last->to_us = w->now_us;
    if (member == 0)
        return;
    t = leat_arena_alloc(w->arena, sizeof *t);
    *t = (struct sim_tenure){member, w->now_us, -1, last};
    g->tenure[k] = t;
}

bool sim_group_gave(const struct sim *w, int32_t group, int32_t k, uint64_t member,
                    int64_t since_us)
{
    const struct sim_tenure *t = w->log->groups[group].tenure[k];
    for (; t != NULL && (t->to_us < 0 || t->to_us >= since_us); t = t->before) {
        if (t->member == member)
            return true;
    }
    return false;
}

static void complete(struct sim *w, struct sim_group *g)
{
    for (size_t i = 0; i < SIM_MEMBERS_MAX; i++) {
        if (g->seats[i].used && !g->seats[i].joined)
            g->seats[i].used = false;
    }
    g->generation++;
    g->preparing = false;
    assign(g);
    sim_trace(w, "group %s: generation %lld", g->name, (long long)g->generation);
    for (size_t i = 0; i < SIM_MEMBERS_MAX; i++) {
        struct sim_seat *s = &g->seats[i];
        if (!s->used)
            continue;
        s->seen_us = w->now_us;
        s->joined = false;
        answer_join(w, s->join, s);
        s->join = NULL;
        for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
            if (s->ks[k])
                note_tenure(w, g, k, s->member);
        }
    }
}

static void complete_if_all(struct sim *w, struct sim_group *g)
{
    size_t there = 0;
    for (size_t i = 0; i < SIM_MEMBERS_MAX; i++) {
        if (g->seats[i].used && !g->seats[i].joined)
            return;
        there += g->seats[i].used;
    }
    if (there > 0) {
        complete(w, g);
    } else {
        g->preparing = false;
    }
}

static void rebalance_timeout(struct sim *w, void *who, void *data)
{
    struct sim_group *g = who;
    if (g->preparing && g->round == (uint64_t)(uintptr_t)data)
        complete(w, g);
}

static void prepare(struct sim *w, struct sim_group *g)
{
    if (g->preparing)
        return;
    g->preparing = true;
    g->round++;
    struct sim_task t = {.what = "rebalance limit",
                         .fire = rebalance_timeout,
                         .who = g,
                         .data = (void *)(uintptr_t)g->round};
    sim_after(w, REBALANCE_US, &t);
}

static struct sim_seat *free_seat(struct sim_group *g)
{
    for (size_t i = 0; i < SIM_MEMBERS_MAX; i++) {
        if (!g->seats[i].used)
            return &g->seats[i];
    }
    leat_assert(!"a free seat in the group");
    return NULL;
}

static void refuse_join(struct sim *w, struct sim_join *j, sim_answer answer)
{
    j->answer = answer;
    struct sim_task t = {
        .actor = j->actor, .life = j->life, .what = "refused", .fire = joined_back, .data = j};
    sim_after(w, sim_net_delay(w), &t);
}

static void join_arrives(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_join *j = data;
    struct sim_group *g = &w->log->groups[j->group];
    struct sim_seat *s = seat_of(g, j->instance);
    if (j->id != 0 && (s == NULL || s->member != j->id)) {
        refuse_join(w, j, s == NULL ? SIM_UNKNOWN_MEMBER : SIM_FENCED);
        return;
    }
    bool new_seat = s == NULL;
    if (new_seat) {
        s = free_seat(g);
        *s = (struct sim_seat){.used = true, .instance = j->instance};
    }
    if (j->id == 0)
        s->member = ++w->log->members; /* the former process of this instance is fenced */
    s->seen_us = w->now_us;
    for (int32_t k = 0; !new_seat && j->id == 0 && k < SIM_PARTITIONS; k++) {
        if (s->ks[k])
            note_tenure(w, g, k, s->member);
    }
    if (!new_seat && !g->preparing) {
        answer_join(w, j, s); /* a static member is back: its partitions are as they were */
        return;
    }
    prepare(w, g);
    s->joined = true;
    s->join = j;
    complete_if_all(w, g);
}

static void drop_seat(struct sim *w, struct sim_group *g, struct sim_seat *s)
{
    s->used = false;
    prepare(w, g);
    complete_if_all(w, g);
}

static void expire(struct sim *w, void *who, void *data)
{
    (void)data;
    for (size_t n = 0; n < SIM_GROUPS; n++) {
        struct sim_group *g = &w->log->groups[n];
        for (size_t i = 0; i < SIM_MEMBERS_MAX; i++) {
            struct sim_seat *s = &g->seats[i];
            if (!s->used || s->joined || s->seen_us + SIM_SESSION_US > w->now_us)
                continue;
            sim_trace(w, "group %s: session of instance %d is over", g->name, s->instance);
            drop_seat(w, g, s);
        }
    }
    struct sim_task t = {.what = "sessions", .fire = expire, .who = who};
    sim_after(w, 250 * SIM_MS, &t);
}

void sim_groups_start(struct sim *w)
{
    struct sim_task t = {.what = "sessions", .fire = expire};
    sim_after(w, 250 * SIM_MS, &t);
}

static sim_answer standing(const struct sim_group *g, const struct sim_seat *s,
                           const struct sim_join *j)
{
    if (s == NULL)
        return SIM_UNKNOWN_MEMBER;
    if (s->member != j->id)
        return SIM_FENCED;
    return g->generation == j->generation ? SIM_OK : SIM_REBALANCE;
}

/* ---- a member ---- */

static void join_timeout(struct sim *w, void *who, void *data)
{
    (void)w;
    struct sim_member *m = who;
    if (m->joining && m->attempt == (uint64_t)(uintptr_t)data) {
        m->joining = false;
        sim_member_join(m);
    }
}

void sim_member_join(struct sim_member *m)
{
    if (m->joining)
        return;
    m->joining = true;
    m->attempt++;
    struct sim_join *j = request(m);
    j->session = m->attempt;
    struct sim_task t = {.what = "join", .fire = join_arrives, .data = j};
    if (!sim_faulty(m->w, SIM_FAULT_CUT, 10) && !sim_kafka_away(m->w))
        sim_after(m->w, sim_net_delay(m->w), &t);
    struct sim_task again = {.actor = m->actor,
                             .what = "join limit",
                             .fire = join_timeout,
                             .who = m,
                             .data = (void *)(uintptr_t)m->attempt};
    sim_after(m->w, REBALANCE_US + RETRY_US, &again);
}

static void joined_back(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_join *j = data;
    struct sim_member *m = j->member;
    if (!m->joining || j->session != m->attempt)
        return;
    m->joining = false;
    if (j->answer == SIM_FENCED && m->member != 0) {
        m->fatal(m->who);
        return;
    }
    if (j->answer != SIM_OK) {
        m->member = 0;
        sim_member_join(m);
        return;
    }
    m->member = j->id;
    m->generation = j->generation;
    m->in = true;
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (j->ks[k])
            ks[n++] = k;
    }
    sim_trace(w, "%s is given %zu partitions of %s", m->actor->name, n,
              w->log->groups[m->group].name);
    m->assigned(m->who, ks, n);
}

static void beaten(struct sim *w, void *who, void *data)
{
    (void)w;
    (void)who;
    struct sim_join *j = data;
    struct sim_member *m = j->member;
    if (!m->in || m->member != j->id || m->generation != j->generation)
        return;
    switch (j->answer) {
    case SIM_OK:
        return;
    case SIM_REBALANCE:
        m->in = false;
        m->revoked(m->who, false);
        return;
    case SIM_UNKNOWN_MEMBER:
        m->in = false;
        m->member = 0;
        m->revoked(m->who, true);
        return;
    case SIM_FENCED:
        m->fatal(m->who);
        return;
    }
}

static void beat_arrives(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_join *j = data;
    struct sim_group *g = &w->log->groups[j->group];
    struct sim_seat *s = seat_of(g, j->instance);
    j->answer = standing(g, s, j);
    if (j->answer == SIM_OK) {
        s->seen_us = w->now_us;
        if (g->preparing)
            j->answer = SIM_REBALANCE;
    }
    struct sim_task t = {
        .actor = j->actor, .life = j->life, .what = "beaten", .fire = beaten, .data = j};
    sim_after(w, sim_net_delay(w), &t);
}

static void beat(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_member *m = who;
    struct sim_task again = {.actor = m->actor, .what = "beat", .fire = beat, .who = m};
    sim_after(w, BEAT_US, &again);
    if (!m->in || sim_faulty(w, SIM_FAULT_CUT, 30) || sim_kafka_away(w))
        return;
    struct sim_task t = {.what = "heartbeat", .fire = beat_arrives, .data = request(m)};
    sim_after(w, sim_net_delay(w), &t);
}

void sim_member_start(struct sim_member *m)
{
    struct sim_task t = {.actor = m->actor, .what = "beat", .fire = beat, .who = m};
    sim_after(m->w, BEAT_US, &t);
    sim_member_join(m);
}

static void leave_arrives(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_join *j = data;
    struct sim_group *g = &w->log->groups[j->group];
    struct sim_seat *s = seat_of(g, j->instance);
    if (s != NULL && s->member == j->id && !s->joined)
        drop_seat(w, g, s);
}

void sim_member_leave(struct sim_member *m)
{
    struct sim_task t = {.what = "leave", .fire = leave_arrives, .data = request(m)};
    sim_after(m->w, sim_net_delay(m->w), &t);
    m->in = false;
    m->joining = false;
    m->member = 0;
}

/* ---- commits ---- */

static void committed(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_join *j = data;
    bool ok = j->answer == SIM_OK;
    j->answered(w, j->member->who, ok ? j : NULL);
}

static void commit_arrives(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_join *j = data;
    struct sim_group *g = &w->log->groups[j->group];
    /* While a rebalance is prepared, members of the present generation may still commit. */
    j->answer = standing(g, seat_of(g, j->instance), j);
    struct sim_task t = {
        .actor = j->actor, .life = j->life, .what = "committed", .fire = committed, .data = j};
    sim_after(w, sim_net_delay(w), &t);
}

void sim_member_commit(struct sim_member *m, void (*answer)(struct sim *w, void *who, void *ok))
{
    struct sim_join *j = request(m);
    j->answered = answer;
    bool lost = !m->in || sim_faulty(m->w, SIM_FAULT_CUT, 20) || sim_kafka_away(m->w);
    j->answer = SIM_REBALANCE;
    struct sim_task no = {.actor = m->actor, .what = "no", .fire = committed, .data = j};
    struct sim_task t = {.what = "commit", .fire = commit_arrives, .data = j};
    sim_after(m->w, lost ? SIM_SECOND : sim_net_delay(m->w), lost ? &no : &t);
}
