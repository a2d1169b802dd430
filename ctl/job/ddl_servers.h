/* ddl_servers.h - statements for servers rather than for tables' definitions: ANALYZE, CHECK,
 * OPTIMIZE, REPAIR and CHECKSUM TABLE, FLUSH, SHOW ENGINE.
 *
 * They run on all shards at the same time with the client's own account, change nothing that
 * the catalog knows, and answer what one server would: of a table's rows on several shards
 * those of the shard with the worst news, checksums added up. Private to ctl/job.
 */
#ifndef CTL_JOB_DDL_SERVERS_H
#define CTL_JOB_DDL_SERVERS_H

#include "ctl/job/ddl_step.h"

bool ddl_is_for_servers(const struct stmt *s);
bool ddl_for_servers(struct ddl *d) must_check;

/* How bad a row of CHECK TABLE is: 0 fine or a note, 1 a warning, 2 an error. */
int ddl_servers_rank(const char *type, const char *text);

#endif
