/* api.c - HTTP by libmicrohttpd on a Unix socket, and on TCP if it is wanted: a thread per
 * connection, because a request may take as long as an ALTER TABLE. */
#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/api/api.h"
#include "ctl/api/exporter.h"
#include "ctl/api/listen.h"
#include "ctl/api/login.h"
#include "ctl/api/origin.h"
#include "ctl/api/serve.h"
#include "ctl/api/stream.h"
#include "ctl/api/web.h"

enum { BODY_FORGOTTEN = 16 << 20, CONNECTIONS_MAX = 512, PER_ADDRESS_MAX = 128, IDLE_S = 60,
       EVENT_BLOCK = 16 << 10 };

/* One way in. */
struct door {
    struct api        *api;
    struct MHD_Daemon *daemon;
    bool               tcp;
};

struct api {
    struct cluster *cluster;
    struct door     socket, tcp;
    struct failed   failed;
    gid_t           group; /* whose members may use the socket; (gid_t)-1: nobody's */
    enum role       group_role;
    char           *cert, *key; /* PEM; owned */
    char            path[108];
    atomic_bool     closing;    /* streams end */
};

/* A stream of events on its way. */
struct telling {
    struct api    *api;
    struct stream *stream; /* owned */
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

static void
address_of(struct MHD_Connection *connection, char out[48])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *addr = info ? info->client_addr : NULL;

    snprintf(out, 48, "?");
    if (addr)
        (void)getnameinfo(addr, addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                            : sizeof(struct sockaddr_in),
                          out, 48, NULL, 0, NI_NUMERICHOST);
}

/* Returns 0, or the status of the refusal. */
static unsigned
who_asks(struct door *door, struct exchange *e, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct api *api = door->api;
    char        address[48];

    if (door->tcp) {
        address_of(connection, address);
        return login_token(&e->r, header(connection, "Authorization"), address, &api->failed);
    }
    if (info && login_peer(&e->r, info->connect_fd, api->group, api->group_role))
        return 0;
    e->r.who[0] = '\0'; /* nobody the audit would know */
    return request_refuse(&e->r, 403, "this socket is for the owner of the cluster and its group");
}

static void
add_headers(struct MHD_Response *response, const struct request *r, const char *type)
{
    const char *name;
    json_t     *value;

    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Request-Id", r->id);
    json_object_foreach(r->headers, name, value)
        MHD_add_response_header(response, name, json_string_value(value));
}

static ssize_t
tell(void *context, uint64_t at, char *out, size_t max)
{
    struct telling *t = context;
    size_t          n = stream_read(t->stream, out, max, &t->api->closing);

    (void)at;
    return n > 0 ? (ssize_t)n : (ssize_t)MHD_CONTENT_READER_END_OF_STREAM;
}

static void
told(void *context)
{
    struct telling *t = context;

    stream_free(t->stream);
    free(t);
}

/* Events, for as long as the client listens: the thread of its connection waits for them. */
static enum MHD_Result
answer_events(struct api *api, struct MHD_Connection *connection, struct request *r)
{
    struct telling      *t = mem_alloc(sizeof(*t));
    struct MHD_Response *response;
    enum MHD_Result      queued;

    *t        = (struct telling){ api, r->stream };
    r->stream = NULL;
    response  = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BLOCK, tell, t, told);
    add_headers(response, r, "text/event-stream");
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result
answer(struct MHD_Connection *connection, const struct request *r, unsigned status)
{
    char *text = r->answer ? json_dumps(r->answer, JSON_COMPACT)
                           : mem_strdup(status == MHD_HTTP_NO_CONTENT ? "" : "{}");
    struct MHD_Response *response;
    enum MHD_Result      queued;

    if (!text)
        text = mem_strdup("{\"error\":{\"code\":1105,\"sqlstate\":\"HY000\","
                          "\"message\":\"the answer is not UTF-8\",\"request_id\":\"\"}}");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    add_headers(response, r, "application/json");
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Negative: it is none of ours. */
static int64_t
last_event(struct MHD_Connection *connection)
{
    const char *text = header(connection, "Last-Event-ID");
    size_t      len  = text ? strspn(text, "0123456789") : 0;

    return len > 0 && len <= 18 && text[len] == '\0' ? strtoll(text, NULL, 10) : -1;
}

/* The head has been read. */
static enum MHD_Result
begin(struct door *door, struct MHD_Connection *connection, const char *url, const char *method,
      void **state)
{
    struct exchange *e      = mem_alloc(sizeof(*e));
    json_t          *query  = json_object();
    const char      *length = header(connection, "Content-Length");

    *state       = e;
    e->r.cluster = door->api->cluster;
    name_request(e, connection);
    e->r.if_match = header(connection, "If-Match");
    e->r.once_key = header(connection, "Idempotency-Key");
    e->r.after_event = last_event(connection);
    e->refused    = who_asks(door, e, connection);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, query);
    serve_head(e, method, url, query);
    /* With a token it does not matter which page a browser shows: it has to be given the token. */
    if (!e->refused && !door->tcp &&
        !origin_is_ours(header(connection, "Host"), header(connection, "Origin")))
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
    struct door     *door = context;
    struct exchange *e    = *state;
    enum MHD_Result  done;
    unsigned         status;

    (void)version;
    if (!e && web_answer(connection, method, url, &done))
        return done;
    if (!e)
        return begin(door, connection, url, method, state);
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
    if (!door->tcp && strcmp(url, "/metrics") == 0 && strcmp(method, "GET") == 0)
        return exporter_answer(connection, door->api->cluster);
    status = serve_run(e);
    return e->r.stream && status == MHD_HTTP_OK ? answer_events(door->api, connection, &e->r)
                                                : answer(connection, &e->r, status);
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

/* --- opening and closing --------------------------------------------------------- */

/* Serves on `fd`, which is closed when it cannot. */
static bool
open_door(struct door *door, struct api *api, int fd, bool tls, struct err *err)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | (tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem secure[] = {
        { MHD_OPTION_HTTPS_MEM_KEY, 0, api->key },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, api->cert },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };

    door->api    = api;
    door->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, door, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        door->tcp ? (unsigned)PER_ADDRESS_MAX : 0U, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_ARRAY,
        tls ? secure : &secure[countof(secure) - 1], MHD_OPTION_END);
    if (door->daemon)
        return true;
    close(fd);
    return err_set(err, "cannot serve the API%s", tls ? ": certificate and key do not fit, or are "
                                                        "not PEM" : "");
}

static bool
open_socket(struct api *api, const struct api_options *o, struct err *err)
{
    int fd;

    api->group = (gid_t)-1;
    if (o->group) {
        const struct group *group = getgrnam(o->group);

        if (!group)
            return err_set(err, "there is no group '%s' on this machine", o->group);
        api->group = group->gr_gid;
        if (!role_find(o->group_role ? o->group_role : "viewer", &api->group_role))
            return err_set(err, "a group is viewer, operator or admin");
    }
    fd = listen_unix(o->socket, api->group, err);
    if (fd < 0)
        return false;
    snprintf(api->path, sizeof(api->path), "%s", o->socket);
    return open_door(&api->socket, api, fd, false, err);
}

/* The whole file; NULL with `err`. */
static char *
file_text(const char *path, struct err *err)
{
    FILE      *file = fopen(path, "re");
    struct buf text = { 0 };
    char       room[4096], *out;
    size_t     n;

    if (!file) {
        err_set(err, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    while ((n = fread(room, 1, sizeof(room), file)) > 0)
        buf_append(&text, room, n);
    fclose(file);
    out = mem_strdup(buf_cstr(&text));
    buf_fini(&text);
    return out;
}

static bool
open_tcp(struct api *api, const struct api_options *o, struct err *err)
{
    bool loopback = false;
    int  fd       = listen_tcp(o->listen, &loopback, err);

    if (fd < 0)
        return false;
    api->tcp.tcp = true;
    if (o->plain && !loopback)
        err_set(err, "without TLS the API listens on loopback addresses only: tokens would be "
                     "read on the way to %s", o->listen);
    else if (!o->plain && (!o->cert || !o->key))
        err_set(err, "the API on %s needs --api-cert and --api-key, or --api-plain on a loopback "
                     "address", o->listen);
    else if (o->plain)
        return open_door(&api->tcp, api, fd, false, err);
    else if ((api->cert = file_text(o->cert, err)) && (api->key = file_text(o->key, err)))
        return open_door(&api->tcp, api, fd, true, err);
    close(fd);
    return false;
}

struct api *
api_open(struct cluster *cluster, const struct api_options *o, struct err *err)
{
    struct api *api = mem_alloc(sizeof(*api));

    api->cluster = cluster;
    failed_init(&api->failed);
    if (open_socket(api, o, err) && (!o->listen || open_tcp(api, o, err)))
        return api;
    api_close(api);
    return NULL;
}

void
api_close(struct api *api)
{
    if (!api)
        return;
    atomic_store(&api->closing, true);
    if (api->tcp.daemon)
        MHD_stop_daemon(api->tcp.daemon);
    if (api->socket.daemon)
        MHD_stop_daemon(api->socket.daemon);
    if (api->path[0])
        unlink(api->path);
    failed_fini(&api->failed);
    free(api->cert);
    free(api->key);
    free(api);
}
