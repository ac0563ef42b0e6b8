/* gen.h - what a topology's types look like in C: the text of `<topology>.h`. Pure: facts and
 * schemas in, text out.
 *
 * Names: PlaceOrder becomes struct place_order, emit_/send_place_order, ON_/FOLD_PLACE_ORDER. An
 * enum's constants carry the enum's name, of which a last word "Status" or "State" is left out: the
 * symbols of OrderStatus are ORDER_NONE, ORDER_PLACED; the enum itself stays enum order_status. A
 * name that C or GNU C keeps for itself gets a '_' at its end. Two types that come out alike, and
 * two definitions of one name, are errors. */
#ifndef LEAT_CODEC_GEN_H
#define LEAT_CODEC_GEN_H

#include "codec/schemas.h"

struct leat_gen_names {
    const struct leat_str *at;
    size_t n;
};

struct leat_gen_aggregate {
    struct leat_str name, key;
    struct leat_str state; /* Avro record, or "" */
};

struct leat_gen_processor {
    struct leat_str name;
    int32_t aggregate; /* index, or -1 */
    struct leat_gen_names commands, events, emits, sends;
};

struct leat_gen_projection {   /* written in C */
    struct leat_str name, row; /* the type of its rows, known to the schemas */
    struct leat_gen_names events;
};

struct leat_gen_input {
    struct leat_str topology; /* its name */
    const struct leat_gen_aggregate *aggregates;
    size_t n_aggregates;
    const struct leat_gen_processor *processors;
    size_t n_processors;
    const struct leat_gen_projection *projections;
    size_t n_projections;
    struct leat_gen_names types; /* all commands, events, states and rows, once each, in order */
    const struct leat_schemas *schemas;
};

/* Appends the header's text. INVALID: a schema is missing or has no form in C, names collide, or a
 * command lacks its aggregate's key. */
LEAT_MUST_CHECK leat_status leat_gen_header(const struct leat_gen_input *in, struct leat_buf *out,
                                            struct leat_error *err);

#endif
