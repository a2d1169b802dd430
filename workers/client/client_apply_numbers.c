/* client_apply_numbers.c - see apply.h: numbers of sequences for rows that are written now. */
#include <stdlib.h>

#include "core/mysql/row.h"
#include "workers/client/apply_state.h"

enum { EOF_BYTES_MAX = 9 };

/* The next packet's payload; empty: there is none. */
static struct span
next_payload(struct span *rest)
{
    struct span payload = { 0 };

    if (rest->len <= PACKET_HEADER_BYTES)
        return payload;
    size_t n = rest->ptr[0] | (size_t)rest->ptr[1] << 8 | (size_t)rest->ptr[2] << 16;
    if (rest->len < PACKET_HEADER_BYTES + n)
        return payload;
    payload = (struct span){ rest->ptr + PACKET_HEADER_BYTES, n };
    *rest   = span_from(*rest, PACKET_HEADER_BYTES + n);
    return payload;
}

/* Behind the definitions of n columns. */
static struct span
find_row(struct span rest, uint32_t n)
{
    struct span payload = { 0 };

    for (uint32_t i = 0; i <= n; i++)
        payload = next_payload(&rest);
    payload = next_payload(&rest);
    if (payload.len != 0 && payload.len < EOF_BYTES_MAX && payload.ptr[0] == REPLY_EOF)
        payload = next_payload(&rest);
    return payload;
}

static bool
is_number(struct cell cell)
{
    for (size_t i = 0; i < cell.bytes.len; i++)
        if ((cell.bytes.ptr[i] < '0' || cell.bytes.ptr[i] > '9') &&
            (i != 0 || cell.bytes.ptr[i] != '-'))
            return false;
    return !cell.is_null && cell.bytes.len != 0;
}

static bool
keep_row(struct client_apply *k, struct span row, uint32_t n)
{
    struct cell *cells   = arena_alloc(&k->arena, (n + 1) * sizeof(*cells));
    struct span *numbers = arena_alloc(&k->arena, (n + 1) * sizeof(*numbers));

    if (row.len == 0 || !row_text_decode(row, n, cells))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_number(cells[i]))
            return false;
        numbers[i] = arena_copy(&k->arena, cells[i].bytes);
    }
    k->numbers   = numbers;
    k->n_numbers = n;
    return true;
}

void
apply_take_numbers(struct client_apply *k)
{
    struct span      out = buf_unread(&k->sink.out), rest = out;
    struct span      first = next_payload(&rest);
    uint32_t         n     = k->at->next == NULL ? 0 : k->at->next->n_holes;
    struct sql_error error;

    if (first.len != 0 && first.ptr[0] == REPLY_ERR && reply_err_decode(first, &error))
        apply_fail(k, &error);
    else if (!keep_row(k, find_row(out, n), n))
        apply_fail_with(k, "the numbers of a sequence were not told as they should be");
    buf_clear(&k->sink.out);
}

struct span
apply_fill(struct client_apply *k, const struct change_statement *s)
{
    struct buf text = { 0 };
    uint32_t   at   = 0;

    for (uint32_t i = 0; i < s->n_holes && i < k->n_numbers; i++) {
        buf_append(&text, s->text.ptr + at, s->holes[i] - at);
        buf_append_span(&text, k->numbers[i]);
        at = s->holes[i];
    }
    buf_append(&text, s->text.ptr + at, s->text.len - at);
    struct span whole = arena_copy(&k->arena, buf_unread(&text));
    buf_fini(&text);
    return whole;
}
