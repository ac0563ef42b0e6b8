/* gen_types.h - the structs, enums and descriptors of a generated header. Private to gen. */
#ifndef LEAT_CODEC_GEN_TYPES_H
#define LEAT_CODEC_GEN_TYPES_H

#include "base/table.h"
#include "codec/gen.h"
#include "codec/nodes.h"

struct leat_gen_def { /* a record or enum that becomes C, in the order of definition */
    struct leat_str name;
    const char *snake; /* of the tag */
    const struct leat_schema *schema;
    uint32_t node;
    struct leat_str text; /* self-contained schema; messages and states only */
    const char *key;      /* field, or NULL */
    struct leat_gen_def *next;
};

struct leat_gen {
    const struct leat_gen_input *in;
    struct leat_arena *arena;
    struct leat_buf *out;
    struct leat_error *err;
    struct leat_gen_def *defs, **defs_end;
    struct leat_table seen; /* schema name -> struct leat_gen_def, also while it is being visited */
    struct leat_table taken; /* C name -> what it stands for, as text */
};

/* Visits the type and all it uses, inner ones first. */
LEAT_MUST_CHECK leat_status leat_gen_collect(struct leat_gen *g, const struct leat_schema *schema,
                                             uint32_t node);
struct leat_gen_def *leat_gen_find(const struct leat_gen *g, struct leat_str name);
LEAT_MUST_CHECK leat_status leat_gen_write_types(struct leat_gen *g);
/* gen_rows.c: ROWS_<EVENT>(fn), if a projection in C reads the event; a projection's own calls. */
void leat_gen_write_rows_on(struct leat_gen *g, const struct leat_gen_def *d);
void leat_gen_write_projection(struct leat_gen *g, const struct leat_gen_projection *p);

#endif
