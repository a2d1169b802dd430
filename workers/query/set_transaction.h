/* set_transaction.h - SET TRANSACTION: for the next one, and for the one that is open. */
#ifndef WORKERS_QUERY_SET_TRANSACTION_H
#define WORKERS_QUERY_SET_TRANSACTION_H

#include "workers/query/query.h"

/* True when the SET is for the next transaction only, and is answered. */
bool set_next_transaction(struct query_run *q);

/* What opens the transaction on its first shard may not have been said yet: what is set now
 * is for the next one. */
void set_keeps_access(struct session *s, const struct set_spec *spec);

/* What the leg's backend has to hear of it before the statement; empty: nothing. */
struct span set_next_for(struct leg *leg);

/* A SET for the session is in force: what was set for the next transaction before is not. */
void set_overrides_next(struct session *s, const struct set_spec *spec);

/* The statement is over: what was said for the next transaction was for it, where it began one. */
void set_next_over(struct query_run *q);

/* Whether the leg's statement may say something for the next transaction, or use it up, in code
 * that we do not see: its answer has to tell. */
bool set_next_by_code(const struct leg *leg);

/* The answer is complete, and its transaction the session's: the next one's words too. */
void set_next_heard(struct leg *leg);

#endif
