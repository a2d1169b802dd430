/* routine_look.c - see routine_look.h. */
#include "core/route/routine_look.h"

#include <string.h>

#include "core/route/function_class.h"
#include "core/route/routine_text.h"

struct look {
    struct routine_text         r;
    const struct routine_names *names;
    enum function_class         found; /* FUNCTION_HOME: all is seen */
};

static const struct telling {
    const char         *word;
    enum routine_place  place;
    const char         *unless; /* behind it */
    enum function_class class;
} telling[] = {
    { "EXECUTE", BARE, NULL, FUNCTION_TEXT },
    { "PREPARE", BARE, NULL, FUNCTION_TEXT },
    { "TRANSACTION", ANYWHERE, NULL, FUNCTION_ENDS },
    { "COMMIT", BARE, NULL, FUNCTION_ENDS },
    { "ROLLBACK", BARE, NULL, FUNCTION_ENDS },
    { "SAVEPOINT", BARE, NULL, FUNCTION_ENDS },
    { "XA", BARE, NULL, FUNCTION_ENDS },
    { "ALTER", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "ANALYZE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "BACKUP", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "CACHE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "CHANGE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "CHECK", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "CHECKSUM", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "CREATE", ANYWHERE, "TEMPORARY", FUNCTION_DEFINES },
    { "DROP", ANYWHERE, "TEMPORARY", FUNCTION_DEFINES },
    { "FLUSH", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "GLOBAL", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "GRANT", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "HANDLER", ANYWHERE, "FOR", FUNCTION_DEFINES },
    { "INSTALL", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "KILL", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "LOAD", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "LOCK", ANYWHERE, "IN", FUNCTION_DEFINES },
    { "OPTIMIZE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "PURGE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "RENAME", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "REPAIR", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "RESET", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "REVOKE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "SHOW", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "SHUTDOWN", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "SLAVE", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "SONAME", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "TRUNCATE", BARE, NULL, FUNCTION_DEFINES },
    { "UNINSTALL", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "UNLOCK", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "CONNECTION_ID", ANYWHERE, NULL, FUNCTION_DEFINES },
    { "GET_LOCK", ANYWHERE, NULL, FUNCTION_LOCKS },
    { "IS_FREE_LOCK", ANYWHERE, NULL, FUNCTION_LOCKS },
    { "IS_USED_LOCK", ANYWHERE, NULL, FUNCTION_LOCKS },
    { "RELEASE_LOCK", ANYWHERE, NULL, FUNCTION_LOCKS },
    { "RELEASE_ALL_LOCKS", ANYWHERE, NULL, FUNCTION_LOCKS },
};

static const char *const servers_own[] = { "INFORMATION_SCHEMA", "MYSQL", "PERFORMANCE_SCHEMA",
                                           "SYS", ROUTES_MOVE_SCHEMA };

/* Behind these, name (...) is a table with its columns. */
static const char *const before_table[] = { "INTO", "TABLE", "INSERT", "REPLACE", "IGNORE" };

static void
unseen(struct look *k, enum function_class class)
{
    if (k->found == FUNCTION_HOME)
        k->found = class;
}

/* Quotes and dots inside of a name could make two names look alike. */
static struct span
name_of(struct look *k, struct token t)
{
    struct span s = routine_name(&k->r, t);

    if (!span_is_ascii(s) || memchr(s.ptr, '.', s.len) != NULL ||
        memchr(s.ptr, '`', s.len) != NULL || memchr(s.ptr, '"', s.len) != NULL)
        unseen(k, FUNCTION_UNKNOWN);
    return s;
}

static void
tell(struct look *k, enum routine_name what, struct span schema, struct span name)
{
    k->names->found(k->names->context, what, schema, name);
}

static bool
names_table(const struct look *k, struct token before)
{
    for (size_t i = 0; i < countof(before_table); i++)
        if (routine_is(&k->r, before, before_table[i]))
            return true;
    return false;
}

/* DATETIME(6) behind a variable's name, CAST(x AS TIME(3)), IF (...): no function. */
static bool
is_grammar(const struct look *k, struct token before, struct token t)
{
    if (t.kind != TOK_KEYWORD)
        return false;
    return keyword_reserved(t.keyword) || before.kind == TOK_IDENT ||
           before.kind == TOK_QUOTED || routine_is(&k->r, before, "AS") ||
           routine_is(&k->r, before, "RETURNS");
}

static void
telling_words(struct look *k)
{
    bool called = token_is_op(k->r.next, '(');
    bool set    = routine_behind(&k->r, "SET") || routine_behind(&k->r, "DEFAULT");

    if (set && (routine_at(&k->r, "ROLE") || routine_at(&k->r, "PASSWORD")))
        unseen(k, FUNCTION_DEFINES);
    for (size_t i = 0; i < countof(telling); i++)
        if (routine_at(&k->r, telling[i].word) && (telling[i].place == ANYWHERE || !called) &&
            (telling[i].unless == NULL || !routine_then(&k->r, telling[i].unless)))
            unseen(k, telling[i].class);
}

/* a, a.b, a.b.c; the last one stays the current token. */
static void
path(struct look *k)
{
    struct token before = k->r.before, first = k->r.t;
    struct span  parts[3] = { name_of(k, first) };
    uint32_t     n        = 1;

    if (!token_is_op(before, '.'))
        telling_words(k);
    while (n < 3 && token_is_op(k->r.next, '.')) {
        routine_step(&k->r);
        if (!token_is_name(k->r.next))
            break; /* t.* */
        routine_step(&k->r);
        parts[n++] = name_of(k, k->r.t);
    }
    for (uint32_t i = 0; i < n; i++)
        if (span_equal_nocase(parts[i], SPAN("autocommit")))
            unseen(k, FUNCTION_ENDS);
    for (size_t i = 0; n > 1 && i < countof(servers_own); i++)
        if (span_equal_nocase(parts[0], span_of(servers_own[i])))
            unseen(k, FUNCTION_DEFINES);
    tell(k, ROUTINE_TABLE, (struct span){ 0 }, parts[0]);
    if (n > 1)
        tell(k, ROUTINE_TABLE, parts[0], parts[1]);
    struct span schema = n > 1 ? parts[0] : (struct span){ 0 };
    if (token_is_keyword(before, KW_CALL))
        tell(k, ROUTINE_PROCEDURE, schema, parts[n - 1]);
    else if (n > 2 && token_is_op(k->r.next, '(') && !names_table(k, before))
        unseen(k, FUNCTION_UNKNOWN);
    else if (token_is_op(k->r.next, '(') && !names_table(k, before) &&
             (n > 1 || (!is_grammar(k, before, first) &&
                        (first.kind == TOK_QUOTED || !function_name_is_builtin(parts[0])))))
        tell(k, ROUTINE_FUNCTION, schema, parts[n - 1]);
}

static enum function_class
look(struct span text, struct lex_options options, const struct routine_names *names, bool create)
{
    struct look k = { .names = names, .found = FUNCTION_HOME };

    routine_begin(&k.r, text, options);
    if (create && !routine_head(&k.r))
        return FUNCTION_UNKNOWN;
    for (; !routine_at_end(&k.r); routine_step(&k.r)) {
        if (token_is_name(k.r.t))
            path(&k);
        else if (k.r.t.kind == TOK_PARAM)
            unseen(&k, FUNCTION_UNKNOWN);
    }
    if (k.r.t.kind == TOK_BAD || k.r.l.had_exec_comment)
        unseen(&k, FUNCTION_UNKNOWN);
    return k.found;
}

enum function_class
routine_look(struct span text, struct lex_options options, const struct routine_names *names)
{
    return look(text, options, names, true);
}

enum function_class
routine_look_at(struct span text, struct lex_options options, const struct routine_names *names)
{
    return look(text, options, names, false);
}
