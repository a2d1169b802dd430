/* fuzz_result.c - an answer means the same however its bytes are cut.
 *
 * Input: shape, capabilities, size of the pieces, then the server's bytes. */
#include "core/mysql/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
capabilities_of(uint8_t bits)
{
    return (bits & 1 ? CLIENT_DEPRECATE_EOF : 0) | (bits & 2 ? CLIENT_SESSION_TRACK : 0)
           | (bits & 4 ? MARIADB_CLIENT_CACHE_METADATA : 0)
           | (bits & 8 ? MARIADB_CLIENT_PROGRESS : 0)
           | (bits & 16 ? MARIADB_CLIENT_EXTENDED_METADATA : 0);
}

static enum result_status
feed(struct result_reader *r, struct span in, size_t piece)
{
    enum result_status status = RESULT_MORE;

    for (size_t used; in.len != 0; in = span_from(in, used)) {
        size_t n = piece < in.len ? piece : in.len;
        status   = result_feed(r, (struct span){ in.ptr, n }, &used);
        if (used > n || (status == RESULT_MORE && used != n))
            __builtin_trap();
        if (status == RESULT_DONE || status == RESULT_BAD)
            break;
    }
    return status;
}

static enum result_status
walk(struct result_reader *r, struct span in)
{
    struct buf            joined = { 0 };
    struct result_message m;
    enum packet_status    status = PACKET_OK;

    while (!result_over(r) && status == PACKET_OK) {
        status = result_next(r, in, 0, &joined, &m);
        if (status == PACKET_OK)
            in = span_from(in, m.message.used);
    }
    buf_fini(&joined);
    return status == PACKET_PARTIAL ? RESULT_MORE : status == PACKET_OK ? RESULT_DONE : RESULT_BAD;
}

static bool
same(const struct result_reader *a, const struct result_reader *b)
{
    return a->affected_rows == b->affected_rows && a->insert_id == b->insert_id
           && a->n_rows == b->n_rows && a->n_bytes == b->n_bytes
           && a->n_results == b->n_results && a->status == b->status
           && a->warnings == b->warnings && a->error == b->error
           && a->statement_id == b->statement_id && a->n_columns == b->n_columns
           && a->session_changed == b->session_changed
           && span_equal(result_last(a), result_last(b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result_reader whole, pieces, walked;

    if (size < 3)
        return 0;
    enum result_shape shape = data[0] % (RESULT_NONE + 1);
    uint64_t          capabilities = capabilities_of(data[1]);
    struct span       in = { data + 3, size - 3 };
    result_init(&whole, shape, capabilities);
    result_init(&pieces, shape, capabilities);
    result_init(&walked, shape, capabilities);

    enum result_status status = feed(&whole, in, in.len);
    if (feed(&pieces, in, data[2] != 0 ? data[2] : 1) != status)
        __builtin_trap();
    if (status == RESULT_DONE && !same(&whole, &pieces))
        __builtin_trap();
    if (status == RESULT_DONE && (walk(&walked, in) != RESULT_DONE || !same(&whole, &walked)))
        __builtin_trap();
    return 0;
}
