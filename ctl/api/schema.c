/* schema.c - checks JSON against the words of a route's row, and says them as JSON Schema. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/api/schema.h"

enum type { TYPE_TEXT, TYPE_BYTES, TYPE_INT, TYPE_NUMBER, TYPE_BOOL, TYPE_TEXTS, TYPE_LIST,
            TYPE_OBJECT, TYPE_CHOICE };

enum { TEXT_MAX = 4096, ITEMS_MAX = 4096, NAME_MAX_LEN = 48, WORD_MAX = 96 };

struct member {
    char      name[NAME_MAX_LEN], word[WORD_MAX]; /* `word`: the type as written, without '!' */
    enum type type;
    double    min, max;
    bool      required;
};

static const char *const names[] = {
    [TYPE_TEXT] = "text", [TYPE_BYTES] = "bytes", [TYPE_INT] = "int",
    [TYPE_NUMBER] = "number", [TYPE_BOOL] = "bool", [TYPE_TEXTS] = "texts", [TYPE_LIST] = "list",
    [TYPE_OBJECT] = "object",
};

static enum type
type_of(const char *word)
{
    size_t len = strcspn(word, "(");

    for (size_t i = 0; i < countof(names); i++)
        if (strlen(names[i]) == len && strncmp(names[i], word, len) == 0)
            return (enum type)i;
    return TYPE_CHOICE;
}

/* "(2..64)" or "(4096)", where there is one. */
static void
bounds(struct member *m)
{
    const char *at = strchr(m->word, '(');
    char       *end;

    m->min = 0;
    m->max = m->type <= TYPE_BYTES ? TEXT_MAX : m->type == TYPE_INT ? 9007199254740992.0 : 1e18;
    if (!at || m->type == TYPE_CHOICE)
        return;
    m->max = (double)strtoll(at + 1, &end, 10);
    if (strncmp(end, "..", 2) == 0) {
        m->min = m->max;
        m->max = (double)strtoll(end + 2, NULL, 10);
    }
}

/* The next member of the schema at `*at`. False: there is none. */
static bool
next(const char **at, struct member *m)
{
    const char *p = *at + strspn(*at, " ");
    size_t      name = strcspn(p, ":"), word;

    if (!*p || *p == '*')
        return false;
    word = strcspn(p + name + 1, " ");
    *at  = p + name + 1 + word;
    m->required = word > 0 && (*at)[-1] == '!';
    word -= m->required;
    assert(name < sizeof(m->name) && word < sizeof(m->word));
    snprintf(m->name, sizeof(m->name), "%.*s", (int)name, p);
    snprintf(m->word, sizeof(m->word), "%.*s", (int)word, p + name + 1);
    m->type = type_of(m->word);
    bounds(m);
    return true;
}

static bool
find(const char *schema, const char *name, struct member *m)
{
    while (next(&schema, m))
        if (strcmp(m->name, name) == 0)
            return true;
    return false;
}

/* --- checking --------------------------------------------------------------- */

static bool
is_choice(const char *words, const char *text)
{
    size_t len = strlen(text), n;

    for (const char *at = words; *at; at += n + (at[n] == '|')) {
        n = strcspn(at, "|");
        if (n == len && strncmp(at, text, n) == 0)
            return true;
    }
    return false;
}

static bool
check_text(const struct member *m, const json_t *value, struct err *err)
{
    if (!json_is_string(value))
        return err_set(err, "\"%s\" is a text", m->name);
    if (m->type == TYPE_TEXT &&
        strlen(json_string_value(value)) != json_string_length(value))
        return err_set(err, "\"%s\" has a NUL in it", m->name);
    if ((double)json_string_length(value) > m->max)
        return err_set(err, "\"%s\" is longer than %.0f bytes", m->name, m->max);
    return true;
}

static bool
check_texts(const struct member *m, const json_t *value, struct err *err)
{
    struct member one = { .type = TYPE_TEXT, .max = TEXT_MAX };
    json_t       *item;
    size_t        i;
    struct err    ignored;

    if (!json_is_array(value))
        return err_set(err, "\"%s\" is a list of texts", m->name);
    if (json_array_size(value) > ITEMS_MAX)
        return err_set(err, "\"%s\" has more than %d items", m->name, ITEMS_MAX);
    json_array_foreach((json_t *)(uintptr_t)value, i, item)
        if (!check_text(&one, item, &ignored))
            return err_set(err, "\"%s\" is a list of texts, none longer than %d bytes", m->name,
                           TEXT_MAX);
    return true;
}

static bool
check_number(const struct member *m, double value, struct err *err)
{
    if (isfinite(value) && value >= m->min && value <= m->max)
        return true;
    return err_set(err, "\"%s\" is a %snumber from %.0f to %.0f", m->name,
                   m->type == TYPE_INT ? "whole " : "", m->min, m->max);
}

static bool
check_value(const struct member *m, const json_t *value, struct err *err)
{
    switch (m->type) {
    case TYPE_TEXT:
    case TYPE_BYTES:
        return check_text(m, value, err);
    case TYPE_INT:
        return check_number(m, json_is_integer(value) ? (double)json_integer_value(value) : NAN,
                            err);
    case TYPE_NUMBER:
        return check_number(m, json_is_number(value) ? json_number_value(value) : NAN, err);
    case TYPE_BOOL:
        return json_is_boolean(value) || err_set(err, "\"%s\" is true or false", m->name);
    case TYPE_TEXTS:
        return check_texts(m, value, err);
    case TYPE_LIST:
        return json_is_array(value) || err_set(err, "\"%s\" is a list", m->name);
    case TYPE_OBJECT:
        return json_is_object(value) || err_set(err, "\"%s\" is an object", m->name);
    case TYPE_CHOICE:
        break;
    }
    return (json_is_string(value) && is_choice(m->word, json_string_value(value))) ||
           err_set(err, "\"%s\" is one of %s", m->name, m->word);
}

/* A query's text as the value it stands for; NULL: it is none. */
static json_t *
value_of(const struct member *m, const json_t *text)
{
    const char *word = json_string_value(text);
    char       *end;

    if (m->type == TYPE_BOOL)
        return strcmp(word, "true") == 0    ? json_true()
               : strcmp(word, "false") == 0 ? json_false() : json_null();
    if (m->type != TYPE_INT && m->type != TYPE_NUMBER)
        return json_incref((json_t *)(uintptr_t)text);
    double number = strtod(word, &end);
    if (!*word || *end || strspn(word, "0123456789.") != strlen(word))
        return json_null();
    return m->type == TYPE_INT && number == floor(number) && number < 9.1e15
               ? json_integer((json_int_t)number) : json_real(number);
}

static bool
check(const char *schema, const json_t *object, bool query, struct err *err)
{
    bool          open = strchr(schema, '*') != NULL;
    struct member m;
    const char   *name;
    json_t       *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
        if (!open && !find(schema, name, &m))
            return err_set(err, "there is no member \"%.100s\"%s%s", name,
                           *schema ? "; known are: " : " here", schema);
    for (const char *at = schema; next(&at, &m);) {
        value = json_object_get(object, m.name);
        if (!value || (json_is_null(value) && !query)) {
            if (m.required)
                return err_set(err, "the %s lacks \"%s\"", query ? "query" : "body", m.name);
            continue;
        }
        value   = query ? value_of(&m, value) : json_incref(value);
        bool ok = check_value(&m, value, err);
        json_decref(value);
        if (!ok)
            return false;
    }
    return true;
}

bool
schema_check(const char *schema, const json_t *object, struct err *err)
{
    return check(schema, object, false, err);
}

bool
schema_check_query(const char *schema, const json_t *query, struct err *err)
{
    return check(schema, query, true, err);
}

size_t
schema_text_max(const char *schema)
{
    double        max = 0;
    struct member m;

    while (next(&schema, &m))
        if (m.type <= TYPE_BYTES && m.max > max)
            max = m.max;
    return (size_t)max;
}

/* --- as JSON Schema ---------------------------------------------------------- */

static json_t *
choices(const char *words)
{
    json_t *list = json_array();
    size_t  n;

    for (const char *at = words; *at; at += n + (at[n] == '|')) {
        n = strcspn(at, "|");
        json_array_append_new(list, json_stringn(at, n));
    }
    return list;
}

static json_t *
document_of(const struct member *m)
{
    switch (m->type) {
    case TYPE_TEXT:
    case TYPE_BYTES:
        return json_pack("{s:s, s:I}", "type", "string", "maxLength", (json_int_t)m->max);
    case TYPE_INT:
        return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)m->min,
                         "maximum", (json_int_t)m->max);
    case TYPE_NUMBER:
        return json_pack("{s:s, s:f, s:f}", "type", "number", "minimum", m->min, "maximum",
                         m->max);
    case TYPE_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case TYPE_TEXTS:
        return json_pack("{s:s, s:i, s:{s:s, s:i}}", "type", "array", "maxItems", ITEMS_MAX,
                         "items", "type", "string", "maxLength", TEXT_MAX);
    case TYPE_LIST:
        return json_pack("{s:s}", "type", "array");
    case TYPE_OBJECT:
        return json_pack("{s:s}", "type", "object");
    case TYPE_CHOICE:
        break;
    }
    return json_pack("{s:s, s:o}", "type", "string", "enum", choices(m->word));
}

json_t *
schema_document(const char *schema)
{
    json_t       *members = json_object(), *required = json_array(), *one;
    int           open    = strchr(schema, '*') != NULL;
    struct member m;

    while (next(&schema, &m)) {
        one = document_of(&m);
        if (!m.required) /* as absent */
            one = json_pack("{s:[o, {s:s}]}", "anyOf", one, "type", "null");
        json_object_set_new(members, m.name, one);
        if (m.required)
            json_array_append_new(required, json_string(m.name));
    }
    one = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", members,
                    "additionalProperties", open);
    if (json_array_size(required) > 0)
        json_object_set(one, "required", required);
    json_decref(required);
    return one;
}

void
schema_parameters(const char *schema, json_t *list)
{
    struct member m;

    while (next(&schema, &m))
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "name", m.name, "in",
                                              "query", "required", m.required, "schema",
                                              document_of(&m)));
}
