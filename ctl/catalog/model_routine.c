/* model_routine.c - see model_routine.h. */
#include "ctl/catalog/model_routine.h"

#include <ctype.h>
#include <stdio.h>

#include "core/route/function_class.h"
#include "core/route/routine_body.h"
#include "core/route/routine_look.h"

enum { USES_MAX = 2000, USE_MAX = 200, BODIES_MAX = 16 << 20 };

static const char *const lists[] = {
    [ROUTINE_TABLE] = "uses", [ROUTINE_FUNCTION] = "functions", [ROUTINE_PROCEDURE] = "procedures",
};

/* What is known of its statements, as it is in the catalog. */
static const char *const of_body[] = { "body", "uses_of", "parameters" };

/* ---- what it names ---- */

struct seen {
    json_t *sets[countof(lists)]; /* owned: {name: true} */
    size_t  n;
    bool    too_long;
};

static void
lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void
note(void *context, enum routine_name what, struct span schema, struct span name)
{
    struct seen *seen = context;
    char         text[USE_MAX];

    if (seen->n == USES_MAX || schema.len + name.len + 2 > sizeof(text)) {
        seen->too_long = true;
        return;
    }
    snprintf(text, sizeof(text), "%.*s%s%.*s", (int)schema.len, (const char *)schema.ptr,
             schema.len > 0 ? "." : "", (int)name.len, (const char *)name.ptr);
    lower(text);
    if (json_object_get(seen->sets[what], text))
        return;
    seen->n++;
    if (json_object_set_new(seen->sets[what], text, json_true()) != 0)
        seen->too_long = true;
}

enum function_class
model_routine_see(struct span text, struct lex_options options, json_t *what)
{
    struct seen          seen  = { .n = 0 };
    struct routine_names names = { .found = note, .context = &seen };
    enum function_class  class;
    const char          *name;
    json_t              *one;

    for (size_t i = 0; i < countof(lists); i++)
        seen.sets[i] = json_object();
    class = routine_look(text, options, &names);
    if (seen.too_long)
        class = FUNCTION_UNKNOWN;
    for (size_t i = 0; i < countof(lists); i++) {
        json_t *list = json_array();

        json_object_foreach(seen.sets[i], name, one)
            json_array_append_new(list, json_string(name));
        if (class == FUNCTION_HOME || i != ROUTINE_TABLE)
            json_object_set(what, lists[i], list);
        json_decref(list);
        json_decref(seen.sets[i]);
    }
    return class;
}

/* ---- what that means now ---- */

struct world {
    json_t *databases; /* borrowed: of the catalog */
    json_t *named;     /* owned: {"database.table" in small letters: [[database, table], ...]} */
    json_t *homes;     /* owned: {database in small letters: its home} */
    json_t *spread;    /* owned: {"database.table" in small letters: true}: no global table */
    json_t *wide;      /* owned: those of these that have rows on several shards */
    json_t *all;       /* owned: what model_routines() gives */
    bool    changed;
};

static void
note_home(struct world *w, const char *database, const json_t *object)
{
    char text[USE_MAX];

    snprintf(text, sizeof(text), "%s", database);
    lower(text);
    json_object_set(w->homes, text, json_object_get(object, "home"));
}

static bool
is_wide(const json_t *table)
{
    enum table_kind kind = model_kind(model_text(table, "kind"), TABLE_VIEW);

    if (kind == TABLE_VIEW)
        kind = model_kind(model_text(table, "view_kind"), TABLE_GLOBAL);
    return kind != TABLE_GLOBAL || model_flag(table, "expands");
}

static void
note_tables(struct world *w, json_t *tables)
{
    const char *key;
    json_t     *table;
    char        text[2 * USE_MAX];

    json_object_foreach(tables, key, table) {
        json_t *whose = json_object_get(table, "database"), *name = json_object_get(table, "name");

        snprintf(text, sizeof(text), "%s.%s", model_text(table, "database"),
                 model_text(table, "name"));
        lower(text);
        if (!json_object_get(w->named, text))
            json_object_set_new(w->named, text, json_array());
        json_array_append_new(json_object_get(w->named, text), json_pack("[O, O]", whose, name));
        if (model_kind(model_text(table, "kind"), TABLE_VIEW) != TABLE_GLOBAL)
            json_object_set_new(w->spread, text, json_true());
        if (is_wide(table))
            json_object_set_new(w->wide, text, json_true());
    }
}

/* "NAME" or "SCHEMA.NAME", in routines of this database: its two parts. */
static void
parts(const char *database, const char *use, char schema[USE_MAX], char name[USE_MAX])
{
    const char *dot = strchr(use, '.');

    snprintf(schema, USE_MAX, "%.*s", (int)(dot ? dot - use : (long)strlen(database)),
             dot ? use : database);
    snprintf(name, USE_MAX, "%s", dot ? dot + 1 : use);
    lower(schema);
}

static bool
table_at_home(const struct world *w, const char *database, const char *use)
{
    char    schema[USE_MAX], name[USE_MAX], text[2 * USE_MAX];
    json_t *home;

    parts(database, use, schema, name);
    snprintf(text, sizeof(text), "%s.%s", schema, name);
    if (json_object_get(w->spread, text))
        return false;
    /* Of a schema that is none of ours it is no table, or nothing is there. */
    home = json_object_get(w->homes, schema);
    return !home || json_equal(home, json_object_get(json_object_get(w->databases, database),
                                                     "home"));
}

/* What is called so; NULL: it is none of ours. */
static json_t *
called(const struct world *w, const char *database, const char *kind, const char *use)
{
    char schema[USE_MAX], name[USE_MAX];

    parts(database, use, schema, name);
    return json_object_get(json_object_get(json_object_get(w->all, schema), kind), name);
}

static bool
routine_at_home(const struct world *w, const char *database, const char *kind, const char *use)
{
    json_t *one = called(w, database, kind, use);

    return table_at_home(w, database, use) &&
           (model_flag(one, "home") || model_number(one, "class") == FUNCTION_PLAIN);
}

static bool
is_home(const struct world *w, const char *database, const json_t *routine)
{
    for (size_t k = 0; k < countof(lists); k++) {
        json_t *one;
        size_t  i;

        json_array_foreach(json_object_get(routine, lists[k]), i, one) {
            const char *use = json_string_value(one);

            if (!use || (k == ROUTINE_TABLE ? !table_at_home(w, database, use)
                                            : !routine_at_home(w, database, lists[k], use)))
                return false;
        }
    }
    return true;
}

/* ---- what it reads ---- */

/* Tables of `from` that `to` has not. */
static bool
add_tables(json_t *to, const json_t *from)
{
    json_t *one, *had;
    size_t  i, k;
    bool    more = false;

    json_array_foreach(from, i, one) {
        bool there = false;

        json_array_foreach(to, k, had)
            there = there || json_equal(one, had);
        if (!there)
            json_array_append(to, one);
        more = more || !there;
    }
    return more;
}

/* Every word that may be a table's name is one. */
static json_t *
tables_of(const struct world *w, const char *database, const json_t *routine)
{
    json_t *tables = json_array(), *one;
    size_t  i;
    char    schema[USE_MAX], name[USE_MAX], text[2 * USE_MAX];

    json_array_foreach(json_object_get(routine, lists[ROUTINE_TABLE]), i, one) {
        parts(database, json_string_value(one) ? json_string_value(one) : "", schema, name);
        snprintf(text, sizeof(text), "%s.%s", schema, name);
        add_tables(tables, json_object_get(w->named, text));
    }
    return tables;
}

/* Takes what the routines that it calls read; of one that does more it is another one. */
static bool
take_reads(struct world *w, const char *database, const json_t *routine, json_t *one)
{
    json_t *tables = json_object_get(one, "reads");
    bool    more   = false;

    for (size_t k = ROUTINE_FUNCTION; tables && k < countof(lists); k++) {
        json_t *use;
        size_t  i;

        json_array_foreach(json_object_get(routine, lists[k]), i, use) {
            const char *name = json_string_value(use) ? json_string_value(use) : "";
            json_t     *what = called(w, database, lists[k], name);

            if (json_object_get(what, "reads")) {
                more |= add_tables(tables, json_object_get(what, "reads"));
            } else if (model_number(what, "class") != FUNCTION_PLAIN) {
                json_object_del(one, "reads");
                return true;
            }
        }
    }
    return more;
}

bool
model_routine_on_engines(const json_t *routine)
{
    return model_function_class(routine) == FUNCTION_PLAIN || model_flag(routine, "reads");
}

bool
model_routine_everywhere(const json_t *routine)
{
    return model_routine_on_engines(routine) || json_object_get(routine, "body") != NULL;
}

/* ---- all of them ---- */

static json_t *
begin_one(const struct world *w, const char *database, const json_t *routine)
{
    json_t *one = json_pack("{s:i, s:b}", "class", (int)model_function_class(routine), "home",
                            json_is_array(json_object_get(routine, lists[ROUTINE_TABLE])));

    if (model_flag(routine, "reads"))
        json_object_set_new(one, "reads", tables_of(w, database, routine));
    for (size_t i = 0; i < countof(of_body); i++)
        if (json_object_get(routine, of_body[i]))
            json_object_set(one, of_body[i], json_object_get(routine, of_body[i]));
    return one;
}

static void
begin(struct world *w, const char *database, const json_t *object)
{
    json_t *of = json_object();

    for (size_t k = ROUTINE_FUNCTION; k < countof(lists); k++) {
        json_t     *all = json_object(), *routine;
        const char *name;

        /* As if what is called were at home: what is not is found out by and by. */
        json_object_foreach(json_object_get(object, lists[k]), name, routine)
            json_object_set_new(all, name, begin_one(w, database, routine));
        json_object_set_new(of, lists[k], all);
    }
    json_object_set_new(w->all, database, of);
}

/* Also of one that was not seen as a whole: what is known of it is enough. */
static bool
is_far(const struct world *w, const char *database, const json_t *routine)
{
    char schema[USE_MAX], name[USE_MAX], text[2 * USE_MAX];

    for (size_t k = 0; k < countof(lists); k++) {
        json_t *one;
        size_t  i;

        json_array_foreach(json_object_get(routine, lists[k]), i, one) {
            const char *use = json_string_value(one) ? json_string_value(one) : "";

            parts(database, use, schema, name);
            snprintf(text, sizeof(text), "%s.%s", schema, name);
            if (k == ROUTINE_TABLE ? json_object_get(w->wide, text) != NULL
                                   : model_number(called(w, database, lists[k], use), "class") ==
                                         FUNCTION_FAR)
                return true;
        }
    }
    return false;
}

static void
go_on(struct world *w, const char *database, const json_t *object)
{
    for (size_t k = ROUTINE_FUNCTION; k < countof(lists); k++) {
        json_t     *all = json_object_get(json_object_get(w->all, database), lists[k]), *routine;
        const char *name;

        json_object_foreach(json_object_get(object, lists[k]), name, routine) {
            json_t *one = json_object_get(all, name);

            w->changed |= take_reads(w, database, routine, one);
            if (model_number(one, "class") != FUNCTION_FAR &&
                model_number(one, "class") != FUNCTION_PLAIN && is_far(w, database, routine)) {
                json_object_set_new(one, "class", json_integer(FUNCTION_FAR));
                w->changed = true;
            }
            if (!model_flag(one, "home") || is_home(w, database, routine))
                continue;
            json_object_set_new(one, "home", json_false());
            if (model_number(one, "class") == FUNCTION_HOME)
                json_object_set_new(one, "class", json_integer(FUNCTION_SPREAD));
            w->changed = true;
        }
    }
}

json_t *
model_routines(json_t *databases, json_t *tables)
{
    struct world w = { .databases = databases, .named = json_object(), .homes = json_object(),
                       .spread = json_object(), .wide = json_object(), .all = json_object() };
    const char  *name;
    json_t      *object;

    note_tables(&w, tables);
    json_object_foreach(databases, name, object) {
        note_home(&w, name, object);
        begin(&w, name, object);
    }
    do {
        w.changed = false;
        json_object_foreach(databases, name, object)
            go_on(&w, name, object);
    } while (w.changed);
    json_decref(w.named);
    json_decref(w.homes);
    json_decref(w.spread);
    json_decref(w.wide);
    return w.all;
}

/* ---- as the routes have them ---- */

/* False: no list can have these. */
static bool
add_reads(const json_t *reads, struct buf *tables)
{
    json_t *one;
    size_t  i;

    json_array_foreach(reads, i, one) {
        const char *database = json_string_value(json_array_get(one, 0));
        const char *name     = json_string_value(json_array_get(one, 1));

        if (!database || !name || !function_table_sayable(span_of(database)) ||
            !function_table_sayable(span_of(name)))
            return false;
        function_table_add(tables, span_of(database), span_of(name));
    }
    return reads != NULL;
}

/* Only where it is asked for: of one that names sharded tables, or may do so. */
static void
add_body(const json_t *one, size_t *bodies, struct buf *out)
{
    json_t *uses = json_object_get(one, "uses_of"), *parameter;
    size_t  i, len = strlen(model_text(one, "body"));
    int64_t class = model_number(one, "class");

    if ((class != FUNCTION_FAR && class != FUNCTION_SPREAD && class != FUNCTION_ENDS) ||
        *bodies + len > BODIES_MAX)
        return;
    *bodies += len;
    json_array_foreach(json_object_get(one, "parameters"), i, parameter) {
        struct route_column type;

        model_column(parameter, &type);
        routine_body_parameter(out, &type, (enum routine_use)json_integer_value(
                                               json_array_get(uses, i)));
    }
    buf_append_text(out, model_text(one, "body"));
}

void
model_routine_list(json_t *all, size_t *bodies, struct buf *list)
{
    struct buf  tables = { 0 }, body = { 0 };
    const char *name;
    json_t     *one;

    json_object_foreach(all, name, one) {
        struct span reads = { 0 };

        buf_clear(&tables);
        buf_clear(&body);
        if (add_reads(json_object_get(one, "reads"), &tables))
            reads = buf_len(&tables) == 0 ? SPAN("") : buf_unread(&tables);
        add_body(one, bodies, &body);
        if (function_table_sayable(span_of(name)))
            function_list_add(list, span_of(name), (enum function_class)model_number(one, "class"),
                              model_flag(one, "home"), reads, buf_unread(&body));
    }
    buf_fini(&body);
    buf_fini(&tables);
}
