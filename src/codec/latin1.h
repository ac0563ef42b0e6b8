/* latin1.h - Avro's JSON form of bytes and fixed: a string whose characters U+0000 to U+00FF are
 * the bytes. Private to codec. */
#ifndef LEAT_CODEC_LATIN1_H
#define LEAT_CODEC_LATIN1_H

#include "base/json.h"

/* The bytes a string means, in place: `text` is changed. False: a character above U+00FF. */
static inline bool leat_latin1_shrink(char *text, uint32_t len, uint32_t *ret_len)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c >= 0x80) {
            if ((c & 0xfe) != 0xc2 || i + 1 == len)
                return false;
            c = (uint8_t)((c << 6) | ((uint8_t)text[++i] & 0x3f));
        }
        text[to++] = (char)c;
    }
    *ret_len = to;
    return true;
}

static inline void leat_latin1_put(struct leat_json_writer *w, struct leat_str bytes)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, (size_t)bytes.len * 2 + 1);
    for (uint32_t i = 0; i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.at[i];
        if (c >= 0x80)
            leat_buf_putc(&text, (char)(0xc0 | c >> 6));
        leat_buf_putc(&text, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
    }
    leat_json_str(w, leat_buf_str(&text));
}

#endif
