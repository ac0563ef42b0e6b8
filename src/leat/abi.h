/* abi.h - the number of the binary interface between `leat` and processor modules.
 *
 * It changes when a public struct changes its layout, an enum its values or a function its meaning
 * (tests/abi keeps what it covers). Each module carries the number it was compiled with as an ELF
 * note; `leat` reads the note before it loads the module and refuses any other number. */
#ifndef LEAT_ABI_H
#define LEAT_ABI_H

#include <stdint.h>

#define LEAT_ABI 1

#define LEAT_ABI_NOTE_OWNER "leat"
#define LEAT_ABI_NOTE_TYPE  1

struct leat_abi_note { /* as ELF wants it: sizes, type, owner padded to 4, then the value */
    uint32_t owner_bytes, value_bytes, type;
    char owner[8];
    uint32_t abi;
};

/* Part of LEAT_PROCESSOR and LEAT_AGGREGATE; a module may hold several. */
#define LEAT_ABI_NOTE(name_)                                                                       \
    __attribute__((section(".note.leat"), used,                                                    \
                   aligned(4))) static const struct leat_abi_note leat_abi_note_##name_ = {        \
        sizeof LEAT_ABI_NOTE_OWNER, sizeof(uint32_t), LEAT_ABI_NOTE_TYPE, LEAT_ABI_NOTE_OWNER,     \
        LEAT_ABI}

#endif
