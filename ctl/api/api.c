/* api.c - HTTP by libmicrohttpd on a Unix socket: a thread per connection, because a
 * request may take as long as an ALTER TABLE. */
#include <errno.h>
#include <microhttpd.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/api/api.h"
#include "ctl/api/origin.h"
#include "ctl/api/serve.h"
#include "ctl/api/web.h"

enum { BODY_FORGOTTEN = 16 << 20, CONNECTIONS_MAX = 512, IDLE_S = 60 };

struct api {
    struct cluster    *cluster;
    struct MHD_Daemon *daemon;
    char               path[108];
};

static enum MHD_Result
take_query(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
    char   *plain[2] = { mem_strdup(key), mem_strdup(value ? value : "") };
    json_t *text;

    (void)kind;
    MHD_http_unescape(plain[0]);
    MHD_http_unescape(plain[1]);
    text = json_string_nocheck(plain[1]);
    json_object_set_new_nocheck(context, plain[0], text);
    free(plain[0]);
    free(plain[1]);
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

static const char *
header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* As the client says, when that is fit for a log; else one of ours. */
static void
name_request(struct exchange *e, struct MHD_Connection *connection)
{
    static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char       *theirs = header(connection, "X-Request-Id");
    size_t            len    = theirs ? strlen(theirs) : 0;
    uint64_t          random = 0;

    if (len > 0 && len <= REQUEST_ID_MAX && strspn(theirs, fit) == len) {
        memcpy(e->r.id, theirs, len + 1);
        return;
    }
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = (uint64_t)(uintptr_t)e;
    snprintf(e->r.id, sizeof(e->r.id), "%016llx", (unsigned long long)random);
}

/* Over the socket: the account that runs the controller, and root, may do anything. The socket's
 * mode has kept others away. */
static void
name_peer(struct exchange *e, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred  peer = { .uid = (uid_t)-1 };
    socklen_t     len  = sizeof(peer);
    struct passwd entry, *found = NULL;
    char          room[4096];

    e->r.role = ROLE_VIEWER;
    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return;
    if (peer.uid == 0 || peer.uid == geteuid())
        e->r.role = ROLE_OWNER;
    if (getpwuid_r(peer.uid, &entry, room, sizeof(room), &found) == 0 && found)
        snprintf(e->r.who, sizeof(e->r.who), "unix:%.100s", found->pw_name);
    else
        snprintf(e->r.who, sizeof(e->r.who), "unix:%lu", (unsigned long)peer.uid);
}

static void
add_headers(struct MHD_Response *response, const struct request *r)
{
    const char *name;
    json_t     *value;

    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Request-Id", r->id);
    json_object_foreach(r->headers, name, value)
        MHD_add_response_header(response, name, json_string_value(value));
}

static enum MHD_Result
answer(struct MHD_Connection *connection, const struct request *r, unsigned status)
{
    char *text = r->answer ? json_dumps(r->answer, JSON_COMPACT) : mem_strdup("{}");
    struct MHD_Response *response;
    enum MHD_Result      queued;

    if (!text)
        text = mem_strdup("{\"error\":{\"code\":1105,\"sqlstate\":\"HY000\","
                          "\"message\":\"the answer is not UTF-8\",\"request_id\":\"\"}}");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    add_headers(response, r);
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* The head has been read. */
static enum MHD_Result
begin(struct api *api, struct MHD_Connection *connection, const char *url, const char *method,
      void **state)
{
    struct exchange *e      = mem_alloc(sizeof(*e));
    json_t          *query  = json_object();
    const char      *length = header(connection, "Content-Length");

    *state       = e;
    e->r.cluster = api->cluster;
    name_request(e, connection);
    name_peer(e, connection);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, query);
    serve_head(e, method, url, query);
    if (!e->refused && !origin_is_ours(header(connection, "Host"), header(connection, "Origin")))
        e->refused = request_refuse(&e->r, 403, "a browser asks for another page than ours; "
                                    "forward the socket to localhost");
    if (length && strtoull(length, NULL, 10) > serve_body_max(e))
        serve_too_long(e);
    /* What is a little too long is read and forgotten, because many clients hear nothing before
     * they have said all. */
    if (length && strtoull(length, NULL, 10) > serve_body_max(e) + BODY_FORGOTTEN)
        return answer(connection, &e->r, e->refused);
    return MHD_YES;
}

static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *url,
           const char *method, const char *version, const char *data, size_t *len,
           void **state)
{
    struct exchange *e = *state;
    enum MHD_Result  done;

    (void)version;
    if (!e && web_answer(connection, method, url, &done))
        return done;
    if (!e)
        return begin(context, connection, url, method, state);
    if (*len > 0) {
        if (buf_len(&e->body) + *len > serve_body_max(e))
            serve_too_long(e);
        if (e->refused && (e->forgotten += *len) > BODY_FORGOTTEN + serve_body_max(e))
            return MHD_NO;
        if (!e->refused)
            buf_append(&e->body, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return answer(connection, &e->r, serve_run(e));
}

static void
on_end(void *context, struct MHD_Connection *connection, void **state,
       enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)connection;
    (void)how;
    if (*state)
        serve_end(*state);
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
