/* ddl.h - statements that the controller runs: what query_ddl.c and its callers share. */
#ifndef WORKERS_QUERY_DDL_H
#define WORKERS_QUERY_DDL_H

#include "workers/query/query.h"

/* CREATE TABLE ... SELECT: what the controller says is to be done for it, in order; see
 * ctl/job/ddl_select.c. `make` stays empty when nothing is left to do, or it is an error. */
struct query_making {
    struct arena *arena;    /* of the texts */
    char          name[64]; /* of the table until it is complete */
    struct span   wanted;   /* the client's name for it, for error messages */
    struct span   make, insert, rename, undo;
    struct span   drop;     /* before `rename`: what is replaced; empty: nothing */
};

/* The controller is to run it, as itself, for nobody who waits: tried again until it answers. */
void ddl_run_later(struct context *ctx, struct span text);

/* Appends the request for a statement. `s`: whose settings and, unless `as_controller`, account;
 * NULL: nobody's. `making`: or NULL. */
void ddl_encode(struct buf *out, const struct session *s, bool as_controller, struct span text,
                const char *making);

#endif
