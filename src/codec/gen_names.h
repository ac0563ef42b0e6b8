/* gen_names.h - schema names -> C identifiers. Private to gen. */
#ifndef LEAT_CODEC_GEN_NAMES_H
#define LEAT_CODEC_GEN_NAMES_H

#include "base/arena.h"
#include "leat/str.h"

/* PlaceOrder -> place_order, HTTPCall -> http_call, OrderV2 -> order_v2. NUL-terminated. */
const char *leat_gen_snake(struct leat_arena *arena, struct leat_str name);
const char *leat_gen_upper(struct leat_arena *arena, struct leat_str name);
/* Snake case that may be the name of a member: "int" -> "int_". */
const char *leat_gen_member(struct leat_arena *arena, struct leat_str name);
/* Of an enum's constants, without the '_': OrderStatus -> ORDER. */
const char *leat_gen_enum_prefix(struct leat_arena *arena, struct leat_str name);

#endif
