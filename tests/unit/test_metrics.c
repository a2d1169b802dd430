/* test_metrics.c - the page says what was counted, and only once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workers/metrics.h"

enum { WORKERS = 3, CLIENTS = 4, NOW_MS = 5000 };

static char         instance[SEGMENT_INSTANCE_MAX];
static struct slots slots;
static struct buf   page;

/* What a worker counts is in its slot whoever looks. */
static void
work(uint32_t worker)
{
    struct err err;
    pid_t      pid = fork();
    int        status;

    if (pid == 0) {
        struct slot *slot = slots_take(&slots, worker, &err);
        if (slot == NULL)
            _exit(1);
        slot_enter(slot, SLOT_READY);
        slot_acknowledge(slot, 9, 7, 2);
        slot_beat(slot, NOW_MS - 1500);
        slot_add(slot, COUNTER_CLIENTS_OPEN, 3);
        slot_add(slot, COUNTER_LOGINS, 10);
        slot_add(slot, COUNTER_LOOP_BUSY_NS, 1250000000);
        if (worker == 1)
            slot_sub(slot, COUNTER_PINNED_HANDLER, 1); /* read between two changes */
        histogram_record(&slot->latency[LATENCY_ONE], 300000);
        histogram_record(&slot->latency[LATENCY_ONE], 200000000000);
        histogram_record(&slot->latency[LATENCY_COMMIT], 12000);
        slot_shard_add(slot_shard(slot, 41), SHARD_COUNTER_STATEMENTS, 5);
        if (worker == 1)
            slot_shard_add(slot_shard(slot, 77), SHARD_COUNTER_STATEMENTS, 1000);
        slot_shard_add(slot_shard(slot, 12), SHARD_COUNTER_NS, 500000000);
        slot_shard_add(slot_shard(slot, ROUTES_ENGINE_ID + 1), SHARD_COUNTER_STATEMENTS, 4);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int
setup(void **state)
{
    static const struct route_shard shards[] = {
        { .id = 41, .name = { (const uint8_t *)"b", 1 } },
        { .id = 12, .name = { (const uint8_t *)"a\"\\\nz", 5 } },
    };
    static const struct route_shard engines[] = {
        { .id = ROUTES_ENGINE_ID + 1, .name = { (const uint8_t *)"e", 1 } },
    };
    static const struct routes routes = { .generation = 7, .n_shards = 2, .shards = shards,
                                          .n_engines = 1, .engines = engines };
    struct err                 err;

    (void)state;
    snprintf(instance, sizeof(instance), "test-m%d", (int)getpid());
    segment_unlink(SEGMENT_SLOTS, instance);
    if (!slots_create(&slots, instance, WORKERS, CLIENTS, &err))
        fail_msg("%s", err.text);
    work(0);
    work(1);
    metrics_render(&page, &slots, &routes, NOW_MS);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_fini(&page);
    slots_close(&slots);
    segment_unlink(SEGMENT_SLOTS, instance);
    return 0;
}

static bool
has_line(const char *line)
{
    char text[512];

    snprintf(text, sizeof(text), "\n%s\n", line);
    return strstr(buf_cstr(&page), text) != NULL;
}

static const char *const lines[] = {
    "shardd_routes_generation 7",
    "shardd_shards 2",
    "shardd_engines 1",
    "shardd_engine_statements_total{engine=\"e\"} 8",
    "# HELP shardd_engine_statements_total Statements sent to the engine.",
    "# TYPE shardd_engine_statements_total counter",
    "shardd_workers{state=\"ready\"} 2",
    "shardd_workers{state=\"draining\"} 0",
    "shardd_worker_routes_generation{worker=\"1\"} 7",
    "shardd_worker_heartbeat_age_seconds{worker=\"0\"} 1.5",
    "shardd_clients_open 6",
    "# TYPE shardd_clients_open gauge",
    "shardd_logins_total 20",
    "# TYPE shardd_logins_total counter",
    "shardd_loop_busy_seconds_total 2.5",
    "shardd_pinned_sessions{reason=\"handler\"} 0",
    "# TYPE shardd_statement_seconds histogram",
    "shardd_statement_seconds_bucket{route=\"one\",le=\"0.00025\"} 0",
    "shardd_statement_seconds_bucket{route=\"one\",le=\"0.0005\"} 2",
    "shardd_statement_seconds_bucket{route=\"one\",le=\"30\"} 2",
    "shardd_statement_seconds_bucket{route=\"one\",le=\"+Inf\"} 4",
    "shardd_statement_seconds_count{route=\"one\"} 4",
    "shardd_statement_seconds_sum{route=\"one\"} 400.0006",
    "shardd_commit_seconds_bucket{le=\"2.5e-05\"} 2",
    "shardd_commit_seconds_sum 2.4e-05",
    "shardd_commit_seconds_count 2",
    "shardd_shard_statements_total{shard=\"b\"} 10",
    "shardd_shard_statements_total{shard=\"a\\\"\\\\\\nz\"} 0",
    "shardd_shard_busy_seconds_total{shard=\"a\\\"\\\\\\nz\"} 1",
};

static void
the_sums_are_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(lines); i++)
        if (!has_line(lines[i]))
            fail_msg("missing: %s\n%s", lines[i], buf_cstr(&page));
}

/* A shard that is not in the routes has no name and no line. */
static void
unknown_shards_are_left_out(void **state)
{
    (void)state;
    assert_null(strstr(buf_cstr(&page), "1000"));
    assert_null(strstr(buf_cstr(&page), "worker=\"2\""));
}

static void
each_metric_is_described_once(void **state)
{
    (void)state;
    const char *text = buf_cstr(&page);

    for (const char *at = text; (at = strstr(at, "# TYPE ")) != NULL; at++) {
        char line[256];
        snprintf(line, sizeof(line), "%.*s ", (int)strcspn(at + 7, " "), at + 7);
        char first[300];
        snprintf(first, sizeof(first), "# TYPE %s", line);
        if (strstr(at + 1, first) != NULL)
            fail_msg("twice: %s", first);
        snprintf(first, sizeof(first), "# HELP %s", line);
        assert_non_null(strstr(text, first));
    }
}

static void
without_routes_there_are_no_shards(void **state)
{
    (void)state;
    struct buf out = { 0 };

    metrics_render(&out, &slots, NULL, NOW_MS);
    assert_non_null(strstr(buf_cstr(&out), "\nshardd_routes_generation 0\n"));
    assert_null(strstr(buf_cstr(&out), "{shard="));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sums_are_right),
        cmocka_unit_test(unknown_shards_are_left_out),
        cmocka_unit_test(each_metric_is_described_once),
        cmocka_unit_test(without_routes_there_are_no_shards),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
