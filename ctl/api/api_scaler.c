/* api_scaler.c - what the scaler sees, decided, and is to do. */
#include <stdlib.h>

#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/scaler.h"

enum { DECISIONS_SHOWN = 50, DECISIONS_MAX = 500 };

/* False, and the answer says it. */
static bool
runs(struct request *r)
{
    if (r->cluster->scaler)
        return true;
    request_refuse(r, 503, "the scaler does not run; see the controller's log");
    return false;
}

unsigned
api_scaler_show(struct request *r)
{
    if (!runs(r))
        return 503;
    r->answer = scaler_show(r->cluster->scaler);
    return 200;
}

/* PUT {"mode": "auto", "max_cpu": 75}: all or nothing. */
unsigned
api_scaler_set(struct request *r)
{
    struct err err;

    if (!runs(r))
        return 503;
    if (json_object_size(r->body) == 0)
        return request_refuse(r, 400, "the body names no setting");
    if (!scaler_set(r->cluster->scaler, r->who, r->body, &err))
        return request_refuse(r, 400, "%s", err.text);
    r->answer = scaler_show(r->cluster->scaler);
    return 200;
}

unsigned
api_scaler_resume(struct request *r)
{
    struct err err;

    if (!runs(r))
        return 503;
    if (!scaler_resume(r->cluster->scaler, r->who, &err))
        return request_refuse(r, 400, "%s", err.text);
    return 200;
}

/* False, and the answer says it: `key` is there and no number within the bounds. */
static bool
number_in(struct request *r, const char *key, long least, long most, long *out)
{
    const char *text = json_string_value(json_object_get(r->query, key));
    char       *end;

    if (!text)
        return true;
    *out = strtol(text, &end, 10);
    if (*end == '\0' && end != text && *out >= least && *out <= most)
        return true;
    request_refuse(r, 400, "%s is a number from %ld to %ld", key, least, most);
    return false;
}

/* ?limit=50&before=N: the newest, older than decision N. */
unsigned
api_decision_list(struct request *r)
{
    long limit = DECISIONS_SHOWN, before = 0;

    if (!number_in(r, "limit", 1, DECISIONS_MAX, &limit) ||
        !number_in(r, "before", 1, INT32_MAX, &before))
        return 400;
    r->answer = json_pack("{s:o}", "decisions",
                          scaler_decisions(r->cluster, (size_t)limit, before));
    return 200;
}

unsigned
api_decision_show(struct request *r)
{
    char   *end;
    int64_t number = strtoll(r->part[2], &end, 10);

    r->answer = *end == '\0' && number > 0 ? scaler_explain(r->cluster, number) : NULL;
    if (r->answer)
        return 200;
    return request_refuse(r, 404, "there is no decision %s; see 'shardctl scaler decisions' "
                          "(the newest 500 are kept)", r->part[2]);
}

/* ?grain=minute|hour */
unsigned
api_scaler_trace(struct request *r)
{
    const char *grain = json_string_value(json_object_get(r->query, "grain"));

    if (grain && strcmp(grain, "minute") != 0 && strcmp(grain, "hour") != 0)
        return request_refuse(r, 400, "grain is minute or hour");
    r->answer = json_pack("{s:o}", "points",
                          scaler_trace(r->cluster, grain && strcmp(grain, "hour") == 0));
    return 200;
}
