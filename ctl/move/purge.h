/* purge.h - deleting no faster than a server can forget.
 *
 * A deleted row stays in InnoDB's indexes, marked, until purge removes it; whoever reads there
 * steps over it. When a table is emptied faster than purge follows, the server believes that it is
 * small, reads all of it where it would have used an index, and each such read steps over
 * everything that was deleted: seen here, 16 clients fell from 10,000 statements/s to 500. So
 * whoever deletes much waits for purge between batches.
 *
 * The measure is the history list: committed transactions whose old versions are still there
 * (Innodb_history_list_length). It never shrinks while somebody keeps an old snapshot open: then
 * a wait ends after a moment, and deleting goes on slowly.
 */
#ifndef CTL_MOVE_PURGE_H
#define CTL_MOVE_PURGE_H

#include "ctl/provision/server.h"

struct purge {
    uint64_t limit;   /* transactions in the history that are no reason to wait; 0: not known */
    uint64_t deleted; /* rows since the last look */
};

/* Reads what is usual on the server, before the first deletion. False: it cannot be asked. */
bool purge_begin(struct purge *p, struct server *s, struct sql_error *error) must_check;

/* `rows` more have been deleted and committed over `s`: waits now and then, until purge has
 * followed, a moment has passed in which it could not, or `stop` says so (asked every few
 * milliseconds; may be NULL). False: the server cannot be asked. */
bool purge_wait(struct purge *p, struct server *s, uint64_t rows, bool (*stop)(void *), void *arg,
                struct sql_error *error) must_check;

#endif
