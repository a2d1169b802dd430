/* api_ddl.c - statements that change a schema: POST /v1/ddl and PUT /v1/tables/DB/TABLE. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/job/ddl.h"
#include "ctl/job/lookup.h"
#include "ctl/move/run.h"

/* What is still to be done may be in any character set. */
static void
add_text(json_t *answer, const char *name, struct buf *text)
{
    struct buf encoded = { 0 };
    size_t     room    = (buf_len(text) + 2) / 3 * 4 + 1;
    int        n       = EVP_EncodeBlock(buf_reserve(&encoded, room), buf_unread(text).ptr,
                                         (int)buf_len(text));

    json_object_set_new(answer, name, json_stringn((const char *)encoded.bytes, (size_t)n));
    buf_fini(&encoded);
}

static unsigned
say(struct request *r, bool ok, struct ddl_answer *a, const struct sql_error *error)
{
    if (!ok)
        return request_done(r, false, error);
    r->answer = json_pack("{s:I, s:I, s:i, s:b, s:O*}", "generation", (json_int_t)a->generation,
                          "affected", (json_int_t)a->affected, "warnings", (int)a->warnings,
                          "counts", (int)a->counts, "notes", a->notes);
    if (a->columns) {
        json_object_set(r->answer, "columns", a->columns);
        json_object_set(r->answer, "rows", a->rows);
    }
    if (buf_len(&a->make) != 0) {
        add_text(r->answer, "make", &a->make);
        add_text(r->answer, "insert", &a->insert);
        add_text(r->answer, "name", &a->name);
        add_text(r->answer, "undo", &a->undo);
        if (buf_len(&a->drop) != 0)
            add_text(r->answer, "drop", &a->drop);
    }
    return 200;
}

/* The member decoded; owned by the caller. False: it is not there. */
static bool
decoded(const struct request *r, const char *name, struct buf *out)
{
    const char *encoded = request_text(r, name);
    size_t      len, pad = 0;
    int         n;

    if (!encoded)
        return false;
    len = strlen(encoded);
    n   = EVP_DecodeBlock(buf_reserve(out, len + 4), (const unsigned char *)encoded, (int)len);
    if (n < 0)
        return false;
    while (pad < 2 && pad < len && encoded[len - 1 - pad] == '=')
        pad++;
    buf_commit(out, (size_t)n - pad);
    return true;
}

/* "sql", or "sql_base64" decoded. */
static bool
statement(const struct request *r, struct buf *out)
{
    json_t *plain = json_object_get(r->body, "sql");

    if (!json_is_string(plain))
        return decoded(r, "sql_base64", out);
    buf_append(out, json_string_value(plain), json_string_length(plain));
    return true;
}

unsigned
api_ddl(struct request *r)
{
    const char        *database = request_text(r, "database");
    struct buf         sql = { 0 }, variables = { 0 };
    struct ddl_request request  = {
        .user      = request_text(r, "user"),
        .database  = database ? database : "",
        .sql_mode  = request_text(r, "sql_mode"),
        .charset   = request_text(r, "charset"),
        .collation = request_text(r, "collation"),
        .database_collation = request_text(r, "database_collation"),
        .session   = request_text(r, "session"),
        .making    = request_text(r, "making"),
        .no_foreign_key_checks = json_is_false(json_object_get(r->body, "foreign_key_checks")),
    };
    struct ddl_answer answer = { 0 };
    struct sql_error  error  = { 0 };
    unsigned          status;
    bool              ok;

    if (!statement(r, &sql)) {
        buf_fini(&sql);
        return request_refuse(r, 400, "the body lacks \"sql\"");
    }
    request.sql = buf_unread(&sql);
    if (decoded(r, "variables_base64", &variables))
        request.variables = buf_unread(&variables);
    if (request.making)
        ddl_drop_made(r->cluster);
    ok          = ddl_run(r->cluster, &request, &answer, &error);
    status      = say(r, ok, &answer, &error);
    ddl_answer_fini(&answer);
    buf_fini(&sql);
    buf_fini(&variables);
    return status;
}

/* An empty table changes at once: {"job": 0}. Else rows move, and the answer is that of POST
 * /v1/moves, whose options the body may have. */
unsigned
api_table_set(struct request *r)
{
    const char      *word = request_text(r, "kind"), *key = request_text(r, "key");
    enum table_kind  kind = model_kind(word ? word : "", TABLE_VIEW);
    struct sql_error error;
    json_t          *request;

    if (kind == TABLE_VIEW)
        return request_refuse(r, 400, "\"kind\" is sharded, reference or global");
    if ((kind == TABLE_SHARDED) != (key != NULL && key[0]))
        return request_refuse(r, 400, "\"key\" goes with the kind sharded, and only with it");
    request = json_copy(r->body);
    model_set(request, "verb", "table");
    model_set(request, "database", r->part[1]);
    model_set(request, "table", r->part[2]);
    r->answer = moves_table(r->cluster, r->who, request, &error);
    json_decref(request);
    return request_done(r, r->answer != NULL, &error);
}

unsigned
api_lookup_add(struct request *r)
{
    struct sql_error error;

    return request_done(r, lookup_run(r->cluster, r->who, r->part[1], r->part[2], r->part[4], true,
                                      &error), &error);
}

unsigned
api_lookup_drop(struct request *r)
{
    struct sql_error error;

    return request_done(r, lookup_run(r->cluster, r->who, r->part[1], r->part[2], r->part[4],
                                      false, &error), &error);
}
