/* client.h - a request to the controller of a home, and its answer. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "ctl/provision/cluster.h"

/* `body` NULL: none; not taken over. Returns the answer, owned by the caller,
 * when the status is 2xx; else NULL, and `err` says in words what to do: the
 * controller's own message, or that it does not run. `sql` (may be NULL) gets
 * the code of the controller's error, 0 when it was not reached. */
json_t *client_call(const struct cluster_paths *paths, const char *method, const char *path,
                    const json_t *body, unsigned *code, struct err *err);

/* "prefix" + name, percent-encoded; the caller frees it. */
char *client_path(const char *prefix, const char *name) must_check;

#endif
