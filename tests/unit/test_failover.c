/* test_failover.c - when a primary is replaced without being asked, and when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/failover/failover_rule.h"

static const struct {
    const char       *name;
    struct rule_facts facts;
    enum rule_verdict verdict;
} rows[] = {
    { "it answers", { .wanted = true, .workers_ms = 5000 }, RULE_WELL },
    { "not wanted", { .silent_ms = 60000, .workers_ms = -1 }, RULE_UNASKED },
    { "not wanted, and not for long", { .silent_ms = 1000, .workers_ms = -1 }, RULE_WAITS },
    { "a moment", { .wanted = true, .silent_ms = 1999, .workers_ms = -1 }, RULE_WAITS },
    { "long enough", { .wanted = true, .silent_ms = 2000, .workers_ms = -1 }, RULE_REPLACE },
    { "a worker had an answer",
      { .wanted = true, .silent_ms = 9000, .workers_ms = 300 }, RULE_WORKERS },
    { "no worker had one since",
      { .wanted = true, .silent_ms = 2500, .workers_ms = 2600 }, RULE_REPLACE },
    { "a replica hears it",
      { .wanted = true, .silent_ms = 9000, .workers_ms = 9000, .replicas_hear = 1 },
      RULE_REPLICAS },
    { "replaced 9 s ago",
      { .wanted = true, .silent_ms = 3000, .workers_ms = -1, .recent = 1, .last_ms = 9000 },
      RULE_RESTS },
    { "replaced 10 s ago",
      { .wanted = true, .silent_ms = 3000, .workers_ms = -1, .recent = 1, .last_ms = 10000 },
      RULE_REPLACE },
    { "the third time within ten minutes",
      { .wanted = true, .silent_ms = 3000, .workers_ms = -1, .recent = 3, .last_ms = 39000 },
      RULE_RESTS },
    { "that one after 40 s",
      { .wanted = true, .silent_ms = 3000, .workers_ms = -1, .recent = 3, .last_ms = 40000 },
      RULE_REPLACE },
    { "never longer than a minute",
      { .wanted = true, .silent_ms = 3000, .workers_ms = -1, .recent = 50, .last_ms = 60000 },
      RULE_REPLACE },
};

static void
test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        if (rule_decide(&rows[i].facts) != rows[i].verdict)
            fail_msg("%s: %s", rows[i].name, rule_words(rule_decide(&rows[i].facts)));
}

/* A fault that goes from server to server: of 600 s how many are used up? */
static void
test_it_wears_out_few_servers(void **state)
{
    struct rule_facts f = { .wanted = true, .workers_ms = -1 };
    int64_t           last = 0, began = 0;

    (void)state;
    for (int64_t now = 1; now < 600000; now += 500) {
        f.silent_ms = now - began;
        f.last_ms   = now - last;
        if (rule_decide(&f) != RULE_REPLACE)
            continue;
        f.recent++;
        last = began = now;
    }
    assert_in_range(f.recent, 8, 14);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_it_wears_out_few_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
