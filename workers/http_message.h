/* http_message.h - as much of HTTP/1.1 as scrapers, load balancers and applications need.
 *
 * Pure: bytes in, structs out. GET and HEAD without a body: a request with one is answered
 * and ends the connection. POST with a body of a known length; one in chunks is refused.
 * Source: RFC 9110, RFC 9112.
 */
#ifndef WORKERS_HTTP_MESSAGE_H
#define WORKERS_HTTP_MESSAGE_H

#include "core/base/base.h"
#include "core/base/buf.h"

enum { HTTP_HEAD_MAX = 8192 };

enum http_status {
    HTTP_PARTIAL             = 0, /* the head is not complete yet */
    HTTP_OK                  = 200,
    HTTP_BAD_REQUEST         = 400,
    HTTP_UNAUTHORIZED        = 401,
    HTTP_FORBIDDEN           = 403,
    HTTP_NOT_FOUND           = 404,
    HTTP_METHOD_NOT_ALLOWED  = 405,
    HTTP_CONFLICT            = 409,
    HTTP_LENGTH_REQUIRED     = 411,
    HTTP_BODY_TOO_LARGE      = 413,
    HTTP_TOO_MANY            = 429,
    HTTP_HEAD_TOO_LARGE      = 431,
    HTTP_BAD_GATEWAY         = 502,
    HTTP_UNAVAILABLE         = 503,
    HTTP_GATEWAY_TIMEOUT     = 504,
    HTTP_VERSION_NOT_SUPPORTED = 505,
};

struct http_request {
    struct span path;       /* without the query; into the parsed bytes */
    struct span authorization; /* the field's value; into the parsed bytes */
    bool        head;       /* HEAD: answer without the body */
    bool        post;
    bool        expects;    /* "100 (Continue)" before it sends the body */
    uint64_t    body_bytes; /* of a POST: behind the head */
    const char *allow;      /* what the answer "Method Not Allowed" tells; NULL: all methods */
    bool        keep_alive; /* the connection may go on after the answer */
    bool        old;        /* HTTP/1.0: says so when it goes on */
    size_t      used;       /* bytes of the head */
};

/* The first request in `in`: HTTP_OK and `out`, or HTTP_PARTIAL, or the status to
 * refuse it with; after that only METHOD_NOT_ALLOWED leaves a connection that can go
 * on, and `out` is filled for it as well. The body of a POST is still to be read. */
enum http_status http_parse(struct span in, struct http_request *out);

/* Append the head of an answer. `body_bytes`: of the body that follows; HTTP_CHUNKED: it
 * comes in chunks (and ends with the connection for HTTP/1.0, which has none).
 * `now_s`: seconds since 1970. */
#define HTTP_CHUNKED UINT64_MAX
void http_head(struct buf *out, enum http_status status, const struct http_request *request,
               const char *type, uint64_t body_bytes, int64_t now_s);

/* The head and the body. */
void http_answer(struct buf *out, enum http_status status, const struct http_request *request,
                 const char *type, struct span body, int64_t now_s);

/* A piece of the body; the last one is empty. */
void http_chunk(struct buf *out, const struct http_request *request, struct span bytes);

#endif
