/* api_events.c - streams of events, see stream.h. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/api/stream.h"
#include "ctl/catalog/model.h"

static unsigned
listen_to(struct request *r, int64_t job)
{
    r->stream = stream_new(r->cluster, job, r->after_event);
    if (r->stream)
        return 200;
    request_header(r, "Retry-After", "10");
    return request_refuse(r, 503, "%d listen to events already; ask again later", STREAMS_MAX);
}

unsigned
api_events(struct request *r)
{
    return listen_to(r, 0);
}

unsigned
api_job_events(struct request *r)
{
    char   *end;
    int64_t number = strtoll(r->part[1], &end, 10);
    int64_t version = 0;
    char    name[24];
    json_t *record;
    bool    open;

    snprintf(name, sizeof(name), "%010lld", (long long)number);
    record = *end == '\0' && number > 0
                 ? catalog_get(r->cluster->catalog, CATALOG_JOB, name, &version) : NULL;
    if (!record)
        return request_no_such(r, "job", r->part[1]);
    open = job_is_open(record);
    json_decref(record);
    if (!open && r->after_event == version)
        return 204; /* the client has heard its end, and need not come again */
    return listen_to(r, number);
}
