#include "projection/model_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/units.h"

static uint32_t take_quoted(struct leat_str s, char to[LEAT_VALUE_BYTES_MAX], uint32_t *ret_len)
{
    uint32_t i = 1, len = 0;
    for (; i < s.len && len < LEAT_VALUE_BYTES_MAX; i++) {
        if (s.at[i] == '"' && (i + 1 >= s.len || s.at[i + 1] != '"'))
            break;
        i += s.at[i] == '"';
        to[len++] = s.at[i];
    }
    *ret_len = len;
    return i + (i < s.len);
}

static bool is_one_of(char c, const char *ends)
{
    while (*ends != 0 && *ends != c)
        ends++;
    return *ends != 0;
}

bool leat_given_next(struct leat_str *rest, const char *ends, char to[LEAT_VALUE_BYTES_MAX],
                     struct leat_given *ret, char *ret_end)
{
    uint32_t i = 0, len = 0;
    struct leat_str s = *rest;
    *ret_end = 0;
    if (s.at == NULL)
        return false;
    bool quoted = s.len > 0 && s.at[0] == '"';
    if (quoted)
        i = take_quoted(s, to, &len);
    uint32_t from = i;
    while (i < s.len && !is_one_of(s.at[i], ends))
        i++;
    if (!quoted) {
        len = i - from < LEAT_VALUE_BYTES_MAX ? i - from : LEAT_VALUE_BYTES_MAX;
        memcpy(to, s.at + from, len);
    }
    if (i < s.len)
        *ret_end = s.at[i];
    *rest = i < s.len ? (struct leat_str){s.at + i + 1, s.len - i - 1} : (struct leat_str){NULL, 0};
    *ret = (struct leat_given){{to, len}, quoted};
    return true;
}

bool leat_given_number(struct leat_str text, struct leat_cell *ret)
{
    char copy[64];
    int64_t i = 0;
    if (leat_parse_int(text, &i) == LEAT_UNITS_OK) {
        *ret = (struct leat_cell){.kind = LEAT_CELL_INT, .i = i};
        return true;
    }
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    if (strspn(copy, "0123456789+-.eE") != text.len)
        return false;
    char *end = NULL;
    double d = strtod(copy, &end);
    if (end == copy || *end != 0)
        return false;
    *ret = (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = d};
    return true;
}

/* ---- fields ---- */

static void hint_fields(const struct leat_shape *shape, struct leat_error *err)
{
    char names[200] = "";
    size_t n = 0;
    for (uint32_t i = 0; i < shape->n_fields && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", i > 0 ? ", " : "",
                              LEAT_STR_FMT(shape->fields[i]));
    leat_error_hint(err, "its fields are %s", names);
}

leat_status leat_find_field(const struct leat_rows_version *v, struct leat_str name, uint32_t *ret,
                            struct leat_error *err)
{
    struct leat_suggest near;
    const struct leat_shape *shape = v->shape;
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < shape->n_fields; i++) {
        leat_suggest_offer(&near, shape->fields[i]);
        if (leat_str_eq(shape->fields[i], name)) {
            *ret = i;
            return LEAT_OK;
        }
    }
    if (leat_projection_field(v->declared, name) >= 0) {
        return leat_fail(err, LEAT_RETRY,
                         "the version of the model that is served does not have the field '%.*s' "
                         "yet",
                         LEAT_SHOWN(name));
    }
    leat_status status = leat_fail(err, LEAT_INVALID, "model '%.*s' has no field '%.*s'",
                                   LEAT_STR_FMT(v->declared->name), LEAT_SHOWN(name));
    if (near.best.len > 0) {
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    } else {
        hint_fields(shape, err);
    }
    return status;
}

static int by_number(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

leat_status leat_choose_fields(const struct leat_rows_version *v, struct leat_str names,
                               struct leat_chosen *ret, struct leat_error *err)
{
    char text[LEAT_VALUE_BYTES_MAX], end = 0;
    struct leat_given name;
    uint32_t field = 0;
    bool seen[LEAT_ROW_FIELDS_MAX] = {false};
    ret->all = names.len == 0;
    ret->n = 0;
    while (!ret->all && leat_given_next(&names, ",", text, &name, &end)) {
        if (leat_str_eq(name.text, leat_str_of(leat_key_name(v->shape))))
            continue;
        leat_status status = leat_find_field(v, name.text, &field, err);
        if (status != LEAT_OK) {
            leat_error_wrap(err, "parameter 'fields'");
            return status;
        }
        if (!seen[field])
            ret->at[ret->n++] = (uint16_t)field;
        seen[field] = true;
    }
    qsort(ret->at, ret->n, sizeof ret->at[0], by_number);
    return LEAT_OK;
}

const char *leat_key_name(const struct leat_shape *shape)
{
    for (uint32_t i = 0; i < shape->n_fields; i++) {
        if (leat_str_eq(shape->fields[i], LEAT_STR("key")))
            return "_key";
    }
    return "key";
}

void leat_row_put(const struct leat_shape *shape, const struct leat_model_row *row,
                  const struct leat_chosen *chosen, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_put_str(w, leat_key_name(shape), row->key);
    if (chosen->all)
        leat_row_json(shape->fields, row->cells, shape->n_fields, w);
    for (uint32_t i = 0; !chosen->all && i < chosen->n; i++) {
        leat_json_key(w, shape->fields[chosen->at[i]]);
        leat_cell_json(&row->cells[chosen->at[i]], w);
    }
    leat_json_end_object(w);
}
