/* once.c - see once.h. */
#include "ctl/api/once.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"

/* Of all that the answer may depend on. */
static bool
print_of(const struct request *r, char out[AUDIT_HASH + 1])
{
    json_t *all  = json_pack("[s, s, O, O, s]", r->method, r->path, r->body,
                             (json_t *)(uintptr_t)r->query, r->if_match ? r->if_match : "");
    char   *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(all);
    if (!text)
        return false;
    audit_hash(span_of(text), out);
    free(text);
    return true;
}

static bool
is_key(const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return false;
    return len > 0 && len <= ONCE_KEY_MAX;
}

static unsigned
replay(struct request *r, const json_t *kept)
{
    json_t *answer = json_object_get(kept, "answer"), *headers = json_object_get(kept, "headers");

    r->answer  = json_is_object(answer) ? json_incref(answer) : NULL;
    r->headers = json_is_object(headers) ? json_incref(headers) : NULL;
    request_header(r, "Idempotent-Replayed", "true");
    return (unsigned)model_number(kept, "status");
}

unsigned
once_begin(struct request *r)
{
    char              print[AUDIT_HASH + 1];
    json_t           *kept;
    enum answer_state state;
    unsigned          status = 0;

    if (!r->once_key)
        return 0;
    if (!is_key(r->once_key))
        return request_refuse(r, 400, "Idempotency-Key is 1 to %d visible ASCII characters",
                              ONCE_KEY_MAX);
    if (!print_of(r, print))
        return request_refuse(r, 400, "the request is not UTF-8");
    state = catalog_answer_begin(r->cluster->catalog, r->who, r->once_key, print, &kept);
    switch (state) {
    case ANSWER_NEW:
        return 0;
    case ANSWER_KEPT:
        status = replay(r, kept);
        break;
    case ANSWER_OTHER:
        status = request_refuse(r, 422, "this Idempotency-Key was used for another request; take "
                                "a new key for a new request");
        break;
    case ANSWER_RUNS:
        request_header(r, "Retry-After", "1");
        status = request_refuse(r, 409, "the request with this Idempotency-Key is still in work; "
                                "ask again later");
        break;
    case ANSWER_LOST:
        status = request_refuse(r, 409, "the controller ended while the request with this "
                                "Idempotency-Key was in work: look whether it was done (jobs, "
                                "audit), and send it with a new key if not");
        break;
    case ANSWER_BROKEN:
        status = request_refuse(r, 503, "the catalog cannot be written, so nothing was done; see "
                                "the controller's log");
        break;
    }
    json_decref(kept);
    return status;
}

void
once_end(struct request *r, unsigned status, bool done)
{
    struct catalog *c = r->cluster->catalog;
    json_t         *kept;
    size_t          len;

    if (!r->once_key)
        return;
    if (!done || status >= 500) {
        catalog_answer_drop(c, r->who, r->once_key);
        return;
    }
    len = r->answer ? json_dumpb(r->answer, NULL, 0, JSON_COMPACT) : 2;
    if (len > ONCE_ANSWER_MAX)
        kept = json_pack("{s:i, s:n, s:{s:b, s:i}}", "status", (int)status, "headers", "answer",
                         "too_long", 1, "bytes", (int)len);
    else
        kept = json_pack("{s:i, s:O?, s:O?}", "status", (int)status, "headers", r->headers,
                         "answer", r->answer);
    catalog_answer_keep(c, r->who, r->once_key, kept);
    json_decref(kept);
}
