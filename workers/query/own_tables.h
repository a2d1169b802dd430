/* own_tables.h - the session's temporary tables beside rows of other shards.
 *
 *   a statement that cannot run, and names such tables --> SHOW CREATE TABLE, where they are
 *      --> q->routes have them as global tables --> q->ops->owned(): a plan made with these
 *
 * So they are gathered, and written, as global tables are. What runs without that has never
 * asked for it.
 */
#ifndef WORKERS_QUERY_OWN_TABLES_H
#define WORKERS_QUERY_OWN_TABLES_H

#include "workers/query/definitions.h"
#include "workers/query/query.h"

/* True: it is asked, and q->ops->owned(q) or `otherwise(q)` follows, or the statement fails.
 * False: the statement names none, or they were asked for before. */
bool own_tables_ask(struct query_run *q, void (*otherwise)(struct query_run *q)) must_check;

/* True: it is refused, as it has steps that its caller does not take (plan.fill). */
bool own_tables_refuse(struct query_run *q) must_check;

/* Of a plan with a `change`: it writes nothing else. */
bool own_tables_alone(const struct query_run *q) must_check;

/* A reference to the definition of one of them; `table` is an index of q->routes. */
struct definition *own_tables_definition(const struct query_run *q, uint32_t table);

#endif
