/* function_class.c - see function_class.h. */
#include "core/route/function_class.h"

#include <string.h>

#include "core/route/plan_internal.h"

enum { NAMES_MAX = 64 }; /* parameters and variables; one with more is not plain */

struct look {
    struct lex         l;
    struct token       before, t, next;
    struct span        names[NAMES_MAX];
    uint32_t           n_names, depth;
    bool               in_set;    /* SET a = 1, b = 2 */
    bool               in_signal; /* SIGNAL x SET MESSAGE_TEXT = 'y' */
    uint32_t           set_depth;
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
    for (size_t i = 0; i < countof(telling); i++)
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
    if (!is_name(k->next) || !is_declared(k, k->next))
        say(k, FUNCTION_VARIABLES);
}

static void
declaration(struct look *k)
{
    do {
        step(k);
        declare(k);
        if (!token_is_op(k->next, ','))
            return;
        step(k);
    } while (k->t.kind != TOK_END && k->t.kind != TOK_BAD);
}

static void
see(struct look *k)
{
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
    else if (is_word(k, k->t, "SIGNAL") || is_word(k, k->t, "RESIGNAL"))
        k->in_signal = true;
    else if (token_is_keyword(k->t, KW_SET) && !charset && !token_is_op(k->next, '(') &&
             !k->in_signal)
        set_target(k);
    else if (token_is_keyword(k->t, KW_DECLARE))
        declaration(k);
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

/* ---- names of classes, lists of functions ---- */

static const struct {
    const char *name, *why;
} classes[] = {
    [FUNCTION_UNKNOWN] = { "unknown", "what it does is not known; CREATE OR REPLACE FUNCTION makes "
                           "it known" },
    [FUNCTION_PLAIN]   = { "plain", "" },
    [FUNCTION_READS]   = { "reads", "it reads tables, calls other routines or runs statements, "
                           "which it would do on one shard alone" },
    [FUNCTION_VARIES]  = { "varies", "its value depends on more than its arguments, such as the "
                           "clock, chance or the session; give that as an argument" },
    [FUNCTION_VARIABLES] = { "variables", "it reads or sets variables of the session; give their "
                             "values as arguments" },
    [FUNCTION_HOME]    = { "home", "" },
    [FUNCTION_SPREAD]  = { "spread", "it names, or may reach, sharded or reference tables, views, "
                           "tables of another home, or routines that do or are not known" },
    [FUNCTION_TEXT]    = { "text", "it executes text that it makes, and what that does cannot be "
                           "seen" },
    [FUNCTION_ENDS]    = { "ends", "it may begin or end a transaction, which may be on several "
                           "shards" },
    [FUNCTION_DEFINES] = { "defines", "it defines or locks tables, or asks or tells the server "
                           "about itself" },
    [FUNCTION_LOCKS]   = { "locks", "it uses locks by name, which are kept on another server" },
};

const char *
function_class_name(enum function_class class)
{
    return classes[class].name;
}

enum function_class
function_class_named(struct span name)
{
    for (size_t i = 0; i < countof(classes); i++)
        if (span_equal(name, span_of(classes[i].name)))
            return (enum function_class)i;
    return FUNCTION_UNKNOWN;
}

const char *
function_class_why(enum function_class class)
{
    return classes[class].why;
}

/* Each: a letter of the class, a capital one when all it uses is at home, the name, a byte 0. */
void
function_list_add(struct buf *list, struct span name, enum function_class class, bool at_home)
{
    buf_append_byte(list, (uint8_t)((at_home ? 'A' : 'a') + class));
    buf_append_span(list, name);
    buf_append_byte(list, '\0');
}

struct one {
    enum function_class class;
    bool                at_home;
    struct span         name;
};

static bool
next_one(struct span *list, struct one *one)
{
    const uint8_t *end = list->len < 3 ? NULL : memchr(list->ptr, '\0', list->len);

    if (end == NULL || end - list->ptr < 2)
        return false;
    one->at_home = list->ptr[0] < 'a';
    int letter   = list->ptr[0] - (one->at_home ? 'A' : 'a');
    if (letter < 0 || letter >= (int)countof(classes))
        return false;
    one->class = (enum function_class)letter;
    one->name  = (struct span){ list->ptr + 1, (size_t)(end - list->ptr) - 1 };
    *list      = span_from(*list, one->name.len + 2);
    return true;
}

bool
function_list_ok(struct span list)
{
    struct one one;

    while (list.len != 0)
        if (!next_one(&list, &one))
            return false;
    return true;
}

static struct one
find(struct span list, struct span name)
{
    struct one one;

    while (next_one(&list, &one))
        if (span_equal_nocase(one.name, name))
            return one;
    return (struct one){ .class = FUNCTION_UNKNOWN };
}

enum function_class
function_list_find(struct span list, struct span name)
{
    return find(list, name).class;
}

bool
function_list_at_home(struct span list, struct span name)
{
    return find(list, name).at_home;
}
