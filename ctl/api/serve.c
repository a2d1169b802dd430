/* serve.c - finds the route, checks who asks and what is asked, and has it answered. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/api/once.h"
#include "ctl/api/page.h"
#include "ctl/api/schema.h"
#include "ctl/api/serve.h"
#include "ctl/api/stream.h"
#include "ctl/api/version.h"
#include "ctl/catalog/model.h"

enum { BODY_MAX = 1 << 20 };

static const char *const role_names[] = {
    [ROLE_VIEWER] = "viewer", [ROLE_OPERATOR] = "operator", [ROLE_ADMIN] = "admin",
    [ROLE_OWNER] = "owner",
};

const char *
role_name(enum role role)
{
    return role_names[role];
}

bool
role_find(const char *name, enum role *out)
{
    for (enum role role = ROLE_VIEWER; role <= ROLE_ADMIN; role++)
        if (strcmp(role_names[role], name) == 0) {
            *out = role;
            return true;
        }
    return false;
}

/* --- what handlers say -------------------------------------------------------- */

const char *
request_text(const struct request *r, const char *key)
{
    return json_string_value(json_object_get(r->body, key));
}

unsigned
request_fail(struct request *r, unsigned status, const struct sql_error *error)
{
    json_t *message = json_string(error->message);

    json_decref(r->answer);
    r->answer = json_pack("{s:{s:i, s:s, s:o, s:s}}", "error", "code", (int)error->code,
                          "sqlstate", error->sqlstate[0] ? error->sqlstate : "HY000", "message",
                          message ? message : json_string("(the message is not UTF-8)"),
                          "request_id", r->id);
    return status;
}

unsigned
request_refuse(struct request *r, unsigned status, const char *fmt, ...)
{
    struct sql_error error = { .code = SQL_UNKNOWN_ERROR, .sqlstate = "HY000" };
    va_list          args;

    va_start(args, fmt);
    vsnprintf(error.message, sizeof(error.message), fmt, args);
    va_end(args);
    return request_fail(r, status, &error);
}

unsigned
request_no_such(struct request *r, const char *what, const char *name)
{
    return request_refuse(r, 404, "there is no %s '%s'; see 'shardctl %s list'", what, name,
                          what);
}

bool
request_knows_database(const struct request *r, const char *name)
{
    json_t *database = catalog_get(r->cluster->catalog, CATALOG_DATABASE, name, NULL);

    json_decref(database);
    return database != NULL;
}

unsigned
request_done(struct request *r, bool ok, const struct sql_error *error)
{
    if (ok)
        return 200;
    if (error->code == 1429 || error->code == 1430) /* a shard does not answer */
        return request_fail(r, 503, error);
    return request_fail(r, 400, error);
}

void
request_header(struct request *r, const char *name, const char *fmt, ...)
{
    char    text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (!r->headers)
        r->headers = json_object();
    json_object_set_new(r->headers, name, json_string(text));
}

/* --- the path ------------------------------------------------------------------- */

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
                                                ? (c | 0x20) - 'a' + 10 : -1;
}

/* In place. Each part is decoded after the path is split: a name may have a slash in it. False: a
 * NUL, or what is no escape. */
static bool
unescape(char *text)
{
    char *out = text;

    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *out++ = *at;
            continue;
        }
        int high = hex_digit(at[1]), low = high < 0 ? -1 : hex_digit(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high * 16 + low);
        at += 2;
    }
    *out = '\0';
    return true;
}

/* Splits the path in place. False: too many parts, or one that cannot be read. */
static bool
split(char *path, struct request *r)
{
    size_t n = 0;

    for (char *at = path; at && *at;) {
        char *slash = strchr(at, '/');

        if (n == REQUEST_PARTS)
            return false;
        if (slash)
            *slash++ = '\0';
        if (!unescape(at))
            return false;
        r->part[n++] = at;
        at           = slash;
    }
    return true;
}

static bool
matches(const char *pattern, const struct request *r)
{
    size_t i = 0;

    while (*pattern) {
        size_t len = strcspn(pattern, "/");

        if (i == REQUEST_PARTS || !r->part[i])
            return false;
        if (*pattern != '{' &&
            (strlen(r->part[i]) != len || strncmp(pattern, r->part[i], len) != 0))
            return false;
        pattern += len + (pattern[len] == '/');
        i++;
    }
    return i == REQUEST_PARTS || !r->part[i];
}

/* The route, or the status of what is wrong. */
static unsigned
find_route(struct request *r)
{
    bool path_known = false;
    char allow[40]  = "";

    for (size_t i = 0; i < api_n_routes; i++) {
        if (!matches(api_routes[i].path, r))
            continue;
        path_known = true;
        snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s",
                 allow[0] ? ", " : "", api_routes[i].method);
        if (strcmp(api_routes[i].method, r->method) == 0) {
            r->route = &api_routes[i];
            return 0;
        }
    }
    if (!path_known)
        return request_refuse(r, 404, "there is no such path; see /v1/openapi.json");
    request_header(r, "Allow", "%s", allow);
    return request_refuse(r, 405, "%s is not a method of this path; it takes %s", r->method, allow);
}

/* --- steps ---------------------------------------------------------------------- */

static bool
is_get(const struct request *r)
{
    return strcmp(r->method, "GET") == 0;
}

bool
route_changes(const struct route *route)
{
    return strcmp(route->method, "GET") != 0 && route->role > ROLE_VIEWER;
}

bool
route_streams(const struct route *route)
{
    size_t len = strlen(route->path), word = strlen("events");

    return len >= word && strcmp(route->path + len - word, "events") == 0;
}

/* The one place where it is decided who may do what. */
static unsigned
check_role(struct request *r)
{
    if (r->role >= r->route->role)
        return 0;
    if (r->route->role == ROLE_OWNER)
        return request_refuse(r, 403, "only shardd itself and the owner of the cluster may do "
                              "this, over the controller's socket");
    return request_refuse(r, 403, "this needs the role %s, and %s has the role %s",
                          role_name(r->route->role), r->who, role_name(r->role));
}

/* GET and DELETE take what they take from the query, the others from the body. */
static unsigned
check_query(struct request *r)
{
    bool       takes = is_get(r) || strcmp(r->method, "DELETE") == 0;
    char       all[512];
    struct err err;

    snprintf(all, sizeof(all), "%s%s%s", takes ? r->route->takes : "",
             r->route->list[0] ? " " : "", r->route->list[0] ? PAGE_TAKES : "");
    return schema_check_query(all, r->query, &err) ? 0
                                                   : request_refuse(r, 400, "%s", err.text);
}

void
serve_head(struct exchange *e, const char *method, const char *url, json_t *query)
{
    struct request *r     = &e->r;
    bool            known = strncmp(url, "/v1/", 4) == 0;

    r->method = method;
    r->path   = url;
    r->query  = query;
    e->query  = query;
    e->path   = mem_strdup(known ? url + 4 : url);
    if (e->refused) /* nobody we know: not even what there is */
        return;
    if (!known || !split(e->path, r))
        e->refused = request_refuse(r, 404, "there is no such path; see /v1/openapi.json");
    else
        e->refused = find_route(r);
    if (!e->refused)
        e->refused = check_role(r);
    if (!e->refused)
        e->refused = check_query(r);
}

size_t
serve_body_max(const struct exchange *e)
{
    return BODY_MAX + (e->r.route ? schema_text_max(e->r.route->takes) : 0);
}

void
serve_too_long(struct exchange *e)
{
    if (!e->refused)
        e->refused = request_refuse(&e->r, 413, "the body is longer than %zu bytes",
                                    serve_body_max(e));
}

static unsigned
read_body(struct exchange *e)
{
    struct request *r     = &e->r;
    bool            takes = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0;
    json_error_t    where;
    struct err      err;

    r->body = buf_len(&e->body) == 0
                  ? json_object()
                  : json_loadb((const char *)e->body.bytes + e->body.start, buf_len(&e->body),
                               JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &where);
    if (!r->body)
        return request_refuse(r, 400, "the body is not JSON: line %d, column %d: %.200s",
                              where.line, where.column, where.text);
    if (!json_is_object(r->body))
        return request_refuse(r, 400, "the body is not a JSON object");
    return schema_check(takes ? r->route->takes : "", r->body, &err)
               ? 0 : request_refuse(r, 400, "%s", err.text);
}

/* Into the audit: what was asked, and how it ended. What workers ask has jobs of its own. */
static void
note(struct request *r, unsigned status)
{
    const char *message = model_text(json_object_get(r->answer, "error"), "message");
    char        what[512], result[600];
    struct err  err;

    if (!r->route || !route_changes(r->route) || r->route->role == ROLE_OWNER || !r->who[0])
        return;
    snprintf(what, sizeof(what), "%s %.480s", r->method, r->path);
    snprintf(result, sizeof(result), "%u%s%.560s", status, message[0] ? ": " : "", message);
    if (!catalog_note(r->cluster->catalog, r->who, "ask", what, result, &err))
        log_error("%s by %s is not in the audit: %s", what, r->who, err.text);
}

/* The handler, and what comes before and behind it. `done`: it has run. */
static unsigned
handle(struct request *r, bool *done)
{
    int64_t  version = is_get(r) ? version_of(r) : 0;
    unsigned status  = version_check(r);

    if (status)
        return status;
    *done  = true;
    status = version_after(r, r->route->handler(r));
    if (status == 200 && r->route->list[0] && is_get(r))
        status = page_cut(r, r->route->list);
    if (status == 200)
        version_tell(r, version);
    return status;
}

static unsigned
run(struct exchange *e)
{
    struct request *r    = &e->r;
    bool            done = false;
    unsigned        status;

    if (!e->refused)
        e->refused = read_body(e);
    if (e->refused)
        return e->refused;
    if (!route_changes(r->route))
        r->once_key = NULL;
    if ((status = once_begin(r)))
        return status;
    status = handle(r, &done);
    once_end(r, status, done);
    return status;
}

unsigned
serve_run(struct exchange *e)
{
    unsigned status;

    log_about(LOG_REQUEST, e->r.id);
    catalog_acts_for(e->r.who, e->r.id);
    status = run(e);
    note(&e->r, status);
    log_debug("%s %s by %s: %u", e->r.method, e->r.path, e->r.who[0] ? e->r.who : "nobody",
              status);
    catalog_acts_for(NULL, NULL);
    log_about(LOG_REQUEST, NULL);
    log_about(LOG_JOB, NULL);
    return status;
}

void
serve_end(struct exchange *e)
{
    stream_free(e->r.stream);
    json_decref(e->r.answer);
    json_decref(e->r.headers);
    json_decref(e->r.body);
    json_decref(e->query);
    buf_fini(&e->body);
    free(e->path);
    free(e);
}
