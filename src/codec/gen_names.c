#include "codec/gen_names.h"

#include <stdbool.h>

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* A capital begins a word after a small letter or digit, and before a small letter. */
static bool begins_word(struct leat_str name, uint32_t i)
{
    if (i == 0 || !is_upper(name.at[i]) || name.at[i - 1] == '_')
        return false;
    return !is_upper(name.at[i - 1]) || (i + 1 < name.len && is_lower(name.at[i + 1]));
}

static char *words(struct leat_arena *arena, struct leat_str name, bool upper)
{
    char *text = leat_arena_alloc(arena, (size_t)name.len * 2 + 2);
    char *to = text;
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (begins_word(name, i))
            *to++ = '_';
        if (upper && is_lower(c)) {
            c = (char)(c - 'a' + 'A');
        } else if (!upper && is_upper(c)) {
            c = (char)(c - 'A' + 'a');
        }
        bool fits = is_upper(c) || is_lower(c) || (c >= '0' && c <= '9');
        if (!fits)
            c = '_';
        *to++ = c;
    }
    *to = '\0';
    return text;
}

/* Keywords, and the words that system headers or GNU C define as macros. */
static bool is_taken(const char *name)
{
    static const char *const taken[] = {
        "alignas",       "alignof",  "asm",      "auto",      "bool",     "break",  "case",
        "char",          "const",    "continue", "default",   "do",       "double", "else",
        "enum",          "extern",   "false",    "float",     "for",      "goto",   "if",
        "inline",        "int",      "long",     "register",  "restrict", "return", "short",
        "signed",        "sizeof",   "static",   "struct",    "switch",   "true",   "typedef",
        "typeof",        "union",    "unsigned", "void",      "volatile", "while",  "linux",
        "unix",          "errno",    "stdin",    "stdout",    "stderr",   "assert", "nullptr",
        "static_assert", "noreturn", "complex",  "constexpr", "offsetof"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(name, taken[i]) == 0)
            return true;
    }
    return false;
}

static const char *not_taken(char *text)
{
    if (is_taken(text)) {
        size_t len = strlen(text);
        memcpy(text + len, "_", 2); /* words() leaves room for it */
    }
    return text;
}

const char *leat_gen_snake(struct leat_arena *arena, struct leat_str name)
{
    return not_taken(words(arena, name, false));
}

const char *leat_gen_upper(struct leat_arena *arena, struct leat_str name)
{
    return words(arena, name, true);
}

const char *leat_gen_member(struct leat_arena *arena, struct leat_str name)
{
    return not_taken(words(arena, name, false));
}

const char *leat_gen_enum_prefix(struct leat_arena *arena, struct leat_str name)
{
    static const char *const dropped[] = {"Status", "State"};
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
        uint32_t len = (uint32_t)strlen(dropped[i]);
        if (name.len > len && memcmp(name.at + name.len - len, dropped[i], len) == 0)
            return words(arena, (struct leat_str){name.at, name.len - len}, true);
    }
    return words(arena, name, true);
}
