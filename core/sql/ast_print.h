/* ast_print.h - trees as text, for tests and for people.
 *
 *   SELECT a, COUNT(*) n FROM t WHERE id = 5 AND b IN (1, 2)
 *   (select (items a (as (COUNT *) n)) (from t) (where (and (= id 5) (in b 1 2))))
 */
#ifndef CORE_SQL_AST_PRINT_H
#define CORE_SQL_AST_PRINT_H

#include "core/base/buf.h"
#include "core/sql/statement.h"

/* Append; `text` is what was parsed. */
void ast_print_expr(struct buf *out, struct span text, const struct expr *e);
void ast_print_query(struct buf *out, struct span text, const struct query *q);
void ast_print_stmt(struct buf *out, struct span text, const struct stmt *s);

#endif
