/* gather.h - what a whole server has to be given so that it can answer a read.
 *
 *   shards ── fetch ──► temporary tables of the same names, on the engine
 *                                     │
 *                       plan.text (or the statement) runs there ──► the client
 *
 * A plan's `gather` stands for every statement with its normalised text, as the plan itself
 * does. It is that of a PLAN_GATHER or PLAN_CHANGE; or of a PLAN_ONE or PLAN_WRITE whose keys may
 * turn out to be of several shards: gather_needed() tells.
 *
 * What makes the answer right:
 * - each base table of the statement is here once, with every column that any part of the
 *   statement can name and every row that can matter to any of its occurrences; the statement
 *   itself runs unchanged, its conditions too, so a row too many does no harm;
 * - what a fetch's WHERE says, the statement says of that table's rows as well, and it gives one
 *   answer for a row wherever it is asked: columns of the table, constants of the statement and
 *   functions of these alone;
 * - of what a routine reads there every row and column of each table that it may name is here;
 * - nothing in the statement depends on which server runs it, but for the session's settings and
 *   user variables, which the engine's connection has to have.
 *
 * Not looked at here, as it is the session's: a name may be that of one of its temporary tables.
 */
#ifndef CORE_ROUTE_GATHER_H
#define CORE_ROUTE_GATHER_H

#include "core/route/plan.h"

/* Rows of the table matter only where `column` has a value that `of_column` has in a row that
 * was fetched of table `of`, one of a wave before: see plan_gather_join.c. */
struct gather_join {
    uint32_t column;
    uint32_t of, of_column; /* in gather_spec.tables; a column of it that is fetched */
};

/* A table whose rows are copied to the engine for one statement. */
struct gather_table {
    uint32_t            table;        /* index in the routes; never a view */
    struct span         schema, name; /* as in the routes: the statement finds it by these */
    struct target       target;       /* whose rows: a reference table is at any shard */
    struct sql_template from;         /* " FROM `s`.`t` WHERE ... FOR UPDATE": the fetch, but for
                                         its list of columns. In a session with all the client's
                                         settings, as they are what conditions mean; all but
                                         sql_select_limit, which would leave rows out */
    bool                filtered;     /* it has a WHERE */
    bool                locks;        /* FOR UPDATE or LOCK IN SHARE MODE stands in it */
    uint32_t            conditions_end; /* pieces of `from` before this place; there further
                                           conditions may stand: */
    bool                says_where;     /* ... behind AND, else behind WHERE */
    uint32_t            wave;         /* those of a wave are fetched when those before are there */
    uint32_t            n_joins;
    const struct gather_join *joins;
    uint32_t            n_columns;    /* fetched, at least one */
    const uint32_t     *columns;      /* [n_columns), indexes in the routes' table, ascending */
    uint32_t            n_keys;
    const uint32_t     *keys;         /* [n_keys) of these: compared for equality with columns of
                                         other tables, and of a type that can be a key */
    bool                numbered;     /* of a change_target: each row of the copy has a number */
};

struct gather_spec {
    uint32_t                   n_tables; /* at least one */
    const struct gather_table *tables;   /* by waves, ascending from 0 */
    uint32_t                   n_waves;  /* at least one */
    const struct sql_template *text;     /* for the engine; NULL: the statement as written */
    bool                       asks_defaults; /* DEFAULT(column) */
    bool                       calls;    /* a routine that only reads runs on the engine, and may
                                            look for its tables' names anywhere */
    bool                       hides;    /* fetches keep rows out that must not be seen */
    bool                       ordered;  /* what becomes of it may depend on the order of rows:
                                            by primary key is what one server would have */
};

/* A write whose rows one server has to find: the statement runs on the engine, where it changes
 * the copies; what has become of their rows is then written on the shards, by primary key and
 * with plain values, in the same transaction. So MariaDB itself says which rows, which values,
 * how many, and with which warnings.
 *
 * CHANGE_INSERT: the copy of the target takes the new rows as they would be stored; the shards
 * get them by `head` (tuples) `tail`, and look for duplicates. With `meets` the copy has the rows
 * that new ones may meet, and its keys: then what has become of them is written as by an UPDATE,
 * and the new ones behind. */
enum change_verb { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE };

struct change_target {
    enum change_verb verb;
    bool            whole;     /* every row of the table is fetched */
    uint32_t        at;        /* in gather_spec.tables; all columns of it are there */
    uint32_t        n_columns; /* UPDATE: that are assigned, ascending; INSERT: that get values,
                                  in their order */
    const uint32_t *columns;   /* indexes in the routes' table */
    const struct span *numbers; /* INSERT: [n_columns) of those that get a sequence's number when
                                   the row is written: "NEXTVAL(s)", else empty; NULL: none */
    uint32_t        zero;      /* a column whose 0 asks for a number, which the engine does not
                                  know; ROUTES_NONE: there is none */
    uint32_t        moved_zero; /* UPDATE: likewise, of a row that is inserted anew as it is */
};

struct change_spec {
    enum change_verb            verb;
    bool                        ignore;
    bool                        from_query; /* INSERT ... SELECT */
    bool                        meets;     /* INSERT: see above */
    bool                        takes_numbers; /* INSERT: of sequences */
    bool                        takes_defaults; /* a value that goes to a shard is DEFAULT */
    bool                        answers;   /* INSERT: what the engine answers is the answer */
    uint32_t                    n_targets; /* at least one; INSERT: one, or an UPDATE and it */
    const struct change_target *targets;
    struct sql_template         head, tail;
    const struct sql_error     *duplicates; /* INSERT: the error when a shard finds a duplicate;
                                               NULL: its own */
};

/* Whether this execution has to be gathered: always that of a PLAN_GATHER or PLAN_CHANGE. */
bool gather_needed(const struct plan *plan, const struct routes *routes,
                   const struct plan_values *values) must_check;

/* Whether some shard has all of the tables, if not all of the rows: it knows the columns of the
 * answer. *home is it; ROUTES_NONE: every shard has them. */
bool gather_home(const struct gather_spec *spec, uint32_t *home) must_check;

/* Whether a list of values of `of` says on a shard what = with its column says on the engine. */
bool gather_lists(const struct route_column *column, const struct route_column *of) must_check;

/* The shards to fetch a table from, at least one; `any` as for plan_route(), and for TARGET_ANY
 * it is the one. Allocates nothing. */
void gather_route(const struct plan *plan, const struct routes *routes,
                  const struct gather_table *table, const struct plan_values *values,
                  uint32_t any, struct shard_set *out);

#endif
