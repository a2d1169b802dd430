/* own_table.h - a session's temporary tables as tables of the routes, for one statement of it.
 *
 *   SHOW CREATE TABLE --own_table_read()--> a global table of its database
 *   routes + such tables --own_routes_make()--> routes in which the planner finds them
 *
 * In such routes the tables have the indexes from n_tables on; everything else is where it was.
 * Nothing that is made with them is for anybody else: no plan is kept, nor a definition.
 */
#ifndef CORE_ROUTE_OWN_TABLE_H
#define CORE_ROUTE_OWN_TABLE_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/route/table.h"

/* `create`: as gather_define() wants it; `out` points into it and into `a`. False: rows of the
 * table cannot be copied, or it is not known what their bytes mean. */
bool own_table_read(struct arena *a, struct span create, struct span name, uint32_t database,
                    struct route_table *out, struct err *err) must_check;

/* Borrows all that `base` and `own` have; lives in `a`. */
struct routes *own_routes_make(struct arena *a, const struct routes *base,
                               const struct route_table *own, uint32_t n);

static inline bool
own_table_is(const struct routes *r, uint32_t table)
{
    return table >= r->n_tables;
}

#endif
