/* together.h - identical reads that come while one like them is under way are answered by one.
 *
 *   first read --> runs; what comes meanwhile --> waits
 *                        ... it is over: the first of those runs, and its answer is all theirs;
 *                        what comes meanwhile --> waits, and so on
 *
 * Nobody gets an answer of a read that was sent before he asked: so an answer is never older
 * than any write that was acknowledged before, by whichever worker or server. The same text, user,
 * schema, settings and options of the protocol, outside of transactions, and what the
 * planner calls stateless: nothing in the answer depends on who asks. An answer that is an error,
 * has warnings or grows large is the one's alone that asked for it; the others ask for themselves.
 *
 * The setting join_reads turns this on.
 */
#ifndef WORKERS_QUERY_TOGETHER_H
#define WORKERS_QUERY_TOGETHER_H

#include "workers/query/query.h"

/* A statement is about to be routed. True: it waits for another one, and is answered by it, or
 * begins anew by q->ops->again(). */
bool together_joins(struct query_run *q) must_check;

static inline bool
together_waits(const struct query_run *q)
{
    return q->waits;
}

/* It does not wait any more, and has routes again as every statement that ends. Harmless when it
 * does not wait. Whoever waits for it does not do so in vain. */
void together_leave(struct query_run *q);

/* More of the answer is in q->client. */
void together_grown(struct query_run *q);

/* It becomes an error: nobody has seen anything of it yet. */
void together_take_back(struct query_run *q);

/* The answer is complete: those who wait for it get it. */
void together_done(struct query_run *q);

#endif
