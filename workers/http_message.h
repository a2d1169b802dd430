/* http_message.h - as much of HTTP/1.1 as a scraper and a load balancer need.
 *
 * Pure: bytes in, structs out. GET and HEAD without a body; a request with one
 * is answered and ends the connection. Source: RFC 9110, RFC 9112.
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
    HTTP_NOT_FOUND           = 404,
    HTTP_METHOD_NOT_ALLOWED  = 405,
    HTTP_HEAD_TOO_LARGE      = 431,
    HTTP_UNAVAILABLE         = 503,
    HTTP_VERSION_NOT_SUPPORTED = 505,
};

struct http_request {
    struct span path;       /* without the query; into the parsed bytes */
    bool        head;       /* HEAD: answer without the body */
    bool        keep_alive; /* the connection may go on after the answer */
    bool        old;        /* HTTP/1.0: says so when it goes on */
    size_t      used;       /* bytes of the head */
};

/* The first request in `in`: HTTP_OK and `out`, or HTTP_PARTIAL, or the status to
 * refuse it with; after that only METHOD_NOT_ALLOWED leaves a connection that can go
 * on, and `out` is filled for it as well. */
enum http_status http_parse(struct span in, struct http_request *out);

/* Append an answer. `now_s`: seconds since 1970. */
void http_answer(struct buf *out, enum http_status status, const struct http_request *request,
                 const char *type, struct span body, int64_t now_s);

#endif
