#include "codec/codec.h"

#define FRAMING_BYTES 5

bool leat_framing_split(struct leat_str bytes, int32_t *ret_id, struct leat_str *ret_body)
{
    if (bytes.len < FRAMING_BYTES || bytes.at[0] != 0)
        return false;
    const uint8_t *p = (const uint8_t *)bytes.at;
    *ret_id = (int32_t)((uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4]);
    *ret_body = (struct leat_str){bytes.at + FRAMING_BYTES, bytes.len - FRAMING_BYTES};
    return true;
}

void leat_framing_put(struct leat_buf *out, int32_t id)
{
    uint32_t v = (uint32_t)id;
    uint8_t bytes[FRAMING_BYTES] = {0, (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                                    (uint8_t)v};
    leat_buf_put(out, bytes, sizeof bytes);
}
