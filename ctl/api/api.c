/* api.c - HTTP by libmicrohttpd on a Unix socket: a thread per connection, because a
 * request may take as long as an ALTER TABLE. */
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/api/api.h"
#include "ctl/api/request.h"

enum { BODY_MAX = 256 << 20, CONNECTIONS_MAX = 512, IDLE_S = 60 };

struct api {
    struct cluster    *cluster;
    struct MHD_Daemon *daemon;
    char               path[108];
};

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
    r->answer = json_pack("{s:{s:i, s:s, s:o}}", "error", "code", (int)error->code, "sqlstate",
                          error->sqlstate[0] ? error->sqlstate : "HY000", "message",
                          message ? message : json_string("(the message is not UTF-8)"));
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
    return request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no %s '%s'; see 'shardctl %s list'",
                          what, name, what);
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
        return MHD_HTTP_OK;
    if (error->code == 1429 || error->code == 1430) /* a shard does not answer */
        return request_fail(r, MHD_HTTP_SERVICE_UNAVAILABLE, error);
    return request_fail(r, MHD_HTTP_BAD_REQUEST, error);
}

/* Splits the path in place. False: too many parts. */
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
        MHD_http_unescape(at);
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
        if (!(len == 1 && *pattern == '+') &&
            (strlen(r->part[i]) != len || strncmp(pattern, r->part[i], len) != 0))
            return false;
        pattern += len + (pattern[len] == '/');
        i++;
    }
    return i == REQUEST_PARTS || !r->part[i];
}

static unsigned
dispatch(struct request *r)
{
    bool path_known = false;

    for (size_t i = 0; i < api_n_routes; i++) {
        if (!matches(api_routes[i].path, r))
            continue;
        path_known = true;
        if (strcmp(api_routes[i].method, r->method) == 0)
            return api_routes[i].handler(r);
    }
    return path_known ? request_refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED,
                                       "%s is not a method of this path", r->method)
                      : request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such path");
}

static enum MHD_Result
take_query(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
    char *plain = mem_strdup(value ? value : "");

    (void)kind;
    MHD_http_unescape(plain);
    json_object_set_new_nocheck(context, key, json_string_nocheck(plain));
    free(plain);
    return MHD_YES;
}

/* Each part is decoded after the path is split: a name may have a slash in it. */
static size_t
keep_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static unsigned
serve(struct request *r, const char *url, struct MHD_Connection *connection, struct buf *body)
{
    char   *path  = mem_strdup(strncmp(url, "/v1/", 4) == 0 ? url + 4 : url);
    json_t *query = json_object();
    unsigned status;

    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, query);
    r->query = query;
    r->body  = buf_len(body) == 0 ? json_object()
                                  : json_loadb((const char *)body->bytes + body->start,
                                               buf_len(body), JSON_ALLOW_NUL, NULL);
    if (!json_is_object(r->body))
        status = request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body is not a JSON object");
    else if (strncmp(url, "/v1/", 4) != 0 || !split(path, r))
        status = request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such path");
    else
        status = dispatch(r);
    json_decref(query);
    json_decref(r->body);
    free(path);
    return status;
}

static enum MHD_Result
answer(struct MHD_Connection *connection, struct request *r, unsigned status)
{
    char *text = r->answer ? json_dumps(r->answer, JSON_COMPACT) : mem_strdup("{}");
    struct MHD_Response *response;
    enum MHD_Result      queued;

    json_decref(r->answer);
    if (!text)
        text = mem_strdup("{\"error\":{\"code\":1105,\"sqlstate\":\"HY000\","
                          "\"message\":\"the answer is not UTF-8\"}}");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "application/json");
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *url,
           const char *method, const char *version, const char *data, size_t *len,
           void **state)
{
    struct api    *api  = context;
    struct buf    *body = *state;
    struct request r    = { .cluster = api->cluster, .method = method };

    (void)version;
    if (!body) {
        *state = mem_alloc(sizeof(*body));
        return MHD_YES;
    }
    if (*len > 0) {
        if (buf_len(body) + *len > BODY_MAX)
            return MHD_NO;
        buf_append(body, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return answer(connection, &r, serve(&r, url, connection, body));
}

static void
on_end(void *context, struct MHD_Connection *connection, void **state,
       enum MHD_RequestTerminationCode how)
{
    struct buf *body = *state;

    (void)context;
    (void)connection;
    (void)how;
    if (body)
        buf_fini(body);
    free(body);
    *state = NULL;
}

static int
listen_on(const char *path, struct err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int                fd   = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t             before;
    int                rc;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
        close(fd);
        err_set(err, "another controller listens on %s", path);
        return -1;
    }
    unlink(path); /* of one that is gone */
    before = umask(0177);
    rc     = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
    umask(before);
    if (rc != 0 || listen(fd, 128) != 0) {
        err_set(err, "cannot listen on %s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

struct api *
api_open(struct cluster *cluster, const char *path, struct err *err)
{
    struct api *api = mem_alloc(sizeof(*api));
    int         fd  = listen_on(path, err);

    api->cluster = cluster;
    snprintf(api->path, sizeof(api->path), "%s", path);
    if (fd < 0) {
        free(api);
        return NULL;
    }
    api->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0, NULL,
        NULL, on_request, api, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
        on_end, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, NULL, MHD_OPTION_END);
    if (!api->daemon) {
        err_set(err, "cannot start the REST server on %s: %s", path, strerror(errno));
        close(fd);
        free(api);
        return NULL;
    }
    return api;
}

void
api_close(struct api *api)
{
    if (!api)
        return;
    MHD_stop_daemon(api->daemon);
    unlink(api->path);
    free(api);
}
