/* api_check.c - POST /v1/fsck. */
#include "ctl/api/request.h"
#include "ctl/job/fsck.h"

unsigned
api_fsck(struct request *r)
{
    struct sql_error error;

    r->answer = fsck_run(r->cluster, request_text(r, "database"), &error);
    return request_done(r, r->answer != NULL, &error);
}
