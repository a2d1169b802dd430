/* local_files.h - the files of a private server, and its port; private to ctl/provision. */
#ifndef CTL_PROVISION_LOCAL_FILES_H
#define CTL_PROVISION_LOCAL_FILES_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/err.h"

enum { LOCAL_PATH_MAX = 2048 };

/* The lines of [mariadbd] that make a server fit to be a shard, "name=value" or "name", wherever
 * it runs: its numbers, and sizes that go with its object's "memory_bytes". */
void local_shard_settings(const json_t *shard, struct buf *out);

/* A datadir from the template, in `directory`, and the object's directory, socket, port, user and
 * secret. */
bool local_create_in(const char *home, const char *directory, const char *socket, json_t *shard,
                     struct err *err) must_check;

/* Writes my.cnf and init.sql of this shard's or engine's directory. */
bool local_write_settings(const json_t *shard, struct err *err) must_check;

/* The datadir anew from the template: for an engine, which has nothing to lose. */
bool local_renew(const json_t *server, struct err *err) must_check;

/* A loopback TCP port nobody listens on now, and which the kernel gives no outgoing connection
 * where its range leaves others; -1: there is none. */
int  local_free_port(void);
bool local_port_free(int port);

/* The object's port. Until its server listens there somebody else can choose it too. */
bool local_choose_port(json_t *shard, struct err *err) must_check;

#endif
