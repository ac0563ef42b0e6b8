#include "worker/trial_watch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MODULES_MAX 64

static struct {
    bool active;
    struct leat_fault *fault;
    struct leat_watch_finding finding;
    ElfW(Addr) modules[MODULES_MAX];
    size_t module_count;
} watch;

/* ---- what is put in the place of the library's functions ---- */

static void note(const char *called, const char *instead)
{
    if (watch.active && watch.finding.called == NULL)
        watch.finding = (struct leat_watch_finding){called, instead};
}

static bool no_memory(const char *where)
{
    if (!watch.active || watch.fault == NULL || !leat_fault_hit(watch.fault, where))
        return false;
    errno = ENOMEM;
    return true;
}

#define CLOCK  "use leat_now(ctx)"
#define RANDOM "use leat_random(ctx)"
#define OUTER  "what is read belongs into the module's open or into a command"

static time_t watched_time(time_t *to)
{
    struct timespec now = {0};
    note("time", CLOCK);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

static int watched_clock_gettime(clockid_t id, struct timespec *to)
{
    note("clock_gettime", CLOCK);
    return clock_gettime(id, to);
}

static int watched_gettimeofday(struct timeval *to, void *zone)
{
    struct timespec now = {0};
    (void)zone;
    note("gettimeofday", CLOCK);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *to = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

static clock_t watched_clock(void)
{
    note("clock", CLOCK);
    return clock();
}

static int watched_rand(void)
{
    int value = 0;
    note("rand", RANDOM);
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) < 0)
        value = 0;
    return value & RAND_MAX;
}

static long watched_random(void)
{
    note("random", RANDOM);
    return watched_rand();
}

static double watched_drand48(void)
{
    note("drand48", RANDOM);
    return drand48();
}

static ssize_t watched_getrandom(void *to, size_t n, unsigned flags)
{
    note("getrandom", RANDOM);
    return getrandom(to, n, flags);
}

static pid_t watched_getpid(void)
{
    note("getpid", "it is another after each start");
    return getpid();
}

static const char *watched_getenv(const char *name)
{
    (void)name;
    note("getenv", "use leat_option(ctx, …)");
    return NULL;
}

static FILE *watched_fopen(const char *path, const char *mode)
{
    note("fopen", OUTER);
    return fopen(path, mode);
}

static int watched_open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    note("open", OUTER);
    return open(path, flags, mode);
}

static int watched_socket(int domain, int type, int protocol)
{
    note("socket", "what others answer belongs into a command");
    return socket(domain, type, protocol);
}

static pid_t watched_fork(void)
{
    note("fork", "a handler is one call in one thread");
    errno = EAGAIN;
    return -1;
}

static void *watched_malloc(size_t n)
{
    return no_memory("malloc") ? NULL : malloc(n);
}

static void *watched_calloc(size_t count, size_t n)
{
    return no_memory("calloc") ? NULL : calloc(count, n);
}

static void *watched_realloc(void *p, size_t n)
{
    return no_memory("realloc") ? NULL : realloc(p, n);
}

static char *watched_strdup(const char *s)
{
    return no_memory("strdup") ? NULL : strdup(s);
}

static char *watched_strndup(const char *s, size_t n)
{
    return no_memory("strndup") ? NULL : strndup(s, n);
}

#define WATCHED(function) .name = #function, .with = (void (*)(void))watched_##function
static const struct {
    const char *name;
    void (*with)(void);
} replaced[] = {
    {WATCHED(time)},    {WATCHED(clock_gettime)}, {WATCHED(gettimeofday)}, {WATCHED(clock)},
    {WATCHED(rand)},    {WATCHED(random)},        {WATCHED(drand48)},      {WATCHED(getrandom)},
    {WATCHED(getpid)},  {WATCHED(getenv)},        {WATCHED(fopen)},        {WATCHED(open)},
    {WATCHED(socket)},  {WATCHED(fork)},          {WATCHED(malloc)},       {WATCHED(calloc)},
    {WATCHED(realloc)}, {WATCHED(strdup)},        {WATCHED(strndup)},
};

/* ---- a module's table of addresses ---- */

struct tables {
    const char *strings;
    const ElfW(Sym) * symbols;
    const ElfW(Rela) * rela[2]; /* of the PLT, and of data */
    size_t rela_bytes[2];
};

/* Whether the slot holds a function's address and nothing but it. */
static bool is_slot(ElfW(Xword) info)
{
#if defined(__x86_64__)
    return ELF64_R_TYPE(info) == R_X86_64_JUMP_SLOT || ELF64_R_TYPE(info) == R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
    return ELF64_R_TYPE(info) == R_AARCH64_JUMP_SLOT || ELF64_R_TYPE(info) == R_AARCH64_GLOB_DAT;
#else
    (void)info;
    return false;
#endif
}

/* The loader has made most of these absolute, but need not. */
static const void *at(ElfW(Addr) base, ElfW(Addr) value)
{
    return (const void *)(value < base ? base + value : value); // NOLINT: addresses of the loader
}

static void read_tables(ElfW(Addr) base, const ElfW(Dyn) * d, struct tables *t)
{
    for (; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_STRTAB)
            t->strings = at(base, d->d_un.d_ptr);
        else if (d->d_tag == DT_SYMTAB)
            t->symbols = at(base, d->d_un.d_ptr);
        else if (d->d_tag == DT_JMPREL)
            t->rela[0] = at(base, d->d_un.d_ptr);
        else if (d->d_tag == DT_PLTRELSZ)
            t->rela_bytes[0] = d->d_un.d_val;
        else if (d->d_tag == DT_RELA)
            t->rela[1] = at(base, d->d_un.d_ptr);
        else if (d->d_tag == DT_RELASZ)
            t->rela_bytes[1] = d->d_un.d_val;
    }
}

static void put(ElfW(Addr) slot, void (*with)(void))
{
    ElfW(Addr) page = (ElfW(Addr))sysconf(_SC_PAGESIZE);
    void *from = (void *)(slot & ~(page - 1)); // NOLINT: addresses of the loader
    if (mprotect(from, page, PROT_READ | PROT_WRITE) == 0)
        memcpy((void *)slot, &with, sizeof with); // NOLINT: addresses of the loader
}

static void replace_in(ElfW(Addr) base, const struct tables *t, int which)
{
    size_t n = t->rela_bytes[which] / sizeof(ElfW(Rela));
    for (size_t i = 0; t->rela[which] != NULL && i < n; i++) {
        const ElfW(Rela) *r = &t->rela[which][i];
        if (!is_slot(r->r_info))
            continue;
        const char *name = t->strings + t->symbols[ELF64_R_SYM(r->r_info)].st_name;
        for (size_t k = 0; k < sizeof replaced / sizeof replaced[0]; k++)
            if (strcmp(name, replaced[k].name) == 0)
                put(base + r->r_offset, replaced[k].with);
    }
}

static int patch(struct dl_phdr_info *info, size_t size, void *base)
{
    struct tables t = {0};
    (void)size;
    if (info->dlpi_addr != *(const ElfW(Addr) *)base)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            read_tables(info->dlpi_addr, at(info->dlpi_addr, info->dlpi_phdr[i].p_vaddr), &t);
    if (t.strings == NULL || t.symbols == NULL)
        return 0;
    replace_in(info->dlpi_addr, &t, 0);
    replace_in(info->dlpi_addr, &t, 1);
    return 1;
}

bool leat_watch_module(const void *function)
{
    Dl_info where, own;
    if (sizeof(void *) != 8 || dladdr(function, &where) == 0 || where.dli_fbase == NULL)
        return false;
    if (dladdr(&watch, &own) == 0 || own.dli_fbase == where.dli_fbase)
        return false; /* what is put in place would call itself */
    ElfW(Addr) base = (ElfW(Addr))where.dli_fbase;
    for (size_t i = 0; i < watch.module_count; i++)
        if (watch.modules[i] == base)
            return true;
    if (watch.module_count == MODULES_MAX)
        return false;
    watch.modules[watch.module_count++] = base;
    return dl_iterate_phdr(patch, &base) == 1;
}

void leat_watch_begin(struct leat_fault *fault)
{
    watch.active = watch.module_count > 0;
    watch.fault = fault;
}

void leat_watch_end(void)
{
    watch.active = false;
    watch.fault = NULL;
}

struct leat_watch_finding leat_watch_take(void)
{
    struct leat_watch_finding f = watch.finding;
    watch.finding = (struct leat_watch_finding){0};
    return f;
}
