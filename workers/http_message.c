/* http_message.c - see http_message.h. */
#include "workers/http_message.h"

#include <time.h>

/* What may stand in a method or a field's name: RFC 9110, 5.6.2. */
static bool
is_token(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* The bytes before `end`; `*rest` goes on behind it. False: there is no `end`. */
static bool
cut(struct span *rest, uint8_t end, struct span *out)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->ptr, end, rest->len) : NULL;

    if (at == NULL)
        return false;
    *out  = (struct span){ rest->ptr, (size_t)(at - rest->ptr) };
    *rest = span_from(*rest, out->len + 1);
    return true;
}

static struct span
trim(struct span s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = span_from(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* A line without its end, which is CRLF or a bare LF (RFC 9112, 2.2). */
static bool
cut_line(struct span *rest, struct span *line)
{
    if (!cut(rest, '\n', line))
        return false;
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}

static enum http_status
parse_version(struct span text, struct http_request *r)
{
    if (text.len != 8 || memcmp(text.ptr, "HTTP/", 5) != 0 || text.ptr[6] != '.')
        return HTTP_BAD_REQUEST;
    if (text.ptr[5] != '1')
        return HTTP_VERSION_NOT_SUPPORTED;
    r->old        = text.ptr[7] == '0';
    r->keep_alive = !r->old;
    return HTTP_OK;
}

/* "/path?query" or, as proxies say it, "http://host/path?query". */
static bool
parse_target(struct span target, struct http_request *r)
{
    struct span ignored;

    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f)
            return false;
    if (target.len > 7 && strncasecmp((const char *)target.ptr, "http://", 7) == 0) {
        target = span_from(target, 7);
        if (!cut(&target, '/', &ignored))
            return false;
        target = (struct span){ target.ptr - 1, target.len + 1 };
    }
    if (target.len == 0 || (target.ptr[0] != '/' && !span_equal(target, SPAN("*"))))
        return false;
    r->path = target;
    cut(&target, '?', &r->path);
    return true;
}

static enum http_status
parse_request_line(struct span line, struct http_request *r)
{
    struct span method, target;

    if (!cut(&line, ' ', &method) || !cut(&line, ' ', &target) || method.len == 0)
        return HTTP_BAD_REQUEST;
    for (size_t i = 0; i < method.len; i++)
        if (!is_token(method.ptr[i]))
            return HTTP_BAD_REQUEST;
    enum http_status status = parse_version(line, r);
    if (status != HTTP_OK || !parse_target(target, r))
        return status != HTTP_OK ? status : HTTP_BAD_REQUEST;
    r->head = span_equal(method, SPAN("HEAD"));
    r->post = span_equal(method, SPAN("POST"));
    return r->head || r->post || span_equal(method, SPAN("GET")) ? HTTP_OK
                                                                 : HTTP_METHOD_NOT_ALLOWED;
}

/* "close", "keep-alive" or others, separated by commas. */
static void
parse_connection(struct span value, struct http_request *r)
{
    struct span word;

    for (bool more = true; more;) {
        more = cut(&value, ',', &word);
        word = trim(more ? word : value);
        if (span_equal_nocase(word, SPAN("close")))
            r->keep_alive = false;
        else if (r->old && span_equal_nocase(word, SPAN("keep-alive")))
            r->keep_alive = true;
    }
}

struct fields {
    bool host, authorization, length, chunks;
};

/* Repeated lengths must agree: else where the next request begins is anybody's guess. */
static bool
parse_length(struct span value, struct http_request *r, struct fields *seen)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    if (seen->length && n != r->body_bytes)
        return false;
    seen->length  = true;
    r->body_bytes = n;
    return true;
}

static bool
parse_field(struct span line, struct http_request *r, struct fields *seen)
{
    struct span name;

    if (!cut(&line, ':', &name) || name.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_token(name.ptr[i]))
            return false;
    struct span value = trim(line);
    if (span_equal_nocase(name, SPAN("Host"))) {
        if (seen->host)
            return false;
        seen->host = true;
    } else if (span_equal_nocase(name, SPAN("Authorization"))) {
        if (seen->authorization)
            return false;
        seen->authorization = true;
        r->authorization    = value;
    } else if (span_equal_nocase(name, SPAN("Connection")))
        parse_connection(value, r);
    else if (span_equal_nocase(name, SPAN("Transfer-Encoding")))
        seen->chunks = true;
    else if (span_equal_nocase(name, SPAN("Content-Length")))
        return parse_length(value, r, seen);
    else if (span_equal_nocase(name, SPAN("Expect")))
        r->expects = span_equal_nocase(value, SPAN("100-continue"));
    return true;
}

/* Something that is no request at all is told so without waiting for more. */
static bool
begins_well(struct span in)
{
    for (size_t i = 0; i < in.len; i++)
        if (!is_token(in.ptr[i]))
            return in.ptr[i] == '\r' || in.ptr[i] == '\n' || (in.ptr[i] == ' ' && i > 0);
    return true;
}

static enum http_status
partial(struct span in)
{
    if (!begins_well(in))
        return HTTP_BAD_REQUEST;
    return in.len >= HTTP_HEAD_MAX ? HTTP_HEAD_TOO_LARGE : HTTP_PARTIAL;
}

enum http_status
http_parse(struct span in, struct http_request *out)
{
    struct http_request r    = { 0 };
    struct fields       seen = { 0 };
    struct span         rest = in, line;

    do /* empty lines before a request are ignored: RFC 9112, 2.2 */
        if (!cut_line(&rest, &line))
            return partial(rest);
    while (line.len == 0);
    enum http_status status = parse_request_line(line, &r);
    if (status != HTTP_OK && status != HTTP_METHOD_NOT_ALLOWED)
        return status;

    for (;;) {
        if (!cut_line(&rest, &line))
            return in.len >= HTTP_HEAD_MAX ? HTTP_HEAD_TOO_LARGE : HTTP_PARTIAL;
        if (line.len == 0)
            break;
        if (!parse_field(line, &r, &seen))
            return HTTP_BAD_REQUEST;
    }
    r.used = (size_t)(rest.ptr - in.ptr);
    if (r.used > HTTP_HEAD_MAX)
        return HTTP_HEAD_TOO_LARGE;
    if ((!r.old && !seen.host) || (seen.chunks && seen.length))
        return HTTP_BAD_REQUEST;
    if (r.post && (seen.chunks || !seen.length))
        return HTTP_LENGTH_REQUIRED;
    if (!r.post)
        r.keep_alive = r.keep_alive && !seen.chunks && r.body_bytes == 0;
    *out = r;
    return status;
}

static const char *
reason(enum http_status status)
{
    switch (status) {
    case HTTP_OK: return "OK";
    case HTTP_BAD_REQUEST: return "Bad Request";
    case HTTP_UNAUTHORIZED: return "Unauthorized";
    case HTTP_FORBIDDEN: return "Forbidden";
    case HTTP_NOT_FOUND: return "Not Found";
    case HTTP_METHOD_NOT_ALLOWED: return "Method Not Allowed";
    case HTTP_CONFLICT: return "Conflict";
    case HTTP_LENGTH_REQUIRED: return "Length Required";
    case HTTP_BODY_TOO_LARGE: return "Content Too Large";
    case HTTP_TOO_MANY: return "Too Many Requests";
    case HTTP_BAD_GATEWAY: return "Bad Gateway";
    case HTTP_GATEWAY_TIMEOUT: return "Gateway Timeout";
    case HTTP_HEAD_TOO_LARGE: return "Request Header Fields Too Large";
    case HTTP_UNAVAILABLE: return "Service Unavailable";
    case HTTP_VERSION_NOT_SUPPORTED: return "HTTP Version Not Supported";
    case HTTP_PARTIAL: break;
    }
    return "Unknown";
}

void
http_head(struct buf *out, enum http_status status, const struct http_request *request,
          const char *type, uint64_t body_bytes, int64_t now_s)
{
    char      date[64];
    time_t    now = (time_t)now_s;
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n", (int)status,
               reason(status), date, type);
    if (body_bytes != HTTP_CHUNKED)
        buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)body_bytes);
    else if (!request->old)
        buf_append_text(out, "Transfer-Encoding: chunked\r\n");
    buf_append_text(out, "Cache-Control: no-store\r\n");
    if (status == HTTP_METHOD_NOT_ALLOWED)
        buf_printf(out, "Allow: %s\r\n", request->allow ? request->allow : "GET, HEAD, POST");
    if (status == HTTP_UNAUTHORIZED)
        buf_append_text(out, "WWW-Authenticate: Basic realm=\"shardd\", charset=\"UTF-8\"\r\n");
    if (!request->keep_alive)
        buf_append_text(out, "Connection: close\r\n");
    else if (request->old)
        buf_append_text(out, "Connection: keep-alive\r\n");
    buf_append_text(out, "\r\n");
}

void
http_answer(struct buf *out, enum http_status status, const struct http_request *request,
            const char *type, struct span body, int64_t now_s)
{
    http_head(out, status, request, type, body.len, now_s);
    if (!request->head)
        buf_append_span(out, body);
}

void
http_chunk(struct buf *out, const struct http_request *request, struct span bytes)
{
    if (request->old) {
        buf_append_span(out, bytes);
        return;
    }
    buf_printf(out, "%zx\r\n", bytes.len);
    buf_append_span(out, bytes);
    buf_append_text(out, "\r\n");
}
