/* change_case.h - UPDATE of many rows that get values of their own, in one statement:
 *
 *   UPDATE t SET a=CASE WHEN `id` IN (1) THEN 5 WHEN `id` IN (2,3) THEN 6 END, b=NULL
 *          WHERE `id` IN (1,2,3)
 *
 * What CASE makes of its literals must be stored as each of them would be: so literals of one
 * CASE are of one kind, and of a type of which that is known. A column of another type has the
 * same value in all rows of a statement.
 */
#ifndef CORE_ROUTE_CHANGE_CASE_H
#define CORE_ROUTE_CHANGE_CASE_H

#include "core/base/buf.h"
#include "core/route/table.h"

/* A column that is assigned, and what the rows of a group get. */
struct case_value {
    enum column_type type;
    struct span      name;    /* in backquotes */
    struct span      literal;
};

struct case_column {
    struct buf cases;   /* owned: " WHEN ... THEN ..." */
    struct buf literal; /* owned: the first one that is not NULL; empty: none */
    struct buf first;   /* owned: the first one */
    bool       differs;
};

/* All zeroes is empty. */
struct change_cases {
    uint32_t            n_columns, n_rows;
    struct case_column *columns; /* [n_columns), owned */
    struct buf          keys, tuples; /* owned */
};

/* Adds `n_rows` rows with these values. `primary`: "`id`" or "(`a`,`b`)", `tuples`: theirs, `keys`:
 * those of the sharding key. False: they do not go together with those that are there, and
 * nothing was changed. */
bool change_cases_add(struct change_cases *c, const struct case_value *values, uint32_t n,
                      struct span primary, struct span keys, struct span tuples,
                      uint32_t n_rows) must_check;

/* " SET ..." */
void change_cases_set(const struct change_cases *c, const struct case_value *values,
                      struct buf *out);
size_t change_cases_bytes(const struct change_cases *c);
void change_cases_clear(struct change_cases *c);
void change_cases_fini(struct change_cases *c);

#endif
