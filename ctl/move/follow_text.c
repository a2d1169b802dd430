/* follow_text.c - statements in the log: whether they may pass while tables move.
 *
 * Rows are logged as rows; a statement is DDL, or a change that was logged as a statement. One that
 * names a table that moves, or drops its database, stops the job: the target would not have it.
 * Statements about accounts, views, routines and triggers, and those that only look after a
 * table, change no rows and no columns. What cannot be read concerns us if it has a name of ours
 * anywhere.
 */
#include <stdlib.h>

#include "core/sql/lex.h"
#include "ctl/move/follow_internal.h"

/* First words of statements that change neither rows nor columns. (SET is none of them: SET
 * STATEMENT ... FOR any other.) */
static const char *const harmless[] = {
    "GRANT", "REVOKE", "ANALYZE", "CHECK", "OPTIMIZE", "REPAIR", "FLUSH", "PURGE", "BEGIN",
    "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA", "INSTALL", "UNINSTALL", "START", "CACHE",
};

/* What CREATE, ALTER and DROP may be about besides. */
static const char *const others[] = {
    "VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "USER", "ROLE", "SERVER", "PACKAGE",
    "SEQUENCE",
};

static bool
is_word(struct span word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_equal_nocase(word, span_of(list[i])))
            return true;
    return false;
}

/* CREATE OR REPLACE ALGORITHM=... DEFINER=... VIEW, and so on: up to the word that says what. */
static bool
is_about_others(struct lex l)
{
    for (int i = 0; i < 24; i++) {
        struct token t = lex_next(&l);
        if (t.kind == TOK_END || t.kind == TOK_BAD || token_is_op(t, '('))
            return false;
        if (t.kind != TOK_IDENT && t.kind != TOK_KEYWORD)
            continue;
        struct span word = token_text(&l, t);
        if (is_word(word, others, countof(others)))
            return true;
        if (span_equal_nocase(word, SPAN("TABLE")) || span_equal_nocase(word, SPAN("INDEX")) ||
            span_equal_nocase(word, SPAN("DATABASE")) || span_equal_nocase(word, SPAN("SCHEMA")))
            return false;
    }
    return false;
}

static bool
is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED || t.kind == TOK_STRING ||
           t.kind == TOK_KEYWORD;
}

/* Without quotes; doubled quotes inside stay, and make it a name that we do not have. */
static struct span
bare(const struct lex *l, struct token t)
{
    struct span s = token_text(l, t);

    if ((t.kind == TOK_QUOTED || t.kind == TOK_STRING) && s.len >= 2)
        s = (struct span){ s.ptr + 1, s.len - 2 };
    return s;
}

static bool
is_database(const struct follow *f, struct span name)
{
    for (unsigned i = 0; i < f->move->n_tables; i++)
        if (span_equal_nocase(span_of(f->move->tables[i].database), name))
            return true;
    return false;
}

/* Compared without case: rather once too often. */
static const struct move_table *
find(const struct follow *f, struct span database, struct span name)
{
    for (unsigned i = 0; i < f->move->n_tables; i++) {
        const struct move_table *t = &f->move->tables[i];
        if (span_equal_nocase(span_of(t->name), name) &&
            span_equal_nocase(span_of(t->database), database))
            return t;
    }
    return NULL;
}

/* The first of our tables that is named; `*dropped`: a database of ours. */
static const struct move_table *
named(const struct follow *f, const struct binlog_query *q, bool *bad)
{
    const struct move_table *found = NULL;
    struct span              left  = { 0 };
    bool                     dot   = false;
    struct lex               l;

    lex_init(&l, q->text, (struct lex_options){ .charset = LEX_UTF8 });
    for (struct token t = lex_next(&l); !found && t.kind != TOK_END; t = lex_next(&l)) {
        if (t.kind == TOK_BAD) {
            *bad = true;
            return NULL;
        }
        if (is_name(t)) {
            found = find(f, dot ? left : q->database, bare(&l, t));
            left  = bare(&l, t);
            dot   = false;
        } else {
            dot = token_is_op(t, '.');
        }
    }
    return found;
}

static bool
contains(struct span text, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; n > 0 && i + n <= text.len; i++)
        if (strncasecmp((const char *)text.ptr + i, name, n) == 0)
            return true;
    return false;
}

static const struct move_table *
named_anywhere(const struct follow *f, struct span text)
{
    for (unsigned i = 0; i < f->move->n_tables; i++)
        if (contains(text, f->move->tables[i].name))
            return &f->move->tables[i];
    return NULL;
}

static bool
stop(const struct follow *f, const struct binlog_query *q, const struct move_table *t,
     struct sql_error *error)
{
    int n = q->text.len < 120 ? (int)q->text.len : 120;

    return sql_error_set(error, FOLLOW_FATAL, "shardd: on shard %s somebody ran \"%.*s\", which "
                         "changes table %s.%s while its rows move in a way that cannot be "
                         "followed: cancel the move, and start it again when the table is as it "
                         "should be", f->name, n, (const char *)q->text.ptr, t->database,
                         t->name);
}

static bool
drops_database(const struct follow *f, const struct binlog_query *q, struct lex l)
{
    for (struct token t = lex_next(&l); t.kind != TOK_END && t.kind != TOK_BAD; t = lex_next(&l))
        if (is_name(t) && is_database(f, bare(&l, t)))
            return true;
    (void)q;
    return false;
}

bool
follow_text_passes(const struct follow *f, const struct binlog_query *q, struct sql_error *error)
{
    const struct move_table *t;
    struct lex               l;
    bool                     bad = false;

    lex_init(&l, q->text, (struct lex_options){ .charset = LEX_UTF8 });
    struct span first = token_text(&l, lex_next(&l));
    if (is_word(first, harmless, countof(harmless)))
        return true;
    bool ddl  = is_word(first, (const char *const[]){ "CREATE", "ALTER", "DROP" }, 3);
    bool drop = span_equal_nocase(first, SPAN("DROP"));
    if (ddl && is_about_others(l))
        return true;
    struct lex  ahead  = l;
    struct span second = token_text(&ahead, lex_next(&ahead));
    if (ddl && (span_equal_nocase(second, SPAN("DATABASE")) ||
                span_equal_nocase(second, SPAN("SCHEMA"))))
        return !drop || !drops_database(f, q, ahead) || stop(f, q, &f->move->tables[0], error);
    t = named(f, q, &bad);
    if (bad)
        t = named_anywhere(f, q->text);
    return t == NULL || stop(f, q, t, error);
}
