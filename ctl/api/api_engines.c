/* api_engines.c - engines that come and go. */
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/job/engine.h"

static const char *
text_or(const struct request *r, const char *key, const char *otherwise)
{
    const char *text = request_text(r, key);

    return text ? text : otherwise;
}

unsigned
api_engine_add(struct request *r)
{
    struct engine_login login = {
        .address  = request_text(r, "adopt"),
        .user     = text_or(r, "user", "root"),
        .password = text_or(r, "password", ""),
        .tls_ca   = text_or(r, "tls_ca", model_flag(r->body, "tls") ? "" : NULL),
    };
    const char      *name = text_or(r, "name", "");
    struct sql_error error;
    bool             ok = login.address ? engine_adopt(r->cluster, r->who, name, &login, &error)
                                        : engine_add(r->cluster, r->who, name, &error);

    return request_done(r, ok, &error);
}

unsigned
api_engine_remove(struct request *r)
{
    struct sql_error error;

    return request_done(r, engine_remove(r->cluster, r->who, r->part[1], &error), &error);
}
