#include "model.h"

static const char *const topic_names[SIM_TOPICS] = {
    "sim.deposits.hot", "sim.deposits.cold", "sim.withdrawals.hot", "sim.withdrawals.cold",
    "sim.audits.hot",   "sim.audits.cold",   "sim.alerts.hot",      "sim.alerts.cold",
    "sim.events",       "payments.v2",       "sim.deposits.dlq",    "sim.withdrawals.dlq",
    "sim.audits.dlq",   "sim.alerts.dlq"};

static const struct leat_priority priorities[SIM_PRIORITIES] = {
    {.name = {"hot", 3}, .weight = 70},
    {.name = {"cold", 4}, .weight = 30, .max_wait_ms = 2000, .is_default = true},
};
static const struct leat_aggregate aggregates[] = {
    {.name = {"account", 7}, .key = {"key", 3}, .snapshot_every = 3},
    {.name = {"audit", 5}, .key = {"key", 3}},
};
static const struct leat_str topics[SIM_PROCESSORS][SIM_PRIORITIES] = {
    {{"sim.deposits.hot", 16}, {"sim.deposits.cold", 17}},
    {{"sim.withdrawals.hot", 19}, {"sim.withdrawals.cold", 20}},
    {{"sim.audits.hot", 14}, {"sim.audits.cold", 15}},
    {{"sim.alerts.hot", 14}, {"sim.alerts.cold", 15}},
};
static const struct leat_str alert_on = {"Deposited", 9};
static const struct leat_str command_types[SIM_PROCESSORS] = {
    {"Deposit", 7}, {"Withdraw", 8}, {"Audit", 5}};
static const int64_t delays[] = {200, 400, 800, 5000};

#define PROCESSOR(i, text, aggregate_)                                                             \
    {                                                                                              \
        .index = (i), .name = LEAT_STR(text), .aggregate = (aggregate_),                           \
        .commands = {&command_types[i], 1}, .priorities = {priorities, SIM_PRIORITIES, 1},         \
        .retry = {delays, 4, 0.1, LEAT_ORDERING_KEY, (i) == 1 ? 5 : 1000},                         \
        .on_dead = (i) == 1 ? LEAT_ON_DEAD_HOLD : LEAT_ON_DEAD_CONTINUE, .group = "sim." text,     \
        .topics = topics[i], .anchor = 1, .dlq_topic = LEAT_STR("sim." text ".dlq"), .threads = 2, \
        .concurrency = 1                                                                           \
    }
static const struct leat_processor processors[SIM_PROCESSORS] = {
    PROCESSOR(0, "deposits", &aggregates[0]),
    PROCESSOR(1, "withdrawals", &aggregates[0]),
    PROCESSOR(2, "audits", &aggregates[1]),
    {.index = SIM_ALERTS,
     .name = LEAT_STR("alerts"),
     .events = {&alert_on, 1},
     .priorities = {priorities, SIM_PRIORITIES, 1},
     .retry = {delays, 4, 0, LEAT_ORDERING_NONE, 1000},
     .group = "sim.alerts",
     .dlq_topic = LEAT_STR("sim.alerts.dlq"),
     .threads = 2,
     .concurrency = 1},
};
static const struct leat_source sources[] = {
    {.name = {"payments", 8}, .topic = {"payments.v2", 11}, .type = {"Deposit", 7}, .priority = -1},
};
static const struct leat_topology topology = {
    .path = "sim.yaml",
    .dir = ".",
    .name = {"sim", 3},
    .partitions = SIM_PARTITIONS,
    .priorities = {priorities, SIM_PRIORITIES, 1},
    .message_bytes_max = 1 << 20,
    .sources = sources,
    .n_sources = 1,
    .aggregates = aggregates,
    .n_aggregates = 2,
    .processors = processors,
    .n_processors = SIM_PROCESSORS,
    .events_topic = {"sim.events", 10},
    .relay_group = "sim.relay",
};

const struct leat_topology *sim_topology(void)
{
    return &topology;
}

const char *sim_topic_name(int32_t topic)
{
    return topic_names[topic];
}

int32_t sim_topic_find(struct leat_str name)
{
    for (int32_t i = 0; i < SIM_TOPICS; i++) {
        if (leat_str_eq(name, leat_str_of(topic_names[i])))
            return i;
    }
    return -1;
}

int32_t sim_topic_partitions(int32_t topic)
{
    return topic == SIM_TOPIC_FOREIGN ? SIM_FOREIGN_PARTITIONS : SIM_PARTITIONS;
}
