/* schema.h - what shardd keeps on every shard: a schema of its own, and accounts.
 *
 *   shardd.decision   xid (a gtrid, see core/route/xid.h) -> commit | abort, ts
 *   shardd.sequence   id -> next_value: AUTO_INCREMENT of sharded tables, on the home shard
 *   shardd.decide(xid)  called by an application's account in its transaction; it runs
 *                       with the rights of the service account
 *   shardd.open_view()  the same; reads shardd.nothing, which opens the view of a branch
 *   shardd.abort(xid)   the same for an abort, when COMMIT was refused: 1062 says that the
 *                       transaction is committed
 *   shardd_move         a schema for moves of rows: journal, keys of rows that must not be seen
 *                       (routes: table.hide). Accounts read it by the role that calls the
 *                       routines, which is on for such statements only: they do not see it
 *
 * Everything here compares first and writes only what is missing or differs,
 * so that it can run at every start of the controller.
 */
#ifndef CTL_PROVISION_SCHEMA_H
#define CTL_PROVISION_SCHEMA_H

#include "ctl/provision/server.h"

#define SCHEMA_SERVICE_USER "shardd_service"

/* The schema, its routines, and the service account with this secret. */
bool schema_ensure(struct server *s, const char *service_secret,
                   struct sql_error *error) must_check;

/* The account of a catalog user: its secret, ALL on each of `databases` (the
 * keys of a JSON object), nothing on others, and an administrator's rights when it is one. */
bool account_ensure(struct server *s, const json_t *user, const json_t *databases,
                    struct sql_error *error) must_check;

bool account_drop(struct server *s, const char *name, struct sql_error *error) must_check;

/* 'user'@'host' as the server has it; static, until the next call. */
const char *account_name(const struct server *s, const char *user);

/* GRANT or REVOKE `what` ("SELECT ON `a`.*"). */
bool account_change(struct server *s, const char *user, bool grant, const char *what,
                    struct sql_error *error) must_check;

/* ALL on a new database, for one user. */
bool account_grant(struct server *s, const char *user, const char *database,
                   struct sql_error *error) must_check;

#endif
