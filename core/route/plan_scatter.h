/* plan_scatter.h - what the files share that plan statements which all shards answer, and how their
 * answers are merged.
 */
#ifndef CORE_ROUTE_PLAN_SCATTER_H
#define CORE_ROUTE_PLAN_SCATTER_H

#include "core/route/plan_internal.h"

/* A scatter in the making. */
struct scatter {
    struct planner      *p;
    struct query        *q;
    struct scope        *s;
    struct merge_spec   *spec;
    struct text          hidden;   /* ", WEIGHT_STRING(a)" ... */
    uint32_t             n_hidden;
    struct hidden_column *columns; /* so that none is added twice */
    struct merge_output *outputs;
    uint32_t             n_outputs, outputs_cap;
    uint32_t             star_at;  /* first item that is a star, or UINT32_MAX */
    struct expr         *distinct; /* the column of COUNT(DISTINCT column), by which shards group */
    bool                 local_distinct; /* a DISTINCT aggregate whose values are on one shard */
    bool                 bits;           /* BIT_AND, BIT_OR or BIT_XOR */
    struct operand      *numbers;
    uint32_t             n_numbers;
};

/* plan_item.c: what an ORDER BY or GROUP BY expression is. */
struct item_ref {
    struct expr *expr;    /* of the item, or the expression itself */
    uint32_t     visible; /* its column when it is an item whose column is known, else MERGE_NONE */
};

/* `prefer_column`: a name that is both is the column (GROUP BY, HAVING inside aggregates). */
bool item_find(struct scatter *c, struct expr *e, bool prefer_column, struct item_ref *out);
/* How to compare the values of the expression: `sorts` by order, else by equality only. */
bool item_key(struct scatter *c, struct item_ref item, bool sorts, struct merge_key *out);
/* A hidden column `before` expr `behind`. */
uint32_t item_hide(struct scatter *c, const char *before, const struct expr *e,
                   const char *behind);
bool has_division(struct expr *e); /* plan_group.c */

/* plan_group.c: the column of an aggregate's final value. */
bool group_plan(struct scatter *c);
bool group_check(struct scatter *c);
bool group_aggregate(struct scatter *c, struct item_ref item, uint32_t *column);
/* plan_natural.c: for a statement without one; shards sort nothing for it. */
void natural_order(struct scatter *c);

/* plan_having.c */
const struct merge_expr *having_make(struct scatter *c, struct expr *e);

#endif
