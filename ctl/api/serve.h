/* serve.h - one request, without the transport: from its head to its answer.
 *
 *   head --serve_head()--> who asks, which route, may they --body--> serve_run() --> answer
 *
 * What is refused at the head needs no body. Private to ctl/api.
 */
#ifndef CTL_API_SERVE_H
#define CTL_API_SERVE_H

#include "ctl/api/request.h"

struct exchange {
    struct request r;
    char          *path;    /* owned: the parts of r point into it */
    json_t        *query;   /* owned */
    struct buf     body;
    size_t         forgotten; /* bytes of the body that were not kept */
    unsigned       refused;   /* status; 0: not yet */
};

/* `url` as it came, without the query; takes over `query`. r.id is set, and
 * r.who and r.role, or it is refused already. */
void serve_head(struct exchange *e, const char *method, const char *url, json_t *query);

/* How long the body may be. */
size_t serve_body_max(const struct exchange *e);
void   serve_too_long(struct exchange *e);

/* Returns the status; the answer is in e->r. */
unsigned serve_run(struct exchange *e);

void serve_end(struct exchange *e);

#endif
