/* load.h - LOAD DATA LOCAL INFILE: what query_load.c (legs, the client's file, the end) and
 * load_rows.c (which row goes where) share; not for others.
 */
#ifndef WORKERS_QUERY_LOAD_H
#define WORKERS_QUERY_LOAD_H

#include "core/route/load_run.h"
#include "workers/query/query.h"
#include "workers/query/sequence.h"

enum { LOAD_PACKET_BYTES = 64 << 10 /* to a server */ };

struct part {
    struct leg *leg;
    struct buf  out;  /* lines not sent yet */
    struct buf  rows; /* their numbers in the file: differences, 7 bits a byte */
    uint64_t    last_row;
    bool        started, open, full, ended;
    uint8_t     seq;
};

/* A row in `in`. */
struct row {
    size_t   at, len;
    size_t   from, to; /* what the number replaces, within the row */
    uint32_t shard;
    bool     numbered, placed;
    uint64_t number;
};

struct loading {
    struct query_run       *q;
    const struct load_spec *spec;
    struct part            *parts; /* one a shard */
    struct buf              in;
    size_t                  tried; /* bytes of `in` that were not a whole record */
    uint64_t                skip;  /* IGNORE n LINES, still to be done */
    uint64_t                n_rows;
    uint32_t                probe;
    uint32_t                writer;  /* shard of the first row */
    bool                    asked;   /* the client, for its file */
    bool                    ended;   /* the client has sent it all */
    bool                    over;    /* every leg is */
    bool                    stopped; /* by an error */
    uint64_t                error_row; /* that it is about; 0: none yet */
    unsigned                inside;  /* calls of ours under way: no end before they return */

    uint32_t           wanted[2], n_wanted;
    struct load_field  fields[2], *key, *number;
    struct buf         room, last; /* last: the last row, for the variables */
    struct row        *rows;       /* owned */
    size_t             n_batch, cap, taken;

    struct sequence_request request;
    bool                    waiting;
    uint64_t                first_id;
};

/* ---- query_load.c ---- */

/* The load has failed: all parts end, what the client still sends is swallowed. Frees
 * nothing that the caller looks at. */
void load_stop(struct loading *l, const struct sql_error *why);
void load_part_send(struct part *p);
void load_part_start(struct loading *l, uint32_t shard);

/* Around what may end the query: it does at the outermost leave. */
void load_enter(struct loading *l);
void load_leave(struct loading *l);
/* Go on with what has been received; inside. */
void load_run(struct loading *l);

/* ---- load_rows.c ---- */

/* The whole records of `in` become the batch, and tell what they want. */
void load_take_rows(struct loading *l);
/* The batch goes to its shards, perhaps after a question to the sequence. */
void load_deal_rows(struct loading *l);

#endif
