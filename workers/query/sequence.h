/* sequence.h - AUTO_INCREMENT numbers of sharded tables.
 *
 * A sequence is a row in shardd.sequence on its table's home shard; a worker
 * takes numbers from it in blocks, with one UPDATE a block, and hands them out
 * from memory. So numbers are unique whatever dies, they have gaps as a
 * server's have after a rollback, and the controller is not needed.
 *
 * An explicit number raises the row first, so that no block taken later can
 * contain it. A block that another worker has in hand may: then the number it
 * hands out exists already. INSERT fails by that and is given another; where a
 * row that exists would be changed or skipped instead (REPLACE, IGNORE, ON
 * DUPLICATE KEY UPDATE) the numbers are `fresh`.
 */
#ifndef WORKERS_QUERY_SEQUENCE_H
#define WORKERS_QUERY_SEQUENCE_H

#include "workers/backend/pool.h"

struct sequence_request;

/* `first` of the consecutive numbers asked for, or an error. */
typedef void sequence_ready(struct sequence_request *r, uint64_t first,
                            const struct sql_error *error);

/* Embedded by whoever asks; the fields are filled by the caller. */
struct sequence_request {
    struct list     node;
    uint64_t        sequence; /* the row's id */
    uint32_t        shard_id; /* the home shard */
    uint32_t        count;    /* consecutive numbers wanted; 0: none */
    bool            fresh;    /* from the row itself: none that somebody brought along before */
    uint64_t        above;    /* first make sure that no number <= this comes again; 0: no */
    sequence_ready *ready;    /* called once, perhaps from inside sequence_ask() */
};

void sequence_ask(struct context *ctx, struct sequence_request *r);

/* Would it be answered at once, and nobody be asked? */
bool sequence_in_hand(const struct context *ctx, const struct sequence_request *r);

/* Is one of these shards' rows being asked? */
bool sequence_asks_fenced(const struct context *ctx, const struct routes *routes);

/* A number of the block in hand exists already: another worker's client has brought it
 * along. The row has passed it, so a new block is free of such. */
void sequence_drop_block(struct context *ctx, uint64_t sequence);

/* Not interested any more; ready() will not be called. */
void sequence_forget(struct sequence_request *r);

#endif
