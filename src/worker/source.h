/* source.h - records of foreign topics (`sources`) and of partitions beyond ours: which message
 * they are, and so the topic and partition they are forwarded to. Part of the flow; no I/O. */
#ifndef LEAT_WORKER_SOURCE_H
#define LEAT_WORKER_SOURCE_H

struct leat_flow;
struct flow_work;

/* Sets w->what to FORWARD (with type, id, key and target topic), DEAD with its reason, or SKIP. */
void leat_source_read(struct leat_flow *f, struct flow_work *w);

#endif
