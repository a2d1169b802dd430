/* routine_reads.c - see routine_reads.h. */
#include "core/route/routine_reads.h"

#include "core/route/routine_text.h"

struct reads {
    struct routine_text r;
    uint32_t            depth;
    bool                in_set;    /* SET a = 1, b = 2 */
    bool                in_signal; /* SIGNAL x SET MESSAGE_TEXT = 'y' */
    uint32_t            set_depth;
    bool                no;
};

/* What routine_look() has as unseen is not here: it says no to these as well. */
static const struct telling {
    const char        *word;
    enum routine_place place;
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

/* ---- SET ---- */

/* Behind SET, or a comma of it: a name that is no variable of the routine's is one of the
 * server's, and so is SESSION a. */
static void
set_target(struct reads *k)
{
    bool own = k->r.next.kind == TOK_USER_VAR || routine_has_declared(&k->r, k->r.next);

    routine_step(&k->r);
    k->in_set    = true;
    k->set_depth = k->depth;
    if (!own || (!token_is_op(k->r.next, '=') && !token_is_op(k->r.next, OP_ASSIGN) &&
                 !token_is_op(k->r.next, '.')))
        k->no = true;
}

/* ---- handlers ---- */

static bool
is_state(const struct reads *k, struct token t)
{
    struct span s = token_text(&k->r.l, t);

    return t.kind == TOK_STRING && s.len == 7 &&
           (span_equal((struct span){ s.ptr + 1, 5 }, SPAN("02000")) ||
            span_equal((struct span){ s.ptr + 1, 2 }, SPAN("45")));
}

/* HANDLER FOR: an error of the engine's could be another one than a shard has, and who handles
 * it would not tell. Ends at the last word of the list. */
static void
handler(struct reads *k)
{
    routine_step(&k->r);
    do {
        routine_step(&k->r);
        if (routine_at(&k->r, "NOT") && routine_then(&k->r, "FOUND")) {
            routine_step(&k->r);
        } else if (routine_at(&k->r, "SQLSTATE")) {
            routine_step(&k->r);
            if (routine_at(&k->r, "VALUE"))
                routine_step(&k->r);
            k->no = k->no || !is_state(k, k->r.t);
        } else {
            k->no = true;
        }
        if (!token_is_op(k->r.next, ','))
            return;
        routine_step(&k->r);
    } while (!routine_at_end(&k->r));
}

/* ---- words ---- */

static bool
describes(const struct reads *k)
{
    if (!routine_at(&k->r, "DESC") || token_is_op(k->r.before, '.') || !token_is_name(k->r.next))
        return false;
    for (size_t i = 0; i < countof(behind_desc); i++)
        if (k->r.next.kind == TOK_KEYWORD && routine_then(&k->r, behind_desc[i]))
            return false;
    return true;
}

static void
word(struct reads *k)
{
    bool called = token_is_op(k->r.next, '(');

    if (token_is_op(k->r.before, '.')) /* t.update */
        return;
    for (size_t i = 0; i < countof(telling); i++)
        if (routine_says(&k->r, telling[i].word, telling[i].place))
            k->no = true;
    for (size_t i = 0; i < countof(pairs); i++)
        if (routine_at(&k->r, pairs[i].word) && routine_then(&k->r, pairs[i].next))
            k->no = true;
    if ((routine_at(&k->r, "DEFAULT") && called) || describes(k) ||
        (routine_at(&k->r, "PARTITION") && !routine_then(&k->r, "BY")))
        k->no = true;
}

static void
declaration(struct reads *k)
{
    do {
        routine_step(&k->r);
        routine_declare(&k->r);
        if (!token_is_op(k->r.next, ','))
            return;
        routine_step(&k->r);
    } while (!routine_at_end(&k->r));
}

static void
see(struct reads *k)
{
    if (token_is_op(k->r.t, '('))
        k->depth++;
    else if (token_is_op(k->r.t, ')') && k->depth > 0)
        k->depth--;
    else if (token_is_op(k->r.t, ';'))
        k->in_set = k->in_signal = false;
    else if (token_is_op(k->r.t, ',') && k->in_set && k->depth == k->set_depth)
        set_target(k);
    else if (token_is_op(k->r.t, OP_SYSTEM_VAR) || k->r.t.kind == TOK_PARAM)
        k->no = true;
    else if (k->r.t.kind == TOK_KEYWORD &&
             (routine_at(&k->r, "SIGNAL") || routine_at(&k->r, "RESIGNAL")))
        k->in_signal = true;
    else if (routine_at_set(&k->r) && !k->in_signal)
        set_target(k);
    else if (routine_at(&k->r, "HANDLER") && routine_then(&k->r, "FOR"))
        handler(k);
    else if (token_is_keyword(k->r.t, KW_DECLARE))
        declaration(k);
    else if (k->r.t.kind == TOK_IDENT || k->r.t.kind == TOK_KEYWORD)
        word(k);
}

/* ---- the whole ---- */

/* (IN a INT, b VARCHAR(20)) */
static void
parameters(struct reads *k)
{
    bool at_name = true;

    k->depth = 1;
    for (routine_step(&k->r); k->depth > 0 && !routine_at_end(&k->r); routine_step(&k->r)) {
        if (at_name && (routine_at(&k->r, "IN") || routine_at(&k->r, "OUT") ||
                        routine_at(&k->r, "INOUT")))
            continue;
        if (at_name)
            routine_declare(&k->r);
        else
            see(k);
        if (at_name && token_is_op(k->r.t, ')'))
            k->depth--;
        at_name = k->depth == 1 && token_is_op(k->r.t, ',');
    }
}

bool
routine_reads(struct span text, struct lex_options options, uint32_t *tail)
{
    struct reads k = { .no = false };
    uint32_t     at;

    routine_begin(&k.r, text, options);
    if (!routine_head(&k.r) || k.r.is_aggregate)
        return false;
    at = k.r.t.start;
    parameters(&k);
    for (; !routine_at_end(&k.r); routine_step(&k.r))
        see(&k);
    if (k.r.t.kind == TOK_BAD || k.r.l.had_exec_comment || k.r.too_many || k.no)
        return false;
    *tail = at;
    return true;
}
