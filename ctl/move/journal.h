/* journal.h - the rows that say whether a switch is decided, and where streams begin.
 *
 *   shardd_move.journal on the deciding server (the first of move_sources()):
 *
 *      ready <token>  --UPDATE-->  to <digest of the routes afterwards>      decided
 *            |
 *            +--DELETE--> nothing                                            never will be
 *
 * One row decides. Whoever wants to be sure that a switch does not happen removes the row that
 * is to be updated: an UPDATE of a controller that died, which the server runs later, then
 * finds nothing. The other servers get their row afterwards: for fsck, and for who has lost the
 * catalog.
 */
#ifndef CTL_MOVE_JOURNAL_H
#define CTL_MOVE_JOURNAL_H

#include "ctl/move/move.h"

enum { JOURNAL_WHAT_MAX = 64 };

/* "to <16 hex digits>": the same for all moves to the same routes, other ones for the way
 * back. */
void journal_what(const struct move *m, char out[JOURNAL_WHAT_MAX]);

/* The deciding server's shard id. */
uint32_t journal_shard(const struct move *m);

/* On a session to the deciding server: readies a new decision, whose token is `out`. */
bool journal_ready(struct server *s, const struct move *m, char out[JOURNAL_WHAT_MAX],
                   struct sql_error *error) must_check;

/* The decision, in the session's open transaction: its COMMIT decides. Until then it is nobody's
 * to see, and a ROLLBACK takes it back. */
bool journal_stage(struct server *s, const struct move *m, const char *ready,
                   struct sql_error *error) must_check;

/* The row for the record, on any other server. */
bool journal_tell(struct server *s, const struct move *m, struct sql_error *error) must_check;

/* Has this server the row? */
bool journal_has(struct server *s, const struct move *m, bool *yes, struct sql_error *error)
    must_check;

/* Decided? Opens its own sessions. False: not known, the deciding server does not answer. */
bool journal_ask(const struct move *m, bool *decided, struct sql_error *error) must_check;

/* After this it is decided (`*decided`) or never will be by what was readied before. */
bool journal_settle(const struct move *m, bool *decided, struct sql_error *error) must_check;

/* Where the stream back from `target` to `source` begins, on the source. */
bool journal_stream(struct server *source, const struct move *m, uint32_t source_id,
                    uint32_t target_id, const char *position, struct sql_error *error)
    must_check;

#endif
