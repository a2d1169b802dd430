/* test_stream_close.c - how connections begin and end: connect, refuse, reset,
 * linger, and closing at every moment.
 */
#include "tests/unit/stream_rig.h"

#include <arpa/inet.h>
#include <poll.h>

/* A listening socket outside of the ring. */
static int
plain_listen(struct sock_addr *addr, const char *text, int backlog)
{
    struct err err;

    assert_true(sock_parse(addr, text, 0, &err));
    int fd = sock_listen(addr, &(struct sock_listen_options){ .backlog = backlog }, &err);
    assert_true(fd >= 0);
    assert_int_equal(sock_local(fd, addr), 0);
    return fd;
}

static void
connect_and_talk(const char *text)
{
    struct sock_addr addr;
    struct end       a = { 0 };
    char             got[16] = { 0 };

    rig_open((struct ring_config){ 0 });
    int l = plain_listen(&addr, text, 10);
    stream_connect(&a.s, ring, &addr, 1000, &end_ops);
    end_write(&a, 10); /* before it is connected */
    assert_int_equal(a.connect_calls, 0);
    UNTIL(a.connect_calls == 1);
    assert_int_equal(a.connect_error, 0);
    assert_true(a.s.file.direct);
    assert_null(a.s.connecting);
    int peer = accept(l, NULL, NULL);
    UNTIL(stream_pending(&a.s) == 0);
    assert_int_equal(recv(peer, got, 16, 0), 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal((uint8_t)got[i], pattern((uint64_t)i));
    send(peer, got, 10, 0);
    UNTIL(a.received == 10);
    part(&a);
    turns(1);
    assert_int_equal(recv(peer, got, 16, 0), 0); /* really closed */
    close(peer);
    close(l);
    rig_close();
}

static void
connect_by_all_families(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_stream.XXXXXX", path[64];

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    connect_and_talk("127.0.0.1:0");
    connect_and_talk("[::1]:0");
    connect_and_talk(path);
    unlink(path);
    rmdir(dir);
}

static void
connect_refused(void **state)
{
    (void)state;
    struct sock_addr addr, nowhere;
    struct err       err;
    struct end       a = { 0 }, b = { 0 };

    rig_open((struct ring_config){ 0 });
    close(plain_listen(&addr, "127.0.0.1:0", 10));
    assert_true(sock_parse(&nowhere, "/nonexistent/socket", 0, &err));
    stream_connect(&a.s, ring, &addr, 1000, &end_ops);
    stream_connect(&b.s, ring, &nowhere, 1000, &end_ops);
    UNTIL(a.connect_calls == 1 && b.connect_calls == 1);
    assert_int_equal(a.connect_error, -ECONNREFUSED);
    assert_int_equal(b.connect_error, -ENOENT);
    turns(3);
    assert_int_equal(a.connect_calls, 1);
    part(&a);
    part(&b);
    assert_int_equal(a.end_calls, 0);
    rig_close();
}

/* A queue of one that is full: the kernel drops further SYNs, which for the
 * one who connects looks like a dead host. */
static void
connect_times_out_or_is_given_up(void **state)
{
    (void)state;
    struct sock_addr addr;
    int              fillers[8];
    struct end       a = { 0 }, b = { 0 };

    rig_open((struct ring_config){ 0 });
    int l = plain_listen(&addr, "127.0.0.1:0", 1);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&addr.addr, addr.len);
    }
    uint64_t begin = ring_now_ms(ring); /* timers count from the turn's clock */
    stream_connect(&a.s, ring, &addr, 150, &end_ops);
    stream_connect(&b.s, ring, &addr, 60000, &end_ops);
    UNTIL(a.connect_calls == 1);
    assert_int_equal(a.connect_error, -ETIMEDOUT);
    assert_in_range(ring_now_ms(ring) - begin, 150, 20000);
    part(&b); /* while it is connecting */
    assert_int_equal(b.connect_calls, 0);
    part(&a);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(l);
    rig_close();
}

static void
an_impossible_address_fails_later(void **state)
{
    (void)state;
    struct sock_addr odd = { .len = 16, .addr = { .ss_family = 250 } };
    struct end       a = { 0 }, b = { 0 };

    rig_open((struct ring_config){ 0 });
    stream_connect(&a.s, ring, &odd, 100, &end_ops);
    stream_connect(&b.s, ring, &odd, 100, &end_ops);
    stream_close(&b.s, STREAM_CLOSE_NOW, 0);
    assert_int_equal(a.connect_calls, 0);
    UNTIL(a.connect_calls == 1 && b.closed_calls == 1);
    assert_int_equal(a.connect_error, -EAFNOSUPPORT);
    assert_int_equal(b.connect_calls, 0);
    part(&a);
    rig_close();
}

static void
a_full_table_is_no_obstacle(void **state)
{
    (void)state;
    struct sock_addr addr;
    struct end       a[4] = { 0 };

    rig_open((struct ring_config){ .n_files = 2 });
    int l = plain_listen(&addr, "127.0.0.1:0", 10);
    for (int i = 0; i < 4; i++)
        stream_connect(&a[i].s, ring, &addr, 1000, &end_ops);
    for (int i = 0; i < 4; i++) {
        UNTIL(a[i].connect_calls == 1);
        assert_int_equal(a[i].connect_error, 0);
    }
    for (int i = 0; i < 4; i++)
        part(&a[i]);
    close(l);
    rig_close();
}

static void
a_reset_is_an_error(void **state)
{
    (void)state;
    const struct linger hard = { .l_onoff = 1, .l_linger = 0 };
    struct end          a = { 0 };
    int                 fds[2];

    rig_open((struct ring_config){ 0 });
    make_pair(fds, true);
    stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    turns(1);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fds[1]);
    UNTIL(a.end_calls == 1);
    assert_int_equal(a.end_error, -ECONNRESET);
    assert_false(end_write(&a, 1000000));
    UNTIL(a.drained_calls == 1); /* a waiting writer is not forgotten */
    assert_true(end_write(&a, 1000000)); /* never full: it goes nowhere */
    turns(3);
    part(&a);
    assert_int_equal(a.end_calls, 1);
    rig_close();
}

/* The peer says something and is gone before we speak: its words still come,
 * then one end. */
static void
last_words_are_heard_although_sending_fails(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        struct end a = { 0 };
        int        fds[2];
        uint8_t    words[100];

        rig_open((struct ring_config){ .n_recv_buffers = 1, .recv_buffer_bytes = 16 });
        make_pair(fds, tcp);
        for (size_t i = 0; i < sizeof(words); i++)
            words[i] = pattern(i);
        stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
        assert_int_equal(send(fds[1], words, sizeof(words), 0), sizeof(words));
        close(fds[1]);
        for (int i = 0; i < 20 && a.end_calls == 0; i++) {
            end_write(&a, 1000);
            turns(1);
        }
        UNTIL(a.end_calls == 1);
        assert_int_equal(a.received, sizeof(words));
        part(&a);
        rig_close();
    }
}

static void
a_failed_send_is_told_to_a_paused_reader(void **state)
{
    (void)state;
    struct end a = { 0 };
    int        fds[2];

    rig_open((struct ring_config){ 0 });
    make_pair(fds, false);
    stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    stream_pause_read(&a.s);
    close(fds[1]);
    end_write(&a, 10);
    UNTIL(a.end_calls == 1);
    assert_int_equal(a.end_error, -EPIPE);
    part(&a);
    rig_close();
}

static void
half_closed_peers_are_answered(void **state)
{
    (void)state;
    struct end a = { 0 };
    int        fds[2];
    char       got[8192];

    rig_open((struct ring_config){ 0 });
    make_pair(fds, true);
    stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    shutdown(fds[1], SHUT_WR);
    UNTIL(a.end_calls == 1);
    assert_int_equal(a.end_error, 0);
    end_write(&a, 5000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 1000);
    end_write(&a, 100); /* after the close: goes nowhere */
    UNTIL(a.closed_calls == 1);
    assert_int_equal(recv(fds[1], got, sizeof(got), MSG_WAITALL), 5000);
    close(fds[1]);
    rig_close();
}

/* The peer is still talking while we say our last words: it must be able to
 * read them, that is: no reset. */
static void
flush_lets_the_peer_read_the_last_words(void **state)
{
    (void)state;
    struct end a = { .to_write = 1 }, b = { 0 };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, BY_TCP);
    b.close_on_end = true;
    for (int i = 0; i < 50; i++)
        end_write(&b, 100000);
    end_write(&a, 3000000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 5000);
    assert_true(a.s.state == STREAM_FLUSHING);
    UNTIL(b.end_calls == 1);
    assert_int_equal(b.end_error, 0);
    assert_int_equal(b.received, 3000000);
    UNTIL(a.closed_calls == 1 && b.closed_calls == 1);
    assert_int_equal(a.data_calls + a.end_calls, 0);
    rig_close();
}

static void
lingering_has_a_deadline(void **state)
{
    (void)state;
    struct end a = { 0 }, b = { 0 }, c = { 0 };
    int        fds[2], quiet[2];

    rig_open((struct ring_config){ 0 });
    make_pair(fds, true);
    make_pair(quiet, true);
    stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    stream_open(&b.s, ring, (struct ring_file){ quiet[0], false }, &end_ops);
    end_write(&a, 20000000); /* more than the sockets hold: never taken */
    uint64_t begin = ring_now_ms(ring); /* timers count from the turn's clock */
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 100);
    stream_close(&b.s, STREAM_CLOSE_FLUSH, 100); /* taken, but no FIN answers */
    UNTIL(a.closed_calls == 1 && b.closed_calls == 1);
    assert_in_range(ring_now_ms(ring) - begin, 100, 5000);

    make_pair(fds, true); /* NOW overrides */
    stream_open(&c.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    end_write(&c, 20000000);
    stream_close(&c.s, STREAM_CLOSE_FLUSH, 60000);
    turns(2);
    stream_close(&c.s, STREAM_CLOSE_NOW, 0);
    stream_close(&c.s, STREAM_CLOSE_FLUSH, 60000);
    UNTIL(c.closed_calls == 1);
    rig_close();
}

static void
given_up_before_the_first_turn(void **state)
{
    (void)state;
    struct sock_addr addr;
    struct end       a = { 0 }, late = { 0 };

    rig_open((struct ring_config){ 0 });
    int l = plain_listen(&addr, "127.0.0.1:0", 10);
    stream_connect(&a.s, ring, &addr, 1000, &end_ops);
    assert_string_equal(stream_state_name(&a.s), "connecting");
    part(&a);
    assert_int_equal(a.connect_calls, 0);
    assert_string_equal(stream_state_name(&a.s), "closed");
    stream_close(&a.s, STREAM_CLOSE_NOW, 0);
    turns(2);
    assert_int_equal(a.closed_calls, 1);

    stream_connect(&late.s, ring, &addr, 0, &end_ops);
    UNTIL(late.connect_calls == 1); /* either is right: it was fast, or late */
    assert_true(late.connect_error == 0 || late.connect_error == -ETIMEDOUT);
    part(&late);
    close(l);
    rig_close();
}

/* Reading stands still when the owner says goodbye: the peer's FIN must be
 * found all the same. */
static void
flush_while_paused(void **state)
{
    (void)state;
    struct end a = { 0 }, b = { .close_on_end = true };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, BY_TCP);
    stream_pause_read(&a.s);
    end_write(&b, 1000000);
    UNTIL(!a.s.recv.armed);
    end_write(&a, 1000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 60000);
    UNTIL(a.closed_calls == 1 && b.closed_calls == 1);
    assert_int_equal(b.received, 1000);
    assert_int_equal(a.data_calls + a.end_calls, 0);
    rig_close();
}

static void
flush_to_nobody(void **state)
{
    (void)state;
    const struct linger hard = { .l_onoff = 1, .l_linger = 0 };
    struct end          a = { 0 };
    int                 fds[2];

    rig_open((struct ring_config){ 0 });
    make_pair(fds, false);
    stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    close(fds[1]);
    end_write(&a, 1000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 60000);
    UNTIL(a.closed_calls == 1);

    make_pair(fds, true); /* reset while we wait for the FIN */
    stream_open(&a.s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    end_write(&a, 1000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 60000);
    UNTIL(a.s.state == STREAM_LINGERING);
    turns(3);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fds[1]);
    UNTIL(a.closed_calls == 2);
    rig_close();
}

/* The memory is freed in on_closed, under the address sanitizer: whatever the
 * kernel or a task still did with it would be found. */
struct mortal {
    struct stream s;
    int           number;
};

enum { MORTALS = 600 };

static struct mortal *alive[MORTALS], *victim;
static int            n_alive;

static void
mortal_data(struct stream *s)
{
    stream_write(s, stream_unread(s));
    stream_consume(s, stream_unread(s).len);
    if (random() % 4 == 0)
        stream_close(s, random() % 2 ? STREAM_CLOSE_NOW : STREAM_CLOSE_FLUSH, 10);
    if (victim != NULL && random() % 4 == 0)
        stream_close(&victim->s, STREAM_CLOSE_NOW, 0);
    if (random() % 8 == 0)
        stream_pause_read(s);
    if (random() % 8 == 0)
        stream_resume_read(s);
}

static void
mortal_end(struct stream *s, int error)
{
    (void)error;
    stream_close(s, STREAM_CLOSE_NOW, 0);
}

static void
mortal_closed(struct stream *s)
{
    struct mortal *m = container_of(s, struct mortal, s);

    alive[m->number] = NULL;
    n_alive--;
    if (victim == m)
        victim = NULL;
    free(m);
}

static const struct stream_ops mortal_ops = {
    .on_data = mortal_data, .on_end = mortal_end, .on_closed = mortal_closed
};

static struct mortal *
bear(int fd, int number)
{
    struct mortal *m = mem_alloc(sizeof(*m));

    m->number     = number;
    alive[number] = m;
    n_alive++;
    stream_open(&m->s, ring, (struct ring_file){ fd, false }, &mortal_ops);
    return m;
}

static void
closing_at_any_moment_is_safe(void **state)
{
    (void)state;
    static const uint8_t bytes[10000] = { 1 };
    int                  fds[2];

    srandom(7);
    rig_open((struct ring_config){ .n_recv_buffers = 8, .zerocopy_bytes = 5000 });
    for (int i = 0; i < MORTALS; i += 2) {
        make_pair(fds, i % 4);
        struct mortal *pair[2] = { bear(fds[0], i), bear(fds[1], i + 1) };
        stream_write(&pair[0]->s, (struct span){ bytes, (size_t)(random() % 10000) + 1 });
        victim = pair[random() % 2];
        turns((int)(random() % 3));
        if (victim != NULL)
            stream_close(&victim->s, random() % 2 ? STREAM_CLOSE_FLUSH : STREAM_CLOSE_NOW, 20);
        victim = NULL;
    }
    turns(50);
    for (int i = 0; i < MORTALS; i++)
        if (alive[i] != NULL)
            stream_close(&alive[i]->s, STREAM_CLOSE_NOW, 0);
    UNTIL(n_alive == 0);
    rig_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_by_all_families),
        cmocka_unit_test(connect_refused),
        cmocka_unit_test(connect_times_out_or_is_given_up),
        cmocka_unit_test(an_impossible_address_fails_later),
        cmocka_unit_test(a_full_table_is_no_obstacle),
        cmocka_unit_test(a_reset_is_an_error),
        cmocka_unit_test(last_words_are_heard_although_sending_fails),
        cmocka_unit_test(a_failed_send_is_told_to_a_paused_reader),
        cmocka_unit_test(half_closed_peers_are_answered),
        cmocka_unit_test(flush_lets_the_peer_read_the_last_words),
        cmocka_unit_test(lingering_has_a_deadline),
        cmocka_unit_test(given_up_before_the_first_turn),
        cmocka_unit_test(flush_while_paused),
        cmocka_unit_test(flush_to_nobody),
        cmocka_unit_test(closing_at_any_moment_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
