/* lex_program.c - where a statement ends that has statements in it: CREATE PROCEDURE, BEGIN NOT
 * ATOMIC and the like.
 *
 *   CREATE PROCEDURE p(a INT) SQL SECURITY INVOKER BEGIN IF a THEN SELECT 1; END IF; END; SELECT 2
 *   |------- head --------------------------------|---------- body --------------------|
 *
 * Blocks are counted: BEGIN, IF, LOOP, REPEAT, WHILE, FOR open one where a statement may begin,
 * CASE anywhere, END closes the last. A ';' outside of all is the end. A text for which that goes
 * wrong is cut where it has no meaning, so that a server refuses its first part.
 */
#include "core/sql/lex.h"

enum { BLOCKS_MAX = 200 };

enum block { BLOCK_STATEMENTS, BLOCK_CASE_EXPRESSION };

struct program {
    struct lex   l;
    struct token t, before;
    bool         start;    /* a statement may begin here */
    bool         searches; /* ... or at any word behind: characteristics, a handler's conditions */
    bool         declares; /* in DECLARE */
    uint32_t     n;
    uint8_t      blocks[BLOCKS_MAX]; /* enum block */
};

static bool
take(struct program *p)
{
    p->before = p->t;
    p->t      = lex_next(&p->l);
    return p->t.kind != TOK_END && p->t.kind != TOK_BAD;
}

static bool
is_end(const struct program *p)
{
    return p->n == 0 && token_is_op(p->t, ';');
}

/* --- the head ------------------------------------------------------------ */

/* Behind the list of parameters. */
static bool
skip_parameters(struct program *p)
{
    uint32_t depth = 0;

    do {
        if (!take(p) || is_end(p))
            return false;
        depth += token_is_op(p->t, '(');
        depth -= token_is_op(p->t, ')') && depth > 0;
    } while (depth > 0 || !token_is_op(p->t, ')'));
    return true;
}

static bool
skip_to(struct program *p, enum keyword word)
{
    do {
        if (!take(p) || is_end(p))
            return false;
    } while (!token_is_keyword(p->t, word));
    return true;
}

/* False: the statement has no body, and p->t is behind it; or nobody knows where it begins. */
static bool
skip_head(struct program *p)
{
    while (take(p) && !is_end(p)) {
        if (p->t.kind != TOK_KEYWORD)
            continue;
        switch ((unsigned)p->t.keyword) {
        case KW_PROCEDURE: case KW_FUNCTION: return skip_parameters(p);
        case KW_TRIGGER:                     return skip_to(p, KW_ROW);
        case KW_EVENT:                       return skip_to(p, KW_DO);
        case KW_PACKAGE:
            while (take(p))
                ;
            return false;
        default: break;
        }
    }
    return false;
}

/* --- the body ------------------------------------------------------------ */

static bool
follows(const struct program *p, enum keyword word)
{
    return token_is_keyword(p->before, word);
}

static bool
open_block(struct program *p, enum block block, bool start)
{
    if (p->n == BLOCKS_MAX)
        return false;
    p->blocks[p->n++] = (uint8_t)block;
    p->start          = start;
    p->searches       = false;
    return true;
}

static bool
in_expression(const struct program *p)
{
    return p->n != 0 && p->blocks[p->n - 1] == BLOCK_CASE_EXPRESSION;
}

/* No word of characteristics, types and conditions: SET is one behind CHARACTER and RETURNS. */
static bool
begins_statement(const struct program *p)
{
    switch ((unsigned)p->t.keyword) {
    case KW_SELECT: case KW_INSERT: case KW_UPDATE: case KW_DELETE: case KW_REPLACE: case KW_CALL:
    case KW_RETURN: case KW_WITH: case KW_DO: case KW_EXECUTE: case KW_PREPARE: case KW_CREATE:
    case KW_DROP: case KW_ALTER: case KW_TRUNCATE: case KW_SIGNAL: case KW_RESIGNAL: case KW_GET:
    case KW_START: case KW_COMMIT: case KW_ROLLBACK: case KW_LOCK: case KW_SHOW: case KW_LEAVE:
    case KW_ITERATE: case KW_FETCH: case KW_OPEN: case KW_CLOSE:
        return true;
    case KW_SET: return !follows(p, KW_CHARACTER) && !follows(p, KW_RETURNS);
    default:     return false;
    }
}

/* A keyword of the body; false: too deep. */
static bool
read_keyword(struct program *p)
{
    bool start = p->start;
    bool in    = in_expression(p);

    p->start    = p->searches && !begins_statement(p);
    p->searches = p->start;
    switch ((unsigned)p->t.keyword) {
    case KW_BEGIN: case KW_LOOP: case KW_REPEAT:
        return !start || follows(p, KW_END) || open_block(p, BLOCK_STATEMENTS, true);
    case KW_IF: case KW_WHILE: case KW_FOR:
        return !start || follows(p, KW_END) || follows(p, KW_HANDLER) ||
               open_block(p, BLOCK_STATEMENTS, false);
    case KW_CASE:
        return follows(p, KW_END) ||
               open_block(p, start ? BLOCK_STATEMENTS : BLOCK_CASE_EXPRESSION, false);
    case KW_END:
        p->n -= p->n > 0;
        return true;
    case KW_THEN: case KW_ELSE: p->start = !in; return true;
    case KW_DO:                 p->start = !start; return true;
    case KW_NOT:                p->start |= start && follows(p, KW_BEGIN); return true;
    case KW_ATOMIC:             p->start |= start && follows(p, KW_NOT); return true;
    case KW_DECLARE:            p->declares = start; return true;
    case KW_HANDLER:
        p->searches = p->start = p->declares;
        return true;
    default: return true;
    }
}

static bool
read_token(struct program *p)
{
    if (p->t.kind == TOK_KEYWORD)
        return read_keyword(p);
    p->start = p->searches || token_is_op(p->t, ';') || token_is_op(p->t, ':');
    p->declares &= !token_is_op(p->t, ';');
    return true;
}

size_t
lex_split_programs(struct span text, struct lex_options options, size_t *rest)
{
    struct program p = { .start = true };

    lex_init(&p.l, text, options);
    if (!lex_compound(&p.l) || options.oracle) /* whose declarations stand before BEGIN */
        return lex_split(text, options, rest);
    struct lex   first = p.l;
    struct token word  = lex_next(&first);
    bool         whole = true;
    if (token_is_keyword(word, KW_CREATE) || token_is_keyword(word, KW_ALTER)) {
        whole      = skip_head(&p);
        p.searches = whole && !token_is_keyword(p.t, KW_DO);
    }
    while (whole && take(&p) && !is_end(&p))
        whole = read_token(&p);
    bool ends = is_end(&p);
    *rest = ends ? p.t.end : text.len;
    return ends ? p.t.start : text.len;
}
