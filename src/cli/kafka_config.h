/* kafka_config.h - the topology's Kafka properties as a client of a verb takes them. */
#ifndef LEAT_CLI_KAFKA_CONFIG_H
#define LEAT_CLI_KAFKA_CONFIG_H

#include "kafka/kafka.h"
#include "topology/topology.h"

/* Client id "<topology>.<verb>"; everything in the arena. */
struct leat_kafka_config leat_cli_kafka_config(const struct leat_topology *t, const char *verb,
                                               struct leat_arena *arena);

#endif
