/* digest.c - see digest.h.
 *
 * Which literals stay as text depends on where they are: `keep_depth` is the
 * depth of parentheses at which an ORDER BY, GROUP BY or LIMIT clause began;
 * the clause ends with a word that begins another clause at that depth, or
 * with the parenthesis around it.
 */
#include "core/sql/digest.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"

enum { NOT_KEPT = -1, KEPT_ALL = -2, LITERALS_FIRST = 64 };

struct work {
    struct digest *d;
    struct lex     lex;
    size_t         len;        /* of the normalised text */
    size_t         limit;
    uint32_t       last_end;   /* end of the token before */
    int64_t        depth;
    int64_t        keep_depth;
    enum keyword   before;     /* the keyword before, if the token before was one */
    bool           begun;      /* the statement's class is known */
    bool           compound;   /* holds ';' of its own */
    bool           after_dot;
    bool           after_name; /* a string here is an alias: a 'b', a AS 'b', f(x) 'b' */
};

static const char placeholders[] = {
    [TOK_INT] = 'i',  [TOK_DECIMAL] = 'd', [TOK_FLOAT] = 'f', [TOK_STRING] = 's',
    [TOK_NSTRING] = 'n', [TOK_HEX] = 'x',  [TOK_HEX_STRING] = 'h', [TOK_BIT] = 'b',
};

static void
add_literal(struct digest *d, struct token t)
{
    if (d->n_literals == d->literals_cap) {
        d->literals_cap = d->literals_cap ? d->literals_cap * 2 : LITERALS_FIRST;
        d->literals     = mem_resize(d->literals, d->literals_cap * sizeof(d->literals[0]));
    }
    d->literals[d->n_literals++] = (struct literal){ t.start, t.end, t.kind };
}

/* Statements whose literals are taken out; the others stay as they are. */
static bool
takes_literals(enum keyword first)
{
    switch ((unsigned)first) {
    case KW_SELECT: case KW_VALUES: case KW_WITH: case KW_INSERT: case KW_REPLACE:
    case KW_UPDATE: case KW_DELETE: case KW_CALL: case KW_DO:
        return true;
    default:
        return false;
    }
}

/* Words in front of the word that says what the statement is. */
static bool
is_prefix(enum keyword k)
{
    switch ((unsigned)k) {
    case KW_EXPLAIN: case KW_DESCRIBE: case KW_DESC: case KW_ANALYZE: case KW_EXTENDED:
    case KW_PARTITIONS: case KW_FORMAT: case KW_JSON: case KW_SHARDD:
        return true;
    default:
        return false;
    }
}

static bool
is_compound(const struct work *w, struct token first)
{
    struct lex l = w->lex;

    l.at = first.start;
    return lex_compound(&l);
}

/* The first tokens decide the statement's class. */
static void
begin(struct work *w, struct token t)
{
    struct digest *d = w->d;

    if (t.kind == TOK_KEYWORD) {
        if (d->first == NO_KEYWORD) {
            d->first    = t.keyword;
            w->compound = !takes_literals(t.keyword) && is_compound(w, t);
        }
        if (is_prefix(t.keyword))
            return;
        w->begun = true;
        if (takes_literals(t.keyword))
            w->keep_depth = NOT_KEPT;
    } else if (!token_is_op(t, '(') && (d->first == NO_KEYWORD || !token_is_op(t, '='))) {
        w->begun = true; /* not a statement, or EXPLAIN table */
    }
}

/* Words that end an ORDER BY, GROUP BY or LIMIT clause at its depth. */
static bool
ends_kept(enum keyword k)
{
    switch ((unsigned)k) {
    case KW_HAVING: case KW_WINDOW: case KW_UNION: case KW_EXCEPT: case KW_INTERSECT: case KW_MINUS:
    case KW_FOR: case KW_LOCK: case KW_INTO: case KW_ON: case KW_RETURNING: case KW_SELECT:
    case KW_PROCEDURE: case KW_VALUES:
        return true;
    default:
        return false;
    }
}

static uint32_t
flags_of(enum keyword k)
{
    switch ((unsigned)k) {
    case KW_OUTFILE: case KW_DUMPFILE:
        return DIGEST_INTO;
    case KW_LAST_INSERT_ID:
        return DIGEST_LAST_INSERT_ID;
    case KW_FOUND_ROWS:
        return DIGEST_FOUND_ROWS;
    case KW_ROW_COUNT:
        return DIGEST_ROW_COUNT;
    case KW_GET_LOCK: case KW_RELEASE_LOCK: case KW_RELEASE_ALL_LOCKS: case KW_IS_FREE_LOCK:
    case KW_IS_USED_LOCK:
        return DIGEST_LOCK_FUNCTION;
    case KW_SQL_CALC_FOUND_ROWS:
        return DIGEST_CALC_FOUND_ROWS;
    case KW_TEMPORARY:
        return DIGEST_TEMPORARY;
    case KW_RAND: case KW_UUID: case KW_UUID_SHORT: case KW_SLEEP: case KW_BENCHMARK:
    case KW_LOAD_FILE: case KW_SYSDATE: case KW_CONNECTION_ID:
        return DIGEST_NOT_DETERMINED;
    case KW_SHARDD:
        return DIGEST_SHARDD;
    case KW_CURRENT_USER:
        return DIGEST_USER;
    default:
        return 0;
    }
}

static void
see_keyword(struct work *w, enum keyword k)
{
    enum keyword before = w->before;

    w->before = k;
    w->d->flags |= flags_of(k);
    if (k == KW_VALUE && (before == KW_NEXT || before == KW_PREVIOUS))
        w->d->flags |= DIGEST_SEQUENCE;
    if (w->keep_depth == KEPT_ALL)
        return;
    if (w->keep_depth == NOT_KEPT) {
        if (k == KW_LIMIT || (k == KW_BY && (before == KW_ORDER || before == KW_GROUP)))
            w->keep_depth = w->depth;
    } else if (w->keep_depth == w->depth && ends_kept(k)) {
        w->keep_depth = NOT_KEPT;
    }
}

static void
see_op(struct work *w, uint32_t op)
{
    switch (op) {
    case '(':
        w->depth++;
        if (w->before == KW_USER || w->before == KW_SESSION_USER || w->before == KW_SYSTEM_USER)
            w->d->flags |= DIGEST_USER;
        if (w->before == KW_NEXTVAL || w->before == KW_LASTVAL || w->before == KW_SETVAL)
            w->d->flags |= DIGEST_SEQUENCE;
        break;
    case ')':
        w->depth--;
        if (w->depth < w->keep_depth)
            w->keep_depth = NOT_KEPT;
        break;
    case OP_ASSIGN:
        w->d->flags |= DIGEST_ASSIGN;
        break;
    case OP_SYSTEM_VAR:
        w->d->flags |= DIGEST_SYSTEM_VAR;
        break;
    default:
        break;
    }
}

/* Room for `more` bytes of text; false beyond the limit. The memory grows to
 * the limit at most, a little more for the last token. */
static bool
reserve(struct work *w, size_t more)
{
    struct digest *d = w->d;

    if (more > w->limit || w->len > w->limit - more)
        return false;
    if (w->len + more > d->bytes_cap) {
        d->bytes_cap = (w->len + more) * 2 + 256;
        d->bytes     = mem_resize(d->bytes, d->bytes_cap);
    }
    return true;
}

static bool
append_hint(struct work *w)
{
    struct span hint = w->lex.hint;

    if (!reserve(w, hint.len + 4))
        return false;
    uint8_t *to = w->d->bytes + w->len;
    memcpy(to, "/*", 2); /* begins no token, and its end is not inside */
    memcpy(to + 2, hint.ptr, hint.len);
    memcpy(to + 2 + hint.len, "*/", 2);
    w->len += hint.len + 4;
    w->d->flags |= DIGEST_HINT;
    w->d->hint = hint;
    return true;
}

/* Names and keywords are short: a fixed-size copy, where both sides have the
 * room, is a few instructions where memcpy() would be a call. */
static inline void
copy_short(uint8_t *to, const uint8_t *from, size_t len, bool roomy)
{
    if (len <= 16 && roomy)
        memcpy(to, from, 16);
    else
        memcpy(to, from, len);
}

/* A string that is an alias is no value, and stays. */
static bool
is_taken(const struct work *w, struct token t)
{
    return token_is_literal(t.kind) && w->keep_depth == NOT_KEPT &&
           !(w->after_name && t.kind == TOK_STRING);
}

static bool
append_token(struct work *w, struct token t)
{
    size_t   len = t.end - t.start;
    uint8_t *to;

    if (!reserve(w, len + 18))
        return false;
    to = w->d->bytes + w->len;
    if (t.start > w->last_end && w->len != 0)
        *to++ = ' ';
    w->last_end = t.end;
    if (is_taken(w, t)) {
        *to++ = ':';
        *to++ = (uint8_t)placeholders[t.kind];
        add_literal(w->d, t);
    } else {
        copy_short(to, w->lex.text + t.start, len, w->lex.len - t.start >= 16);
        to += len;
    }
    w->len = (size_t)(to - w->d->bytes);
    return true;
}

/* s.NEXTVAL, in which no word is a keyword. */
static bool
is_sequence_word(struct span text)
{
    return span_equal_nocase(text, SPAN("NEXTVAL")) || span_equal_nocase(text, SPAN("CURRVAL"));
}

static void
see(struct work *w, struct token t)
{
    switch (t.kind) {
    case TOK_KEYWORD:
        see_keyword(w, t.keyword);
        return;
    case TOK_OP:
        see_op(w, t.op);
        break;
    case TOK_USER_VAR:
        w->d->flags |= DIGEST_USER_VAR;
        if (w->before == KW_INTO)
            w->d->flags |= DIGEST_INTO;
        break;
    case TOK_PARAM:
        w->d->n_params++;
        break;
    case TOK_IDENT:
        if (w->lex.options.oracle && w->after_dot && is_sequence_word(token_text(&w->lex, t)))
            w->d->flags |= DIGEST_SEQUENCE;
        break;
    case TOK_END: case TOK_BAD: case TOK_QUOTED: case TOK_INTRODUCER: case TOK_INT:
    case TOK_DECIMAL: case TOK_FLOAT: case TOK_STRING: case TOK_NSTRING: case TOK_HEX:
    case TOK_HEX_STRING: case TOK_BIT:
        break;
    }
    w->before = NO_KEYWORD;
}

/* Tokens behind the ';' other than more of them. */
static enum digest_result
look_behind(struct work *w)
{
    struct token t;

    do
        t = lex_next(&w->lex);
    while (token_is_op(t, ';'));
    if (t.kind != TOK_END)
        w->d->flags |= DIGEST_MULTI;
    return DIGEST_OK;
}

static enum digest_result
run(struct work *w)
{
    for (;;) {
        struct token t = lex_next(&w->lex);

        if (t.kind == TOK_BAD)
            return DIGEST_BAD;
        w->d->statement_end = t.start;
        if (w->lex.hint.ptr != w->d->hint.ptr && !append_hint(w))
            return DIGEST_TOO_LONG;
        if (t.kind == TOK_END)
            return DIGEST_OK;
        if (token_is_op(t, ';') && !w->compound)
            return look_behind(w);
        if (!w->begun)
            begin(w, t);
        see(w, t);
        if (!append_token(w, t))
            return DIGEST_TOO_LONG;
        w->after_dot  = token_is_op(t, '.');
        w->after_name = t.kind == TOK_IDENT || t.kind == TOK_QUOTED || token_is_op(t, ')') ||
                        token_is_keyword(t, KW_AS);
    }
}

enum digest_result
digest_make(struct digest *d, struct span text, struct lex_options options, size_t limit)
{
    struct work w = { .d = d, .limit = limit, .keep_depth = KEPT_ALL };

    d->flags         = 0;
    d->first         = NO_KEYWORD;
    d->n_params      = 0;
    d->n_literals    = 0;
    d->statement_end = 0;
    d->hint          = (struct span){ 0 };
    lex_init(&w.lex, text, options);

    enum digest_result result = run(&w);
    if (w.lex.had_exec_comment)
        d->flags |= DIGEST_EXEC_COMMENT;
    if (result == DIGEST_OK && w.last_end == 0)
        return DIGEST_EMPTY;
    if (result != DIGEST_OK)
        return result;
    d->text = (struct span){ d->bytes, w.len };
    d->hash = XXH3_64bits(d->bytes, w.len);
    return DIGEST_OK;
}

void
digest_shrink(struct digest *d, size_t keep)
{
    if (d->bytes_cap + d->literals_cap * sizeof(d->literals[0]) > keep)
        digest_fini(d);
}

void
digest_fini(struct digest *d)
{
    free(d->bytes);
    free(d->literals);
    *d = (struct digest){ 0 };
}
