/* gen_fields.h - the descriptors of a generated header. Private to gen. */
#ifndef LEAT_CODEC_GEN_FIELDS_H
#define LEAT_CODEC_GEN_FIELDS_H

#include "codec/gen_types.h"

/* <record>_<field>: what the C names of things inside a field begin with. */
const char *leat_gen_path(struct leat_gen *g, const struct leat_gen_def *d,
                          const struct leat_node_field *f);
/* Tag of the struct of an array's or map's elements, or NULL when they need none. */
const char *leat_gen_element(struct leat_gen *g, const struct leat_schema *s,
                             const struct leat_node *n, const char *path);
/* What a branch of a union is called in C: "string", "long_", "card". */
const char *leat_gen_branch(struct leat_gen *g, const struct leat_schema *s, uint32_t node);
void leat_gen_write_descriptors(struct leat_gen *g);

#endif
