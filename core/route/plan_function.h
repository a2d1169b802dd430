/* plan_function.h - which functions of a statement are the server's own, and what the others do.
 */
#ifndef CORE_ROUTE_PLAN_FUNCTION_H
#define CORE_ROUTE_PLAN_FUNCTION_H

#include "core/route/function_class.h"
#include "core/sql/ast.h"

struct planner;

/* Not a stored function, which may read any table. */
bool function_is_builtin(const struct func *f);

/* What is known of a stored function, by the name that the statement has for it. */
enum function_class function_class_of(const struct planner *p, const struct func *f);

/* One of the server's own, or a stored one of its arguments alone. */
bool function_is_plain(const struct planner *p, const struct func *f);

/* NEXTVAL(), LASTVAL(), SETVAL() */
bool function_is_of_sequence(const struct func *f);

#endif
