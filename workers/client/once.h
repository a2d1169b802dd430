/* once.h - a statement, some of whose values are computed first (PLAN_ONCE).
 *
 *   SET @a = UUID(), ...   on one server, at the statement's moment
 *   INSERT ... VALUES (1, @a) ...   planned and run as any other
 *
 * Only the second answers to the client.
 */
#ifndef WORKERS_CLIENT_ONCE_H
#define WORKERS_CLIENT_ONCE_H

#include <stdbool.h>

struct client;
struct query_run;

/* Run `q`, whose plan is a PLAN_ONCE; it is the function's from here on. */
void client_once(struct client *c, struct query_run *q);

/* As client_named_done() and client_named_next() (see named.h). */
bool client_once_done(struct client *c, const struct query_run *q);
void client_once_next(struct client *c);
void client_once_free(struct client *c);

#endif
