/* row_cursor.h - rows that a client fetches as it wants them: COM_STMT_FETCH.
 *
 *   COM_STMT_EXECUTE with a cursor --> the same on each shard, whose server keeps the rows
 *   COM_STMT_FETCH n --> one shard: the same there, its bytes are the client's
 *                    --> several: rows of each as the merge wants them, n for the client
 *
 * What may be large lies on the servers, and between two fetches no answer is under way: the
 * session's other statements use the same connections, also inside a transaction. Those are
 * the session's until its last cursor is closed. As on a server cursors outlive a
 * transaction, and are closed with the last row, by the statement's next execution, reset or
 * end.
 */
#ifndef WORKERS_QUERY_ROW_CURSOR_H
#define WORKERS_QUERY_ROW_CURSOR_H

#include "workers/query/query.h"

struct row_cursor;

/* Whether the server has opened a cursor: behind the end of an answer to an execution with
 * q->cursor_flags. */
bool row_cursor_exists(const struct leg *leg);

/* The leg's answer is complete: its part of q->cursor, if the server has one; else its
 * statement is closed there. True: it has. */
bool row_cursor_take(struct leg *leg);

/* The rows of q->cursor go through `merge`, which is the cursor's from now on. */
void row_cursor_merges(struct query_run *q, struct merge *merge);

/* After done(): q->cursor for the caller, with what it needs of the query; NULL: none. */
struct row_cursor *row_cursor_keep(struct query_run *q);

/* Closes it; NULL is fine. No statement of the session is under way. */
void row_cursor_free(struct row_cursor *c);

/* Its last row was sent, or it has failed. */
bool row_cursor_is_over(const struct row_cursor *c);

/* Run QUERY_FETCH: q->fetch_rows rows of q->cursor. */
void row_cursor_fetch(struct query_run *q);
void row_cursor_resume(struct query_run *q);

#endif
