/* tally.h - where a worker's time goes: statements by their digest, the dearest ones.
 *
 *   worker: tally_note() per statement --> table in its own memory
 *                                             | every few seconds, when something is new
 *                                             v
 *                          REPORT_STATEMENTS in its slot --> tally_each() of whoever looks
 *
 * Counted are two windows of TALLY_WINDOW_S: the one that runs and the one before, so what is
 * told is of the last 10 to 20 minutes. Of more statements than there are rows the one that took
 * the least time makes room (space-saving, with time for weight: Metwally, Agrawal, El Abbadi,
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams"), so that what takes
 * more than 1/TALLY_ROWS of all time is always there.
 */
#ifndef SHM_TALLY_H
#define SHM_TALLY_H

#include "core/base/buf.h"

enum { TALLY_ROWS = 256, TALLY_TEXT_MAX = 512, TALLY_SCHEMA_MAX = 64, TALLY_WINDOW_S = 600 };

struct tally_sum {
    uint64_t calls, us, max_us, errors;
};

/* The statement, as the caller names it. Spans are borrowed for the call. */
struct tally_name {
    uint64_t    hash;   /* of the digest and the schema; not 0 */
    uint8_t     kind;   /* enum plan_kind */
    struct span schema, text; /* are cut */
};

struct tally;

struct tally *tally_new(void);
void          tally_free(struct tally *t); /* NULL is fine */

/* A statement took so long. `place` is the caller's to keep with the statement's plan, 0 at
 * first: where it was found last. */
void tally_note(struct tally *t, const struct tally_name *name, uint16_t *place, uint64_t us,
                bool failed, uint64_t now_s);

/* Begins a new window when it is time. */
void tally_turn(struct tally *t, uint64_t now_s);

/* What there is, appended. False: nothing is new since the last call. */
bool tally_write(struct tally *t, struct buf *out);

/* Calls back with each row of what was written. False: it is not that. */
bool tally_each(struct span written, void (*each)(void *context, const struct tally_name *name,
                                                  const struct tally_sum *sum), void *context);

#endif
