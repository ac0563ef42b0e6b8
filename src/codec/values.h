/* values.h - reaching into generated structs by descriptor. Private to codec. */
#ifndef LEAT_CODEC_VALUES_H
#define LEAT_CODEC_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "leat/type.h"

/* How every generated array and map lies in memory. */
struct leat_items {
    void *at;
    size_t len;
};

static inline bool leat_field_present(const struct leat_field *f, const char *base)
{
    return f->has_offset < 0 || *(const bool *)(base + f->has_offset);
}

static inline void leat_field_set_present(const struct leat_field *f, char *base, bool present)
{
    if (f->has_offset >= 0)
        *(bool *)(base + f->has_offset) = present;
}

static inline struct leat_str leat_field_name(const struct leat_field *f)
{
    return (struct leat_str){f->name, f->name_len != 0 ? f->name_len : (uint32_t)strlen(f->name)};
}

static inline struct leat_str leat_field_str(const struct leat_field *f, const char *base)
{
    struct leat_str s;
    memcpy(&s, base + f->offset, sizeof s);
    return s;
}

static inline struct leat_items leat_field_items(const struct leat_field *f, const char *base)
{
    struct leat_items items;
    memcpy(&items, base + f->offset, sizeof items);
    return items;
}

/* Scalars of any alignment: generated structs are aligned, these compile to plain loads. */
#define LEAT_LOAD(type_, at_)                                                                      \
    __extension__({                                                                                \
        type_ leat_load_;                                                                          \
        memcpy(&leat_load_, (at_), sizeof leat_load_);                                             \
        leat_load_;                                                                                \
    })
#define LEAT_STORE(type_, at_, value_)                                                             \
    do {                                                                                           \
        type_ leat_store_ = (value_);                                                              \
        memcpy((at_), &leat_store_, sizeof leat_store_);                                           \
    } while (0)

#endif
