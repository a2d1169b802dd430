/* code_uses.c - see code_uses.h. */
#include "ctl/job/code_uses.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/route/function_class.h"
#include "core/sql/lex.h"
#include "ctl/catalog/model_routine.h"

static const char code_sql[] =
    "SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, ACTION_STATEMENT"
    " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN " CODE_OTHERS
    " AND TRIGGER_NAME NOT LIKE 'shardd lookup%'"
    " UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME, EVENT_DEFINITION"
    " FROM information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN " CODE_OTHERS;

static const char *const lists[]  = { "functions", "procedures" };
static const char *const called[] = { "uses", "functions", "procedures" };

/* ---- words ---- */

static bool
has_word(const json_t *words, struct span word)
{
    char text[DDL_NAME_MAX];

    if (word.len >= sizeof(text))
        return false;
    for (size_t i = 0; i < word.len; i++)
        text[i] = (char)tolower(word.ptr[i]);
    text[word.len] = '\0';
    return json_object_get(words, text) != NULL;
}

static bool
is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED || t.kind == TOK_KEYWORD ||
           t.kind == TOK_STRING;
}

bool
code_names(const char *text, const json_t *words)
{
    struct lex l;
    bool       row = false, column = false; /* behind NEW or OLD, and behind its point */

    lex_init(&l, span_of(text), (struct lex_options){ .charset = LEX_UTF8 });
    for (struct token t = lex_next(&l); t.kind != TOK_END; t = lex_next(&l)) {
        struct span word = token_text(&l, t);

        if (t.kind == TOK_BAD)
            return true;
        if ((t.kind == TOK_QUOTED || t.kind == TOK_STRING) && word.len >= 2)
            word = (struct span){ word.ptr + 1, word.len - 2 };
        if (is_name(t) && !column && has_word(words, word))
            return true;
        column = row && span_equal(token_text(&l, t), SPAN("."));
        row    = span_equal_nocase(word, SPAN("NEW")) || span_equal_nocase(word, SPAN("OLD"));
    }
    return false;
}

/* As a stored function: `app`.`f`(...) */
static bool
calls_word(const char *text, const json_t *words)
{
    struct lex   l;
    struct token t, next, before = { .kind = TOK_END };

    lex_init(&l, span_of(text), (struct lex_options){ .charset = LEX_UTF8 });
    for (t = lex_next(&l); t.kind != TOK_END && t.kind != TOK_BAD; t = next) {
        struct span word = token_text(&l, t);

        next = lex_next(&l);
        if (t.kind == TOK_QUOTED && word.len >= 2)
            word = (struct span){ word.ptr + 1, word.len - 2 };
        if (is_name(t) && token_is_op(before, '.') && token_is_op(next, '(') &&
            has_word(words, word))
            return true;
        before = t;
    }
    return false;
}

json_t *
code_words(const char *name)
{
    json_t *words = json_object();
    char    word[DDL_NAME_MAX];

    snprintf(word, sizeof(word), "%s", name);
    for (char *at = word; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    json_object_set_new_nocheck(words, word, json_true());
    return words;
}

/* ---- routines ---- */

static const char *
last_part(const char *name)
{
    const char *point = strrchr(name, '.');

    return point ? point + 1 : name;
}

static bool
uses_word(const json_t *routine, const json_t *words)
{
    for (size_t i = 0; i < countof(called); i++) {
        const json_t *one;
        size_t        k;

        json_array_foreach(json_object_get(routine, called[i]), k, one)
            if (has_word(words, span_of(last_part(json_string_value(one)))))
                return true;
    }
    return false;
}

/* With the routines that use one of the words, as far as that goes. */
static void
add_routines(json_t *words, json_t *databases)
{
    const char *name, *key;
    json_t     *database, *routine;
    bool        more = true;

    while (more) {
        more = false;
        json_object_foreach(databases, name, database)
            for (size_t i = 0; i < countof(lists); i++)
                json_object_foreach(json_object_get(database, lists[i]), key, routine)
                    if (!json_object_get(words, key) && uses_word(routine, words)) {
                        json_object_set_new(words, key, json_true());
                        more = true;
                    }
    }
}

/* ---- servers ---- */

static bool
look_on(struct ddl *d, int64_t home, const json_t *words, char *who, size_t room)
{
    struct server *s    = ddl_us(d, ddl_index(d, home));
    json_t        *rows = s ? server_rows(s, d->error, "%s", code_sql) : NULL, *row;
    size_t         i;

    json_array_foreach(rows, i, row)
        if (who[0] == '\0' && code_names(server_cell(row, 3), words))
            snprintf(who, room, "%s %s.%s", server_cell(row, 0), server_cell(row, 1),
                     server_cell(row, 2));
    json_decref(rows);
    return rows != NULL;
}

/* A view is answered by its database's home too, and a routine in it runs there. */
static void
look_at_views(struct ddl *d, const json_t *words, char *who, size_t room)
{
    json_t     *view;
    const char *key;

    json_object_foreach(d->tables, key, view)
        if (who[0] == '\0' && model_text(view, "view_text")[0] != '\0' &&
            calls_word(model_text(view, "view_text"), words))
            snprintf(who, room, "view %s.%s", model_text(view, "database"),
                     model_text(view, "name"));
}

/* `who` stays "" when there is none. */
static bool
find(struct ddl *d, const char *table, char *who, size_t room)
{
    json_t     *databases = catalog_all(d->c->catalog, CATALOG_DATABASE), *database;
    json_t     *words = code_words(table), *homes = json_object();
    char        home[24];
    const char *name;
    bool        ok = true;

    add_routines(words, databases);
    who[0] = '\0';
    json_object_foreach(databases, name, database) {
        snprintf(home, sizeof(home), "%lld", (long long)model_number(database, "home"));
        if (!ok || !model_flag(database, "code") || json_object_get(homes, home))
            continue;
        json_object_set_new(homes, home, json_true());
        ok = look_on(d, model_number(database, "home"), words, who, room);
    }
    look_at_views(d, words, who, room);
    json_decref(homes);
    json_decref(words);
    json_decref(databases);
    return ok;
}

bool
code_note_uses(struct ddl *d, const char *table, json_t *facts)
{
    char who[3 * DDL_NAME_MAX];

    if (!find(d, table, who, sizeof(who)))
        return false;
    if (who[0] != '\0')
        model_set(facts, "used_by", who);
    return true;
}

bool
code_allows(struct ddl *d, const struct ddl_table *t)
{
    char who[3 * DDL_NAME_MAX];

    return find(d, t->name, who, sizeof(who)) &&
           (who[0] == '\0' ||
            sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: the %.200s uses the name %.64s, "
                          "and runs on its database's home alone, where the rows are not: drop it "
                          "first, or choose another name", who, t->name));
}

/* ---- what a trigger calls ---- */

/* Made of its arguments alone, or of tables on its home. */
static bool
is_safe(const json_t *routine)
{
    return model_number(routine, "class") == FUNCTION_PLAIN || model_flag(routine, "home");
}

/* What a routine's name meant before says nothing of the one that is made. */
static bool
is_own_name(const struct stmt *s, struct span word)
{
    return (s->object == KW_PROCEDURE || s->object == KW_FUNCTION) &&
           span_equal_nocase(word, s->path.name);
}

bool
code_calls_home(struct ddl *d)
{
    json_t     *databases = catalog_all(d->c->catalog, CATALOG_DATABASE);
    json_t     *meanings  = model_routines(databases, d->tables), *database, *routine;
    const char *name, *key;
    bool        ok = true;

    for (struct path_item *at = d->stmt->names; at; at = at->next) {
        struct span word = at->path.name;

        if (is_own_name(d->stmt, word))
            continue;
        json_object_foreach(meanings, name, database)
            for (size_t i = 0; ok && i < countof(lists); i++)
                json_object_foreach(json_object_get(database, lists[i]), key, routine)
                    if (ok && span_equal_nocase(word, span_of(key)) && !is_safe(routine))
                        ok = sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: it uses "
                                           "%.64s.%.64s, which may use tables that are not on "
                                           "one shard: triggers and events cannot", name, key);
    }
    json_decref(meanings);
    json_decref(databases);
    return ok;
}

bool
code_may_spread(struct ddl *d, const struct ddl_table *t)
{
    struct sql_error kept   = *d->error;
    bool             spread = ddl_names_spread(d) || !code_calls_home(d);

    *d->error = kept;
    return !spread || code_allows(d, t);
}
