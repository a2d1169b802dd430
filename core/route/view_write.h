/* view_write.h - a view that is written becomes its table: what plan_view_write.c and
 * plan_view_column.c share, not for others. */
#ifndef CORE_ROUTE_VIEW_WRITE_H
#define CORE_ROUTE_VIEW_WRITE_H

#include "core/route/plan_internal.h"

enum { ERR_NOT_UPDATABLE_TABLE = 1288, ERR_NOT_INSERTABLE = 1471 };

struct view_edit_at {
    struct range range; /* of the statement */
    struct span  words; /* in its place */
};

struct view_writer {
    struct planner           *p;
    const struct route_table *view;
    struct span               alias;   /* the statement's name for it */
    bool                      aliased;
    const struct query       *q;       /* what it is */
    struct span               inner;   /* its own name for the table */
    const struct path        *base;
    const struct route_table *table;   /* NULL: it is another view, or not known */
    struct span               called;  /* the table's name in the new statement */
    bool                      joined;  /* it has several tables, and stands for all of them */
    bool                      single;  /* no other table is beside it */
    const struct table_ref   *ref, *tree; /* it, and all of an UPDATE or DELETE */
    const struct query       *source;  /* INSERT ... SELECT */
    const struct query      **blocks;  /* subqueries */
    uint32_t                  n_blocks;
    struct span               owner;   /* of what is assigned, in a join */
    bool                      counts;  /* edits are counted, not made */
    bool                      failed;
    struct view_edit_at      *edits;
    uint32_t                  n;
};

/* The table's column that an item of the view is; empty: it is something else. */
struct span view_column_of(const struct select_item *item);

/* With the names of the new statement: an item of the view, anything in its text. */
void view_put_item(struct view_writer *w, const struct select_item *item, struct buf *out);
void view_put_inner(struct view_writer *w, struct expr *e, struct buf *out);

/* `words`, which are empty then, instead of what stands there; a constant likewise. */
void view_edit(struct view_writer *w, struct range range, struct buf *words);
void view_say(struct view_writer *w, uint32_t start, uint32_t end, const char *words);

/* For a visitor whose context is the writer: names of the statement that are the view's. */
bool view_see_column(struct visitor *v, struct expr *e);

/* Names of columns that are assigned; `bare`: as in a list, without the table's. */
void view_see_assigned(struct view_writer *w, const struct path *path, struct range range,
                       bool bare);
void view_see_assignments(struct view_writer *w, const struct assignment *a, bool bare);

/* It has a column that is none of its table's. */
void view_not_insertable(struct view_writer *w);

#endif
