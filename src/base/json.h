/* json.h - RFC 8259 text: a writer into a buffer, and a pull reader that allocates nothing.
 * Owner: one thread per writer or reader. */
#ifndef LEAT_BASE_JSON_H
#define LEAT_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "leat/str.h"

#define LEAT_JSON_DEPTH_MAX        64
#define LEAT_JSON_NUMBER_BYTES_MAX 1024

/* --- Writer. Commas and colons come by themselves; a sequence of calls that is not JSON (a value
 * where a key belongs, an end without its begin) is a programmer error. Overflow: see buf.h. */
struct leat_json_writer {
    struct leat_buf *buf;
    uint64_t objects; /* bit d: level d is an object */
    uint64_t filled;  /* bit d: level d has a member */
    int depth;
    bool after_key;
};

void leat_json_writer_init(struct leat_json_writer *w, struct leat_buf *buf);
void leat_json_begin_object(struct leat_json_writer *w);
void leat_json_end_object(struct leat_json_writer *w);
void leat_json_begin_array(struct leat_json_writer *w);
void leat_json_end_array(struct leat_json_writer *w);
void leat_json_key(struct leat_json_writer *w, struct leat_str key);
/* Bytes that are not UTF-8 become U+FFFD, so that the output always is. */
void leat_json_str(struct leat_json_writer *w, struct leat_str value);
void leat_json_cstr(struct leat_json_writer *w, const char *value); /* NULL writes null */
void leat_json_int(struct leat_json_writer *w, int64_t value);
void leat_json_double(struct leat_json_writer *w, double value); /* shortest; nan, inf: null */
void leat_json_bool(struct leat_json_writer *w, bool value);
void leat_json_null(struct leat_json_writer *w);
void leat_json_raw(struct leat_json_writer *w, struct leat_str json); /* one whole value */
/* Key and value in one call. */
void leat_json_put_str(struct leat_json_writer *w, const char *key, struct leat_str value);
void leat_json_put_cstr(struct leat_json_writer *w, const char *key, const char *value);
void leat_json_put_int(struct leat_json_writer *w, const char *key, int64_t value);
void leat_json_put_double(struct leat_json_writer *w, const char *key, double value);
void leat_json_put_bool(struct leat_json_writer *w, const char *key, bool value);

/* --- Reader. Strict: RFC 8259, valid UTF-8, no lone surrogates, nothing after the value.
 * Duplicate keys are delivered as they come. Errors are LEAT_POISON with the byte offset. */
typedef enum leat_json_kind {
    LEAT_JSON_END = 0, /* the text is over and was well formed */
    LEAT_JSON_OBJECT_BEGIN,
    LEAT_JSON_OBJECT_END,
    LEAT_JSON_ARRAY_BEGIN,
    LEAT_JSON_ARRAY_END,
    LEAT_JSON_KEY,
    LEAT_JSON_STRING,
    LEAT_JSON_INT,    /* no fraction, no exponent, fits int64 */
    LEAT_JSON_DOUBLE, /* every other number; too large for a double is an error */
    LEAT_JSON_BOOL,
    LEAT_JSON_NULL,
} leat_json_kind;

struct leat_json_token {
    leat_json_kind kind;
    bool has_escapes;     /* KEY, STRING: `text` must go through leat_json_unescape() */
    bool boolean;         /* BOOL */
    uint32_t offset;      /* of the token's first byte */
    struct leat_str text; /* KEY, STRING: between the quotes; numbers: as written; borrowed */
    union {
        int64_t integer; /* INT */
        double number;   /* DOUBLE */
    };
};

struct leat_json_reader {
    const char *start, *at, *end;
    uint64_t objects; /* bit d: level d is an object */
    int depth;
    uint8_t expect; /* private: what may come next */
};

void leat_json_reader_init(struct leat_json_reader *r, struct leat_str text);
LEAT_MUST_CHECK leat_status leat_json_next(struct leat_json_reader *r, struct leat_json_token *ret,
                                           struct leat_error *err);
/* Skips the value that comes next (as after a KEY); *ret_raw (NULL allowed) = its text. */
LEAT_MUST_CHECK leat_status leat_json_skip(struct leat_json_reader *r, struct leat_str *ret_raw,
                                           struct leat_error *err);
/* The string a KEY or STRING token means: the input's own bytes when nothing was escaped,
 * else a copy in the arena. */
struct leat_str leat_json_unescape(const struct leat_json_token *t, struct leat_arena *arena);
/* Same into `to`, which has room for t->text.len bytes; returns the length. */
uint32_t leat_json_unescape_into(const struct leat_json_token *t, char *to);
bool leat_json_token_is(const struct leat_json_token *t, struct leat_str name); /* KEY, STRING */
/* The member `name` of the object `text`: LEAT_ABSENT without it. Scalars are complete in *ret;
 * for an object or array *ret_raw is its text. Reads up to the member, not the whole text. */
LEAT_MUST_CHECK leat_status leat_json_find(struct leat_str text, struct leat_str name,
                                           struct leat_json_token *ret, struct leat_str *ret_raw,
                                           struct leat_error *err);

#endif
