#include "cli/completion.h"

#include <string.h>

static const struct { /* names in tables and usage lines -> kinds of `completion --words` */
    const char *name, *kind;
} dynamic[] = {
    {"<model>", "models"},         {"<Type>", "commands"},       {"<query>", "queries"},
    {"<processor>", "processors"}, {"processors", "processors"}, {"processor", "processors"},
    {"priority", "priorities"},    {"command", "commands"},      {"sends", "commands"},
    {"events", "events"},          {"from", "events"},           {"aggregate", "aggregates"},
    {"query", "queries"},          {"model", "models"},          {"stream", "aggregates"}};

static const char *dynamic_kind(struct leat_str name)
{
    for (size_t i = 0; i < sizeof dynamic / sizeof *dynamic; i++) {
        if (leat_str_eq(leat_str_of(dynamic[i].name), name))
            return dynamic[i].kind;
    }
    return NULL;
}

/* "a|b,c" -> "a b c" */
static const char *spaced(struct leat_str list, struct leat_arena *arena)
{
    char *words = leat_arena_cstr(arena, list);
    for (char *c = words; *c != '\0'; c++) {
        if (*c == '|' || *c == ',')
            *c = ' ';
    }
    return words;
}

static bool is_words(struct leat_str s, char separator)
{
    bool has = false;
    for (uint32_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        has |= c == separator && i > 0;
        if (c != separator && c != '-' && (c < 'a' || c > 'z'))
            return false;
    }
    return has;
}

struct leat_place_words leat_completion_value(const struct leat_opt *o, struct leat_arena *arena)
{
    const char *arg = o->arg == NULL ? "" : o->arg;
    const char *kind = dynamic_kind(leat_str_of(o->name));
    bool list = strcmp(arg, "LIST") == 0 || strcmp(arg, "TYPES") == 0;
    if (strcmp(arg, "FILE") == 0 || strcmp(arg, "DIR") == 0 || strcmp(arg, "PATH") == 0)
        return (struct leat_place_words){LEAT_WORDS_FILES, "", false};
    if (is_words(leat_str_of(arg), '|'))
        return (struct leat_place_words){LEAT_WORDS_FIXED, spaced(leat_str_of(arg), arena), false};
    if (kind != NULL)
        return (struct leat_place_words){LEAT_WORDS_DYNAMIC, kind, list};
    if (o->def != NULL && is_words(leat_str_of(o->def), ',')) { /* all there are, by default */
        return (struct leat_place_words){LEAT_WORDS_FIXED, spaced(leat_str_of(o->def), arena),
                                         true};
    }
    return (struct leat_place_words){LEAT_WORDS_NONE, "", false};
}

static struct leat_place_words place_of(struct leat_str token, struct leat_arena *arena)
{
    const char *kind = dynamic_kind(token);
    if (kind != NULL)
        return (struct leat_place_words){LEAT_WORDS_DYNAMIC, kind, false};
    if (is_words(token, '|'))
        return (struct leat_place_words){LEAT_WORDS_FIXED, spaced(token, arena), false};
    const char *text = leat_arena_cstr(arena, token);
    if (strstr(text, "FILE") != NULL || strstr(text, "file") != NULL)
        return (struct leat_place_words){LEAT_WORDS_FILES, "", false};
    return (struct leat_place_words){LEAT_WORDS_NONE, "", false};
}

/* The next word of a usage line, words within <> and [] together; false at its end. */
static bool next_token(const char **at, struct leat_str *token)
{
    int depth = 0;
    while (**at == ' ')
        (*at)++;
    const char *begin = *at;
    for (; **at != '\0' && (depth > 0 || **at != ' '); (*at)++)
        depth += **at == '<' || **at == '[' ? 1 : **at == '>' || **at == ']' ? -1 : 0;
    *token = (struct leat_str){begin, (uint32_t)(*at - begin)};
    return token->len > 0;
}

unsigned leat_completion_places(const struct leat_opt_spec *spec, struct leat_arena *arena,
                                struct leat_place_words places[LEAT_PLACES_MAX])
{
    const char *at = spec->usage;
    struct leat_str token;
    unsigned n = 0;
    bool value = false; /* of the option before it */
    for (unsigned i = 0; n < LEAT_PLACES_MAX && next_token(&at, &token); i++) {
        if (leat_str_eq(token, LEAT_STR("|"))) /* what follows is another way to call it */
            break;
        bool option = token.at[0] == '-';
        bool skipped = i < 2 || option || value || (token.len > 2 && token.at[1] == '-') ||
                       leat_str_eq(token, LEAT_STR("[options]"));
        value = option;
        if (!skipped)
            places[n++] = place_of(token, arena);
    }
    return n;
}
