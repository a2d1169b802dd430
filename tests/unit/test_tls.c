/* test_tls.c - TLS between two streams of one ring: data, refusals, resumption. */
#include "core/io/tls.h"
#include "tests/unit/stream_rig.h"

static char folder[] = "/tmp/test_tls.XXXXXX";
static struct tls_context *server, *client;

static const char *
path(const char *name)
{
    static char buffer[8][64];
    static int  next;
    char       *text = buffer[next++ % 8];

    snprintf(text, sizeof(buffer[0]), "%s/%s", folder, name);
    return text;
}

/* A CA, a certificate for the host db1 and the address 127.0.0.1 signed by it, and
 * another CA. */
static int
make_files(void **state)
{
    char command[1500];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command),
             "cd %s && exec 2>log && ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' &&"
             "openssl req -x509 $ec -days 2 -keyout ca.key -out ca.pem -subj /CN=ca &&"
             "openssl req -x509 $ec -days 2 -keyout other.key -out other.pem -subj /CN=other &&"
             "openssl req -new $ec -keyout key.pem -out csr.pem -subj /CN=db1 &&"
             "echo subjectAltName=DNS:db1,IP:127.0.0.1 >ext &&"
             "openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
             "-extfile ext -out cert.pem", folder);
    return system(command) == 0 ? 0 : -1;
}

static int
drop_files(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = { 7 };

static void
contexts(const char *ca, bool require, bool only_13, enum tls_verify verify, bool with_cert)
{
    struct err               err;
    struct tls_server_params s = { path("cert.pem"), path("key.pem"), ca, require, only_13,
                                   ticket_key };
    struct tls_client_params c = { verify == TLS_VERIFY_NOTHING ? "" : path("ca.pem"),
                                   with_cert ? path("cert.pem") : "",
                                   with_cert ? path("key.pem") : "", verify };

    server = tls_server_new(&s, &err);
    client = tls_client_new(&c, &err);
    if (server == NULL || client == NULL)
        fail_msg("%s", err.text);
    rig_open((struct ring_config){ .recv_buffer_bytes = 4096, .n_recv_buffers = 64 });
}

static void
contexts_end(void)
{
    rig_close();
    tls_context_drop(server);
    tls_context_drop(client);
}

static void
secure(struct end *a, struct end *b, const char *host)
{
    stream_add_filter(&a->s, tls_connect(client, host, 1));
    stream_add_filter(&b->s, tls_accept(server));
}

static void
exchange(struct end *a, struct end *b, uint64_t bytes)
{
    while (a->written < bytes || b->written < bytes) {
        end_write(a, 100000);
        end_write(b, 70000);
        turns(1);
    }
    UNTIL(b->received == a->written && a->received == b->written);
}

static void
test_bytes_arrive(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct end      a = { 0 }, b = { 0 };
        struct tls_info info;
        contexts("", false, i & 1, TLS_VERIFY_HOST, false);
        join(&a, &b, i & 2);
        secure(&a, &b, i & 1 ? "db1" : "127.0.0.1");
        assert_false(tls_info(a.s.filter, &info));
        exchange(&a, &b, 3000000);
        assert_true(tls_info(a.s.filter, &info) && info.verified && !info.resumed);
        assert_string_equal(info.version, "TLSv1.3");
        turns(2);
        assert_null(a.s.filter->raw.bytes); /* idle: nothing is held */
        assert_null(a.s.filter->ready.bytes);
        assert_null(b.s.in.bytes);
        part(&a);
        part(&b);
        contexts_end();
    }
}

/* Written before: plain. Behind it: TLS at once. */
static void
take_36(struct end *end)
{
    if (end->s.filter != NULL) {
        end_take(end, stream_unread(&end->s).len);
        return;
    }
    if (stream_unread(&end->s).len < 36)
        return;
    end_take(end, 36);
    stream_add_filter(&end->s, tls_accept(server));
}

static void
test_a_request_for_tls(void **state)
{
    struct end a = { 0 }, b = { .data = take_36 };

    (void)state;
    contexts("", false, false, TLS_VERIFY_CA, false);
    join(&a, &b, true);
    end_write(&a, 36);
    stream_add_filter(&a.s, tls_connect(client, "anybody", 1));
    end_write(&a, 500000);
    UNTIL(b.received == 500036);
    end_write(&b, 500000);
    UNTIL(a.received == 500000);
    part(&a);
    part(&b);
    contexts_end();
}

static void
test_sessions_are_resumed(void **state)
{
    (void)state;
    for (int only_13 = 0; only_13 < 2; only_13++) {
        contexts("", false, only_13, TLS_VERIFY_HOST, false);
        for (int i = 0; i < 3; i++) {
            struct end      a = { 0 }, b = { 0 };
            struct tls_info info;
            join(&a, &b, true);
            secure(&a, &b, "db1");
            exchange(&a, &b, 1000);
            assert_true(tls_info(b.s.filter, &info));
            assert_int_equal(info.resumed, i > 0);
            part(&a);
            part(&b);
        }
        contexts_end();
    }
}

static void
test_closing_says_so(void **state)
{
    struct end a = { 0 }, b = { 0 };

    (void)state;
    contexts("", false, false, TLS_VERIFY_NOTHING, false);
    join(&a, &b, true);
    secure(&a, &b, "");
    exchange(&a, &b, 1000);
    end_write(&a, 400000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 0);
    UNTIL(b.end_calls == 1);
    assert_int_equal(b.end_error, 0);
    assert_int_equal(b.received, a.written);
    part(&b);
    UNTIL(a.s.state == STREAM_CLOSED);
    contexts_end();
}

/* A slow reader: what waits for it is bounded by what the kernel and it hold. */
static void
test_a_reader_that_pauses(void **state)
{
    struct end a = { 0 }, b = { 0 };

    (void)state;
    contexts("", false, false, TLS_VERIFY_NOTHING, false);
    join(&a, &b, true);
    secure(&a, &b, "");
    exchange(&a, &b, 1000);
    stream_pause_read(&b.s);
    uint64_t before = b.received;
    while (end_write(&a, 65536))
        turns(1);
    turns(20);
    assert_int_equal(b.received, before);
    assert_true(buf_len(&b.s.in) < 1 << 20);
    stream_resume_read(&b.s);
    UNTIL(b.received == a.written && a.drained_calls > 0);
    part(&a);
    part(&b);
    contexts_end();
}

static void
test_refusals(void **state)
{
    static const struct {
        const char     *name, *host, *server_ca;
        bool            require, with_cert;
        enum tls_verify verify;
        bool            good;
        const char     *why; /* at the client, NULL: at the server */
    } rows[] = {
        { "right host", "db1", "", false, false, TLS_VERIFY_HOST, true, "" },
        { "right address", "127.0.0.1", "", false, false, TLS_VERIFY_HOST, true, "" },
        { "wrong host", "db2", "", false, false, TLS_VERIFY_HOST, false, "mismatch" },
        { "wrong address", "127.0.0.2", "", false, false, TLS_VERIFY_HOST, false, "mismatch" },
        { "any host", "db2", "", false, false, TLS_VERIFY_CA, true, "" },
        { "a client's certificate", "db1", "ca.pem", true, true, TLS_VERIFY_CA, true, "" },
        { "no certificate, not needed", "db1", "ca.pem", false, false, TLS_VERIFY_CA, true, "" },
        { "no certificate", "db1", "ca.pem", true, false, TLS_VERIFY_CA, false, NULL },
        { "a certificate of another CA", "db1", "other.pem", false, true, TLS_VERIFY_CA, false,
          NULL },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct end a = { .unchecked = true }, b = { .unchecked = true };
        contexts(rows[i].server_ca[0] ? path(rows[i].server_ca) : "", rows[i].require, false,
                 rows[i].verify, rows[i].with_cert);
        join(&a, &b, true);
        secure(&a, &b, rows[i].host);
        end_write(&a, 1000);
        UNTIL(rows[i].good ? b.received == 1000 : b.end_calls == 1);
        struct tls_info info;
        if (rows[i].good && tls_info(b.s.filter, &info))
            assert_int_equal(info.verified, rows[i].with_cert);
        if (!rows[i].good && rows[i].why == NULL)
            assert_true(tls_failure(b.s.filter)[0] != 0);
        else if (!rows[i].good && strstr(tls_failure(a.s.filter), rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].name, tls_failure(a.s.filter));
        if (!rows[i].good)
            assert_int_equal(b.received, 0);
        part(&a);
        part(&b);
        contexts_end();
    }
}

static void
test_garbage(void **state)
{
    struct end a = { .unchecked = true }, b = { 0 };

    (void)state;
    contexts("", false, false, TLS_VERIFY_NOTHING, false);
    join(&a, &b, true);
    stream_add_filter(&b.s, tls_accept(server));
    end_write(&a, 5000);
    UNTIL(b.end_calls == 1);
    assert_int_equal(b.end_error, -EPROTO);
    assert_int_equal(b.received, 0);
    stream_close(&b.s, STREAM_CLOSE_FLUSH, 0);
    UNTIL(a.end_calls == 1);
    part(&a);
    UNTIL(b.s.state == STREAM_CLOSED);
    contexts_end();
}

static void
test_files(void **state)
{
    static const struct {
        const char *cert, *key, *ca, *says;
    } rows[] = {
        { "none.pem", "key.pem", "", "none.pem" },
        { "cert.pem", "none.pem", "", "none.pem" },
        { "cert.pem", "other.key", "", "other.key" },
        { "cert.pem", "key.pem", "log", "CA certificates" },
        { "log", "key.pem", "", "certificate" },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct err               err;
        struct tls_server_params p = { path(rows[i].cert), path(rows[i].key),
                                       rows[i].ca[0] ? path(rows[i].ca) : "", false, false,
                                       ticket_key };
        assert_null(tls_server_new(&p, &err));
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s", err.text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_arrive),
        cmocka_unit_test(test_a_request_for_tls),
        cmocka_unit_test(test_sessions_are_resumed),
        cmocka_unit_test(test_closing_says_so),
        cmocka_unit_test(test_a_reader_that_pauses),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, make_files, drop_files);
}
