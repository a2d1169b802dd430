/* for.h - SET STATEMENT a = 1, ... FOR statement, as text or prepared.
 *
 *   the settings are evaluated  -->  the session has them  -->  the statement  -->  and no more
 *                    (workers/query/statement_vars.h)
 *
 * Only the statement answers to the client, but for an error of the settings.
 */
#ifndef WORKERS_CLIENT_FOR_H
#define WORKERS_CLIENT_FOR_H

#include "core/base/base.h"

struct client;
struct prepared;
struct query_run;

/* Run `text` if it is one; `more`: statements follow. False: it is not. */
bool client_for_text(struct client *c, struct span text, bool more) must_check;

/* If `text` is one, *for_text becomes its first words, and `text` what is behind them. */
void client_for_split(struct client *c, struct span *for_text, struct span *text);

/* Execute `p`, which has such words. */
void client_for_prepared(struct client *c, struct prepared *p, struct span payload);

/* The statement is planned: can it run so? False: it is answered, and `q` is gone. */
bool client_for_allows(struct client *c, struct query_run *q) must_check;

/* As client_named_done() and client_named_next() (see named.h). */
bool client_for_done(struct client *c, const struct query_run *q);
void client_for_next(struct client *c);

/* The statement is over: the session's state is its own again. */
void client_for_leave(struct client *c);
void client_for_free(struct client *c);

#endif
