/* test_http_message.c - requests whole and byte by byte, good and bad; answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "workers/http_message.h"

#define H "Host: x\r\n"

static const struct {
    const char      *name, *text;
    enum http_status status;
    const char      *path; /* NULL: not a request */
    bool             head, keep_alive;
} requests[] = {
    { "plain", "GET /metrics HTTP/1.1\r\n" H "\r\n", HTTP_OK, "/metrics", false, true },
    { "bare LF", "GET /m HTTP/1.1\nHost: x\n\n", HTTP_OK, "/m", false, true },
    { "empty lines first", "\r\n\r\nGET /m HTTP/1.1\r\n" H "\r\n", HTTP_OK, "/m", false, true },
    { "query", "GET /m?a=b?c HTTP/1.1\r\n" H "\r\n", HTTP_OK, "/m", false, true },
    { "absolute", "GET http://h:1/m?x HTTP/1.1\r\n" H "\r\n", HTTP_OK, "/m", false, true },
    { "absolute without a path", "GET http://h HTTP/1.1\r\n" H "\r\n", HTTP_BAD_REQUEST, NULL,
      false, false },
    { "asterisk", "GET * HTTP/1.1\r\n" H "\r\n", HTTP_OK, "*", false, true },
    { "HEAD", "HEAD / HTTP/1.1\r\n" H "\r\n", HTTP_OK, "/", true, true },
    { "close", "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", HTTP_OK, "/", false, false },
    { "close among others", "GET / HTTP/1.1\r\n" H "connection: a, CLOSE ,b\r\n\r\n", HTTP_OK,
      "/", false, false },
    { "1.0", "GET / HTTP/1.0\r\n\r\n", HTTP_OK, "/", false, false },
    { "1.0 kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_OK, "/", false, true },
    { "1.7", "GET / HTTP/1.7\r\n" H "\r\n", HTTP_OK, "/", false, true },
    { "2.0", "GET / HTTP/2.0\r\n" H "\r\n", HTTP_VERSION_NOT_SUPPORTED, NULL, false, false },
    { "no version", "GET /\r\n\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "other protocol", "GET / SIP/2.0\r\n\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "more words", "GET / x HTTP/1.1\r\n" H "\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "no host", "GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "POST", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", HTTP_OK, "/", false, true },
    { "POST with a body", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n", HTTP_OK, "/",
      false, true },
    { "POST without a length", "POST / HTTP/1.1\r\n" H "\r\n", HTTP_LENGTH_REQUIRED, NULL, false,
      false },
    { "POST in chunks", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
      HTTP_LENGTH_REQUIRED, NULL, false, false },
    { "a length and chunks", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "the same length twice", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1"
      "\r\n\r\n", HTTP_OK, "/", false, true },
    { "no length", "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", HTTP_BAD_REQUEST, NULL,
      false, false },
    { "endless length", "POST / HTTP/1.1\r\n" H "Content-Length: 1234567890123456789\r\n\r\n",
      HTTP_BAD_REQUEST, NULL, false, false },
    { "DELETE", "DELETE / HTTP/1.1\r\n" H "\r\n", HTTP_METHOD_NOT_ALLOWED, "/", false, true },
    { "two authorizations", "GET / HTTP/1.1\r\n" H "Authorization: a\r\nAuthorization: b\r\n\r\n",
      HTTP_BAD_REQUEST, NULL, false, false },
    { "GET with a body", "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", HTTP_OK,
      "/", false, false },
    { "lengths that differ",
      "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
      HTTP_BAD_REQUEST, NULL, false, false },
    { "no colon", "GET / HTTP/1.1\r\n" H "nonsense\r\n\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", HTTP_BAD_REQUEST, NULL,
      false, false },
    { "folded", "GET / HTTP/1.1\r\n" H "A: b\r\n c: d\r\n\r\n", HTTP_BAD_REQUEST, NULL, false,
      false },
    { "not a path", "GET metrics HTTP/1.1\r\n" H "\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "control in the path", "GET /\x01 HTTP/1.1\r\n" H "\r\n", HTTP_BAD_REQUEST, NULL, false,
      false },
    { "no method", " / HTTP/1.1\r\n" H "\r\n", HTTP_BAD_REQUEST, NULL, false, false },
    { "a MySQL login", "\x20\x01\x01\x85", HTTP_BAD_REQUEST, NULL, false, false },
    { "TLS", "\x16\x03\x01", HTTP_BAD_REQUEST, NULL, false, false },
    { "nothing", "", HTTP_PARTIAL, NULL, false, false },
    { "half a method", "GE", HTTP_PARTIAL, NULL, false, false },
    { "half a head", "GET / HTTP/1.1\r\n" H, HTTP_PARTIAL, NULL, false, false },
};

static void
requests_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(requests); i++) {
        struct http_request r    = { 0 };
        struct span         text = span_of(requests[i].text);
        enum http_status    got  = http_parse(text, &r);

        if (got != requests[i].status)
            fail_msg("%s: %d", requests[i].name, (int)got);
        if (requests[i].path == NULL)
            continue;
        if (!span_equal(r.path, span_of(requests[i].path)) || r.head != requests[i].head ||
            r.keep_alive != requests[i].keep_alive || r.used != text.len)
            fail_msg("%s: read wrongly", requests[i].name);
    }
}

/* Never a success before the end, and no byte read behind it: the copy is exact. */
static void
requests_come_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(requests); i++) {
        struct span text = span_of(requests[i].text);
        if (requests[i].path == NULL)
            continue;
        for (size_t len = 0; len < text.len; len++) {
            struct http_request r;
            uint8_t            *copy = malloc(len + (len == 0));
            memcpy(copy, text.ptr, len);
            if (http_parse((struct span){ copy, len }, &r) != HTTP_PARTIAL)
                fail_msg("%s: not partial at %zu", requests[i].name, len);
            free(copy);
        }
    }
}

static void
two_requests_are_two(void **state)
{
    (void)state;
    struct span         both = SPAN("GET /a HTTP/1.1\r\n" H "\r\nHEAD /b HTTP/1.1\r\n" H "\r\n");
    struct http_request r;

    assert_int_equal(http_parse(both, &r), HTTP_OK);
    assert_true(span_equal(r.path, SPAN("/a")));
    both = span_from(both, r.used);
    assert_int_equal(http_parse(both, &r), HTTP_OK);
    assert_true(span_equal(r.path, SPAN("/b")) && r.head);
    assert_int_equal(r.used, both.len);
}

/* A head of exactly `len` bytes, whole or without its last line. */
static enum http_status
parse_long(size_t len, bool whole)
{
    static const char   begin[] = "GET / HTTP/1.1\r\n" H "A: ";
    char               *text    = malloc(len);
    struct http_request r;

    memset(text, 'x', len);
    memcpy(text, begin, sizeof(begin) - 1);
    if (whole)
        memcpy(text + len - 4, "\r\n\r\n", 4);
    enum http_status status = http_parse((struct span){ (uint8_t *)text, len }, &r);
    free(text);
    return status;
}

static void
heads_are_limited(void **state)
{
    (void)state;
    assert_int_equal(parse_long(HTTP_HEAD_MAX, true), HTTP_OK);
    assert_int_equal(parse_long(HTTP_HEAD_MAX + 1, true), HTTP_HEAD_TOO_LARGE);
    assert_int_equal(parse_long(HTTP_HEAD_MAX - 1, false), HTTP_PARTIAL);
    assert_int_equal(parse_long(HTTP_HEAD_MAX, false), HTTP_HEAD_TOO_LARGE);
}

static void
answers_are_written(void **state)
{
    (void)state;
    struct buf          out = { 0 };
    struct http_request r   = { .keep_alive = true };

    http_answer(&out, HTTP_OK, &r, "text/plain", SPAN("ok\n"), 784111777);
    assert_string_equal(buf_cstr(&out),
                        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                        "Content-Type: text/plain\r\nContent-Length: 3\r\n"
                        "Cache-Control: no-store\r\n\r\nok\n");
    buf_clear(&out);
    r = (struct http_request){ .head = true };
    http_answer(&out, HTTP_METHOD_NOT_ALLOWED, &r, "text/plain", SPAN("no"), 0);
    assert_string_equal(buf_cstr(&out),
                        "HTTP/1.1 405 Method Not Allowed\r\n"
                        "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                        "Content-Type: text/plain\r\nContent-Length: 2\r\n"
                        "Cache-Control: no-store\r\nAllow: GET, HEAD, POST\r\n"
                        "Connection: close\r\n\r\n");
    buf_clear(&out);
    r = (struct http_request){ .old = true, .keep_alive = true };
    http_answer(&out, HTTP_OK, &r, "text/plain", SPAN(""), 0);
    assert_non_null(strstr(buf_cstr(&out), "Connection: keep-alive\r\n"));
    buf_fini(&out);
}

static void
long_answers_come_in_chunks(void **state)
{
    (void)state;
    struct buf          out = { 0 };
    struct http_request r   = { .keep_alive = true };

    http_head(&out, HTTP_OK, &r, "text/plain", HTTP_CHUNKED, 0);
    assert_non_null(strstr(buf_cstr(&out), "Transfer-Encoding: chunked\r\n"));
    assert_null(strstr(buf_cstr(&out), "Content-Length"));
    buf_clear(&out);
    http_chunk(&out, &r, SPAN("0123456789abcdef!"));
    http_chunk(&out, &r, SPAN(""));
    assert_string_equal(buf_cstr(&out), "11\r\n0123456789abcdef!\r\n0\r\n\r\n");
    buf_clear(&out);
    r.old = true;
    http_chunk(&out, &r, SPAN("plain"));
    assert_string_equal(buf_cstr(&out), "plain");
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),    cmocka_unit_test(requests_come_in_pieces),
        cmocka_unit_test(two_requests_are_two), cmocka_unit_test(heads_are_limited),
        cmocka_unit_test(answers_are_written),
        cmocka_unit_test(long_answers_come_in_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
