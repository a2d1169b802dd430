/* statement_vars.h - SET STATEMENT with settings that change answers (sql_mode, time_zone ...):
 * the session's state for one statement.
 *
 *   SET STATEMENT a = x FOR SELECT @@a ...   on one server, which evaluates and refuses
 *   SELECT @@SESSION.a ...                   there: what it was
 *       --> the session's variables, and `a` = a constant among them
 *       --> the statement, planned and run as any other
 *       --> the variables of before. A connection that the session still holds is told the
 *           old values when it is used next; others are brought to whatever state is wanted.
 *
 * As on a server the statement is read by the words of sql_mode that were in force before, so
 * these stay as they are (ANSI_QUOTES, NO_BACKSLASH_ESCAPES ...); what would show the
 * difference is refused by the caller: `reads_otherwise`.
 */
#ifndef WORKERS_QUERY_STATEMENT_VARS_H
#define WORKERS_QUERY_STATEMENT_VARS_H

#include "workers/query/query.h"

/* What a session will be again. */
struct statement_vars {
    struct vars           vars;  /* owned */
    struct session_modes *modes; /* owned; NULL: none */
    struct buf            undo;  /* owned: SET of the old values; empty: nothing was set */
    struct lex_options    lex;
    bool                  zero_is_number;
    uint8_t               own_commit, own_snapshot_reads, own_consistency;
    bool                  reads_otherwise; /* see above */
};

/* Whether `text` is SET STATEMENT ... FOR ...: *words is up to FOR, *statement is behind it, and
 * `set` a SET of the session that does the same. */
bool statement_vars_find(struct span text, struct lex_options lex, struct span *words,
                         struct span *statement, struct buf *set) must_check;

/* Runs such a SET: q->for_text is `words`, q->sets_statement. Is it done without error, the
 * session has the new state, until statement_vars_leave(). */
void statement_vars_run(struct query_run *q);

/* The session, whose modes are known and which is in no such state, reads by the words `reading`
 * of sql_mode, until statement_vars_leave(). */
void statement_vars_read_as(struct session *s, uint16_t reading);

/* The statement is over. Nothing happens to a session that has no such state. */
void statement_vars_leave(struct session *s);

void statement_vars_free(struct session *s);

#endif
