/* change_text.h - what a write has done to a copy, as statements for the shards (see gather.h).
 *
 *   change_select_text() --the engine's rows--> change_row() x n, change_end() --> statements
 *
 * CHANGE_DELETE  DELETE FROM t WHERE `key` IN (...) AND (primary key) IN (...)
 * CHANGE_UPDATE  UPDATE t SET a = 1, b = 'x' WHERE ... as above: rows that get the same values
 *                are one statement. A row whose primary or unique key changes is deleted and
 *                inserted anew, all deletes before all inserts: then no order of the rows can
 *                make two of them meet.
 * CHANGE_INSERT  the plan's head, tuples, its tail
 *
 * All values are literals that mean the same in every session that reads the statement in a
 * character set with ASCII in it.
 */
#ifndef CORE_ROUTE_CHANGE_TEXT_H
#define CORE_ROUTE_CHANGE_TEXT_H

#include "core/mysql/cell.h"
#include "core/route/change_case.h"
#include "core/route/gather.h"
#include "core/route/gather_define.h"

/* Of one target. */
struct change_table {
    enum change_verb            verb;
    const struct route_table   *table;
    const struct gather_copy   *copy;    /* all columns, numbered */
    const struct change_target *target;
    const struct gather_key    *primary;
    bool                       *written; /* UPDATE: assigned, or ON UPDATE */
    bool                        moves;   /* UPDATE: a key's column is written */
    uint32_t                    n_cells; /* of the engine's rows */
};

/* False and `err`: it cannot be done. Memory is `a`'s. */
bool change_table_init(struct arena *a, struct change_table *t, struct err *err) must_check;

/* Columns of the copy whose former values are needed; [copy->n) of `a`. */
const bool *change_before(struct arena *a, const struct change_table *t);

/* For the engine. `n_before`: rows that the copy had before the statement. */
void change_select_text(const struct change_table *t, uint64_t n_before, struct buf *out);

enum { CHANGE_NUMBERS_MAX = 1000 }; /* of one statement */

/* A statement: it has to match so many rows; 0: it is a SELECT of one row with numbers, and the
 * next one has holes for them (change_writer.holes). `again`: it comes behind all that is not. */
typedef void change_emit(void *context, struct span text, uint64_t rows, bool again);

struct change_writer {
    const struct change_table *t;
    struct span                head, tail; /* INSERT: rendered */
    bool                       whole;      /* INSERT: one statement for all rows */
    change_emit               *emit;
    void                      *context;
    struct buf                 set, keys, tuples; /* owned: the statement in the making */
    uint32_t                   n;
    struct case_value         *values;             /* [n_values), owned: what `set` says */
    uint32_t                   n_values;
    struct buf                 names;              /* owned: what `values` name */
    struct change_cases        cases;              /* owned: small groups of rows */
    struct buf                 inserts;            /* owned: likewise */
    struct buf                 numbers;            /* owned: what has to be said before `inserts` */
    uint32_t                   n_numbers;          /* that it takes */
    uint32_t                   holes[CHANGE_NUMBERS_MAX]; /* [n_numbers): where in `inserts` */
    uint32_t                   n_moved;
};

/* False and `err`: a value that cannot be written. */
bool change_row(struct change_writer *w, const struct cell *cells, struct err *err) must_check;
void change_end(struct change_writer *w);
void change_writer_fini(struct change_writer *w);

#endif
