/* plan_internal.h - what the files of the planner share.
 *
 * plan.c        dispatch, refusals, names
 * plan_scope.c  which tables a statement uses, what its column names mean
 * plan_function.h  which functions are the server's own
 * plan_outer.c  aggregate functions of rows further out
 * plan_numbers.c  tables that every server makes up: seq_1_to_9
 * plan_stateless.c  which reads need nothing of their connection
 * plan_where.c  which equalities hold: keys fixed, tables joined on the key
 * plan_text.c   templates: made from ranges of the statement, rendered
 * plan_route.c  run time: operands to shards
 * plan_select.c, plan_scatter.c, plan_item.c, plan_group.c, plan_having.c  reads
 * plan_gather*.c   reads that are gathered; plan_change.c, plan_meet.c, plan_nextval.c: writes
 * plan_view.c   views as their SELECTs; plan_view_write.c: as their tables;
 *               plan_view_text.c
 * plan_match.c  MATCH ... AGAINST
 * plan_hide.c   what must not be seen while rows move
 * plan_write.c, plan_insert.c, insert_run.c, plan_once.c   writes
 * plan_lookup.c   tables with lookups
 * plan_load.c, load_run.c                       LOAD DATA
 * plan_fence.c, fence.c                         what waits while rows move
 * plan_refused.c   whom to ask about a statement that is refused
 * plan_call.c                                   CALL
 * plan_session.c, plan_show.c, plan_admin.c, plan_information.c, plan_named.c  everything else
 */
#ifndef CORE_ROUTE_PLAN_INTERNAL_H
#define CORE_ROUTE_PLAN_INTERNAL_H

#include "core/route/information.h"
#include "core/route/plan.h"
#include "core/route/plan_function.h"
#include "core/sql/digest.h"
#include "core/sql/parse.h"

/* Rows of a region exist together; a region of the nullable side of an outer
 * join, or of a subquery, hangs on its parent's rows: what is known in it holds
 * for its own tables only. */
#define PLAN_TABLES_MAX 500

struct region {
    struct region *parent;   /* NULL: stands alone */
    bool           nullable; /* of an outer join in the parent; else of a subquery */
};

/* Column names of one SELECT block. */
struct scope {
    struct scope    *outer; /* of the block around it, NULL: none visible */
    struct region   *region;
    struct query    *query; /* NULL in UPDATE, DELETE */
    bool             right_names; /* RIGHT JOIN with USING or NATURAL: a name that several tables
                                     have is that of which one? */
    struct instance *first, *last;
    struct cte_scope *ctes;
    bool             aggregated; /* by a subquery's aggregate function of its columns, perhaps */
    bool             hidden;   /* hide_make() has told it */
    struct scope    *next_all; /* planner.scopes */
};

/* A condition that rows of the instances of a region must meet to matter at all. */
struct condition {
    struct scope     *s;
    struct expr      *e;
    struct region    *region;
    struct condition *next;
};

/* Columns of two tables that USING makes one: equal in the rows of the region. */
struct meeting {
    struct region   *region;
    struct instance *a, *b;
    uint32_t         a_column, b_column;
    struct meeting  *next;
};

struct cte_scope {
    const struct cte *list;
    bool              recursive;
    struct cte_scope *outer;
};

/* One occurrence of a table. */
struct instance {
    struct span               alias;   /* by which columns name it */
    struct span               schema;
    const struct route_table *table;   /* NULL: derived, or not in the routes */
    uint32_t                  table_index;
    struct query             *derived; /* a derived table whose output columns are known */
    const struct route_column *derived_key; /* type of column `key` of a derived table */
    uint32_t                  key;     /* column that fixes the shard, ROUTES_NONE: not sharded */
    struct region            *region;
    struct instance          *next;    /* in the scope */
    struct instance          *next_all;
    const struct table_ref   *ref;
};

/* A column of an instance that takes part in an equality. */
struct node {
    struct instance           *instance;
    uint32_t                   column;
    const struct route_column *type;
    struct class              *class;
    struct node               *next;
};

/* Columns of one region that are equal. */
struct class {
    struct class           *merged; /* into this one */
    struct region          *region;
    struct node            *outer;  /* a column of an enclosing region they equal */
    struct key_group       *group;  /* constants they equal; `table` set when used */
    struct instance        *exported; /* the derived table that stands for them */
    bool                    null_rejected; /* `group` comes from a WHERE over the outer join */
};

struct change_target;

struct planner {
    struct arena              *arena;
    const struct plan_context *context;
    const struct routes       *routes;
    struct span                text;   /* the statement */
    const uint8_t             *source; /* the same with comments blanked; offsets equal */
    const struct digest       *digest; /* may be NULL */
    const struct stmt         *stmt;
    struct plan               *out;
    uint32_t                  *params; /* offsets of the '?', n_params of them */
    uint32_t                   n_params;

    struct instance *instances; /* all of the statement, linked by next_all */
    uint32_t         n_instances;
    struct node     *nodes;
    bool             refused, hinted; /* hinted: a comment names the shard */
    bool             keeps_to_txn;    /* CALL: it neither begins nor ends one */

    bool              gathers;    /* a plan to gather is made: what follows is noted */
    uint32_t          n_defaults; /* DEFAULT(column) in the statement */
    struct query     *whole;      /* all that is read */
    struct query     *tail;       /* and what an INSERT's end reads, as its items; or NULL */
    struct change_maker *maker;   /* NULL: a read */
    struct scope     *scopes;
    struct condition *conditions;
    struct meeting   *meetings;

    struct insertion *insertions; /* hide_make(): ascending by place */
    uint32_t          n_insertions, insertions_cap;
    bool              hide_locks;

    /* What the tables say. */
    bool     any_sharded, any_reference, any_global, any_unknown, any_system;
    bool     any_view, any_stored; /* stored functions */
    const struct func *at_home;    /* a stored function that uses its home's tables alone */
    struct span    reads;          /* CALL: tables of one that only reads, or ptr NULL */
    struct reader *readers;        /* gathers: such stored functions; plan_call.h */
    bool     any_code;             /* a table of a database with routines or triggers */
    uint32_t home;     /* of the global tables, ROUTES_NONE: none yet */
    uint32_t home_database;
    bool     home_conflict;
    uint32_t reference_home; /* of a reference table's database */
    struct span sharded_name; /* a sharded table, for sentences */
    struct span conflict_name;
};

/* ---- plan.c ---- */

/* Make the plan a refusal (the first one stands). Returns false. */
bool refuse(struct planner *p, uint16_t code, const char *fmt, ...) printf_like(3, 4);
#define NOT_YET(p, ...) refuse((p), SQL_NOT_SUPPORTED, __VA_ARGS__)

void *make(struct planner *p, size_t bytes);
uint32_t home_of(struct planner *p, struct span schema, uint32_t *database);
bool all_global(const struct routes *r, uint32_t database);
void to_home(struct planner *p, uint32_t home, const char *reason);

/* printf's "%.*s" arguments. */
#define SHOWN(s) (int)((s).len > 64 ? 64 : (s).len), (const char *)(s).ptr

/* ---- plan_scope.c ---- */

/* Something that has columns; nothing is known of it yet. */
struct instance *scope_add(struct planner *p, struct scope *s, struct span alias,
                           struct span schema);

/* plan_numbers.c: the reference is seq_1_to_9 or the like, NULL: it is not. */
struct instance *numbers_add(struct planner *p, struct scope *s, const struct table_ref *ref);
bool numbers_is(const struct instance *i);

/* Register a table of the routes by its path; never NULL. */
struct instance *scope_add_path(struct planner *p, struct scope *s, const struct path *path,
                                struct span alias);
struct scope *scope_new(struct planner *p, struct scope *outer, struct region *parent);

/* A query with all that is in it. False: refused. */
bool scope_query(struct planner *p, struct query *q, struct scope *outer,
                 struct region *parent, struct cte_scope *ctes, struct scope **top);
bool scope_from(struct planner *p, struct scope *s, struct table_ref *ref, struct region *region);
/* The subqueries inside an expression of a block. */
bool scope_expr(struct planner *p, struct scope *s, struct expr *e);
void scope_cte(struct planner *p, struct scope *s, const struct cte *list, bool recursive);

/* Of this block? */
bool scope_has(const struct scope *s, const struct instance *i);

/* plan_outer.c: an expression of the block that may be an aggregate function of others' rows. */
void scope_see_aggregate(struct scope *s, const struct expr *e);

/* The column a name means, or NULL when that is not known for sure. `index`: its
 * number in the table (or in the derived table's items). */
struct instance *scope_column(const struct scope *s, const struct path *path, uint32_t *index);
const struct route_column *instance_column(const struct instance *i, uint32_t index);

static inline struct expr *
bare(struct expr *e)
{
    while (e != NULL && e->kind == EXPR_PAREN)
        e = e->args;
    return e;
}

static inline bool
instance_sharded(const struct instance *i)
{
    return i->key != ROUTES_NONE;
}

/* plan_stateless.c: see plan.stateless. */
bool plan_is_stateless(const struct planner *p);
/* See plan.primary_why. */
const char *plan_primary_why(const struct planner *p);

/* A stored function is used. False: refused. */
bool scope_stored(struct planner *p, const struct func *f);

/* ---- plan_where.c ---- */

/* Learn from a condition that must hold. `only` NULL: it filters the rows of the
 * scope; else it is the ON of a join inside `only`, a nullable side, and says
 * something about the tables in there alone. */
void where_learn(struct planner *p, struct scope *s, struct expr *condition, struct region *only);
void where_equal(struct planner *p, struct instance *a, uint32_t a_column, struct instance *b,
                 uint32_t b_column, struct region *only);
/* The row of `outer`, of an enclosing block, equals that of `inner` in these columns. */
void where_bind(struct planner *p, struct instance *inner, uint32_t inner_column,
                struct instance *outer, uint32_t outer_column);
/* Is the column one of those that equal the key of a sharded instance of its region? */
bool where_is_key(struct planner *p, struct instance *i, uint32_t column);
/* plan_operand.c: an operand if the expression is one. */
/* The id of a collation whose order is known, else 0. */
uint16_t collation_named(struct span name);
bool operand_make(struct planner *p, struct expr *e, struct operand *out);

/* Decide the target from all that was learned: kind, groups, home. `main`: the region
 * whose rows a scatter would cut into parts. False: refused. */
bool where_target(struct planner *p, const struct region *main, struct target *out);
/* A derived table's block that is cut into parts by a key: an instance with that key, or NULL. */
struct instance *where_export(struct planner *p, struct scope *s, struct query *q);
void where_exported(struct planner *p, struct instance *inside, struct instance *derived);
/* For gathering, when all is learned: where_keys() has the constants that a sharded table's key
 * must equal for a row to matter, or NULL. */
void where_complete(struct planner *p);
const struct key_group *where_keys(struct planner *p, struct instance *i);
/* Behind where_target(), for sharded tables. A row of `i` matters only beside one with the same
 * key further out: of the block around it, or of the side that its outer join keeps. */
bool where_hangs(struct planner *p, struct instance *i);
/* What the column must equal, in the rows of its region; NULL: nothing is known. */
const struct key_group *where_constants(struct planner *p, struct instance *i, uint32_t column);
/* The keys of two tables of one region are equal. */
bool where_equals(struct planner *p, struct instance *a, struct instance *b);
/* GROUP BY, or the items of a DISTINCT, hold the key: groups do not span shards. */
bool where_groups_by_key(struct planner *p, struct scope *s, struct query *q);
bool where_items_have_key(struct planner *p, struct scope *s, struct query *q);

/* ---- plan_text.c ---- */

struct text {
    struct planner        *p;
    struct template_piece *pieces;
    uint32_t               n, cap;
};

void text_begin(struct text *t, struct planner *p);
void text_const(struct text *t, const char *words);
void text_span(struct text *t, struct span s);
void text_source(struct text *t, uint32_t start, uint32_t end); /* with operands for literals */
void text_piece(struct text *t, struct template_piece piece);
void text_name(struct text *t, struct span name); /* in backticks */
struct sql_template text_end(struct text *t);
const struct sql_template *text_keep(struct text *t);

/* ---- plan_hide.c ---- */

/* A table of the statement has rows that must not be seen unless keys fix it. */
bool hide_table(const struct planner *p, const struct route_table *t);
/* There is a set for it, or for a table that the view may show. */
bool hide_table_moves(const struct planner *p, const struct route_table *t);
/* There are sets for tables of the statement, also if the shards it asks have no keys in them. */
bool hide_moving(const struct planner *p);
/* From now on text_source() says the conditions that keep them out, when there are any:
 * out->hides. False: refused, with a sentence about the move. */
bool hide_make(struct planner *p);
bool hide_routes(const struct routes *r); /* any table has */
/* hide_make(), and out->text becomes the whole statement, with out->hides only. */
bool hide_statement(struct planner *p);
/* hide_statement() for a PLAN_WRITE; where that is refused but keys may fix one shard, the
 * target is for one. */
void hide_write(struct planner *p);
/* EXPLAIN of what shards are sent. */
void hide_explain(struct planner *p, const struct plan *inner);
/* One condition: about column `key` of `alias`; `locks`: the statement locks the rows. */
void hide_condition(struct text *t, const struct route_table *hiding, struct span alias,
                    const struct route_column *key, bool locks);
/* For text_source(): the first insertion behind a place, the place of the i-th (UINT32_MAX:
 * there are no more), its words. */
uint32_t hide_first(const struct planner *p, uint32_t behind);
uint32_t hide_at(const struct planner *p, uint32_t i);
void     hide_say(struct text *t, uint32_t i);

/* ---- plan_route.c ---- */

/* Scratch for operand_value(). */
struct value_room {
    char       digits[96];
    struct buf bytes; /* value_room_fini() */
};

void operand_value(const struct plan *plan, const struct operand *o,
                   const struct plan_values *values, struct value_room *room,
                   struct key_value *out);

/* ---- the kinds ---- */

void plan_select(struct planner *p, struct query *q);
/* Keys: one value that is decided whatever it is, no need to think of more shards. */
bool target_certainly_one(const struct planner *p, const struct target *t);
/* plan_gather.c: p->out becomes a PLAN_GATHER, because of what it was refused for; or, when it
 * is a PLAN_ONE, gets a `gather`. What cannot be gathered is as it was, but for the error. */
void plan_gather(struct planner *p, struct query *q);
/* plan_fill.c: of a CREATE TEMPORARY TABLE ... SELECT that no shard can do. */
void plan_fill(struct planner *p);

/* plan_view.c: a refused statement with views becomes a PLAN_EXPAND, if it can. */
void plan_view(struct planner *p);
/* Its text means the same in this session; else perhaps an error that says so. */
bool view_is_sayable(struct planner *p, const struct route_table *view);
/* plan_view_write.c: p->out->text has the view's table where a view is written. False: it cannot
 * be; perhaps an error says why. */
bool view_write(struct planner *p);
/* plan_view_text.c: the table at a path, NULL: none is known; the view's block, NULL: it is no such
 * thing, or not known, with ranges in view_text. */
const struct route_table *view_table(const struct planner *p, const struct path *path);
const struct query *view_query(struct planner *p, const struct route_table *view);
/* Refused, as it is a view with a reference table, or that is the column's (`ptr` NULL: all of
 * them): what no shard may write alone. */
bool view_writes_copies(struct planner *p, const struct route_table *t, struct span column);

/* plan_change.c: as plan_gather(), for the statement that is a write. */
void plan_change(struct planner *p);

/* plan_item.c, plan_scatter.c */
bool has_aggregate(struct expr *e);
bool query_aggregates(const struct query *q); /* in the block itself */
/* plan_scatter.c: text and merge. False: refused. */
bool plan_scatter(struct planner *p, struct query *q, struct scope *s);

/* plan_alone.c */
/* Whether the row has to be selected where it is alone on its shard; its values can be. `number`:
 * the one of the AUTO_INCREMENT column, which is given, or NULL. */
bool alone_needs_select(const struct insert *in, const struct row *row, const struct expr *number);
/* Where the word VALUES before the rows begins. False: that is not known. */
bool alone_values_word(const struct planner *p, uint32_t rows, uint32_t *start);

void plan_insert(struct planner *p);
/* Where the column stands in a row of values; ROUTES_NONE: it is not listed. */
uint32_t insert_position(const struct insert *in, const struct route_table *table,
                         uint32_t column);
/* Values of a SET GLOBAL that are no constants; true when there are any. */
bool plan_once_global(struct planner *p, const struct set *set);

/* The number of a KILL; false: it cannot be computed first. */
bool plan_once_kill(struct planner *p, const struct expr *id);

/* Arguments of a CALL with subqueries, and the one that is the key of its rows; false: all are
 * known, or nothing can be done. */
bool plan_once_arguments(struct planner *p, struct expr *arguments, const struct expr *key);

/* A SELECT of other shards' rows asks who has a lock. True: that is known first. */
bool plan_once_locks(struct planner *p);
/* Values of SET or DO that are of several shards; false: they are not, or nothing can be done. */
bool plan_once_asked(struct planner *p, struct expr *const *values, uint32_t n);

bool expr_has_query(struct expr *e);

/* plan_write.c: what RETURNING reads beside the rows it is said of. False: refused. */
bool scope_returning(struct planner *p, struct scope *s, struct select_item *items);

/* plan_once.c: true when some values must be computed before the statement can be planned. */
bool plan_once(struct planner *p, const struct insert *in, const struct route_table *table);
/* Every copy of a reference table would get the same values. False: refused. */
bool write_is_repeatable(struct planner *p);
/* The function's value may differ between the copies of a reference table. */
bool function_differs(const struct func *f);
/* plan_write.c: what no shard can do alone becomes a change, if it can. */
void write_elsewhere(struct planner *p);
void plan_update(struct planner *p);
void plan_delete(struct planner *p);
void plan_load(struct planner *p);
void plan_call(struct planner *p); /* plan_call.c */
void plan_session(struct planner *p);
/* plan_session.c: to the one home of the statement's tables, or refused. */
void one_home(struct planner *p, const char *what, bool reference_too, const char *reason);
void plan_show(struct planner *p);

/* plan_names.c: refuses a statement whose names may be others than they look; false then. */
bool plan_names_clear(struct planner *p);
/* plan_information.c: a table of information_schema is used; the whole statement is known; a
 * SHOW is of what differs between shards, and planned. */
void plan_information_note(struct planner *p, struct span name);
void plan_information_finish(struct planner *p);
bool plan_show_information(struct planner *p);
/* Of the database that a statement about tables of information_schema asks for. */
uint32_t plan_information_home(struct planner *p);
/* plan_hint.c */
void plan_note_hint(struct planner *p);

/* plan_admin.c. The bools: whether it is one of theirs, planned or refused. */
void plan_admin_table(struct planner *p);
void plan_flush(struct planner *p);
void plan_admin(struct planner *p);
bool plan_set_global(struct planner *p);
bool plan_show_server(struct planner *p);
/* plan_session.c: to the controller, which knows about accounts. */
void plan_account(struct planner *p);
void plan_named(struct planner *p); /* plan_named.c */
/* plan_lookup.c: does the statement write tables with lookups? */
void plan_note_lookups(struct planner *p);
/* The statement is a PLAN_SCATTER now: a lookup that tells its shards, if there is one. */
void plan_lookup_read(struct planner *p, struct scope *s);
/* plan_refused.c: does a server know better why not? */
void plan_note_refused(struct planner *p);
/* plan_fence.c, when all else is known. */
void plan_note_fence(struct planner *p);

#endif
