/* client.c - what clients send: commands for keys of few accounts, so that processors meet on them;
 * some twice, some in the wrong partition, some through the foreign topic, some that never work. */
#include <stdio.h>

#include "base/hash.h"
#include "check.h"

static void produce(struct sim *w, int32_t topic, int32_t partition, const struct sim_sent *s,
                    struct sim_record **ret)
{
    static const char *const types[] = {"Deposit", "Withdraw"};
    struct leat_buf headers;
    leat_buf_init(&headers, 4096);
    if (s->known_id) {
        sim_headers(&headers, &s->id,
                    topic == SIM_TOPIC_FOREIGN ? (struct leat_str){0}
                                               : leat_str_of(types[s->processor]));
    }
    bool keyless = s->command.spare == 1 && topic != SIM_TOPIC_FOREIGN;
    struct leat_str key = leat_str_of(s->command.key);
    struct sim_message m = {.topic = topic,
                            .partition = partition,
                            .key = keyless ? (struct leat_str){0} : key,
                            .key_null = keyless,
                            .headers = leat_buf_str(&headers),
                            .value = {(const char *)&s->command, sizeof s->command}};
    int64_t offset = sim_log_append(w, &m);
    *ret = sim_log_partition(w, topic, partition)->records[offset];
    leat_buf_done(&headers);
}

static void send(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_sent *s = who;
    struct sim_record *record = NULL;
    bool foreign = s->processor == 0 && s->command.spare == 2;
    int32_t topic = foreign ? SIM_TOPIC_FOREIGN : s->processor * SIM_PRIORITIES + s->priority;
    int32_t partition = foreign ? (int32_t)(s->command.number % SIM_FOREIGN_PARTITIONS) : s->k;
    if (!foreign && sim_faulty(w, SIM_FAULT_STRAY, 40))
        partition = (int32_t)sim_rng_in(&w->trouble, 0, SIM_PARTITIONS - 1);
    produce(w, topic, partition, s, &record);
    s->record = record;
    /* A client that has no answer sends again, perhaps with another priority; at once or later. */
    if (s->known_id && sim_faulty(w, SIM_FAULT_COPY, 60)) {
        int32_t other = foreign ? topic : s->processor * SIM_PRIORITIES + s->other_priority;
        produce(w, other, partition, s, &record);
        w->log->copies++;
    }
}

static void resend(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_sent *s = who;
    struct sim_record *record = NULL;
    if (s->command.spare == 2)
        return;
    produce(w, s->processor * SIM_PRIORITIES + s->again_priority, s->k, s, &record);
    w->log->copies++;
}

static void behave_oddly(struct sim *w, struct sim_sent *s, int64_t at_us, int64_t dice)
{
    struct sim_command *c = &s->command;
    if (dice < 30) {
        c->behaviour = SIM_POISON;
        s->dead = true;
    } else if (dice < 50 && s->known_id) {
        c->magic = 0;
        c->spare = 0;
        s->dead = true;
    } else {
        c->behaviour = SIM_RETRY;
        c->ready_ms = at_us / SIM_MS + sim_rng_in(&w->work, 0, 3000);
        s->may_reject = false;
        s->may_die = true; /* its tries may be used up before */
    }
}

/* Drawn in any case: what is drawn later stays the same whatever kinds of faults there are. */
static void behave(struct sim *w, struct sim_sent *s, int64_t at_us)
{
    struct sim_command *c = &s->command;
    int64_t dice = sim_rng_in(&w->work, 0, 99), odd = sim_rng_in(&w->work, 0, 999);
    int64_t later_ms = sim_rng_in(&w->work, 1, 4000);
    const struct sim_sent *other = &w->check->sent[sim_rng_in(&w->work, 0, c->number)];
    c->magic = SIM_MAGIC;
    c->events = (uint8_t)(dice < 75 ? 1 : dice < 93 ? 2 : 0);
    c->amount = sim_rng_in(&w->work, 1, 100);
    c->behaviour = SIM_ACCEPT;
    c->send = s->processor == 0 && dice % 4 == 0;
    c->mail = s->known_id && s->processor == 0 && dice % 5 == 0;
    c->later_ms = c->send && dice % 8 == 0 ? (uint16_t)later_ms : 0;
    /* Only who has the key knows of it, and is in the slice where it waits. */
    c->cancels = s->processor == 0 && dice % 7 == 3 && other->known_id &&
                 other->command.later_ms > 0 && other->command.key[0] == c->key[0];
    c->target = other->id;
    c->slow_ms = odd >= 900 && odd < 925 ? (uint16_t)(100 + odd % 25 * 30) : 0;
    if (s->processor == 1) {
        c->behaviour = SIM_DEBIT;
        c->amount = -c->amount;
        s->may_reject = true;
    }
    if (odd < 60 && (w->o.faults & SIM_FAULT_ODD) != 0) {
        behave_oddly(w, s, at_us, dice);
    } else if (odd >= 980 && odd < 985 && s->known_id && (w->o.faults & SIM_FAULT_KILL) != 0) {
        c->behaviour = SIM_CRASH;
        c->spare = 0;
        s->dead = true;
    }
}

/* A flood: most come at once, and urgent; what is not must not wait for ever. */
static void flood(struct sim *w, struct sim_sent *s, int64_t *at_us)
{
    if (!w->flood)
        return;
    *at_us = w->o.busy_us / 2 + *at_us / 200;
    if (s->command.number % 8 != 0)
        s->priority = 0;
}

/* Some clients use an id for two commands, of two processors. */
static void take_id(struct sim *w, struct sim_sent *s, uint32_t number)
{
    for (size_t i = 0; i < sizeof s->id.b; i += 8) {
        uint64_t r = sim_rng_next(&w->work);
        memcpy(&s->id.b[i], &r, 8);
    }
    const struct sim_sent *other = &w->check->sent[number / 2];
    if (s->id.b[0] < 25 && number % 2 == 0 && other->processor == 0 && s->processor == 1)
        s->id = other->id;
}

static void plan(struct sim *w, struct sim_sent *s, uint32_t number)
{
    int64_t at_us = sim_rng_in(&w->work, 0, w->o.busy_us);
    bool stray = (w->o.faults & SIM_FAULT_STRAY) != 0;
    bool lonely = w->o.plant != NULL && w->o.plant->lonely;
    s->processor = sim_rng_permille(&w->work, lonely ? 0 : 450);
    s->known_id = !sim_rng_permille(&w->work, 40);
    s->priority = sim_rng_permille(&w->work, 500);
    s->other_priority = sim_rng_permille(&w->work, 500);
    s->again_priority = sim_rng_permille(&w->work, 500);
    s->command.number = number;
    /* Few keys: a third of the commands go to two of them. */
    int64_t key = sim_rng_permille(&w->work, 330) ? sim_rng_in(&w->work, 0, 1)
                                                  : sim_rng_in(&w->work, 0, SIM_KEYS - 1);
    s->command.key[0] = (char)('a' + key);
    s->k = leat_partition(leat_str_of(s->command.key), SIM_PARTITIONS);
    int64_t odd_place = sim_rng_in(&w->work, 0, 999);
    if (stray && odd_place < 30) {
        s->command.spare = 1;
    } else if (stray && s->processor == 0 && odd_place < 90) {
        s->command.spare = 2;
    }
    take_id(w, s, number);
    behave(w, s, at_us);
    flood(w, s, &at_us);
    int64_t again = sim_rng_in(&w->work, 0, 999), later = sim_rng_in(&w->work, 1, 6000) * SIM_MS;
    if (w->o.no_command != NULL && w->o.no_command[number]) {
        s->left_out = true;
        return;
    }
    struct sim_task t = {.what = "client", .fire = send, .who = s};
    sim_after(w, at_us, &t);
    if (s->known_id && (w->o.faults & SIM_FAULT_COPY) != 0 && again < 40) {
        struct sim_task copy = {.what = "again", .fire = resend, .who = s};
        sim_after(w, at_us + later, &copy);
    }
}

void sim_clients_start(struct sim *w)
{
    for (int32_t i = 0; i < w->o.commands; i++)
        plan(w, &w->check->sent[i], (uint32_t)i);
    w->check->sent_count = w->o.commands;
}
