/* literal.h - what literal tokens and quoted names stand for. */
#ifndef CORE_SQL_LITERAL_H
#define CORE_SQL_LITERAL_H

#include "core/base/buf.h"
#include "core/sql/lex.h"

struct literal {
    uint32_t        start, end; /* range of the text, quotes included */
    enum token_kind kind;       /* TOK_INT ... TOK_BIT */
};

/* Append the literal's value to `out`.
 *   TOK_INT TOK_DECIMAL TOK_FLOAT: its digits as written
 *   TOK_STRING TOK_NSTRING: the bytes, escapes undone (\0 \b \n \r \t \Z, any other
 *       character is itself; \% and \_ keep their backslash)
 *   TOK_HEX TOK_HEX_STRING TOK_BIT: the bytes, first digit padded with zero
 * `literal` is the token's text. False when it is not such a token. */
bool literal_decode(struct span literal, enum token_kind kind, struct lex_options options,
                    struct buf *out) must_check;

/* TOK_INT: the value; false when it does not fit 64 bits. */
bool literal_u64(struct span literal, uint64_t *value) must_check;

/* Append the name a TOK_IDENT, TOK_QUOTED, TOK_KEYWORD or TOK_USER_VAR token
 * stands for: its @ and its quotes off, doubled quotes single. */
void literal_name(struct span token, struct lex_options options, struct buf *out);

#endif
