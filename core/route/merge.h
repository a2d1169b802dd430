/* merge.h - one answer out of the answers of several shards.
 *
 *   leg 0 -rows-> queue \                       / concatenate \
 *   leg 1 -rows-> queue  > decode, compare ---->  merge-sort    > DISTINCT, LIMIT -> rows
 *   leg n -rows-> queue /                       \ group, sort /
 *
 * Pure: whoever owns the sockets pushes row payloads in (merge_row, merge_end),
 * asks which legs to go on reading (merge_wants) and pulls row payloads out
 * (merge_next). Rows come and go in the same protocol, text or binary. A leg's
 * answer has the client's columns first and hidden ones behind them, by which
 * rows are compared or aggregates computed; they never leave the merger.
 *
 * Memory: a leg's queue is bounded by MERGE_QUEUE_BYTES plus one row as long as
 * the caller obeys merge_wants(); groups, DISTINCT and sorted groups count
 * against the limit given. What is more goes to a temporary file, with
 * merge_may_spill(); passing the limit ends the merge with an error otherwise.
 */
#ifndef CORE_ROUTE_MERGE_H
#define CORE_ROUTE_MERGE_H

#include "core/base/base.h"
#include "core/base/err.h"

#define MERGE_NONE        UINT32_MAX
#define MERGE_HIDDEN      0x80000000u /* + n: the n-th hidden column, which stand last */
#define MERGE_QUEUE_BYTES ((size_t)256 << 10)

/* How a column of the answer is made from the columns of a group's rows. */
enum merge_function {
    MERGE_ANY,     /* the first row's (one that is not NULL where all rows are one group) */
    MERGE_COUNT,   /* COUNT: the sum of counts, NULL never */
    MERGE_COUNT_DISTINCT, /* how many unlike values of `key` that are not NULL */
    MERGE_SUM,     /* exact for numbers of integer and DECIMAL type, double otherwise */
    MERGE_MIN, MERGE_MAX,
    MERGE_AVG,     /* sum of `sum` over the sum of `count`, with the column's own decimals */
    MERGE_BIT_AND, MERGE_BIT_OR, MERGE_BIT_XOR,
};

/* A column to compare by. Which of the three is used is decided by the type of
 * `column`: numbers and times by value; strings by the bytes of `weight`
 * (WEIGHT_STRING of it; `collation` knows the weight of a space), or by their own
 * bytes when `collation` is binary. */
struct merge_key {
    uint32_t column;
    uint32_t weight;    /* column index or MERGE_NONE */
    uint16_t collation; /* the server's id; 0 when it is not a string, or not known */
    bool     descending;
};

struct merge_output {
    uint32_t            column;
    enum merge_function function;
    struct merge_key    key;        /* MERGE_MIN, MERGE_MAX, MERGE_COUNT_DISTINCT: how to compare */
    uint32_t            sum, count; /* MERGE_AVG: columns. MERGE_SUM: `sum` has more digits, or
                                       MERGE_NONE */
};

/* HAVING, as a tree over the columns of a finished group. */
enum merge_expr_kind {
    MERGE_EXPR_COLUMN, /* `column`; strings compare with `key` */
    MERGE_EXPR_NUMBER, /* `text`: an exact number */
    MERGE_EXPR_NULL,
    MERGE_EXPR_OPERAND, /* a literal or parameter: `column` is its index in merge_args.numbers */
    MERGE_EXPR_AND, MERGE_EXPR_OR, MERGE_EXPR_XOR, MERGE_EXPR_NOT,
    MERGE_EXPR_EQ, MERGE_EXPR_NE, MERGE_EXPR_LT, MERGE_EXPR_LE, MERGE_EXPR_GT, MERGE_EXPR_GE,
    MERGE_EXPR_NULL_SAFE_EQ,
    MERGE_EXPR_ADD, MERGE_EXPR_SUB, MERGE_EXPR_MUL, MERGE_EXPR_NEG,
    MERGE_EXPR_IS_NULL, MERGE_EXPR_IN, /* the first is compared with the others */
    MERGE_EXPR_BETWEEN,                /* a, low, high */
};

struct merge_expr {
    enum merge_expr_kind             kind;
    uint32_t                         column;
    struct span                      text;
    uint32_t                         n;
    const struct merge_expr *const *args;
};

/* What is the same for every run of a plan; lives as long as the plan. */
struct merge_spec {
    uint32_t                   n_hidden;  /* the last so many columns do not go to the client */
    bool                       grouped;   /* GROUP BY or aggregates: `outputs`, `group` */
    bool                       sorted_legs; /* of the legs' next rows the least by `order` goes
                                               first */
    bool                       natural; /* nobody asked for `order`: legs mostly have it */
    bool                       distinct;    /* over `distinct_keys` */
    bool                       keeps_hidden; /* rows go out with their hidden columns */
    uint32_t                   n_outputs; /* grouped: columns that are not MERGE_ANY */
    const struct merge_output *outputs;
    uint32_t                   n_group;   /* 0 and grouped: one row always */
    const struct merge_key    *group;
    uint32_t                   n_order;
    const struct merge_key    *order;
    uint32_t                   n_distinct;
    const struct merge_key    *distinct_keys;
    const struct merge_expr   *having;
    uint32_t                   n_numbers; /* operands that HAVING uses, see merge_args */
    bool                       uncertain; /* merge_new() may refuse, or `loose` */
    bool                       loose; /* a column is neither grouped by nor in an aggregate: which
                                         row of a group it is of is any server's choice */
    uint32_t                   rows;  /* loose: a column that counts a group's rows */
};

/* What differs between runs; filled by plan_merge_args(). */
struct merge_args {
    uint64_t            offset;
    uint64_t            count;   /* UINT64_MAX: no LIMIT */
    bool                counts_all; /* what LIMIT leaves out is counted: merge_total() */
    const struct span  *numbers; /* [n_numbers): as decimal text; ptr NULL: NULL */
};

enum merge_protocol { MERGE_TEXT, MERGE_BINARY };

enum merge_status {
    MERGE_ROW,   /* a row for the client */
    MERGE_WAIT,  /* push more rows into a leg that merge_wants() */
    MERGE_AGAIN, /* call again when others have had their turn: there is much to do */
    MERGE_DONE,  /* no more rows; legs may still have some, which do not matter (LIMIT) */
    MERGE_ERROR,
};

struct merge;

/* `columns`: payloads of the first leg's column definition packets, n_columns of
 * them, of which the first n_columns - spec->n_hidden are for the client; used during
 * the call only. `spec` and `args` must outlive the merge.
 * NULL and `error` when rows of these types cannot be merged right (a collation
 * whose order we do not know). */
struct merge *merge_new(const struct merge_spec *spec, const struct merge_args *args,
                        const struct span *columns, uint32_t n_columns, uint32_t n_legs,
                        enum merge_protocol protocol, size_t memory_limit,
                        struct sql_error *error);
void merge_free(struct merge *m);

/* What there is no memory for may take `bytes` of a nameless file in `folder`, which outlives
 * the merge. Before the first row; without it, or with 0 bytes, nothing is written. */
void merge_may_spill(struct merge *m, const char *folder, uint64_t bytes);

/* A row's payload, copied; not a packet (a row over 16 MiB: its joined payload).
 * A malformed one makes merge_next() answer MERGE_ERROR. Rows are taken even
 * when the leg was not wanted. */
void merge_row(struct merge *m, uint32_t leg, struct span payload);

/* The leg's answer is complete. */
void merge_end(struct merge *m, uint32_t leg);

/* Whether more rows of this leg should be read now. */
bool merge_wants(const struct merge *m, uint32_t leg);

/* The next row. `row` stays valid until the next call on `m`. MERGE_ERROR: see
 * merge_error(); the status stays. */
enum merge_status merge_next(struct merge *m, struct span *row);
const struct sql_error *merge_error(const struct merge *m);

/* At MERGE_DONE: how many rows there are without LIMIT, with counts_all; else those up to its
 * end. */
uint64_t merge_total(const struct merge *m);

/* With `loose`, at the first MERGE_ROW or MERGE_DONE, when the shards did not all say the same of
 * such a column: how many rows the groups are made of, as far as that is known. Else UINT64_MAX:
 * the row that one server takes is the first of some shard too, so it says the same. */
uint64_t merge_rows(const struct merge *m);

/* Bytes held now: queues, groups. */
size_t merge_memory(const struct merge *m);

#endif
