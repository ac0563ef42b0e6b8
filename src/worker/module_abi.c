#include "worker/module_abi.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "leat/abi.h"

#define SEGMENTS_MAX    512
#define NOTES_BYTES_MAX 65536

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static bool read_at(int fd, uint64_t offset, void *into, size_t bytes)
{
    return offset <= INT64_MAX && pread(fd, into, bytes, (off_t)offset) == (ssize_t)bytes;
}

static size_t padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

/* One note at the front of `at`; its whole length, or 0 when it does not fit. */
static size_t take_note(const char *at, size_t left, uint32_t *abi, bool *clash)
{
    uint32_t head[3]; /* bytes of the owner, bytes of the value, type */
    if (left < sizeof head)
        return 0;
    memcpy(head, at, sizeof head);
    if (head[0] > left || head[1] > left ||
        sizeof head + padded(head[0]) + padded(head[1]) > padded(left))
        return 0;
    const char *owner = at + sizeof head;
    if (head[0] == sizeof LEAT_ABI_NOTE_OWNER && head[1] == sizeof *abi &&
        head[2] == LEAT_ABI_NOTE_TYPE && memcmp(owner, LEAT_ABI_NOTE_OWNER, head[0]) == 0) {
        uint32_t found = 0;
        memcpy(&found, owner + padded(head[0]), sizeof found);
        *clash |= *abi != 0 && *abi != found;
        *abi = found;
    }
    return sizeof head + padded(head[0]) + padded(head[1]);
}

/* False for what cannot be read. */
static bool take_notes(int fd, const ElfW(Phdr) * segment, uint32_t *abi, bool *clash)
{
    char notes[NOTES_BYTES_MAX];
    if (segment->p_filesz > sizeof notes ||
        !read_at(fd, segment->p_offset, notes, (size_t)segment->p_filesz))
        return false;
    size_t left = (size_t)segment->p_filesz;
    for (const char *at = notes; left > 0;) {
        size_t used = take_note(at, left, abi, clash);
        if (used == 0 || used >= left)
            break;
        at += used;
        left -= used;
    }
    return true;
}

static bool is_ours(const ElfW(Ehdr) * head)
{
    return memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
           head->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
           head->e_type == ET_DYN && head->e_phentsize == sizeof(ElfW(Phdr)) &&
           head->e_phnum <= SEGMENTS_MAX;
}

leat_status leat_module_abi(const char *path, uint32_t *ret, struct leat_error *err)
{
    LEAT_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;
    uint32_t abi = 0;
    bool clash = false;
    if (fd < 0) {
        return leat_fail(err, LEAT_INVALID, "could not open module '%s': %s", path,
                         strerror(errno));
    }
    if (!read_at(fd, 0, &head, sizeof head) || !is_ours(&head)) {
        return leat_fail(err, LEAT_INVALID, "module '%s' is not a shared object of this machine",
                         path);
    }
    for (unsigned i = 0; i < head.e_phnum; i++) {
        bool ok = read_at(fd, head.e_phoff + i * sizeof segment, &segment, sizeof segment);
        if (!ok || (segment.p_type == PT_NOTE && !take_notes(fd, &segment, &abi, &clash)))
            return leat_fail(err, LEAT_INVALID, "module '%s' is damaged", path);
    }
    if (clash) {
        return leat_fail(err, LEAT_INVALID,
                         "module '%s' is put together of objects compiled for "
                         "different ABIs",
                         path);
    }
    *ret = abi;
    return LEAT_OK;
}

leat_status leat_module_abi_check(const char *path, struct leat_error *err)
{
    uint32_t abi = 0;
    leat_status status = leat_module_abi(path, &abi, err);
    if (status == LEAT_OK && abi == LEAT_ABI)
        return LEAT_OK;
    if (status == LEAT_OK && abi == 0) {
        (void)leat_fail(err, LEAT_INVALID, "module '%s' has no ABI number; this leat has ABI %d",
                        path, LEAT_ABI);
    } else if (status == LEAT_OK) {
        (void)leat_fail(err, LEAT_INVALID,
                        "module '%s' was compiled for ABI %u; this leat has ABI %d", path, abi,
                        LEAT_ABI);
    }
    leat_error_hint(err, "Build it again with the headers and the CMake package of this leat: "
                         "`cmake --build <build folder> --clean-first`.");
    return LEAT_INVALID;
}
