/* test_stream.c - bytes through streams: whole, in order, bounded. */
#include "tests/unit/stream_rig.h"

static void
echo(struct end *end)
{
    struct span unread = stream_unread(&end->s);

    stream_write(&end->s, unread);
    end->received += unread.len;
    stream_consume(&end->s, unread.len);
}

static void
echo_of_many_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2, 100, 4095, 4096, 16383, 16384, 16385, 65536,
                                    100000, 1000000, 3 };

    for (enum way way = 0; way < N_WAYS; way++) {
        struct end a = { 0 }, b = { .data = echo };
        rig_open((struct ring_config){ 0 });
        join(&a, &b, way);
        for (size_t i = 0; i < countof(sizes); i++) {
            end_write(&a, sizes[i]);
            UNTIL(a.received == a.written);
        }
        turns(2);
        assert_null(a.s.in.bytes); /* idle streams own no memory */
        assert_null(a.s.out.bytes);
        assert_null(b.s.sending.bytes);
        part(&a);
        UNTIL(b.end_calls == 1);
        assert_int_equal(b.end_error, 0);
        part(&b);
        rig_close();
    }
}

/* Takes whole records of 7 bytes only, so that most of the time some is left. */
static void
take_sevens(struct end *end)
{
    while (stream_unread(&end->s).len >= 7)
        end_take(end, 7);
}

static void
bytes_one_by_one(enum way way)
{
    struct end a = { 0 }, b = { .data = take_sevens };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, way);
    for (int i = 0; i < 700; i++) {
        end_write(&a, 1);
        turns(1);
    }
    UNTIL(b.received == 700);
    end_write(&a, 100005); /* over several buffers, with a rest of 3 */
    UNTIL(b.received == 700 + 100002 && stream_unread(&b.s).len == 3);
    part(&a);
    UNTIL(b.end_calls == 1); /* with data left over: the end comes behind it */
    assert_int_equal(stream_unread(&b.s).len, 3);
    part(&b);
    rig_close();
}

static void
one_byte_at_a_time(void **state)
{
    (void)state;
    for (enum way way = 0; way < N_WAYS; way++)
        bytes_one_by_one(way);
}

static void
writes_of_a_turn_are_one_send(void **state)
{
    (void)state;
    struct end a = { 0 }, b = { 0 };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, BY_TCP);
    for (int i = 0; i < 100; i++)
        end_write(&a, 10);
    UNTIL(b.received == 1000);
    assert_int_equal(ring_stats(ring)->sends, 1);
    assert_int_equal(b.data_calls, 1);
    part(&a);
    part(&b);
    rig_close();
}

static void
fill(struct end *end)
{
    while (end->written < end->to_write && end_write(end, 10000))
        ;
}

/* Reads a little, then waits for its timer. */
static struct timer slow_timer;
static struct end  *slow_end;

static void
slow_again(struct timer *timer)
{
    (void)timer;
    stream_resume_read(&slow_end->s);
}

static void
take_slowly(struct end *end)
{
    struct span unread = stream_unread(&end->s);

    end_take(end, unread.len);
    slow_end = end;
    stream_pause_read(&end->s);
    timer_start(ring_timers(ring), &slow_timer, 0, slow_again);
}

static void
read_slowly(enum way way)
{
    struct end a = { .drained = fill, .to_write = 100 * 1000 * 1000, .unchecked = true };
    struct end b = { .data = take_slowly, .unchecked = true };
    size_t     most_in = 0, most_out = 0;

    rig_open((struct ring_config){ .n_recv_buffers = 32 });
    join(&a, &b, way);
    fill(&a);
    while (b.received < a.to_write) {
        assert_true(ring_turn(ring, 1000) >= 0);
        size_t in = buf_len(&b.s.in), out = stream_pending(&a.s);
        most_in  = in > most_in ? in : most_in;
        most_out = out > most_out ? out : most_out;
    }
    assert_true(a.drained_calls > 10);
    assert_true(most_out <= 256 * 1024 + 10000);
    assert_true(most_in <= 32 * 16 * 1024);
    part(&a);
    part(&b);
    rig_close();
}

static void
a_slow_reader_bounds_memory(void **state)
{
    (void)state;
    for (enum way way = 0; way < N_WAYS; way++)
        read_slowly(way);
}

static void
be_silent(enum way way)
{
    struct end a = { 0 }, b = { 0 };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, way);
    stream_pause_read(&b.s);
    end_write(&a, 1000);
    turns(20);
    end_write(&a, 1000);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 1000);
    turns(20);
    assert_int_equal(b.data_calls, 0);
    assert_int_equal(b.end_calls, 0);

    stream_resume_read(&b.s);
    stream_pause_read(&b.s); /* as if nothing had been said */
    turns(5);
    assert_int_equal(b.data_calls, 0);
    stream_resume_read(&b.s);
    UNTIL(b.end_calls == 1);
    assert_int_equal(b.received, 2000);
    part(&b);
    UNTIL(a.closed_calls == 1);
    rig_close();
}

static void
paused_means_silent(void **state)
{
    (void)state;
    for (enum way way = 0; way < N_WAYS; way++)
        be_silent(way);
}

/* As a connection that is given back with its last bytes, and paused by who takes it next. */
static void
resume_take_pause(struct end *end)
{
    stream_resume_read(&end->s);
    end_take(end, stream_unread(&end->s).len);
    stream_pause_read(&end->s);
}

static void
end_with_nothing_left(enum way way)
{
    struct end a = { 0 }, b = { .data = resume_take_pause };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, way);
    end_write(&a, 500);
    UNTIL(b.received == 500);
    turns(5);
    stream_resume_read(&b.s);
    turns(5);
    stream_close(&a.s, STREAM_CLOSE_FLUSH, 1000);
    UNTIL(b.end_calls == 1);
    assert_int_equal(b.data_calls, 1);
    part(&b);
    UNTIL(a.closed_calls == 1);
    rig_close();
}

static void
an_end_is_told_when_nothing_is_left(void **state)
{
    (void)state;
    for (enum way way = 0; way < N_WAYS; way++)
        end_with_nothing_left(way);
}

static void
look_only(struct end *end)
{
    (void)end;
}

static void
leave_a_rest(enum way way)
{
    struct end a = { 0 }, b = { .data = look_only };

    rig_open((struct ring_config){ 0 });
    join(&a, &b, way);
    end_write(&a, 500);
    UNTIL(b.data_calls == 1);
    assert_int_equal(stream_unread(&b.s).len, 500);
    turns(3);
    assert_int_equal(b.data_calls, 1);
    b.data = NULL;
    stream_resume_read(&b.s);
    assert_int_equal(b.data_calls, 1); /* not from inside the call */
    turns(1);
    assert_int_equal(b.received, 500);
    turns(1);
    assert_null(b.s.in.bytes);

    b.data = look_only;
    end_write(&a, 500);
    UNTIL(stream_unread(&b.s).len == 500);
    end_take(&b, 500); /* outside of a callback */
    turns(1);
    assert_null(b.s.in.bytes);
    part(&a);
    part(&b);
    rig_close();
}

static void
resume_shows_the_rest_again(void **state)
{
    (void)state;
    for (enum way way = 0; way < N_WAYS; way++)
        leave_a_rest(way);
}

static void
two_buffers_serve_many(void **state)
{
    (void)state;
    enum { N = 50 };
    struct end *a = mem_alloc(N * sizeof(*a)), *b = mem_alloc(N * sizeof(*b));

    rig_open((struct ring_config){ .n_recv_buffers = 2, .recv_buffer_bytes = 512 });
    for (int i = 0; i < N; i++) {
        b[i].data = echo;
        join(&a[i], &b[i], i % N_WAYS);
        end_write(&a[i], 20000);
    }
    for (int i = 0; i < N; i++)
        UNTIL(a[i].received == 20000);
    assert_true(ring_stats(ring)->recv_starved > 0);
    part_all(a, b, N);
    rig_close();
}

static void
a_small_submission_queue_is_enough(void **state)
{
    (void)state;
    enum { N = 200 };
    struct end *a = mem_alloc(N * sizeof(*a)), *b = mem_alloc(N * sizeof(*b));

    rig_open((struct ring_config){ .entries = 4, .n_recv_buffers = 256 });
    for (int i = 0; i < N; i++) {
        b[i].data = echo;
        join(&a[i], &b[i], BY_UNIX);
        end_write(&a[i], 5000);
    }
    for (int i = 0; i < N; i++)
        UNTIL(a[i].received == 5000);
    for (int i = 0; i < N; i++)
        end_write(&a[i], 5000);
    for (int i = 0; i < N; i++)
        UNTIL(a[i].received == 10000);
    part_all(a, b, N);
    rig_close();
}

static void
through(struct ring_config config, bool tcp)
{
    struct end a = { .drained = fill, .to_write = 5000000 }, b = { 0 };

    rig_open(config);
    join(&a, &b, tcp);
    stream_set_marks(&a.s, 100000, 400000);
    fill(&a);
    UNTIL(b.received == a.to_write);
    if (config.zerocopy_bytes > 0 && tcp)
        assert_true(ring_stats(ring)->zerocopy_sends > 0);
    if (config.zerocopy_bytes > 0 && tcp && ring_features(ring)->zerocopy_reports)
        assert_true(a.s.no_zerocopy); /* loopback copies after all */
    end_write(&a, 1000000); /* and closing while the kernel holds the memory */
    turns(1);
    part(&a);
    part(&b);
    rig_close();
}

static void
zero_copy_and_sqpoll_change_nothing(void **state)
{
    (void)state;
    through((struct ring_config){ .zerocopy_bytes = 16384 }, true);
    through((struct ring_config){ .zerocopy_bytes = 16384 }, false);
    through((struct ring_config){ .sqpoll_idle_ms = 10 }, true);
    through((struct ring_config){ .napi_busy_poll_us = 10 }, true);
    through((struct ring_config){ .spin_us = 100 }, true);
    through((struct ring_config){ .spin_us = 100, .sqpoll_idle_ms = 10 }, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_of_many_sizes),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(writes_of_a_turn_are_one_send),
        cmocka_unit_test(a_slow_reader_bounds_memory),
        cmocka_unit_test(paused_means_silent),
        cmocka_unit_test(an_end_is_told_when_nothing_is_left),
        cmocka_unit_test(resume_shows_the_rest_again),
        cmocka_unit_test(two_buffers_serve_many),
        cmocka_unit_test(a_small_submission_queue_is_enough),
        cmocka_unit_test(zero_copy_and_sqpoll_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
