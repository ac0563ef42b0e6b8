#include "valid.h"

#include <stddef.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static struct leat_str from(struct leat_str s, uint32_t at)
{
    return (struct leat_str){s.at + at, s.len - at};
}

/* Position of the first `c`, or s.len. */
static uint32_t find(struct leat_str s, char c)
{
    const char *at = s.len == 0 ? NULL : memchr(s.at, c, s.len);
    return at == NULL ? s.len : (uint32_t)(at - s.at);
}

static bool strip(struct leat_str *s, const char *prefix)
{
    uint32_t n = (uint32_t)strlen(prefix);
    if (s->len < n || memcmp(s->at, prefix, n) != 0)
        return false;
    *s = from(*s, n);
    return true;
}

struct leat_str lead_trim(struct leat_str s)
{
    while (s.len > 0 && is_space(s.at[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_space(s.at[0]))
        s = from(s, 1);
    return s;
}

static bool label_ok(struct leat_str s)
{
    if (s.len == 0 || s.len > 63 || s.at[0] == '-' || s.at[s.len - 1] == '-')
        return false;
    for (uint32_t i = 0; i < s.len; i++) {
        if (!is_letter(s.at[i]) && !is_digit(s.at[i]) && s.at[i] != '-')
            return false;
    }
    return true;
}

static bool top_level_ok(struct leat_str s)
{
    if (!label_ok(s) || s.len < 2)
        return false;
    if (s.len > 4 && memcmp(s.at, "xn--", 4) == 0)
        return true;
    for (uint32_t i = 0; i < s.len; i++) {
        if (!is_letter(s.at[i]))
            return false;
    }
    return true;
}

bool lead_domain_ok(struct leat_str s)
{
    if (s.len > 253 || find(s, '.') == s.len)
        return false;
    for (uint32_t dot = find(s, '.'); dot < s.len; dot = find(s, '.')) {
        if (!label_ok((struct leat_str){s.at, dot}))
            return false;
        s = from(s, dot + 1);
    }
    return top_level_ok(s);
}

struct leat_str lead_domain_bare(struct leat_str s)
{
    if (!strip(&s, "https://"))
        (void)strip(&s, "http://");
    (void)strip(&s, "www.");
    s.len = find(s, '/');
    if (s.len > 0 && s.at[s.len - 1] == '.')
        s.len--;
    return s;
}

static bool atom_char(char c)
{
    return c != '\0' && (is_letter(c) || is_digit(c) || strchr("!#$%&'*+/=?^_`{|}~-", c) != NULL);
}

bool lead_email_ok(struct leat_str s)
{
    uint32_t at = find(s, '@');
    if (s.len > 254 || at == 0 || at > 64 || at == s.len)
        return false;
    char before = '.'; /* so that neither the first nor a second dot in a row passes */
    for (uint32_t i = 0; i < at; before = s.at[i], i++) {
        if (s.at[i] == '.' ? before == '.' : !atom_char(s.at[i]))
            return false;
    }
    return before != '.' && lead_domain_ok(from(s, at + 1));
}

struct leat_str lead_email_domain(struct leat_str s)
{
    uint32_t at = find(s, '@');
    return at == s.len ? LEAT_STR("") : from(s, at + 1);
}

/* Area code or exchange: 2-9, any, any, but not N11 (those are service numbers). */
static bool office_code_ok(const char *digits)
{
    return digits[0] >= '2' && !(digits[1] == '1' && digits[2] == '1');
}

bool lead_phone_e164(struct leat_str s, char to[LEAD_PHONE_BYTES])
{
    char digits[11];
    uint32_t n = 0;
    bool plus = s.len > 0 && s.at[0] == '+';
    for (uint32_t i = plus ? 1 : 0; i < s.len; i++) {
        char c = s.at[i];
        if ((c | 0x20) == 'x' || (c | 0x20) == 'e')
            break; /* an extension: x12, ext. 12 */
        if (is_digit(c) && n < sizeof digits) {
            digits[n++] = c;
        } else if (is_digit(c) || c == '\0' || strchr("() .-", c) == NULL) {
            return false;
        }
    }
    bool country = n == 11 && digits[0] == '1';
    const char *national = country ? digits + 1 : digits;
    if ((n != 10 && !country) || (plus && !country))
        return false;
    if (!office_code_ok(national) || !office_code_ok(national + 3))
        return false;
    to[0] = '+';
    to[1] = '1';
    memcpy(to + 2, national, 10);
    return true;
}

static const char *const regions[][2] = {
    {"northeast", "CT ME MA NH RI VT NJ NY PA"},
    {"midwest", "IL IN MI OH WI IA KS MN MO NE ND SD"},
    {"south", "DE FL GA MD NC SC VA DC WV AL KY MS TN AR LA OK TX PR"},
    {"west", "AZ CO ID MT NV NM UT WY AK CA HI OR WA"},
};

const char *lead_region(struct leat_str state)
{
    if (state.len != 2)
        return NULL;
    for (size_t r = 0; r < sizeof regions / sizeof regions[0]; r++) {
        for (const char *code = regions[r][1];; code += 3) {
            if (memcmp(code, state.at, 2) == 0)
                return regions[r][0];
            if (code[2] == '\0')
                break;
        }
    }
    return NULL;
}

static const char *const sources[][2] = {
    {"web", "hot"},  {"referral", "hot"}, {"api", "warm"},    {"event", "warm"},
    {"csv", "cold"}, {"jsonl", "cold"},   {"scrape", "cold"},
};

const char *lead_source_priority(struct leat_str source)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (leat_str_eq(source, leat_str_of(sources[i][0])))
            return sources[i][1];
    }
    return NULL;
}
