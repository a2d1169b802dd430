/* test_result.c - where answers end, however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/reply.h"
#include "core/mysql/result.h"
#include "core/mysql/wire.h"

/* Packets with their sequence left open: numbered by stream_of(). */
#define COUNT(n)  "\1\0\0." n
#define COLUMN    "\x17\0\0." "\3def\0\0\0\1x\0\x0c\x3f\0\1\0\0\0\3\1\0\0\0\0"
#define EOF_(st)  "\5\0\0." "\xfe\0\0" st "\0"
#define OK_END(st) "\7\0\0." "\xfe\0\0" st "\0\0\0"
#define OK(n, st) "\7\0\0." "\0" n "\5" st "\0\1\0"
#define ROW       "\2\0\0." "\1x"
#define ERROR     "\x0d\0\0." "\xff\x7a\4#42S02Gone"
#define PREPARED(c, p) "\x0c\0\0." "\0\7\0\0\0" c "\0" p "\0\0\0\0"
#define PROGRESS  "\7\0\0." "\xff\xff\xff\1\1\1\1"

#define DE CLIENT_DEPRECATE_EOF
#define TR CLIENT_SESSION_TRACK
#define CM MARIADB_CLIENT_CACHE_METADATA
#define PG MARIADB_CLIENT_PROGRESS

#define DONE RESULT_DONE
#define MORE RESULT_MORE
#define BAD  RESULT_BAD

static const struct {
    const char        *name;
    enum result_shape  shape;
    uint64_t           caps;
    struct span        in;
    enum result_status status;
    uint64_t           rows, affected;
    uint32_t           results;
    uint16_t           error, state;
} cases[] = {
#define P(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define Q RESULT_QUERY
    { "OK",            Q, 0,  P(OK("\3", "\2")), DONE, 0, 3, 1, 0, 2 },
    { "ERR",           Q, 0,  P(ERROR), DONE, 0, 0, 0, 1146, 0 },
    { "no rows",       Q, 0,  P(COUNT("\1") COLUMN EOF_("\2") EOF_("\2")), DONE, 0, 0, 1, 0, 2 },
    { "rows",          Q, 0,  P(COUNT("\1") COLUMN EOF_("\2") ROW ROW ROW EOF_("\x22")),
      DONE, 3, 0, 1, 0, 0x22 },
    { "two columns",   Q, 0,  P(COUNT("\2") COLUMN COLUMN EOF_("\2") ROW EOF_("\2")),
      DONE, 1, 0, 1, 0, 2 },
    { "no EOF",        Q, DE, P(COUNT("\1") COLUMN ROW ROW OK_END("\2")), DONE, 2, 0, 1, 0, 2 },
    { "ERR in rows",   Q, DE, P(COUNT("\1") COLUMN ROW ERROR), DONE, 1, 0, 0, 1146, 0 },
    { "ERR for rows",  Q, 0,  P(COUNT("\1") COLUMN EOF_("\2") ERROR), DONE, 0, 0, 0, 1146, 2 },
    { "ERR in columns", Q, 0, P(COUNT("\2") COLUMN ERROR), DONE, 0, 0, 0, 1146, 0 },
    { "chain of OK",   Q, 0,  P(OK("\1", "\x0a") OK("\2", "\2")), DONE, 0, 3, 2, 0, 2 },
    { "chain of rows", Q, 0,  P(COUNT("\1") COLUMN EOF_("\x0a") ROW EOF_("\x0a") OK("\1", "\2")),
      DONE, 1, 1, 2, 0, 2 },
    { "chain, no EOF", Q, DE, P(COUNT("\1") COLUMN ROW OK_END("\x0a") COUNT("\1") COLUMN ROW
                                OK_END("\x0a") OK("\0", "\2")), DONE, 2, 0, 3, 0, 2 },
    { "chain, then ERR", Q, DE, P(OK("\1", "\x0a") ERROR), DONE, 0, 1, 1, 1146, 0x0a },
    { "chain goes on", Q, DE, P(OK("\1", "\x0a")), MORE, 0, 1, 1, 0, 0x0a },
    { "a routine's cursor", Q, 0, P(COUNT("\1") COLUMN EOF_("\x42") ROW EOF_("\2")), DONE, 1, 0,
      1, 0, 2 },
    { "cursor, no EOF", Q, DE, P(COUNT("\1") COLUMN OK_END("\x42")), DONE, 0, 0, 1, 0, 0x42 },
    { "tracking",      Q, TR, P("\x0b\0\0." "\0\0\0\2\x40\0\0" "\0\2\2\0"),
      DONE, 0, 0, 1, 0, 0x4002 },
    { "definitions cached", Q, CM, P("\2\0\0." "\1\0" EOF_("\2") ROW EOF_("\2")),
      DONE, 1, 0, 1, 0, 2 },
    { "definitions sent", Q, CM | DE, P("\2\0\0." "\1\1" COLUMN ROW OK_END("\2")),
      DONE, 1, 0, 1, 0, 2 },
    { "progress",      Q, PG, P(PROGRESS PROGRESS OK("\1", "\2")), DONE, 0, 1, 1, 0, 2 },
    { "65535 is an error without it", Q, 0, P(PROGRESS), DONE, 0, 0, 0, 0xffff, 0 },
    { "prepared",      RESULT_PREPARE, 0, P(PREPARED("\0", "\0")), DONE, 0, 0, 1, 0, 0 },
    { "prepared, both", RESULT_PREPARE, 0, P(PREPARED("\1", "\2") COLUMN COLUMN EOF_("\2") COLUMN
                                             EOF_("\2")), DONE, 0, 0, 1, 0, 2 },
    { "prepared, no EOF", RESULT_PREPARE, DE, P(PREPARED("\1", "\2") COLUMN COLUMN COLUMN),
      DONE, 0, 0, 1, 0, 0 },
    { "prepared, parameters", RESULT_PREPARE, 0, P(PREPARED("\0", "\1") COLUMN EOF_("\2")),
      DONE, 0, 0, 1, 0, 2 },
    { "prepared, columns", RESULT_PREPARE, DE, P(PREPARED("\1", "\0") COLUMN), DONE, 0, 0, 1, 0,
      0 },
    { "not prepared",  RESULT_PREPARE, 0, P(ERROR), DONE, 0, 0, 0, 1146, 0 },
    { "fetch",         RESULT_FETCH, 0, P(ROW ROW EOF_("\x42")), DONE, 2, 0, 1, 0, 0x42 },
    { "field list",    RESULT_FIELD_LIST, 0, P(COLUMN COLUMN EOF_("\2")), DONE, 0, 0, 1, 0, 2 },
    { "field list, OK", RESULT_FIELD_LIST, DE, P(COLUMN OK_END("\2")), DONE, 0, 0, 1, 0, 2 },
    { "ping",          RESULT_SIMPLE, 0, P(OK("\0", "\2")), DONE, 0, 0, 1, 0, 2 },
    { "set option",    RESULT_SIMPLE, 0, P(EOF_("\2")), DONE, 0, 0, 1, 0, 2 },
    { "set option, OK", RESULT_SIMPLE, DE, P(OK_END("\2")), DONE, 0, 0, 1, 0, 2 },
    { "statistics",    RESULT_TEXT, 0, P("\4\0\0." "text"), DONE, 0, 0, 1, 0, 0 },
    { "nothing asked", RESULT_NONE, 0, P(""), DONE, 0, 0, 0, 0, 0 },
    { "cut",           Q, 0, P(COUNT("\1") COLUMN EOF_("\2") ROW "\2\0\0." "\1"),
      MORE, 1, 0, 0, 0, 2 },
    { "silence",       Q, 0, P(""), MORE, 0, 0, 0, 0, 0 },
    { "empty packet",  Q, 0, P("\0\0\0."), BAD, 0, 0, 0, 0, 0 },
    { "EOF first",     Q, 0, P(EOF_("\2")), BAD, 0, 0, 0, 0, 0 },
    { "no EOF where one is due", Q, 0, P(COUNT("\1") COLUMN ROW), BAD, 0, 0, 0, 0, 0 },
    { "EOF among columns", Q, 0, P(COUNT("\2") COLUMN EOF_("\2")), BAD, 0, 0, 0, 0, 0 },
    { "OK cut",        Q, 0, P("\3\0\0." "\0\0\0"), BAD, 0, 0, 0, 0, 0 },
    { "count cut",     Q, 0, P("\2\0\0." "\xfc\1"), BAD, 0, 0, 0, 0, 0 },
    { "count of an auth packet", RESULT_SIMPLE, 0, P("\2\0\0." "\1\4"), BAD, 0, 0, 0, 0, 0 },
};

/* A copy of `in` with the sequence of every packet set, from 1. */
static struct span
stream_of(struct span in, struct buf *out)
{
    uint8_t seq = 1;

    buf_clear(out);
    buf_append_span(out, in);
    for (size_t at = 0; at + 4 <= in.len;) {
        uint8_t *p = out->bytes + at;
        p[3]       = seq++;
        at += 4 + (size_t)(p[0] | p[1] << 8);
    }
    return buf_unread(out);
}

static enum result_status
feed(struct result_reader *r, struct span in, size_t piece)
{
    enum result_status status;
    size_t             at = 0, used;

    do {
        size_t n = in.len - at < piece ? in.len - at : piece;
        status   = result_feed(r, (struct span){ in.ptr + at, n }, &used);
        assert_true(used <= n && (status != RESULT_MORE || used == n));
        at += used;
    } while (status == RESULT_MORE && at < in.len);
    if (status == RESULT_DONE)
        assert_int_equal(at, in.len);
    return status;
}

static void
check(size_t i, const struct result_reader *r)
{
    assert_int_equal(r->n_rows, cases[i].rows);
    assert_int_equal(r->affected_rows, cases[i].affected);
    assert_int_equal(r->n_results, cases[i].results);
    assert_int_equal(r->error, cases[i].error);
    assert_int_equal(r->status, cases[i].state);
}

static void
answers(size_t piece)
{
    struct buf copy = { 0 };

    for (size_t i = 0; i < countof(cases); i++) {
        struct result_reader r;
        struct sql_error     error;

        print_message("  %s\n", cases[i].name);
        struct span in = stream_of(cases[i].in, &copy);
        result_init(&r, cases[i].shape, cases[i].caps);
        assert_int_equal(feed(&r, in, piece), cases[i].status);
        if (cases[i].status == RESULT_BAD)
            continue;
        check(i, &r);
        assert_int_equal(r.n_bytes, in.len);
        assert_int_equal(result_error(&r, &error), cases[i].error != 0);
        if (cases[i].error == 1146)
            assert_string_equal(error.message, "Gone");
    }
    buf_fini(&copy);
}

static void
answers_whole(void **state)
{
    (void)state;
    answers(SIZE_MAX);
}

static void
answers_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 12; piece++)
        answers(piece);
}

static void
answers_message_by_message(void **state)
{
    (void)state;
    struct buf copy = { 0 }, joined = { 0 };

    for (size_t i = 0; i < countof(cases); i++) {
        struct result_reader  r;
        struct result_message m;
        enum packet_status    status = PACKET_OK;

        print_message("  %s\n", cases[i].name);
        struct span in = stream_of(cases[i].in, &copy);
        result_init(&r, cases[i].shape, cases[i].caps);
        while (status == PACKET_OK && !result_over(&r)) {
            status = result_next(&r, in, 0, &joined, &m);
            if (status == PACKET_OK)
                in = span_from(in, m.message.used);
        }
        if (cases[i].status != RESULT_BAD)
            check(i, &r);
        assert_int_equal(status, cases[i].status == RESULT_DONE   ? PACKET_OK
                                 : cases[i].status == RESULT_MORE ? PACKET_PARTIAL
                                                                  : PACKET_BAD_SEQ);
    }
    buf_fini(&copy);
    buf_fini(&joined);
}

static void
what_follows_is_left_alone(void **state)
{
    (void)state;
    struct buf           copy = { 0 };
    struct result_reader r;
    size_t               used;
    struct span          in = stream_of((struct span)P(COUNT("\1") COLUMN ROW OK_END("\2")), &copy);

    size_t len = in.len;
    buf_append_text(&copy, "\7\0\0\1next");
    result_init(&r, RESULT_QUERY, DE);
    assert_int_equal(result_feed(&r, buf_unread(&copy), &used), RESULT_DONE);
    assert_int_equal(used, len);
    assert_int_equal(result_feed(&r, SPAN("more"), &used), RESULT_DONE);
    assert_int_equal(used, 0);
    buf_fini(&copy);
}

static void
a_gap_is_fatal(void **state)
{
    (void)state;
    struct result_reader r;
    size_t               used;

    result_init(&r, RESULT_SIMPLE, 0);
    assert_int_equal(result_feed(&r, SPAN("\7\0\0\2\0\0\0\2\0\0\0"), &used), RESULT_BAD);
    assert_int_equal(result_feed(&r, SPAN("\7\0\0\1\0\0\0\2\0\0\0"), &used), RESULT_BAD);
    result_init(&r, RESULT_SIMPLE, 0);
    r.next_seq = 2; /* the command took two packets */
    assert_int_equal(result_feed(&r, SPAN("\7\0\0\2\0\0\0\2\0\0\0"), &used), RESULT_DONE);
}

static void
numbers_are_written_anew(void **state)
{
    (void)state;
    struct buf  good = { 0 };
    struct span in   = stream_of((struct span)P(COUNT("\1") COLUMN ROW ROW OK_END("\2")), &good);

    for (size_t cut = 1; cut < in.len; cut++) {
        uint8_t              bytes[256];
        struct result_reader r;
        size_t               used, rest;

        assert_true(in.len <= sizeof(bytes));
        memcpy(bytes, in.ptr, in.len);
        for (size_t at = 0, n = 0; at < in.len; at += 4u + bytes[at], n++)
            bytes[at + 3] = (uint8_t)(n < 2 ? n + 1 : n - 1); /* counted on from 1 */
        result_init(&r, RESULT_QUERY, DE);
        r.renumbers = true;
        assert_int_equal(result_feed(&r, (struct span){ bytes, cut }, &used), RESULT_MORE);
        assert_int_equal(used, cut);
        assert_int_equal(result_feed(&r, (struct span){ bytes + cut, in.len - cut }, &rest),
                         RESULT_DONE);
        assert_memory_equal(bytes, in.ptr, in.len);
    }
    buf_fini(&good);
}

static void
a_cursor_was_asked_for(void **state)
{
    (void)state;
    struct buf           copy = { 0 };
    struct result_reader r;
    struct span          in = stream_of((struct span)P(COUNT("\1") COLUMN EOF_("\x42")), &copy);

    result_init(&r, RESULT_QUERY, 0);
    r.cursor = true;
    assert_int_equal(feed(&r, in, SIZE_MAX), RESULT_DONE);
    assert_int_equal(r.status, 0x42);
    buf_fini(&copy);
}

static void
a_file_is_asked_for(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 14; piece++) {
        struct result_reader r;
        result_init(&r, RESULT_QUERY, 0);
        assert_int_equal(feed(&r, SPAN("\5\0\0\1\xfb" "file"), piece), RESULT_LOCAL_INFILE);
        assert_true(span_equal(result_last(&r), SPAN("\xfb" "file")));
        /* The file took packets 2 to 6. */
        assert_int_equal(feed(&r, SPAN("\7\0\0\7\0\2\0\2\0\0\0"), piece), RESULT_DONE);
        assert_int_equal(r.affected_rows, 2);
    }
}

/* Rows of more than 16 MiB, whose cuts look like anything. */
static void
long_rows(void **state)
{
    (void)state;
    static const size_t pieces[] = { SIZE_MAX, 1 << 20, 65537 };
    static const size_t sizes[]  = { 0xfffffa, 0xfffffb, 0xffffff, 0x1000000, 0x1fffff6 };
    struct buf          out      = { 0 }, joined = { 0 };
    uint8_t             seq      = 1;

    reply_column_count_encode(&out, &seq, 0, 1);
    reply_column_encode(&out, &seq, 0, &(struct column){ .name = SPAN("x") });
    for (size_t i = 0; i < countof(sizes); i++) {
        size_t at = packet_begin(&out);
        wire_put_lenenc(&out, sizes[i]);
        memset(buf_reserve(&out, sizes[i]), 0xfe, sizes[i]);
        buf_commit(&out, sizes[i]);
        packet_end(&out, at, &seq);
    }
    reply_end_encode(&out, &seq, DE, &(struct ok){ .status = 2 });
    for (size_t i = 0; i < countof(pieces); i++) {
        struct result_reader r;
        result_init(&r, RESULT_QUERY, DE);
        assert_int_equal(feed(&r, buf_unread(&out), pieces[i]), RESULT_DONE);
        assert_int_equal(r.n_rows, countof(sizes));
    }

    struct result_reader  r;
    struct result_message m;
    struct span           in = buf_unread(&out);
    result_init(&r, RESULT_QUERY, DE);
    while (!result_over(&r)) {
        assert_int_equal(result_next(&r, in, 0, &joined, &m), PACKET_OK);
        if (m.kind == RESULT_IS_ROW)
            assert_true(m.message.payload.len >= sizes[r.n_rows - 1]);
        in = span_from(in, m.message.used);
    }
    assert_int_equal(r.n_rows, countof(sizes));
    buf_fini(&out);
    buf_fini(&joined);
}

static void
the_last_packet_is_kept(void **state)
{
    (void)state;
    struct result_reader r;
    struct buf           out = { 0 };
    uint8_t              info[RESULT_KEEP] = { 0 };
    uint8_t              seq = 1;

    result_init(&r, RESULT_QUERY, TR);
    assert_int_equal(feed(&r, SPAN("\x0b\0\0\1\0\0\0\2\0\0\0\3abc"), 3), RESULT_DONE);
    assert_true(span_equal(result_last(&r), SPAN("\0\0\0\2\0\0\0\3abc")));

    reply_ok_encode(&out, &seq, TR, &(struct ok){ .affected_rows = 9, .info = { info, 560 } });
    result_init(&r, RESULT_QUERY, TR);
    assert_int_equal(feed(&r, buf_unread(&out), 100), RESULT_DONE);
    assert_int_equal(r.affected_rows, 9);
    assert_int_equal(result_last(&r).len, 0);
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_whole),
        cmocka_unit_test(answers_in_pieces),
        cmocka_unit_test(answers_message_by_message),
        cmocka_unit_test(what_follows_is_left_alone),
        cmocka_unit_test(a_gap_is_fatal),
        cmocka_unit_test(numbers_are_written_anew),
        cmocka_unit_test(a_cursor_was_asked_for),
        cmocka_unit_test(a_file_is_asked_for),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(the_last_packet_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
