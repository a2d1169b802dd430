/* function_class.c - see function_class.h. */
#include "core/route/function_class.h"

#include <ctype.h>
#include <string.h>

#include "core/route/plan_internal.h"
#include "core/route/routine_look.h"
#include "core/route/routine_text.h"

struct look {
    struct routine_text  r;
    uint32_t             depth;
    bool                 in_set;    /* SET a = 1, b = 2 */
    bool                 in_signal; /* SIGNAL x SET MESSAGE_TEXT = 'y' */
    uint32_t             set_depth;
    struct trigger_look *trigger;   /* NULL: it is a function */
    bool                 at_target; /* what SET assigns comes next */
    bool                 sets_row;  /* and that is a column of NEW */
    enum function_class  found;     /* FUNCTION_PLAIN: nothing speaks against it */
};

static const struct telling {
    const char         *word;
    enum routine_place  place;
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

static void
say(struct look *k, enum function_class class)
{
    if (k->found == FUNCTION_PLAIN)
        k->found = class;
}

/* ---- triggers: the row ---- */

static bool
is_row(const struct look *k, struct token t)
{
    struct span name = token_is_name(t) ? routine_name(&k->r, t) : (struct span){ 0 };

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
    bool is_new = span_equal_nocase(routine_name(&k->r, k->r.t), SPAN("NEW")), set = k->sets_row;

    k->sets_row = false;
    routine_step(&k->r);
    routine_step(&k->r);
    if (!token_is_name(k->r.t)) {
        say(k, FUNCTION_UNKNOWN);
        return;
    }
    if (is_new)
        note_column(k, &k->trigger->named, routine_name(&k->r, k->r.t));
    if (set)
        note_column(k, &k->trigger->set, routine_name(&k->r, k->r.t));
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
        if (routine_at(&k->r, names[i]))
            return true;
    return false;
}

/* ---- words ---- */

static void
call(struct look *k)
{
    bool keyword = k->r.t.kind == TOK_KEYWORD, typed;

    if (token_is_op(k->r.before, '.') || k->r.t.kind == TOK_QUOTED) {
        say(k, FUNCTION_READS);
        return;
    }
    if (function_name_is_builtin(token_text(&k->r.l, k->r.t)))
        return;
    typed = k->r.before.kind == TOK_IDENT || k->r.before.kind == TOK_QUOTED ||
            (token_is_name(k->r.before) && routine_has_declared(&k->r, k->r.before)) ||
            routine_behind(&k->r, "RETURNS") || routine_behind(&k->r, "AS");
    for (size_t i = 0; i < countof(before_parens); i++)
        if (keyword && routine_at(&k->r, before_parens[i]) &&
            (keyword_reserved(k->r.t.keyword) || typed || routine_at(&k->r, "DO")))
            return;
    say(k, FUNCTION_READS);
}

static void
word(struct look *k)
{
    bool called = token_is_op(k->r.next, '(');

    if (!called && routine_has_declared(&k->r, k->r.t))
        return;
    if (routine_at(&k->r, "VALUE") && routine_then(&k->r, "FOR"))
        say(k, FUNCTION_READS);
    if (routine_at(&k->r, "TYPE") && routine_then(&k->r, "OF"))
        say(k, FUNCTION_READS);
    if (k->trigger != NULL && routine_at(&k->r, "MYSQL_ERRNO"))
        say(k, FUNCTION_ENDS); /* some numbers say that the transaction has ended */
    for (size_t i = 0; i < countof(telling) && !(k->trigger != NULL && is_clock(k)); i++)
        if (routine_says(&k->r, telling[i].word, telling[i].place))
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
    k->sets_row  = is_row(k, k->r.next);
    if (k->sets_row)
        return;
    if (!token_is_name(k->r.next) || !routine_has_declared(&k->r, k->r.next))
        say(k, FUNCTION_VARIABLES);
}

static void
declaration(struct look *k)
{
    do {
        routine_step(&k->r);
        routine_declare(&k->r);
        if (is_row(k, k->r.t))
            say(k, FUNCTION_UNKNOWN);
        if (!token_is_op(k->r.next, ','))
            return;
        routine_step(&k->r);
    } while (!routine_at_end(&k->r));
}

/* SET SESSION x: a variable of that name may be declared as well. */
static void
check_target(struct look *k)
{
    if (k->at_target && k->trigger != NULL && !token_is_op(k->r.next, '=') &&
        !token_is_op(k->r.next, OP_ASSIGN) && !token_is_op(k->r.next, '.'))
        say(k, FUNCTION_VARIABLES);
    k->at_target = false;
}

static void
see(struct look *k)
{
    check_target(k);
    if (token_is_op(k->r.t, '('))
        k->depth++;
    else if (token_is_op(k->r.t, ')') && k->depth > 0)
        k->depth--;
    else if (token_is_op(k->r.t, ';'))
        k->in_set = k->in_signal = false;
    else if (token_is_op(k->r.t, ',') && k->in_set && k->depth == k->set_depth)
        set_target(k);
    else if (k->r.t.kind == TOK_USER_VAR || token_is_op(k->r.t, OP_SYSTEM_VAR))
        say(k, FUNCTION_VARIABLES);
    else if (k->r.t.kind == TOK_PARAM || k->r.t.kind == TOK_BAD)
        say(k, FUNCTION_UNKNOWN);
    else if (k->r.t.kind == TOK_KEYWORD && /* not row.signal, in an IF before a SET */
             (routine_at(&k->r, "SIGNAL") || routine_at(&k->r, "RESIGNAL")))
        k->in_signal = true;
    else if (routine_at_set(&k->r) && (!k->in_signal || is_row(k, k->r.next)))
        set_target(k);
    else if (token_is_keyword(k->r.t, KW_DECLARE))
        declaration(k);
    else if (is_row(k, k->r.t) && token_is_op(k->r.next, '.'))
        row_column(k);
    else if (token_is_name(k->r.t))
        word(k);
}

/* ---- the whole ---- */

/* (IN a INT, b VARCHAR(20)) */
static void
parameters(struct look *k)
{
    bool at_name = true;

    k->depth = 1;
    for (routine_step(&k->r); k->depth > 0 && !routine_at_end(&k->r); routine_step(&k->r)) {
        if (at_name && routine_at(&k->r, "IN"))
            continue;
        if (at_name && (routine_at(&k->r, "OUT") || routine_at(&k->r, "INOUT")))
            say(k, FUNCTION_UNKNOWN);
        if (at_name)
            routine_declare(&k->r);
        else
            see(k);
        if (at_name && token_is_op(k->r.t, ')'))
            k->depth--;
        at_name = k->depth == 1 && token_is_op(k->r.t, ',');
    }
}

enum function_class
function_classify(struct span text, struct lex_options options, uint32_t *tail)
{
    struct look k = { .found = FUNCTION_PLAIN };

    routine_begin(&k.r, text, options);
    if (!routine_head(&k.r) || k.r.is_procedure || k.r.is_aggregate)
        return FUNCTION_UNKNOWN;
    *tail = k.r.t.start;
    parameters(&k);
    for (; !routine_at_end(&k.r); routine_step(&k.r))
        see(&k);
    if (k.r.t.kind == TOK_BAD || k.r.too_many)
        return FUNCTION_UNKNOWN;
    return k.found;
}

/* ---- triggers: the whole ---- */

static bool
take_word(struct look *k, const char *word)
{
    bool is = routine_at(&k->r, word);

    if (is)
        routine_step(&k->r);
    return is;
}

/* a, a.b */
static bool
take_path(struct look *k, struct span *schema, struct span *name)
{
    if (!token_is_name(k->r.t))
        return false;
    *schema = (struct span){ 0 };
    *name   = routine_name(&k->r, k->r.t);
    routine_step(&k->r);
    if (!token_is_op(k->r.t, '.'))
        return true;
    routine_step(&k->r);
    *schema = *name;
    *name   = routine_name(&k->r, k->r.t);
    bool is = token_is_name(k->r.t);
    routine_step(&k->r);
    return is;
}

/* Behind TRIGGER, up to the body. */
static bool
trigger_head(struct look *k)
{
    struct trigger_look *out = k->trigger;
    struct span          ignored, other;
    bool                 known;

    if (routine_at(&k->r, "IF") && routine_then(&k->r, "NOT")) {
        routine_step(&k->r);
        routine_step(&k->r);
        if (!take_word(k, "EXISTS"))
            return false;
    }
    if (!take_path(k, &ignored, &other))
        return false;
    out->before = routine_at(&k->r, "BEFORE");
    if (!take_word(k, "BEFORE") && !take_word(k, "AFTER"))
        return false;
    out->insert = routine_at(&k->r, "INSERT");
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
    routine_begin(&k.r, text, options);
    while (!routine_at_end(&k.r) &&
           !(token_is_keyword(k.r.t, KW_TRIGGER) && !token_is_op(k.r.before, '=') &&
             !token_is_op(k.r.before, '@')))
        routine_step(&k.r);
    routine_step(&k.r);
    if (!trigger_head(&k))
        return FUNCTION_UNKNOWN;
    struct span body = span_from(text, k.r.t.start);
    for (; !routine_at_end(&k.r); routine_step(&k.r))
        see(&k);
    if (k.r.t.kind == TOK_BAD || k.r.too_many || !comments_are_read(text))
        return FUNCTION_UNKNOWN;
    enum function_class other = routine_look_at(body, options, &names);
    if (k.found != FUNCTION_PLAIN || other == FUNCTION_HOME)
        return k.found;
    return other;
}
