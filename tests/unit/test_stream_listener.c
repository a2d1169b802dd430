/* test_stream_listener.c - accepting: many, paused, with and without a room. */
#include "tests/unit/stream_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct gate {
    struct listener l;
    int             accepted, closed, limit; /* pauses at `limit` when > 0 */
    uint16_t        ports[2048];             /* of the peers, in order */
    bool            reject;
    struct end     *ends;
};

static void
gate_accept(struct listener *l, struct ring_file file, const struct sock_addr *peer)
{
    struct gate *g = container_of(l, struct gate, l);

    assert_true(file.direct);
    assert_int_equal(peer != NULL, l->want_peer);
    if (peer != NULL)
        g->ports[g->accepted] = sock_port(peer);
    if (g->reject)
        ring_close_file(ring, file);
    else
        stream_open(&g->ends[g->accepted].s, ring, file, &end_ops);
    g->accepted++;
    if (g->limit > 0 && g->accepted >= g->limit)
        listener_pause(l);
}

static void
gate_closed(struct listener *l)
{
    container_of(l, struct gate, l)->closed++;
}

static int
gate_open(struct gate *g, struct sock_addr *addr, bool want_peer)
{
    struct err err;

    assert_true(sock_parse(addr, "127.0.0.1:0", 0, &err));
    int fd = sock_listen(addr, &(struct sock_listen_options){ 0 }, &err);
    assert_true(fd >= 0);
    sock_local(fd, addr);
    listener_open(&g->l, ring, fd, want_peer, gate_accept, gate_closed);
    return fd;
}

static void
gate_close(struct gate *g, int fd)
{
    listener_close(&g->l);
    listener_close(&g->l);
    assert_int_equal(g->closed, 0);
    UNTIL(g->closed == 1);
    close(fd);
}

static int
dial(const struct sock_addr *addr)
{
    int fd = sock_open(addr);

    assert_int_equal(connect(fd, (const struct sockaddr *)&addr->addr, addr->len), 0);
    return fd;
}

static void
a_thousand_come_and_go(void **state)
{
    (void)state;
    for (int want_peer = 0; want_peer < 2; want_peer++) {
        enum { N = 1000 };
        struct sock_addr addr;
        struct gate      g    = { .ends = mem_alloc(N * sizeof(struct end)) };
        struct end      *dials = mem_alloc(N * sizeof(struct end));

        rig_open((struct ring_config){ .n_files = 512 }); /* fewer than come in all */
        int fd = gate_open(&g, &addr, want_peer);
        for (int i = 0; i < N; i++) {
            stream_connect(&dials[i].s, ring, &addr, 5000, &end_ops);
            end_write(&dials[i], 3000);
            if (i % 50 != 49)
                continue;
            for (int j = i - 49; j <= i; j++)
                UNTIL(g.accepted > j && g.ends[j].received == 3000);
            for (int j = i - 49; j <= i; j++) {
                part(&dials[j]);
                UNTIL(g.ends[j].end_calls == 1);
                part(&g.ends[j]);
            }
        }
        assert_int_equal(g.accepted, N);
        assert_int_equal(ring_stats(ring)->accept_failed, 0);
        gate_close(&g, fd);
        free(g.ends);
        free(dials);
        rig_close();
    }
}

static void
the_peer_is_known_when_wanted(void **state)
{
    (void)state;
    struct sock_addr addr, local;
    struct gate      g = { .reject = true };

    rig_open((struct ring_config){ 0 });
    int fd = gate_open(&g, &addr, true);
    for (int i = 0; i < 40; i++) {
        int out = dial(&addr);
        assert_int_equal(sock_local(out, &local), 0);
        UNTIL(g.accepted == i + 1);
        assert_int_equal(g.ports[i], sock_port(&local));
        turns(1);
        char c;
        assert_int_equal(recv(out, &c, 1, 0), 0); /* it was rejected */
        close(out);
    }
    gate_close(&g, fd);
    rig_close();
}

static void
a_paused_listener_lets_them_wait(void **state)
{
    (void)state;
    for (int want_peer = 0; want_peer < 2; want_peer++) {
        struct sock_addr addr;
        struct gate      g = { .ends = mem_alloc(100 * sizeof(struct end)), .limit = 5 };
        int              out[60];

        rig_open((struct ring_config){ 0 });
        int fd = gate_open(&g, &addr, want_peer);
        for (int i = 0; i < 5; i++)
            out[i] = dial(&addr);
        UNTIL(g.accepted == 5);
        turns(3);
        for (int i = 5; i < 60; i++)
            out[i] = dial(&addr);
        turns(10);
        assert_int_equal(g.accepted, 5);
        g.limit = 0;
        listener_resume(&g.l);
        listener_pause(&g.l);
        listener_resume(&g.l);
        UNTIL(g.accepted == 60);
        for (int i = 0; i < 60; i++) {
            close(out[i]);
            part(&g.ends[i]);
        }
        gate_close(&g, fd);
        free(g.ends);
        rig_close();
    }
}

static void
a_full_table_backs_off_and_recovers(void **state)
{
    (void)state;
    for (int want_peer = 0; want_peer < 2; want_peer++) {
        struct sock_addr addr;
        struct gate      g = { .ends = mem_alloc(64 * sizeof(struct end)) };
        int              out[8], more;

        rig_open((struct ring_config){ .n_files = 4 });
        int fd = gate_open(&g, &addr, want_peer);
        for (int i = 0; i < 8; i++)
            out[i] = dial(&addr);
        UNTIL(g.accepted == 4 && ring_stats(ring)->accept_failed > 0);
        assert_int_equal(g.l.last_error, -ENFILE);
        for (int i = 0; i < 4; i++)
            part(&g.ends[i]);
        for (int i = 0; i < 8; i++)
            close(out[i]);
        int before = g.accepted;
        UNTIL(!timer_running(&g.l.backoff));
        more = dial(&addr);
        UNTIL(g.accepted > before);
        close(more);
        for (int i = 4; i < g.accepted; i++)
            part(&g.ends[i]);
        gate_close(&g, fd);
        free(g.ends);
        rig_close();
    }
}

static void
closing_a_paused_listener(void **state)
{
    (void)state;
    struct sock_addr addr;
    struct gate      g = { 0 };

    rig_open((struct ring_config){ 0 });
    int fd = gate_open(&g, &addr, true);
    turns(1);
    listener_pause(&g.l);
    turns(2);
    gate_close(&g, fd);
    rig_close();
}

/* They came in the moment of closing: nobody gets them, nobody keeps them. */
static void
closing_turns_late_comers_away(void **state)
{
    (void)state;
    for (int want_peer = 0; want_peer < 2; want_peer++) {
        struct sock_addr addr;
        struct gate      g = { 0 };
        int              out[10];
        char             c;

        rig_open((struct ring_config){ .n_files = 10 });
        int fd = gate_open(&g, &addr, want_peer);
        for (int i = 0; i < 10; i++)
            out[i] = dial(&addr);
        gate_close(&g, fd); /* accepts and cancels go to the kernel together */
        assert_int_equal(g.accepted, 0);
        turns(2);
        for (int i = 0; i < 10; i++) {
            assert_true(recv(out[i], &c, 1, 0) <= 0);
            close(out[i]);
        }
        rig_close();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_come_and_go),
        cmocka_unit_test(the_peer_is_known_when_wanted),
        cmocka_unit_test(a_paused_listener_lets_them_wait),
        cmocka_unit_test(a_full_table_backs_off_and_recovers),
        cmocka_unit_test(closing_a_paused_listener),
        cmocka_unit_test(closing_turns_late_comers_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
