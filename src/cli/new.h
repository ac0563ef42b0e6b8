/* new.h - what the files of `leat new` share: the facts of a processor and the texts made of them.
 * Everything lives in the caller's arena. Main thread. */
#ifndef LEAT_CLI_NEW_H
#define LEAT_CLI_NEW_H

#include "base/arena.h"
#include "base/buf.h"
#include "cli/new_files.h"
#include "topology/topology.h"

struct leat_new_options {
    const char *topology, *processor, *aggregate, *commands, *events, *emits, *sends, *from, *key;
    bool c, force, dry_run, json;
};

/* A processor to write. Types are Avro names; those in `made` get a schema written. */
struct leat_new_processor {
    struct leat_str topology, name;
    struct leat_str aggregate, key, state; /* "" for a policy; state "" when it has none */
    bool new_aggregate;
    bool starter; /* Create<Aggregate> and <Aggregate>Created, with a title */
    struct leat_names commands, events, emits, sends;
    struct leat_names send_keys; /* of the streams that `sends` go to */
    struct leat_names made;
};

/* Names. "orders" -> "order"; "order_line" -> "OrderLine". */
struct leat_str leat_new_singular(struct leat_str name, struct leat_arena *arena);
struct leat_str leat_new_type(struct leat_str name, struct leat_arena *arena);
/* INVALID unless a-z, 0-9 and _ with a letter first; `what` as in "processor". */
LEAT_MUST_CHECK leat_status leat_new_check_name(const char *what, struct leat_str name,
                                                struct leat_error *err);
/* "A,B" -> names, each a type: letters and digits, a capital first. NULL: none. */
LEAT_MUST_CHECK leat_status leat_new_types(const char *option, const char *list,
                                           struct leat_arena *arena, struct leat_names *ret,
                                           struct leat_error *err);

/* The starter of a new aggregate called `aggregate`. */
struct leat_new_processor leat_new_starter(struct leat_str topology, struct leat_str name,
                                           struct leat_str aggregate, struct leat_arena *arena);

/* Texts. Rows of the topology are without indentation, with a line end each. */
struct leat_str leat_new_schema(const struct leat_new_processor *p, struct leat_str type,
                                struct leat_arena *arena);
struct leat_str leat_new_code(const struct leat_new_processor *p, struct leat_arena *arena);
struct leat_str leat_new_tests(const struct leat_new_processor *p, struct leat_arena *arena);
struct leat_str leat_new_aggregate_row(const struct leat_new_processor *p,
                                       struct leat_arena *arena);
struct leat_str leat_new_processor_rows(const struct leat_new_processor *p,
                                        struct leat_arena *arena);
/* `fields` are those of the event, without the key; with `own_key` false the row's key is not the
 * stream's, and it only counts: several partitions feed it. */
struct leat_new_projection {
    struct leat_str name, key;
    struct leat_names events;
    const struct leat_names *fields; /* of each event */
    bool own_key;
};
struct leat_str leat_new_projection_rows(const struct leat_new_projection *p,
                                         struct leat_arena *arena);
/* new_rows.c: the same in C, and its file. */
struct leat_str leat_new_coded_rows(const struct leat_new_projection *p, struct leat_arena *arena);
struct leat_str leat_new_coded(const struct leat_new_projection *p, struct leat_str topology,
                               struct leat_arena *arena);
struct leat_str leat_new_indented(struct leat_str rows, uint32_t columns, struct leat_arena *arena);

/* Schemas, code and tests of a processor, into folders beside the topology. */
void leat_new_add_processor(struct leat_new_files *f, const struct leat_new_processor *p,
                            const char *dir, const char *schema_dir);

/* The three things there are to make; exit codes. */
int leat_new_make_topology(const struct leat_new_options *o, struct leat_str name);
int leat_new_make_processor(const struct leat_new_options *o, struct leat_str name);
int leat_new_make_projection(const struct leat_new_options *o, struct leat_str name);

#endif
