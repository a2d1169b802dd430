/* routine_reads.c - see routine_reads.h. */
#include "core/route/routine_reads.h"

enum { NAMES_MAX = 100 }; /* parameters and variables; one with more is not looked at */

struct reads {
    struct lex   l;
    struct token before, t, next;
    struct span  names[NAMES_MAX];
    uint32_t     n_names, depth;
    bool         in_set;    /* SET a = 1, b = 2 */
    bool         in_signal; /* SIGNAL x SET MESSAGE_TEXT = 'y' */
    uint32_t     set_depth;
    bool         no;
};

/* Where a word says something: */
enum place {
    ANYWHERE,
    BARE,   /* without '(' behind it: not the function of that name */
    CALLED, /* with it */
};

/* What routine_look() has as unseen is not here: it says no to these as well. */
static const struct telling {
    const char *word;
    enum place  place;
} telling[] = {
    /* Writes, locks, files, tables of its own. */
    { "BINLOG", BARE },         { "DELETE", ANYWHERE },      { "DUMPFILE", ANYWHERE },
    { "INSERT", BARE },         { "LASTVAL", ANYWHERE },     { "LOAD_FILE", CALLED },
    { "LOCK", ANYWHERE },       { "NEXTVAL", ANYWHERE },     { "OUTFILE", ANYWHERE },
    { "REPLACE", BARE },        { "SETVAL", ANYWHERE },      { "START", BARE },
    { "STOP", BARE },           { "TEMPORARY", ANYWHERE },   { "UPDATE", ANYWHERE },
    /* What a copy of a table is not. */
    { "AGAINST", ANYWHERE },    { "DESCRIBE", ANYWHERE },    { "EXAMINED", ANYWHERE },
    { "EXPLAIN", ANYWHERE },    { "PROCEDURE", ANYWHERE },   { "ROWTYPE", ANYWHERE },
    { "SYSTEM_TIME", ANYWHERE },
    /* What the session has, or the server. */
    { "BINLOG_GTID_POS", CALLED },  { "CURRENT_ROLE", ANYWHERE }, { "CURRENT_USER", ANYWHERE },
    { "DEALLOCATE", ANYWHERE },     { "DES_DECRYPT", CALLED },    { "DES_ENCRYPT", CALLED },
    { "FOUND_ROWS", CALLED },       { "GET", BARE },              { "HELP", BARE },
    { "LAST_INSERT_ID", CALLED },   { "MASTER_GTID_WAIT", CALLED },
    { "MASTER_POS_WAIT", CALLED },  { "ROW_COUNT", CALLED },      { "SESSION_USER", CALLED },
    { "SQL_CALC_FOUND_ROWS", ANYWHERE }, { "SYSTEM_USER", CALLED }, { "USER", CALLED },
    { "UUID_SHORT", CALLED },       { "VERSION", CALLED },
    { "WSREP_LAST_SEEN_GTID", CALLED }, { "WSREP_LAST_WRITTEN_GTID", CALLED },
    { "WSREP_SYNC_WAIT_UPTO_GTID", CALLED },
};

/* Two words that say it together. */
static const struct {
    const char *word, *next;
} pairs[] = {
    { "VALUE", "FOR" }, { "TYPE", "OF" },
    { "FORCE", "INDEX" }, { "FORCE", "KEY" }, { "IGNORE", "INDEX" }, { "IGNORE", "KEY" },
    { "USE", "INDEX" }, { "USE", "KEY" },
};

/* DESC behind a value to sort by; before anything else it is DESCRIBE. */
static const char *const behind_desc[] = {
    "END", "EXCEPT", "FETCH", "FOR", "INTERSECT", "INTO", "LIMIT", "OFFSET", "RANGE", "ROWS",
    "SEPARATOR", "UNION", "WITH",
};

static bool
is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED || t.kind == TOK_KEYWORD;
}

static bool
is_word(const struct reads *k, struct token t, const char *word)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(&k->l, t), span_of(word));
}

static struct span
name_of(const struct reads *k, struct token t)
{
    struct span s = token_text(&k->l, t);

    if (t.kind == TOK_QUOTED && s.len >= 2)
        s = (struct span){ s.ptr + 1, s.len - 2 };
    return s;
}

static void
step(struct reads *k)
{
    k->before = k->t;
    k->t      = k->next;
    k->next   = lex_next(&k->l);
}

static bool
at_end(const struct reads *k)
{
    return k->t.kind == TOK_END || k->t.kind == TOK_BAD;
}

static bool
is_declared(const struct reads *k, struct token t)
{
    struct span name = name_of(k, t);

    for (uint32_t i = 0; is_name(t) && i < k->n_names; i++)
        if (span_equal_nocase(k->names[i], name))
            return true;
    return false;
}

static void
declare(struct reads *k)
{
    if (!is_name(k->t))
        return;
    if (k->n_names == NAMES_MAX)
        k->no = true;
    else
        k->names[k->n_names++] = name_of(k, k->t);
}

/* ---- SET ---- */

/* Behind SET, or a comma of it: a name that is no variable of the routine's is one of the
 * server's, and so is SESSION a. */
static void
set_target(struct reads *k)
{
    bool own = k->next.kind == TOK_USER_VAR || is_declared(k, k->next);

    step(k);
    k->in_set    = true;
    k->set_depth = k->depth;
    if (!own || (!token_is_op(k->next, '=') && !token_is_op(k->next, OP_ASSIGN) &&
                 !token_is_op(k->next, '.')))
        k->no = true;
}

/* ---- handlers ---- */

static bool
is_state(const struct reads *k, struct token t)
{
    struct span s = token_text(&k->l, t);

    return t.kind == TOK_STRING && s.len == 7 &&
           (span_equal((struct span){ s.ptr + 1, 5 }, SPAN("02000")) ||
            span_equal((struct span){ s.ptr + 1, 2 }, SPAN("45")));
}

/* HANDLER FOR: an error of the engine's could be another one than a shard has, and who handles
 * it would not tell. Ends at the last word of the list. */
static void
handler(struct reads *k)
{
    step(k);
    do {
        step(k);
        if (is_word(k, k->t, "NOT") && is_word(k, k->next, "FOUND")) {
            step(k);
        } else if (is_word(k, k->t, "SQLSTATE")) {
            step(k);
            if (is_word(k, k->t, "VALUE"))
                step(k);
            k->no = k->no || !is_state(k, k->t);
        } else {
            k->no = true;
        }
        if (!token_is_op(k->next, ','))
            return;
        step(k);
    } while (!at_end(k));
}

/* ---- words ---- */

static bool
describes(const struct reads *k)
{
    if (!is_word(k, k->t, "DESC") || token_is_op(k->before, '.') || !is_name(k->next))
        return false;
    for (size_t i = 0; i < countof(behind_desc); i++)
        if (k->next.kind == TOK_KEYWORD && is_word(k, k->next, behind_desc[i]))
            return false;
    return true;
}

static void
word(struct reads *k)
{
    bool called = token_is_op(k->next, '(');

    if (token_is_op(k->before, '.')) /* t.update */
        return;
    for (size_t i = 0; i < countof(telling); i++)
        if ((telling[i].place == ANYWHERE || (telling[i].place == CALLED) == called) &&
            is_word(k, k->t, telling[i].word))
            k->no = true;
    for (size_t i = 0; i < countof(pairs); i++)
        if (is_word(k, k->t, pairs[i].word) && is_word(k, k->next, pairs[i].next))
            k->no = true;
    if ((is_word(k, k->t, "DEFAULT") && called) || describes(k) ||
        (is_word(k, k->t, "PARTITION") && !is_word(k, k->next, "BY")))
        k->no = true;
}

static void
declaration(struct reads *k)
{
    do {
        step(k);
        declare(k);
        if (!token_is_op(k->next, ','))
            return;
        step(k);
    } while (!at_end(k));
}

static void
see(struct reads *k)
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
    else if (token_is_op(k->t, OP_SYSTEM_VAR) || k->t.kind == TOK_PARAM)
        k->no = true;
    else if (k->t.kind == TOK_KEYWORD &&
             (is_word(k, k->t, "SIGNAL") || is_word(k, k->t, "RESIGNAL")))
        k->in_signal = true;
    else if (token_is_keyword(k->t, KW_SET) && !charset && !token_is_op(k->next, '(') &&
             !k->in_signal)
        set_target(k);
    else if (is_word(k, k->t, "HANDLER") && is_word(k, k->next, "FOR"))
        handler(k);
    else if (token_is_keyword(k->t, KW_DECLARE))
        declaration(k);
    else if (k->t.kind == TOK_IDENT || k->t.kind == TOK_KEYWORD)
        word(k);
}

/* ---- the whole ---- */

/* CREATE ... PROCEDURE ... up to its '(' */
static bool
head(struct reads *k)
{
    bool routine = false;

    for (; !at_end(k); step(k)) {
        if (routine && token_is_op(k->t, '('))
            return true;
        if (is_word(k, k->t, "AGGREGATE") || is_word(k, k->t, "SONAME") ||
            is_word(k, k->t, "PACKAGE"))
            return false;
        routine = routine || token_is_keyword(k->t, KW_PROCEDURE) ||
                  token_is_keyword(k->t, KW_FUNCTION);
    }
    return false;
}

/* (IN a INT, b VARCHAR(20)) */
static void
parameters(struct reads *k)
{
    bool at_name = true;

    k->depth = 1;
    for (step(k); k->depth > 0 && !at_end(k); step(k)) {
        if (at_name && (is_word(k, k->t, "IN") || is_word(k, k->t, "OUT") ||
                        is_word(k, k->t, "INOUT")))
            continue;
        if (at_name)
            declare(k);
        else
            see(k);
        if (at_name && token_is_op(k->t, ')'))
            k->depth--;
        at_name = k->depth == 1 && token_is_op(k->t, ',');
    }
}

bool
routine_reads(struct span text, struct lex_options options, uint32_t *tail)
{
    struct reads k = { .no = false };
    uint32_t     at;

    lex_init(&k.l, text, options);
    step(&k);
    step(&k);
    if (!head(&k))
        return false;
    at = k.t.start;
    parameters(&k);
    for (; !at_end(&k); step(&k))
        see(&k);
    if (k.t.kind == TOK_BAD || k.l.had_exec_comment || k.no)
        return false;
    *tail = at;
    return true;
}
