/* make.h - CREATE TABLE ... SELECT, and CREATE TEMPORARY TABLE ... SELECT from several shards (its
 * steps: core/route/plan_fill.c).
 *
 *   the statement --> controller: what is to be done --> a table of another name is made
 *   --> INSERT ... SELECT into it, as any other --> it gets its name
 *
 * What fails, or whose client goes, leaves no table: it is dropped. See ctl/job/ddl_select.c.
 */
#ifndef WORKERS_CLIENT_MAKE_H
#define WORKERS_CLIENT_MAKE_H

#include <stdbool.h>

struct client;
struct query_run;

/* Whether `q`, which is to run, is such a statement. */
bool client_makes(const struct query_run *q);

/* Run it; it is the function's from here on. */
void client_make(struct client *c, struct query_run *q);

/* The client is gone, and what ran for it. */
void client_make_free(struct client *c);

#endif
