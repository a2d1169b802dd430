/* binlog_build.h - rows from one server's log as a BINLOG statement for another.
 *
 *     BINLOG 'base64( TABLE_MAP TABLE_MAP ... ROWS ROWS ... )'
 *
 * A server that runs it does what a replica would: it takes each value's bytes as they are, fires
 * no triggers, fails when a row to be inserted is there already (1062) or one to be updated or
 * deleted is not (1032), and the changes are part of the session's transaction. All tables stand
 * before the rows, the last rows event ends the statement.
 *
 * The session must first be given the FORMAT_DESCRIPTION of the log that the rows come from, once:
 * binlog_statement(sql, event.raw).
 *
 *     binlog_batch_init(&b, &format, 0);
 *     for each rows event:
 *         table = binlog_batch_table(&b, t, database, name);
 *         for each row of it:
 *             if (!binlog_batch_fits(&b, &row)) { run binlog_batch_take(); table = ... again }
 *             binlog_batch_row(&b, table, change, &row);
 *     run binlog_batch_take()
 */
#ifndef CORE_MYSQL_BINLOG_BUILD_H
#define CORE_MYSQL_BINLOG_BUILD_H

#include "core/mysql/binlog_rows.h"

enum { BINLOG_BATCH_BYTES = 4 << 20 };

struct binlog_batch {
    const struct binlog_format *format; /* borrowed */
    size_t      limit;                  /* of the statement's text */
    uint16_t    flags;     /* of rows events; may be changed after init */
    struct span present;   /* a bit a column that images have; empty: all, else of the one table */
    uint32_t    timestamp; /* of the events that are made; may be changed at any time */
    uint32_t    server_id;
    struct buf  maps, rows;             /* whole events, but for the last one of rows */
    uint32_t    n_tables;
    size_t      open;                   /* where the last event begins in `rows` */
    bool        is_open;
    uint32_t    open_table;
    enum binlog_change open_change;
};

/* `f`: what the session's FORMAT_DESCRIPTION says; must outlive the batch. `limit`: bytes that a
 * statement should have at the most; 0: BINLOG_BATCH_BYTES. False: the log's format is not one we
 * can write (no server's of today). */
bool binlog_batch_init(struct binlog_batch *b, const struct binlog_format *f, size_t limit)
    must_check;
void binlog_batch_fini(struct binlog_batch *b);

/* The number, until the next binlog_batch_take(), of table `t` (for its columns), called `name` in
 * `database` on the target. Each at most 255 bytes. The same table has the same number. */
uint32_t binlog_batch_table(struct binlog_batch *b, const struct binlog_table *t,
                            struct span database, struct span name);

/* Whether the row can be added without passing the limit. An empty batch takes any row. */
bool binlog_batch_fits(const struct binlog_batch *b, const struct binlog_row *row);

/* `change` need not be what the row's event said: BINLOG_INSERT takes row.after and BINLOG_DELETE
 * row.before of an UPDATE. What it needs is there. */
void binlog_batch_row(struct binlog_batch *b, uint32_t table, enum binlog_change change,
                      const struct binlog_row *row);

static inline bool
binlog_batch_empty(const struct binlog_batch *b)
{
    return buf_len(&b->rows) == 0;
}

/* Append the statement of what was added to `sql`; the batch is empty then. Nothing for an empty
 * batch: false. */
bool binlog_batch_take(struct binlog_batch *b, struct buf *sql);

/* Append the BINLOG statement of whole events. */
void binlog_statement(struct buf *sql, struct span events);

/* Runs a BINLOG statement on a server that takes statements of up to `packet_max` bytes (its
 * max_allowed_packet): one that is longer as two halves in user variables and a BINLOG of these,
 * which are NULL again afterwards. */
typedef bool (*binlog_run_fn)(void *context, struct span sql); /* false: stop */

enum binlog_run {
    BINLOG_RUN_DONE,
    BINLOG_RUN_FAILED,   /* `run` returned false */
    BINLOG_RUN_TOO_LONG, /* longer than two such statements; nothing was run: the row is for a
                            server with a larger max_allowed_packet */
};
enum binlog_run binlog_run(struct span sql, size_t packet_max, binlog_run_fn run, void *context)
    must_check;

#endif
