/* fuzz_handshake.c - every decoder of one payload; what decodes, encodes and
 * decodes to the same again.
 *
 * The first byte chooses the decoder, the rest is the payload. */
#include "core/mysql/command.h"
#include "core/mysql/handshake.h"
#include "core/mysql/packet.h"
#include "core/mysql/reply.h"
#include "core/mysql/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OFFERED (UINT64_MAX & ~CLIENT_COMPRESS)

static void
check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static struct span
payload_of(const struct buf *out)
{
    return span_from(buf_unread(out), PACKET_HEADER_BYTES);
}

static void
greeting(struct span in, struct buf *out)
{
    struct greeting a, b;
    uint8_t         seq = 0;
    bool            is_mariadb;

    if (!greeting_decode(in, &a))
        return;
    (void)greeting_version(&a, &is_mariadb);
    greeting_encode(out, &seq, &a);
    check(greeting_decode(payload_of(out), &b));
    check(a.capabilities == b.capabilities && a.thread_id == b.thread_id);
    check(span_equal(a.version, b.version) && memcmp(a.nonce, b.nonce, NONCE_BYTES) == 0);
}

static void
same_login(const struct login *a, const struct login *b)
{
    check(a->capabilities == b->capabilities && span_equal(a->user, b->user));
    check(span_equal(a->auth, b->auth) && span_equal(a->schema, b->schema));
    check(span_equal(a->plugin, b->plugin) && span_equal(a->attributes, b->attributes));
}

static void
login(struct span in, struct buf *out)
{
    struct login a, b;
    uint8_t      seq = 0;

    if (login_decode(in, OFFERED, &a) != LOGIN_RESPONSE)
        return;
    struct span rest = a.attributes, name, value;
    while (attribute_next(&rest, &name, &value))
        continue;
    login_encode(out, &seq, &a);
    check(login_decode(payload_of(out), OFFERED, &b) == LOGIN_RESPONSE);
    same_login(&a, &b);
}

static void
execute(struct span in, struct buf *out)
{
    enum { N = 3 };
    uint16_t            types[N] = { PARAM_UNBOUND, PARAM_UNBOUND, PARAM_UNBOUND };
    uint16_t            again[N] = { PARAM_UNBOUND, PARAM_UNBOUND, PARAM_UNBOUND };
    struct param_value  a[N], b[N];
    struct execute      ea, eb;
    struct literal_mode mode = { .charset = 28 };
    struct buf          text = { 0 };

    if (!execute_decode(in, N, types, NULL, &ea, a))
        return;
    execute_encode(out, ea.statement_id, ea.flags, a, N);
    check(execute_decode(payload_of(out), N, again, NULL, &eb, b));
    for (size_t i = 0; i < N; i++) {
        check(a[i].type == b[i].type && a[i].is_null == b[i].is_null);
        check(a[i].is_null || span_equal(a[i].bytes, b[i].bytes));
        if (!param_literal(&text, &a[i], &mode))
            buf_clear(&text);
    }
    buf_fini(&text);
}

static void
column(struct span in, struct buf *out)
{
    struct column a, b;
    uint8_t       seq = 0;
    uint64_t      capabilities = in.len % 2 != 0 ? MARIADB_CLIENT_EXTENDED_METADATA : 0;

    if (!reply_column_decode(in, capabilities, &a))
        return;
    (void)column_format(&a);
    reply_column_encode(out, &seq, capabilities, &a);
    check(reply_column_decode(payload_of(out), capabilities, &b));
    check(span_equal(a.name, b.name) && a.type == b.type && a.flags == b.flags);
}

static void
binary_row(struct span in, struct buf *out)
{
    struct column columns[] = {
        { .type = MYSQL_TYPE_LONG }, { .type = MYSQL_TYPE_DATETIME }, { .type = MYSQL_TYPE_TIME },
        { .type = MYSQL_TYPE_DOUBLE, .decimals = NOT_FIXED_DEC }, { .type = MYSQL_TYPE_STRING },
    };
    struct cell cells[countof(columns)];

    if (!row_binary_decode(in, columns, countof(columns), cells))
        return;
    for (size_t i = 0; i < countof(columns); i++) {
        struct cell   text = { .is_null = false };
        struct buf    back = { 0 };
        buf_clear(out);
        if (cells[i].is_null || !cell_to_text(out, &columns[i], cells[i]))
            continue;
        text.bytes = buf_unread(out);
        check(cell_to_binary(&back, &columns[i], text));
        buf_fini(&back);
    }
}

static void
small_decoders(struct span in)
{
    struct login       l;
    struct auth_switch a;
    struct ok          ok;
    struct sql_error   e;
    struct field_list  f;
    struct long_data   d;
    struct cell        cells[3];

    (void)!change_user_decode(in, OFFERED, &l);
    (void)!auth_switch_decode(in, &a);
    (void)!reply_err_decode(in, &e);
    (void)!field_list_decode(in, &f);
    (void)!long_data_decode(in, &d);
    (void)!row_text_decode(in, countof(cells), cells);
    if (reply_ok_decode(in, CLIENT_SESSION_TRACK, &ok)) {
        uint8_t     kind;
        struct span data;
        while (track_next(&ok.track, &kind, &data))
            continue;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = { 0 };

    if (size == 0)
        return 0;
    struct span in = { data + 1, size - 1 };
    switch (data[0]) {
    case 0:  greeting(in, &out); break;
    case 1:  login(in, &out); break;
    case 4:  execute(in, &out); break;
    case 5:  column(in, &out); break;
    case 6:  binary_row(in, &out); break;
    default: small_decoders(in); break;
    }
    buf_fini(&out);
    return 0;
}
