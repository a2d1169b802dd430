/* purge.h - deleting no faster than a server can forget.
 *
 * A deleted row stays in InnoDB's indexes, marked, until purge removes it; whoever reads there
 * steps over it. When a table is emptied faster than purge follows, the server believes that it is
 * small, reads all of it where it would have used an index, and each such read steps over
 * everything that was deleted: seen here, 16 clients fell from 10,000 statements/s to 500. So
 * whoever deletes much waits for purge between batches.
 *
 * SHOW ENGINE INNODB STATUS tells how far purge is: up to which transaction it is done, and how
 * many that are committed are left (the history list). It gets no further while somebody keeps an
 * old snapshot open: then a wait ends after a moment, and deleting goes on slowly.
 */
#ifndef CTL_MOVE_PURGE_H
#define CTL_MOVE_PURGE_H

#include "ctl/provision/server.h"

struct purge {
    uint64_t deleted; /* rows since the last look */
};

/* `rows` more have been deleted and committed over `s`: waits now and then, until purge has
 * done all that was committed, a moment has passed in which it got no further, or `stop` says so
 * (asked every few milliseconds; may be NULL). False: the server cannot be asked. */
bool purge_wait(struct purge *p, struct server *s, uint64_t rows, bool (*stop)(void *), void *arg,
                struct sql_error *error) must_check;

struct purge_state {
    uint64_t next; /* the transaction that begins next */
    uint64_t done; /* all before it are */
    uint64_t left; /* committed ones */
};

/* What SHOW ENGINE INNODB STATUS tells. False: not that. */
bool purge_read(struct span status, struct purge_state *out) must_check;

#endif
