/* parse.h - one statement's text into a tree, by recursive descent.
 *
 * The tree is in the arena and keeps spans into the text: both outlive it.
 * What the grammar here does not know is PARSE_UNKNOWN, never a guess: then
 * `stmt->names` lists every name in the text that could be a table.
 */
#ifndef CORE_SQL_PARSE_H
#define CORE_SQL_PARSE_H

#include "core/base/arena.h"
#include "core/sql/digest.h"
#include "core/sql/statement.h"

/* Nesting of expressions, queries and parentheses; deeper is PARSE_UNKNOWN.
 * (About 200 bytes of stack a level, in several functions each.) */
#define PARSE_DEPTH_MAX 400

enum parse_result {
    PARSE_OK,
    PARSE_EMPTY,   /* only space and comments */
    PARSE_UNKNOWN, /* not in our grammar: stmt->kind is STMT_UNKNOWN, names and error_at are set */
    PARSE_BAD,     /* does not lex; nothing is known of it */
};

/* Parse the first statement of `text` (up to a ';' or the end). `digest`, from
 * the same text and options, numbers the literals; NULL: all are
 * AST_NO_ORDINAL. `*stmt` is set unless PARSE_BAD or PARSE_EMPTY. */
enum parse_result parse_statement(struct arena *a, struct span text, struct lex_options options,
                                  const struct digest *digest, struct stmt **stmt);

/* Parse an expression alone (a generated column, a CHECK, a test). */
enum parse_result parse_expression(struct arena *a, struct span text, struct lex_options options,
                                   struct expr **expr);

/* The names of `text` as for PARSE_UNKNOWN: each run a.b.c of names and of
 * keywords that are not reserved. Of a.b, schema = a and name = b; of a.b.c schema, table and name;
 * every part of one may be the table. False when the text does not lex. */
bool parse_names(struct arena *a, struct span text, struct lex_options options,
                 struct path_item **names) must_check;

#endif
