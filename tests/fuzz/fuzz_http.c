/* fuzz_http.c - requests are read within their bytes, and any answer of a server becomes
 * JSON that parses.
 *
 * The first byte: 0 is a request, else an answer (bit 0: binary rows, bit 1: no EOF). */
#include <jansson.h>
#include <stdlib.h>

#include "workers/http_json.h"
#include "workers/http_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static bool
is_within(struct span part, struct span whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void
request(struct span in)
{
    struct http_request r      = { 0 };
    enum http_status    status = http_parse(in, &r);

    if (status == HTTP_OK) {
        check(r.used <= in.len && r.path.len != 0);
        check(is_within(r.path, in) && is_within(r.authorization, in));
        check(r.post || r.body_bytes == 0 || !r.keep_alive);
    }
}

static void
answer(struct span in, bool binary, uint64_t capabilities)
{
    struct result_reader  reader;
    struct result_message m;
    struct json_answer    a   = { 0 };
    struct buf            out = { 0 }, joined = { 0 };
    struct sql_error      why;

    result_init(&reader, RESULT_QUERY, capabilities);
    json_answer_begin(&a, capabilities, binary);
    while (result_next(&reader, in, 1 << 20, &joined, &m) == PACKET_OK &&
           m.kind != RESULT_IS_ERR && json_answer_add(&a, &out, &reader, &m)) {
        in = span_from(in, m.message.used);
        if (result_over(&reader))
            break;
    }
    sql_error_set(&why, SQL_UNKNOWN_ERROR, "cut");
    json_answer_end(&a, &out, result_over(&reader) ? NULL : &why);
    json_error_t error;
    json_t      *document = json_loadb((const char *)out.bytes + out.start, buf_len(&out),
                                       JSON_ALLOW_NUL, &error);
    check(json_is_object(document) || json_error_code(&error) == json_error_numeric_overflow);
    json_decref(document);
    json_answer_fini(&a);
    buf_fini(&out);
    buf_fini(&joined);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t   len  = size - 1;
    uint8_t *copy = malloc(len + (len == 0));

    memcpy(copy, data + 1, len);
    if (data[0] == 0)
        request((struct span){ copy, len });
    else
        answer((struct span){ copy, len }, data[0] & 1,
               CLIENT_PROTOCOL_41 | (data[0] & 2 ? CLIENT_DEPRECATE_EOF : 0));
    free(copy);
    return 0;
}
