/* loader.h - what the loading files share: state of one load, and values by the key table. Every
 * mistake becomes a finding and loading goes on, so that one run shows them all. Private to this
 * folder. Owner: one thread. */
#ifndef LEAT_TOPOLOGY_LOADER_H
#define LEAT_TOPOLOGY_LOADER_H

#include "base/arena.h"
#include "topology/keys.h"
#include "topology/topology.h"
#include "topology/yaml.h"

#define LEAT_NAMED_MAX      1000 /* entries of one map: processors, fields, options */
#define LEAT_NAME_BYTES_MAX 100

struct leat_unsupported { /* a key in use that this version does not run */
    struct leat_place place;
    const char *what; /* "processors.payments.calls" */
    const char *why;
    bool refused; /* running without it would go unnoticed */
};

struct leat_mark { /* see leat_topology_place() */
    const void *thing;
    struct leat_place place;
};

struct leat_bound { /* of a field; 0: none yet */
    leat_op_kind kind;
    uint32_t bound;
};

struct leat_loader {
    struct leat_arena *arena; /* the topology's */
    struct leat_report *report;
    struct leat_topology *t; /* being built */
    bool check_files;
    struct leat_processor processor_defaults; /* the table's, then the file's `defaults` */
    struct leat_props topic_defaults;
    struct leat_processor *processors;   /* t->processors, while it may change */
    struct leat_projection *projections; /* t->projections, likewise */
    struct leat_unsupported *used;
    size_t n_used, cap_used;
    struct leat_str *fields; /* of the projection being loaded */
    size_t n_fields, cap_fields;
    struct leat_bound *bounds; /* of its fields */
    bool coded;                /* it is written in C */
    struct leat_op *ops;       /* of the rule being loaded */
    size_t n_ops, cap_ops;
    const struct leat_key **misspelt; /* keys that unknown ones were near to */
    size_t n_misspelt, cap_misspelt;
    struct leat_str *untold; /* events nobody emits, said once */
    size_t n_untold, cap_untold;
    struct leat_mark *marks;
    size_t n_marks, cap_marks;
};

/* --- findings --- */
void leat_load_error(struct leat_loader *l, const struct leat_place *place, const char *fmt, ...)
    LEAT_PRINTF(3, 4);
void leat_load_warning(struct leat_loader *l, const struct leat_place *place, const char *fmt, ...)
    LEAT_PRINTF(3, 4);
/* A key or value that is read, but not run by this version. */
void leat_load_later(struct leat_loader *l, const struct leat_place *place, bool refused,
                     const char *what, const char *why);
void leat_load_mark(struct leat_loader *l, const void *thing, const struct leat_place *place);
void leat_load_marks_done(struct leat_loader *l); /* before what asks leat_topology_place() */
/* How a scalar may be quoted in a message: never what a variable held. */
struct leat_str leat_load_quote(const struct leat_yaml *n);
const char *leat_load_path(struct leat_loader *l, const char *path, struct leat_str key);

/* --- sections by the table --- */
void leat_load_defaults(struct leat_loader *l, leat_section section, void *target);
/* Keys of `n` over what `target` holds; unknown keys are errors. */
void leat_load_overlay(struct leat_loader *l, leat_section section, const struct leat_yaml *n,
                       const char *path, void *target);
/* Defaults, the keys of `n`, and the required ones. */
void leat_load_section(struct leat_loader *l, leat_section section, const struct leat_yaml *n,
                       const char *path, void *target);
void leat_load_required(struct leat_loader *l, leat_section section, const struct leat_yaml *n,
                        const char *path);

/* An unknown key was near this one: what its absence implies is no mistake of its own. `name` NULL:
 * any key of the section. */
bool leat_load_misspelt(const struct leat_loader *l, leat_section section, const char *name);

/* --- kinds and values; false = a finding was added, nothing was set --- */
bool leat_load_is_map(struct leat_loader *l, const struct leat_yaml *n, const char *path);
bool leat_load_text(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    struct leat_str *ret);
bool leat_load_word(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    struct leat_str *ret);
bool leat_load_int(struct leat_loader *l, const struct leat_yaml *n, const char *path, int64_t min,
                   int64_t max, int64_t *ret);
bool leat_load_duration(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                        int64_t min, int64_t max, int64_t *ret_ms);
bool leat_load_size(struct leat_loader *l, const struct leat_yaml *n, const char *path, int64_t min,
                    int64_t max, int64_t *ret_bytes);
bool leat_load_bool(struct leat_loader *l, const struct leat_yaml *n, const char *path, bool *ret);
bool leat_load_enum(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    const char *allowed, unsigned *ret);
bool leat_load_expr(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    const struct leat_expr **ret);
bool leat_load_names(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                     struct leat_names *ret);
/* One item or a list of them, as an array of nodes. */
uint32_t leat_load_items(const struct leat_yaml *n, const struct leat_yaml *const **ret,
                         const struct leat_yaml **single);

/* A map of named things: array of `bytes` each, zeroed, `fn` called per entry with its place. */
typedef void (*leat_load_entry)(struct leat_loader *l, const struct leat_yaml_pair *pair,
                                const char *path, void *entry, uint32_t index);
void *leat_load_named(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                      size_t bytes, leat_load_entry fn, uint32_t *ret_n);
bool leat_load_is_word(struct leat_str s);
/* "did you mean" of the last finding among names offered by the caller. */
void leat_load_suggest(struct leat_loader *l, struct leat_str best);

/* --- per file --- */
void leat_load_ops(struct leat_loader *l, const struct leat_key *key, const struct leat_yaml *n,
                   const char *path, void *target); /* load_models.c */
/* Index of a field of the projection being loaded, new ones at the end; false with a finding when
 * it cannot be one. load_models.c */
bool leat_load_field_index(struct leat_loader *l, struct leat_str name,
                           const struct leat_place *place, const char *path, uint32_t *ret);
/* load_rows.c: of a projection in C. */
void leat_load_coded_key(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                         struct leat_projection *p);
void leat_load_coded_check(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                           struct leat_projection *p);
void leat_load_default_priorities(struct leat_loader *l); /* load_processors.c */
void leat_load_processor_names(struct leat_loader *l);    /* names.c */
bool leat_load_is_event(const struct leat_topology *t, struct leat_str event); /* check.c */
void leat_check_topology(struct leat_loader *l);                               /* check.c */
void leat_check_projections(struct leat_loader *l);                            /* check_models.c */
void leat_check_files(struct leat_loader *l);                                  /* check.c */

#endif
