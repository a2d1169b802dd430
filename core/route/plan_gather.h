/* plan_gather.h - what the files share that plan what is gathered on an engine, and the changes
 * that are made of it.
 */
#ifndef CORE_ROUTE_PLAN_GATHER_H
#define CORE_ROUTE_PLAN_GATHER_H

#include "core/route/plan_internal.h"

/* A table to gather, in the making. */
struct gathering {
    uint32_t                  index; /* in the routes */
    const struct route_table *table;
    bool                     *wanted, *keys; /* per column */
    struct filter            *filters;  /* of its occurrences */
    uint32_t                  n_occurrences;
    bool                      unlocked; /* an occurrence without FOR UPDATE */
    bool                      changed;  /* the statement writes it */
    bool                      empty;    /* ... and does not read it */
    bool                      all_rows; /* whatever the conditions say */
    bool                      whole;    /* a new row, or key, may meet any of its rows; */
    const struct key_group   *meets;    /* ... those with these keys; */
    struct gathering         *like;     /* ... those whose key another has in this column */
    uint32_t                  like_column;
    const char               *lock_words; /* as the statement says nothing of locks; or NULL */
    struct range              lock, partition, period;
    const struct order_item  *order;    /* with `limit`: only the first rows matter */
    const struct limit       *limit;
    struct gather_link       *links;    /* gather_joins(): */
    uint32_t                  n_links, wave, cost, own_cost;
    bool                      settled;
    struct gathering         *next;
};

/* Only rows whose `column` has a value that a fetched row of the other has. */
struct gather_link {
    uint32_t            column;
    struct gathering   *of;
    uint32_t            of_column;
    struct gather_link *next;
};

/* The conjuncts of one occurrence; none, and no keys: every row matters. */
struct filter {
    struct instance        *of;
    struct expr           **parts;
    uint32_t                n, cap;
    const struct key_group *keys; /* its key is one of these, which no conjunct says */
    struct filter          *next;
};

struct gathering *gathering_of(struct gathering *list, const struct instance *i);
struct gathering *gathering_add(struct planner *p, struct gathering **list,
                                const struct instance *i);

static inline bool
gathering_locks(const struct gathering *g)
{
    return g->lock.end != 0 || g->lock_words != NULL;
}

/* A change in the making. */
struct change_maker {
    struct change_spec *spec;
    struct query       *query; /* all that the statement reads, as a SELECT */
    uint32_t            n_targets;
    struct gathering  **targets;
    bool              **columns; /* UPDATE: [n_targets], those assigned */
    bool                assigns, triggered; /* user variables; refused: a table has triggers */
    uint32_t            n_nextvals;
    struct range       *nextvals;  /* INSERT ... SELECT: NEXTVAL(), ascending */
};

/* The tables that are written; `top` is the scope of maker.query, `list` may grow. */
bool change_targets(struct planner *p, struct change_maker *m, struct scope *top,
                    struct gathering **list);
/* The column where a 0 asks for a number; ROUTES_NONE: there is none. */
uint32_t change_zero(const struct planner *p, const struct route_table *table);
/* plan_nextval.c: an INSERT ... SELECT without its NEXTVAL(s), NULL: it has none, or none that
 * could be taken later; the columns that get them. */
struct query *nextval_query(struct planner *p, struct change_maker *m);
bool nextval_columns(struct planner *p, const struct change_maker *m, struct change_target *t);
/* plan_meet.c: what an INSERT says of duplicates and answers, where shards cannot: looked at like
 * the rest of what it reads, whose scope is `source`. False: refused. */
bool meet_tail(struct planner *p, struct change_maker *m, struct scope *source);
/* Of the table that is written (spec.meets): which rows, their filters; the targets. */
void meet_rows(struct planner *p, struct gathering *g, const struct scope *s,
               struct gathering *list);
void meet_filters(struct planner *p, struct gathering *list);
bool meet_targets(struct planner *p, struct change_maker *m);
/* Ranges of the statement that the engine shall not see: at most two. */
uint32_t change_cuts(const struct planner *p, struct range *cuts);

/* plan_gather.c, for both: a planner that notes what is needed, the spec (maker NULL: a read;
 * NULL: refused), what becomes of p->out, and of its error. */
void gather_planner(const struct planner *p, struct plan *scratch, struct planner *out);
const struct gather_spec *gather_make(struct planner *g, struct query *q,
                                      struct change_maker *m);
void gather_become(struct planner *p, const struct planner *g, const struct gather_spec *made,
                   enum plan_kind kind);
void gather_tell_of_engines(struct planner *p);
/* plan_gather_columns.c: which columns are wanted. */
void gather_columns(struct planner *p, struct gathering *list);
/* plan_gather_filter.c: what can be said on the shards, and which columns are worth a key. */
void gather_filters(struct planner *p, struct gathering *list);
/* plan_match.c: there is a MATCH in it; those of the query are what shards can look at: in a
 * scatter (list NULL), or because they stand in filters. False: refused. */
bool match_in(struct expr *e);
bool match_check(struct planner *p, struct query *q, struct gathering *list);
/* plan_gather_order.c: what SQL leaves open, a server decides by the order of its rows. */
bool gather_is_ordered(struct planner *p);
/* plan_gather_join.c: what is fetched behind what; the tables in that order. `m` NULL: a read. */
struct gathering *gather_joins(struct planner *p, struct gathering *list,
                               const struct change_maker *m);
/* plan_gather.c: its rows are on the shards of constants. */
bool gather_has_keys(struct planner *p, const struct gathering *g);
/* plan_gather_text.c; `*conditions_end`: so many pieces of it come before what else a WHERE may
 * say, and it has one already where g->filters or g->table->hide is there. */
struct sql_template gather_from(struct planner *p, const struct gathering *g,
                                uint32_t *conditions_end);
/* The statement without what is on the fetches: locks, index hints, partitions, periods, and
 * conditions with MATCH. NULL: as it is. */
const struct sql_template *gather_statement(struct planner *p, struct gathering *list);
bool gather_is_filtered(const struct gathering *g);
/* The value of the expression, which names columns of `i`, is the same on every server. */
bool gather_is_about(struct scope *s, struct instance *i, struct expr *e);
/* plan_change.c: with all filters known, each shard's first rows are enough. */
void change_limit(const struct planner *p, struct gathering *list, struct scope *top);

#endif
