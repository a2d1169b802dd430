/* local_files.h - the files of a private server, and its port; private to ctl/provision. */
#ifndef CTL_PROVISION_LOCAL_FILES_H
#define CTL_PROVISION_LOCAL_FILES_H

#include <jansson.h>

#include "core/base/err.h"

enum { LOCAL_PATH_MAX = 2048 };

/* Writes my.cnf and init.sql of this shard object's directory. */
bool local_write_settings(const json_t *shard, struct err *err) must_check;

/* A loopback TCP port nobody listens on now, or 0. */
int  local_free_port(void);
bool local_port_free(int port);

#endif
