/* routine_body.h - the statements of a stored procedure, for a planner to look at one by one.
 *
 *   CREATE PROCEDURE p(u INT) BEGIN                     statements
 *     DECLARE n INT;
 *     SELECT COUNT(*) INTO n FROM orders                  SELECT COUNT(*) FROM orders
 *       WHERE user_id = u;                                  WHERE user_id = <0>
 *     IF n > 5 THEN                                       SELECT <other> > 5
 *       UPDATE users SET big = n WHERE id = u;            UPDATE users SET big = <other> WHERE
 *     END IF;                                               id = <0>
 *   END
 *
 * All of the body is in them that reads or writes, in no order: what runs when is not looked at.
 * Expressions are SELECTs. A name of a variable stands for it wherever it is one by itself, as
 * servers have it; where they would take it for a column's (the list of an INSERT, say) the
 * statement cannot be parsed.
 */
#ifndef CORE_ROUTE_ROUTINE_BODY_H
#define CORE_ROUTE_ROUTINE_BODY_H

#include "core/base/buf.h"
#include "core/route/table.h"
#include "core/sql/lex.h"

enum { ROUTINE_PARAMETERS_MAX = 64, ROUTINE_OTHER = UINT8_MAX };

/* What becomes of a parameter's value. What a CALL in the body does to it is not looked at. */
enum routine_use {
    ROUTINE_KEEPS = 1, /* it is the caller's from beginning to end */
    ROUTINE_CHANGES,   /* others are set */
    ROUTINE_GIVES,     /* OUT and INOUT: the caller gets another one */
};

/* CREATE PROCEDURE's text, of ASCII or UTF-8. False: it has a statement of another kind (FOR,
 * PREPARE ...), sets more than its variables, or cannot be read. `uses`: of the parameters, in
 * their order. `statements` are appended, for routine_statement(). */
bool routine_body(struct span text, struct lex_options options,
                  enum routine_use uses[ROUTINE_PARAMETERS_MAX], uint32_t *n,
                  struct buf *statements) must_check;

/* A body as lists of routines have it: parameters, then statements. No byte of it is below 4, so
 * that it can stand in such a list. */
void routine_body_parameter(struct buf *body, const struct route_column *type,
                            enum routine_use use);

struct routine_parameter {
    struct route_column type; /* no name */
    enum routine_use    use;
};

/* The next parameter; behind the last one, false, and the next statements, each as a text with '?'
 * for variables. `variables`: of each '?', the parameter's number or ROUTINE_OTHER; appended. */
bool routine_parameter(struct span *body, struct routine_parameter *out);
bool routine_statement(struct span *body, struct buf *text, struct buf *variables);

/* Where the body begins in an entry of a list; its length: there is none. */
size_t routine_body_at(struct span entry);

#endif
