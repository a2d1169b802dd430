/* test_segment.c - segments between real processes: one writer, and nothing
 * that is not ours is mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/segment.h"

enum { SIZE = SEGMENT_HEADER + 8192 };

static char instance[SEGMENT_INSTANCE_MAX];
static char path[128];

static int
setup(void **state)
{
    (void)state;
    snprintf(instance, sizeof(instance), "test-%d", (int)getpid());
    snprintf(path, sizeof(path), "/dev/shm/shardd-%s-routes", instance);
    unlink(path);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void
what_one_writes_another_reads(void **state)
{
    (void)state;
    struct segment writer, reader;
    struct err     err;
    bool           made;

    assert_false(segment_open(&reader, SEGMENT_ROUTES, instance, &err));
    assert_non_null(strstr(err.text, "does not exist"));
    assert_true(segment_create(&writer, SEGMENT_ROUTES, instance, SIZE, &made, &err));
    assert_true(made);
    assert_int_equal(segment_back(&writer, SEGMENT_HEADER, 8192), 0);
    memcpy(writer.base + SEGMENT_HEADER, "hello", 5);
    segment_close(&writer);

    assert_true(segment_create(&writer, SEGMENT_ROUTES, instance, SIZE, &made, &err));
    assert_false(made);
    pid_t child = fork(); /* a process opens a segment only once */
    if (child == 0) {
        if (!segment_open(&reader, SEGMENT_ROUTES, instance, &err))
            _exit(1);
        _exit(memcmp(reader.base + SEGMENT_HEADER, "hello", 5) != 0 ||
              reader.size != SIZE || segment_writer(&reader) != getppid());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    struct stat st;
    assert_int_equal(fstat(writer.fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    segment_close(&writer);
    assert_int_equal(segment_unlink(SEGMENT_ROUTES, instance), 0);
    assert_int_equal(segment_unlink(SEGMENT_ROUTES, instance), -ENOENT);
}

/* A process that becomes the writer and stays until it is killed. */
static pid_t
writer_start(void)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct segment s;
        struct err     err;
        char good = segment_create(&s, SEGMENT_ROUTES, instance, SIZE, NULL, &err);
        if (write(ready[1], &good, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char good = 0;
    assert_int_equal(read(ready[0], &good, 1), 1);
    assert_true(good);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void
a_second_writer_is_refused_by_name(void **state)
{
    (void)state;
    struct segment s;
    struct err     err;
    char           number[32];
    pid_t          first = writer_start();

    assert_false(segment_create(&s, SEGMENT_ROUTES, instance, SIZE, NULL, &err));
    snprintf(number, sizeof(number), "process %d ", (int)first);
    assert_non_null(strstr(err.text, number));
    assert_non_null(strstr(err.text, "another controller"));

    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(waitpid(first, NULL, 0), first);
    assert_true(segment_create(&s, SEGMENT_ROUTES, instance, SIZE, NULL, &err));

    /* A forked child neither holds the lock nor takes it along. */
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    segment_close(&s);
    assert_true(segment_create(&s, SEGMENT_ROUTES, instance, SIZE, NULL, &err));
    segment_close(&s);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
file_make(const void *bytes, size_t len, off_t size, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_CREAT | O_RDWR, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static const struct bad {
    const char *name;
    uint64_t    words[3]; /* magic; version, kind; size */
    off_t       size;
    mode_t      mode;
    uid_t       owner;    /* 0: ours */
    const char *says;
} bad[] = {
#define MAGIC UINT64_C(0x0100646472616873)
    { "foreign",      { 0x1234, 1, SIZE }, SIZE, 0640, 0, "not a segment of shardd" },
    { "old version",  { MAGIC, 0, SIZE }, SIZE, 0640, 0, "is of version 0" },
    { "new version",  { MAGIC, 2, SIZE }, SIZE, 0640, 0, "is of version 2" },
    { "other kind",   { MAGIC, 1 | UINT64_C(1) << 32, SIZE }, SIZE, 0640, 0, "does not hold" },
    { "strange kind", { MAGIC, 1 | UINT64_C(9) << 32, SIZE }, SIZE, 0640, 0, "does not hold" },
    { "lying size",   { MAGIC, 1, SIZE + 1 }, SIZE, 0640, 0, "and says" },
    { "truncated",    { MAGIC, 1, SIZE }, 100, 0640, 0, "has 100 bytes" },
    { "cut short",    { MAGIC, 1, SIZE }, SEGMENT_HEADER - 1, 0640, 0, "bytes" },
    { "for everyone", { MAGIC, 1, SIZE }, SIZE, 0666, 0, "may be written by other users" },
    { "for a group",  { MAGIC, 1, SIZE }, SIZE, 0660, 0, "may be written by other users" },
    { "a stranger's", { MAGIC, 1, SIZE }, SIZE, 0640, 12345, "belongs to user 12345" },
};

static void
what_is_not_ours_is_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < countof(bad); i++) {
        struct segment s;
        struct err     err = { "nothing" };
        file_make(bad[i].words, sizeof(bad[i].words), bad[i].size, bad[i].mode);
        if (bad[i].owner != 0 && chown(path, bad[i].owner, (gid_t)-1) != 0)
            continue; /* only root can make this case */
        bool opened = segment_open(&s, SEGMENT_ROUTES, instance, &err);
        if (opened || strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: opening said: %s", bad[i].name, err.text);
        if (segment_create(&s, SEGMENT_ROUTES, instance, SIZE, NULL, &err))
            fail_msg("%s: taken over", bad[i].name);
    }
}

static void
a_half_made_one_is_made_anew(void **state)
{
    (void)state;
    static const off_t sizes[] = { 0, 100, SIZE, 2 * SIZE };

    for (size_t i = 0; i < countof(sizes); i++) {
        struct segment s;
        struct err     err;
        bool           made = false;
        file_make("", 0, sizes[i], 0640);
        assert_false(segment_open(&s, SEGMENT_ROUTES, instance, &err));
        assert_true(segment_create(&s, SEGMENT_ROUTES, instance, SIZE, &made, &err));
        assert_true(made);
        segment_close(&s);
        assert_true(segment_open(&s, SEGMENT_ROUTES, instance, &err));
        segment_close(&s);
    }
}

static void
names_follow_rules(void **state)
{
    (void)state;
    static const char *const names[] = { "", "a/b", "../x", "a b", "a.b",
        "0123456789012345678901234567890123456789012345678901234567890123" };
    struct segment s;
    struct err     err;
    char           a[SEGMENT_INSTANCE_MAX], b[SEGMENT_INSTANCE_MAX];

    for (size_t i = 0; i < countof(names); i++)
        assert_false(segment_create(&s, SEGMENT_SLOTS, names[i], SIZE, NULL, &err));
    segment_instance("/tmp", a);
    segment_instance("/tmp/../tmp/", b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 16);
    segment_instance("/does/not/exist/", a);
    segment_instance("/does/not/exist", b);
    assert_string_equal(a, b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_writes_another_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_writer_is_refused_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_half_made_one_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(names_follow_rules, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
