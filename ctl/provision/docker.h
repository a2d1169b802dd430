/* docker.h - the Engine API over its Unix socket: https://docs.docker.com/engine/api/ (1.41 and
 * newer; paths without a version mean the daemon's own).
 *
 * The pure half, which makes and reads texts, is tested without a daemon.
 */
#ifndef CTL_PROVISION_DOCKER_H
#define CTL_PROVISION_DOCKER_H

#include <jansson.h>

#include "core/base/buf.h"
#include "core/base/err.h"

/* Labels of what is made for a cluster: its uuid, its instance's name, the shard's number and
 * name. Who wants a container of his own to be a shard says shardd.cluster (uuid or instance) and
 * shardd.port, if need be shardd.host, shardd.name and shardd.user. */
#define DOCKER_CLUSTER  "shardd.cluster"
#define DOCKER_INSTANCE "shardd.instance"
#define DOCKER_SHARD    "shardd.shard"
#define DOCKER_NAME     "shardd.name"
#define DOCKER_HOST     "shardd.host"
#define DOCKER_PORT     "shardd.port"
#define DOCKER_USER     "shardd.user"

/* One request; `body` may be NULL. The HTTP status, with the answer in `*answer` (NULL: it was
 * none in JSON), to be owned; 0 with `err` when no daemon answers within `wait_ms`. */
unsigned docker_call(const char *socket, const char *method, const char *path,
                     const json_t *body, int wait_ms, json_t **answer, struct err *err);

/* The same for an answer that is bytes. */
unsigned docker_bytes(const char *socket, const char *path, int wait_ms, struct buf *out,
                      struct err *err);

/* What the daemon says is wrong, with what was tried. Returns false. */
bool docker_refused(const char *what, unsigned status, const json_t *answer, struct err *err);

/* "NAME:TAG", as REGISTRY:PORT/NAME@DIGEST and the like allow it, into the two parameters of
 * a pull; the tag is "latest" where none is said. */
void docker_image(const char *image, char name[256], char tag[128]);

/* A value in a URL's query, percent-encoded, appended. */
void docker_quote(struct buf *out, const char *text);

/* The lines of a container's logs without the headers that frame what it wrote, appended. */
void docker_logs(struct span frames, struct buf *out);

/* The body that creates a shard's container: its object, the cluster's uuid and instance, the
 * lines of its settings, the image, and the network ("host", or one on which its port is
 * published on 127.0.0.1). The caller owns it. */
json_t *docker_container(const json_t *shard, const char *uuid, const char *instance,
                         const char *settings, const char *image, const char *network);

#endif
