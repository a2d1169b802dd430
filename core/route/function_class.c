/* function_class.c - see function_class.h. */
#include "core/route/function_class.h"

#include <ctype.h>
#include <string.h>

#include "core/route/plan_internal.h"
#include "core/route/routine_look.h"

enum { NAMES_MAX = 64 }; /* parameters and variables; one with more is not plain */

struct look {
    struct lex         l;
    struct token       before, t, next;
    struct span        names[NAMES_MAX];
    uint32_t           n_names, depth;
    bool               in_set;    /* SET a = 1, b = 2 */
    bool               in_signal; /* SIGNAL x SET MESSAGE_TEXT = 'y' */
    uint32_t           set_depth;
    struct trigger_look *trigger;  /* NULL: it is a function */
    bool               at_target; /* what SET assigns comes next */
    bool               sets_row;  /* and that is a column of NEW */
    enum function_class found;    /* FUNCTION_PLAIN: nothing speaks against it */
};

/* Where a word says something: */
enum place {
    ANYWHERE,
    BARE,   /* without '(' behind it: a statement of that name, not the function */
    CALLED, /* with it */
};

static const struct telling {
    const char         *word;
    enum place          place;
    enum function_class class;
} telling[] = {
    { "AGAINST", ANYWHERE, FUNCTION_READS },         { "ALTER", ANYWHERE, FUNCTION_READS },
    { "CALL", ANYWHERE, FUNCTION_READS },            { "CREATE", ANYWHERE, FUNCTION_READS },
    { "CURSOR", ANYWHERE, FUNCTION_READS },          { "DEALLOCATE", BARE, FUNCTION_READS },
    { "DELETE", ANYWHERE, FUNCTION_READS },          { "DROP", ANYWHERE, FUNCTION_READS },
    { "EXECUTE", BARE, FUNCTION_READS },             { "EXISTS", ANYWHERE, FUNCTION_READS },
    { "FETCH", ANYWHERE, FUNCTION_READS },           { "FLUSH", BARE, FUNCTION_READS },
    { "GET_LOCK", CALLED, FUNCTION_VARIES },         { "GRANT", ANYWHERE, FUNCTION_READS },
    { "INSERT", BARE, FUNCTION_READS },              { "INTO", ANYWHERE, FUNCTION_READS },
    { "LASTVAL", ANYWHERE, FUNCTION_READS },         { "LOAD", ANYWHERE, FUNCTION_READS },
    { "LOAD_FILE", CALLED, FUNCTION_READS },         { "LOCK", ANYWHERE, FUNCTION_READS },
    { "NEXTVAL", ANYWHERE, FUNCTION_READS },         { "OPEN", BARE, FUNCTION_READS },
    { "PREPARE", BARE, FUNCTION_READS },             { "RENAME", ANYWHERE, FUNCTION_READS },
    { "REPLACE", BARE, FUNCTION_READS },             { "REVOKE", ANYWHERE, FUNCTION_READS },
    { "ROWTYPE", ANYWHERE, FUNCTION_READS },         { "SELECT", ANYWHERE, FUNCTION_READS },
    { "SETVAL", ANYWHERE, FUNCTION_READS },          { "SHOW", ANYWHERE, FUNCTION_READS },
    { "SONAME", ANYWHERE, FUNCTION_UNKNOWN },        { "TABLE", ANYWHERE, FUNCTION_READS },
    { "TRUNCATE", BARE, FUNCTION_READS },            { "UPDATE", ANYWHERE, FUNCTION_READS },
    { "VALUES", ANYWHERE, FUNCTION_READS },          { "WITH", ANYWHERE, FUNCTION_READS },
    { "XA", BARE, FUNCTION_READS },
    /* The clock, chance, the session and the server. TIME becomes a DATETIME of today. */
    { "BENCHMARK", CALLED, FUNCTION_VARIES },
    { "BINLOG_GTID_POS", CALLED, FUNCTION_VARIES },
    { "CONNECTION_ID", CALLED, FUNCTION_VARIES },    { "CURDATE", CALLED, FUNCTION_VARIES },
    { "CURRENT_DATE", ANYWHERE, FUNCTION_VARIES },   { "CURRENT_ROLE", ANYWHERE, FUNCTION_VARIES },
    { "CURRENT_TIME", ANYWHERE, FUNCTION_VARIES },
    { "CURRENT_TIMESTAMP", ANYWHERE, FUNCTION_VARIES },
    { "CURRENT_USER", ANYWHERE, FUNCTION_VARIES },   { "CURTIME", CALLED, FUNCTION_VARIES },
    { "DATABASE", CALLED, FUNCTION_VARIES },         { "DES_DECRYPT", CALLED, FUNCTION_VARIES },
    { "DES_ENCRYPT", CALLED, FUNCTION_VARIES },      { "ENCRYPT", CALLED, FUNCTION_VARIES },
    { "EXTRACTVALUE", CALLED, FUNCTION_VARIABLES },  { "FOUND_ROWS", CALLED, FUNCTION_VARIES },
    { "GET", BARE, FUNCTION_VARIES }, /* DIAGNOSTICS, also of statements before */
    { "IS_FREE_LOCK", CALLED, FUNCTION_VARIES },     { "IS_USED_LOCK", CALLED, FUNCTION_VARIES },
    { "LAST_INSERT_ID", CALLED, FUNCTION_VARIABLES },
    { "LOCALTIME", ANYWHERE, FUNCTION_VARIES },
    { "LOCALTIMESTAMP", ANYWHERE, FUNCTION_VARIES },
    { "MASTER_GTID_WAIT", CALLED, FUNCTION_VARIES },
    { "MASTER_POS_WAIT", CALLED, FUNCTION_VARIES },  { "NOW", CALLED, FUNCTION_VARIES },
    { "RAND", CALLED, FUNCTION_VARIES },             { "RANDOM_BYTES", CALLED, FUNCTION_VARIES },
    { "RELEASE_ALL_LOCKS", CALLED, FUNCTION_VARIES },
    { "RELEASE_LOCK", CALLED, FUNCTION_VARIES },
    { "ROWNUM", ANYWHERE, FUNCTION_VARIES },         { "ROW_COUNT", CALLED, FUNCTION_VARIES },
    { "SCHEMA", CALLED, FUNCTION_VARIES },           { "SESSION_USER", CALLED, FUNCTION_VARIES },
    { "SLEEP", CALLED, FUNCTION_VARIES },            { "SYSDATE", ANYWHERE, FUNCTION_VARIES },
    { "SYSTEM_USER", CALLED, FUNCTION_VARIES },      { "SYS_GUID", CALLED, FUNCTION_VARIES },
    { "TIME", ANYWHERE, FUNCTION_VARIES },           { "UNIX_TIMESTAMP", CALLED, FUNCTION_VARIES },
    { "UPDATEXML", CALLED, FUNCTION_VARIABLES },     { "USER", CALLED, FUNCTION_VARIES },
    { "UTC_DATE", ANYWHERE, FUNCTION_VARIES },       { "UTC_TIME", ANYWHERE, FUNCTION_VARIES },
    { "UTC_TIMESTAMP", ANYWHERE, FUNCTION_VARIES },  { "UUID", CALLED, FUNCTION_VARIES },
    { "UUID_SHORT", CALLED, FUNCTION_VARIES },       { "VERSION", CALLED, FUNCTION_VARIES },
    { "WSREP_LAST_SEEN_GTID", CALLED, FUNCTION_VARIES },
    { "WSREP_LAST_WRITTEN_GTID", CALLED, FUNCTION_VARIES },
    { "WSREP_SYNC_WAIT_UPTO_GTID", CALLED, FUNCTION_VARIES },
};

/* Words of types and of the grammar that '(' may follow, and that are no function there. Those
 * that are not reserved could be a function's name: they are a type behind a name, RETURNS and AS
 * only. */
static const char *const before_parens[] = {
    "AND", "AS", "BETWEEN", "BIGINT", "BIT", "BOTH", "CASE", "CHARACTER", "DATETIME", "DEC",
    "DECIMAL", "DEFAULT", "DIV", "DO", "DOUBLE", "ELSE", "ELSEIF", "ENUM", "ESCAPE", "FIXED",
    "FLOAT", "FOR", "FROM", "IF", "IN", "INT", "INTEGER", "IS", "LEADING", "LIKE", "MEDIUMINT",
    "NOT", "NUMERIC", "NVARCHAR", "OR", "PRECISION", "REAL", "REGEXP", "RETURN", "RLIKE", "SET",
    "SMALLINT", "TEXT", "THEN", "TINYINT", "TRAILING", "UNTIL", "USING", "VARBINARY", "VARCHAR",
    "WHEN", "WHILE", "XOR",
};

static bool
is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED || t.kind == TOK_KEYWORD;
}

static bool
is_word(const struct look *k, struct token t, const char *word)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(&k->l, t), span_of(word));
}

static struct span
name_of(const struct look *k, struct token t)
{
    struct span s = token_text(&k->l, t);

    if (t.kind == TOK_QUOTED && s.len >= 2)
        s = (struct span){ s.ptr + 1, s.len - 2 };
    return s;
}

static void
say(struct look *k, enum function_class class)
{
    if (k->found == FUNCTION_PLAIN)
        k->found = class;
}

static void
step(struct look *k)
{
    k->before = k->t;
    k->t      = k->next;
    k->next   = lex_next(&k->l);
}

static bool
is_declared(const struct look *k, struct token t)
{
    struct span name = name_of(k, t);

    for (uint32_t i = 0; i < k->n_names; i++)
        if (span_equal_nocase(k->names[i], name))
            return true;
    return false;
}

static void
declare(struct look *k)
{
    if (!is_name(k->t))
        return;
    if (k->n_names == NAMES_MAX)
        say(k, FUNCTION_UNKNOWN);
    else
        k->names[k->n_names++] = name_of(k, k->t);
}

/* ---- triggers: the row ---- */

static bool
is_row(const struct look *k, struct token t)
{
    struct span name = is_name(t) ? name_of(k, t) : (struct span){ 0 };

    return k->trigger != NULL &&
           (span_equal_nocase(name, SPAN("NEW")) || span_equal_nocase(name, SPAN("OLD")));
}

static void
note_column(struct look *k, struct trigger_columns *list, struct span name)
{
    if (list->n == countof(list->name))
        say(k, FUNCTION_UNKNOWN);
    else
        list->name[list->n++] = name;
}

/* NEW.a; the column stays the current token. */
static void
row_column(struct look *k)
{
    bool is_new = span_equal_nocase(name_of(k, k->t), SPAN("NEW")), set = k->sets_row;

    k->sets_row = false;
    step(k);
    step(k);
    if (!is_name(k->t)) {
        say(k, FUNCTION_UNKNOWN);
        return;
    }
    if (is_new)
        note_column(k, &k->trigger->named, name_of(k, k->t));
    if (set)
        note_column(k, &k->trigger->set, name_of(k, k->t));
}

static void
ignore_name(void *context, enum routine_name what, struct span schema, struct span name)
{
    (void)context, (void)what, (void)schema, (void)name;
}

/* One moment for all rows of a statement, on all shards. */
static bool
is_clock(const struct look *k)
{
    static const char *const names[] = {
        "NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURDATE", "CURRENT_DATE",
        "CURTIME", "CURRENT_TIME", "UNIX_TIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP",
    };

    for (size_t i = 0; i < countof(names); i++)
        if (is_word(k, k->t, names[i]))
            return true;
    return false;
}

/* ---- words ---- */

static void
call(struct look *k)
{
    bool keyword = k->t.kind == TOK_KEYWORD, typed;

    if (token_is_op(k->before, '.') || k->t.kind == TOK_QUOTED) {
        say(k, FUNCTION_READS);
        return;
    }
    if (function_name_is_builtin(token_text(&k->l, k->t)))
        return;
    typed = k->before.kind == TOK_IDENT || k->before.kind == TOK_QUOTED ||
            (is_name(k->before) && is_declared(k, k->before)) ||
            is_word(k, k->before, "RETURNS") || is_word(k, k->before, "AS");
    for (size_t i = 0; i < countof(before_parens); i++)
        if (keyword && is_word(k, k->t, before_parens[i]) &&
            (keyword_reserved(k->t.keyword) || typed || is_word(k, k->t, "DO")))
            return;
    say(k, FUNCTION_READS);
}

static void
word(struct look *k)
{
    bool called = token_is_op(k->next, '(');

    if (!called && is_declared(k, k->t))
        return;
    if (is_word(k, k->t, "VALUE") && is_word(k, k->next, "FOR"))
        say(k, FUNCTION_READS);
    if (is_word(k, k->t, "TYPE") && is_word(k, k->next, "OF"))
        say(k, FUNCTION_READS);
    if (k->trigger != NULL && is_word(k, k->t, "MYSQL_ERRNO"))
        say(k, FUNCTION_ENDS); /* some numbers say that the transaction has ended */
    for (size_t i = 0; i < countof(telling) && !(k->trigger != NULL && is_clock(k)); i++)
        if ((telling[i].place == ANYWHERE || (telling[i].place == CALLED) == called) &&
            is_word(k, k->t, telling[i].word))
            say(k, telling[i].class);
    if (called)
        call(k);
}

/* A name that is no variable of the function's is one of the server's. */
static void
set_target(struct look *k)
{
    k->in_set    = true;
    k->set_depth = k->depth;
    k->at_target = true;
    k->sets_row  = is_row(k, k->next);
    if (k->sets_row)
        return;
    if (!is_name(k->next) || !is_declared(k, k->next))
        say(k, FUNCTION_VARIABLES);
}

static void
declaration(struct look *k)
{
    do {
        step(k);
        declare(k);
        if (is_row(k, k->t))
            say(k, FUNCTION_UNKNOWN);
        if (!token_is_op(k->next, ','))
            return;
        step(k);
    } while (k->t.kind != TOK_END && k->t.kind != TOK_BAD);
}

/* SET SESSION x: a variable of that name may be declared as well. */
static void
check_target(struct look *k)
{
    if (k->at_target && k->trigger != NULL && !token_is_op(k->next, '=') &&
        !token_is_op(k->next, OP_ASSIGN) && !token_is_op(k->next, '.'))
        say(k, FUNCTION_VARIABLES);
    k->at_target = false;
}

static void
see(struct look *k)
{
    check_target(k);
    bool charset = is_word(k, k->before, "CHARACTER") || is_word(k, k->before, "CHAR");

    if (token_is_op(k->t, '('))
        k->depth++;
    else if (token_is_op(k->t, ')') && k->depth > 0)
        k->depth--;
    else if (token_is_op(k->t, ';'))
        k->in_set = k->in_signal = false;
    else if (token_is_op(k->t, ',') && k->in_set && k->depth == k->set_depth)
        set_target(k);
    else if (k->t.kind == TOK_USER_VAR || token_is_op(k->t, OP_SYSTEM_VAR))
        say(k, FUNCTION_VARIABLES);
    else if (k->t.kind == TOK_PARAM || k->t.kind == TOK_BAD)
        say(k, FUNCTION_UNKNOWN);
    else if (k->t.kind == TOK_KEYWORD && /* not row.signal, in an IF before a SET */
             (is_word(k, k->t, "SIGNAL") || is_word(k, k->t, "RESIGNAL")))
        k->in_signal = true;
    else if (token_is_keyword(k->t, KW_SET) && !charset && !token_is_op(k->next, '(') &&
             (!k->in_signal || is_row(k, k->next)))
        set_target(k);
    else if (token_is_keyword(k->t, KW_DECLARE))
        declaration(k);
    else if (is_row(k, k->t) && token_is_op(k->next, '.'))
        row_column(k);
    else if (is_name(k->t))
        word(k);
}

/* ---- the whole ---- */

/* CREATE ... FUNCTION ... up to its '(' */
static bool
head(struct look *k)
{
    bool function = false, plain = true;

    while (k->t.kind != TOK_END && k->t.kind != TOK_BAD) {
        if (function && token_is_op(k->t, '('))
            return plain;
        plain    = plain && !is_word(k, k->t, "AGGREGATE") && !is_word(k, k->t, "SONAME");
        function = function || token_is_keyword(k->t, KW_FUNCTION);
        step(k);
    }
    return false;
}

/* (IN a INT, b VARCHAR(20)) */
static void
parameters(struct look *k)
{
    bool at_name = true;

    k->depth = 1;
    for (step(k); k->depth > 0 && k->t.kind != TOK_END && k->t.kind != TOK_BAD; step(k)) {
        if (at_name && is_word(k, k->t, "IN"))
            continue;
        if (at_name && (is_word(k, k->t, "OUT") || is_word(k, k->t, "INOUT")))
            say(k, FUNCTION_UNKNOWN);
        if (at_name)
            declare(k);
        else
            see(k);
        if (at_name && token_is_op(k->t, ')'))
            k->depth--;
        at_name = k->depth == 1 && token_is_op(k->t, ',');
    }
}

enum function_class
function_classify(struct span text, struct lex_options options, uint32_t *tail)
{
    struct look k = { .found = FUNCTION_PLAIN };

    lex_init(&k.l, text, options);
    step(&k);
    step(&k);
    if (!head(&k))
        return FUNCTION_UNKNOWN;
    *tail = k.t.start;
    parameters(&k);
    for (; k.t.kind != TOK_END && k.t.kind != TOK_BAD; step(&k))
        see(&k);
    if (k.t.kind == TOK_BAD)
        return FUNCTION_UNKNOWN;
    return k.found;
}

/* ---- triggers: the whole ---- */

static bool
take_word(struct look *k, const char *word)
{
    bool is = is_word(k, k->t, word);

    if (is)
        step(k);
    return is;
}

/* a, a.b */
static bool
take_path(struct look *k, struct span *schema, struct span *name)
{
    if (!is_name(k->t))
        return false;
    *schema = (struct span){ 0 };
    *name   = name_of(k, k->t);
    step(k);
    if (!token_is_op(k->t, '.'))
        return true;
    step(k);
    *schema = *name;
    *name   = name_of(k, k->t);
    bool is = is_name(k->t);
    step(k);
    return is;
}

/* Behind TRIGGER, up to the body. */
static bool
trigger_head(struct look *k)
{
    struct trigger_look *out = k->trigger;
    struct span          ignored, other;
    bool                 known;

    if (is_word(k, k->t, "IF") && is_word(k, k->next, "NOT")) {
        step(k);
        step(k);
        if (!take_word(k, "EXISTS"))
            return false;
    }
    if (!take_path(k, &ignored, &other))
        return false;
    out->before = is_word(k, k->t, "BEFORE");
    if (!take_word(k, "BEFORE") && !take_word(k, "AFTER"))
        return false;
    out->insert = is_word(k, k->t, "INSERT");
    known = take_word(k, "INSERT") || take_word(k, "UPDATE") || take_word(k, "DELETE");
    if (!known || !take_word(k, "ON") || !take_path(k, &out->schema, &out->table) ||
        !take_word(k, "FOR") || !take_word(k, "EACH") || !take_word(k, "ROW"))
        return false;
    if (take_word(k, "FOLLOWS") || take_word(k, "PRECEDES"))
        return take_path(k, &ignored, &other);
    return true;
}

/* Dumps have CREATE TRIGGER in comments, which the server reads, as all of such an old version. */
static bool
comments_are_read(struct span text)
{
    for (size_t i = 0; i + 3 < text.len; i++) {
        const uint8_t *at = text.ptr + i;

        if (memcmp(at, "/*M!", 4) == 0)
            return false;
        if (memcmp(at, "/*!", 3) == 0 &&
            (text.len - i < 9 || memcmp(at + 3, "500", 3) != 0 || !isdigit(at[6]) ||
             !isdigit(at[7]) || isdigit(at[8])))
            return false;
    }
    return true;
}

enum function_class
trigger_classify(struct span text, struct lex_options options, struct trigger_look *out)
{
    struct look          k     = { .found = FUNCTION_PLAIN, .trigger = out };
    struct routine_names names = { .found = ignore_name };

    *out = (struct trigger_look){ .set = { .n = 0 } };
    lex_init(&k.l, text, options);
    step(&k);
    step(&k);
    while (k.t.kind != TOK_END && k.t.kind != TOK_BAD &&
           !(token_is_keyword(k.t, KW_TRIGGER) && !token_is_op(k.before, '=') &&
             !token_is_op(k.before, '@')))
        step(&k);
    step(&k);
    if (!trigger_head(&k))
        return FUNCTION_UNKNOWN;
    struct span body = span_from(text, k.t.start);
    for (; k.t.kind != TOK_END && k.t.kind != TOK_BAD; step(&k))
        see(&k);
    if (k.t.kind == TOK_BAD || !comments_are_read(text))
        return FUNCTION_UNKNOWN;
    enum function_class other = routine_look_at(body, options, &names);
    if (k.found != FUNCTION_PLAIN || other == FUNCTION_HOME)
        return k.found;
    return other;
}
