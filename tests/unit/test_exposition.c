/* test_exposition.c - what node-exporter says, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "ctl/scale/exposition.h"

static const char page[] =
    "# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.\n"
    "# TYPE node_cpu_seconds_total counter\n"
    "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 100.5\n"
    "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 20\n"
    "node_cpu_seconds_total{cpu=\"1\",mode=\"idle\"} 99.5\n"
    "node_cpu_seconds_total{cpu=\"1\",mode=\"system\"} 30 1700000000000\n"
    "\n"
    "node_memory_MemTotal_bytes 1.6e+10\n"
    "node_memory_MemAvailable_bytes 4e+09\n"
    "node_filesystem_size_bytes{device=\"/dev/a\",fstype=\"ext4\",mountpoint=\"/\"} 1000\n"
    "node_filesystem_size_bytes{device=\"/dev/b\",mountpoint=\"/var/lib/mysql\"} 5000\n"
    "node_filesystem_size_bytes{device=\"/dev/c\",mountpoint=\"/var/lib/my\"} 7000\n"
    "node_filesystem_avail_bytes{device=\"/dev/a\",mountpoint=\"/\"} 100\n"
    "node_filesystem_avail_bytes{device=\"/dev/b\",mountpoint=\"/var/lib/mysql\"} 500\n";

static void
test_machine(void **state)
{
    struct machine m;

    (void)state;
    machine_read(span_of(page), "/var/lib/mysql/", &m);
    assert_true(m.cpus == 2 && m.cpu_idle_s == 200 && m.cpu_all_s == 250);
    assert_true(m.memory_total == 1.6e10 && m.memory_available == 4e9);
    assert_true(m.disk_size == 5000 && m.disk_available == 500);
    machine_read(span_of(page), "/data", &m);
    assert_true(m.disk_size == 1000 && m.disk_available == 100);
    machine_read(span_of("nothing_here 1\n"), "/", &m);
    assert_true(isnan(m.cpus) && isnan(m.memory_total) && isnan(m.disk_size));
}

static const struct {
    const char *text;
    int         samples;
} texts[] = {
    { "", 0 }, { "\n\n", 0 }, { "a 1", 1 }, { "a", 0 }, { "a x", 0 }, { "a{b=\"c\"", 0 },
    { "a{b=\"c}\"} 2\nb 3\n", 2 }, { "a{b=\"\\\"}\"} 2", 1 }, { "{} 1", 0 }, { "a{} NaN", 1 },
    { "a{x=1} 5", 1 }, { "a{b=\"c", 0 }, { "a{b=\"\\", 0 }, { "a +Inf\nb -Inf", 2 },
    { "a 123456789012345678901234567890123456789012345678901234567890123456789", 1 },
};

static void
test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct span   at = span_of(texts[i].text);
        struct sample s;
        int           n = 0;

        while (sample_next(&at, &s)) {
            (void)sample_label(&s, "mode");
            n++;
        }
        if (n != texts[i].samples)
            fail_msg("%s: %d", texts[i].text, n);
    }
}

static void
test_labels(void **state)
{
    struct span   at = span_of("m{a=\"1\", bb=\"x,y=\\\"z\\\"\",c=\"\"} 1");
    struct sample s;

    (void)state;
    assert_true(sample_next(&at, &s));
    assert_int_equal(sample_label(&s, "a").len, 1);
    assert_int_equal(sample_label(&s, "bb").len, 9);
    assert_int_equal(sample_label(&s, "b").len, 0);
    assert_int_equal(sample_label(&s, "c").len, 0);
    assert_int_equal(sample_label(&s, "none").len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
