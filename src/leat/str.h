/* str.h - a slice of bytes somebody else owns: not NUL-terminated, may hold any byte. */
#ifndef LEAT_STR_H
#define LEAT_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct leat_str {
    const char *at; /* NULL only when len is 0 */
    uint32_t len;
};

#define LEAT_STR(literal) ((struct leat_str){(literal), (uint32_t)(sizeof(literal) - 1)})
#define LEAT_STR_FMT(s)   (int)(s).len, (s).at /* for "%.*s" */

static inline struct leat_str leat_str_of(const char *cstr)
{
    return (struct leat_str){cstr, cstr == NULL ? 0 : (uint32_t)strlen(cstr)};
}

static inline bool leat_str_eq(struct leat_str a, struct leat_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

#endif
