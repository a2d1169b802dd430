/* test_log.c - the forms of log lines, and what they say they are about. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/log.h"

static int kept, ends[2];

static int
setup(void **state)
{
    (void)state;
    fflush(stderr);
    kept = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
    log_about(LOG_REQUEST, NULL);
    log_about(LOG_JOB, NULL);
    unsetenv("JOURNAL_STREAM");
    log_init("test", LOG_LEVEL_ERROR, LOG_HUMAN);
    return 0;
}

/* What was written since the last call. */
static const char *
said(void)
{
    static char text[8192];
    ssize_t     n = read(ends[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static const struct {
    const char *name, *text, *fields; /* in JSON, behind the message */
} subject_cases[] = {
    { "none", "serving", "" },
    { "a shard", "shard s-1: away", ",\"shard\":\"s-1\"" },
    { "no colon", "shard s1 has left: gone", ",\"shard\":\"s1\"" },
    { "an address behind", "shard s1 (127.0.0.1:3306) is well", ",\"shard\":\"s1\"" },
    { "at the end", "started shard s1", "" },
    { "the end is the name", "shard s1", ",\"shard\":\"s1\"" },
    { "two", "job 12, from shard s1: no", ",\"job\":\"12\",\"shard\":\"s1\"" },
    { "two places", "job 12, on shard s1: no", ",\"job\":\"12\",\"shard\":\"s1\"" },
    { "an area", "scaler: decision 3: split", ",\"decision\":\"3\"" },
    { "another area", "move: shard s2 verified: 5 rows", ",\"shard\":\"s2\"" },
    { "a replica", "replica r.1, which could not be made: x", ",\"replica\":\"r.1\"" },
    { "an engine and a worker", "engine e, worker 2: x",
      ",\"engine\":\"e\",\"worker\":\"2\"" },
    { "the plural", "shards s1: x", "" },
    { "no name", "shard : x", "" },
    { "no name at all", "shard ", "" },
    { "a noun only", "shard", "" },
    { "not a name", "shard 's1': x", "" },
    { "twice", "shard s1, shard s2: x", ",\"shard\":\"s1\"" },
    { "four", "shard a, replica b, engine c, worker d",
      ",\"shard\":\"a\",\"replica\":\"b\",\"engine\":\"c\"" },
};

static void
test_subjects(void **state)
{
    (void)state;
    log_init("p", LOG_LEVEL_INFO, LOG_JSON);
    for (size_t i = 0; i < countof(subject_cases); i++) {
        char want[512];

        log_info("%s", subject_cases[i].text);
        snprintf(want, sizeof(want), "\"message\":\"%s\"%s}\n", subject_cases[i].text,
                 subject_cases[i].fields);
        if (!strstr(said(), want))
            fail_msg("%s: no %s", subject_cases[i].name, want);
    }
}

static void
test_what_a_thread_works_on(void **state)
{
    const char *text;

    (void)state;
    log_init("p", LOG_LEVEL_INFO, LOG_JSON);
    log_about(LOG_REQUEST, "abc");
    log_about(LOG_JOB, "7");
    log_warn("job 12: \"x\"\ny");
    text = said();
    /* What it works on, not what it speaks of: the subject is in the sentence. */
    assert_non_null(strstr(text, "\"message\":\"job 12: \\\"x\\\"\\ny\",\"request\":\"abc\","
                                 "\"job\":\"7\"}\n"));
    assert_non_null(strstr(text, "\"level\":\"warn\""));
    log_about(LOG_JOB, NULL);
    log_init("p", LOG_LEVEL_INFO, LOG_HUMAN);
    log_error("a\nb");
    assert_non_null(strstr(said(), " error a b request=abc\n"));
    log_debug("too much");
    assert_string_equal(said(), "");
    log_about(LOG_REQUEST, NULL);
    log_info("c");
    assert_non_null(strstr(said(), " info  c\n"));
}

/* A pipe is not the journal: levels as numbers. */
static void
test_journal_elsewhere(void **state)
{
    struct stat st;
    char        stream[64];

    (void)state;
    log_init("worker 1", LOG_LEVEL_INFO, LOG_JOURNAL);
    log_info("shard s1: x");
    assert_string_equal(said(), "<6>worker 1: shard s1: x\n");
    log_error("a\nb");
    assert_string_equal(said(), "<3>worker 1: a b\n");
    assert_false(log_is_journal());
    setenv("JOURNAL_STREAM", "1:2", 1);
    assert_false(log_is_journal());
    setenv("JOURNAL_STREAM", "x", 1);
    assert_false(log_is_journal());
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    assert_true(log_is_journal());
}

static void
test_what_is_long_is_cut(void **state)
{
    char long_text[3000], id[200];

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    log_about(LOG_REQUEST, id);
    log_init("p", LOG_LEVEL_INFO, LOG_JSON);
    log_info("%s", long_text);
    const char *text = said();
    const char *at   = strstr(text, "\"request\":\"");
    assert_non_null(at);
    assert_int_equal(strspn(at + 11, "i"), LOG_NAME_MAX);
    assert_true(strlen(text) < 1400);
    log_about(LOG_REQUEST, NULL);
    log_info("shard %s: x", long_text);
    assert_non_null(strstr(said(), "\"shard\":\"xxx"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_thread_works_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_long_is_cut, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
