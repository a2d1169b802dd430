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

/* Listens to the events of `path` (ctl/api/stream.h) until heard() returns false or the controller
 * ends the stream; `data` stays the caller's. False with `err` when there is no stream. */
bool client_listen(const struct cluster_paths *paths, const char *path,
                   bool (*heard)(void *context, const char *event, json_t *data), void *context,
                   struct err *err) must_check;

/* "prefix" + name, percent-encoded; the caller frees it. */
char *client_path(const char *prefix, const char *name) must_check;
char *client_path_to(const char *prefix, const char *name, const char *rest) must_check;

#endif
