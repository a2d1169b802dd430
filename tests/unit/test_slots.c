/* test_slots.c - workers as real processes: what they count survives them, and
 * nobody waits for a dead one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "shm/slots.h"

enum { WORKERS = 3, CLIENTS = 16 };

static char         instance[SEGMENT_INSTANCE_MAX];
static struct slots slots;

static int
setup(void **state)
{
    (void)state;
    struct err err;

    snprintf(instance, sizeof(instance), "test-s%d", (int)getpid());
    segment_unlink(SEGMENT_SLOTS, instance);
    if (!slots_create(&slots, instance, WORKERS, CLIENTS, &err))
        fail_msg("%s", err.text);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    slots_close(&slots);
    segment_unlink(SEGMENT_SLOTS, instance);
    return 0;
}

/* Runs `work` as worker `number`; returns how it ended. */
static int
as_worker(uint32_t number, void (*work)(struct slot *))
{
    int   status;
    pid_t pid = fork();

    if (pid == 0) {
        struct err   err;
        signal(SIGSEGV, SIG_DFL); /* the test runner's would go on with the tests */
        struct slot *slot = slots_take(&slots, number, &err);
        if (slot == NULL)
            _exit(1);
        work(slot);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
count_some(struct slot *slot)
{
    slot_count(slot, COUNTER_STATEMENTS_SELECT);
    slot_add(slot, COUNTER_CLIENT_BYTES_IN, 100);
    slot_add(slot, COUNTER_CLIENTS_OPEN, 3);
    slot_sub(slot, COUNTER_CLIENTS_OPEN, 1);
    histogram_record(&slot->latency[LATENCY_ONE], 1000);
    struct slot_shard *shard = slot_shard(slot, 77);
    if (shard != slot_shard(slot, 77) || shard == slot_shard(slot, 78))
        _exit(1);
    slot_shard_add(shard, SHARD_COUNTER_STATEMENTS, 5);
    slot_shard_add(shard, SHARD_COUNTER_OPEN, 2);
    client_login(slot, 3, 4711, SPAN("app"), SPAN("127.0.0.1:5"), SPAN("shop"), 10);
    slot_enter(slot, SLOT_READY);
}

static void
totals_survive_their_worker(void **state)
{
    (void)state;
    struct slots_sum  *sum = malloc(sizeof(*sum));
    struct client_info row;
    uint64_t           of_shard[SHARD_COUNTERS_N];

    for (uint64_t life = 1; life <= 3; life++) {
        assert_int_equal(as_worker(1, count_some), 0);
        slots_sum(&slots, sum);
        slots_sum_shard(&slots, 77, of_shard);
        assert_int_equal(sum->counter[COUNTER_STATEMENTS_SELECT], life);
        assert_int_equal(sum->counter[COUNTER_CLIENT_BYTES_IN], life * 100);
        assert_int_equal(sum->counter[COUNTER_CLIENTS_OPEN], 2);
        assert_int_equal(sum->latency[LATENCY_ONE].count, life);
        assert_int_equal(of_shard[SHARD_COUNTER_STATEMENTS], life * 5);
        assert_int_equal(of_shard[SHARD_COUNTER_OPEN], 2);
        assert_true(client_read(slots_at(&slots, 1), 3, &row));
    }
    slots_bury(&slots, 1);
    slots_sum(&slots, sum);
    slots_sum_shard(&slots, 77, of_shard);
    assert_int_equal(sum->counter[COUNTER_STATEMENTS_SELECT], 3);
    assert_int_equal(sum->counter[COUNTER_CLIENTS_OPEN], 0);
    assert_int_equal(of_shard[SHARD_COUNTER_OPEN], 0);
    assert_false(client_read(slots_at(&slots, 1), 3, &row));
    free(sum);
}

/* --- servers ------------------------------------------------------------------------ */

static void
tell_of_server(struct slot *slot, uint64_t asked_us, uint64_t silent, uint64_t heard_us)
{
    struct slot_server *s = slot_server(slot, 9);

    slot_enter(slot, SLOT_READY);
    atomic_store(&s->told_us, clock_us());
    atomic_store(&s->asked_us, asked_us);
    atomic_store(&s->silent, silent);
    atomic_store(&s->stage, silent != 0 ? PROBE_LOGIN : PROBE_WELL);
    atomic_store(&s->heard_us, heard_us);
    atomic_store(&s->lag_us, heard_us / 10);
    atomic_store(&s->behind, heard_us / 100);
    atomic_store(&s->decided_us, 77);
    slot_server_add(&s->reads, 3);
}

static void hears(struct slot *slot) { tell_of_server(slot, 2000, 0, 2000); }
static void hears_nothing(struct slot *slot) { tell_of_server(slot, 3000, 2, 1000); }
static void still_hears_nothing(struct slot *slot) { tell_of_server(slot, 4000, 5, 1500); }

static void
has_forgotten(struct slot *slot)
{
    struct slot_server *s = slot_server(slot, 9);

    slot_keep_servers(slot, (uint32_t[]){ 9 }, 1);
    if (atomic_load(&s->asked_us) != 0 || atomic_load(&s->silent) != 0 ||
        atomic_load(&s->decided_us) != 77 || atomic_load(&s->reads) != 3)
        _exit(1);
}

static void
servers_are_what_workers_see_together(void **state)
{
    struct server_sum sum;

    (void)state;
    slots_sum_server(&slots, 9, &sum);
    assert_int_equal(sum.n, 0);
    assert_int_equal(as_worker(0, hears), 0);
    assert_int_equal(as_worker(1, hears_nothing), 0);
    slots_sum_server(&slots, 9, &sum);
    assert_int_equal(sum.n, 2);
    assert_int_equal(sum.n_asking, 2);
    assert_int_equal(sum.n_silent, 1);
    assert_int_equal(sum.silent, 0);
    assert_int_equal(sum.stage, PROBE_LOGIN);
    assert_int_equal(sum.asked_us, 3000);
    assert_int_equal(sum.heard_us, 2000);
    assert_int_equal(sum.lag_us, 200);
    assert_int_equal(sum.behind, 20);
    assert_int_equal(sum.reads, 6);
    assert_int_equal(as_worker(0, still_hears_nothing), 0);
    slots_sum_server(&slots, 9, &sum);
    assert_int_equal(sum.n_silent, 2);
    assert_int_equal(sum.silent, 2);
    assert_int_equal(sum.heard_us, 1500);
    slots_bury(&slots, 0);
    slots_sum_server(&slots, 9, &sum);
    assert_int_equal(sum.n, 1);
    /* A new worker has asked nobody yet; what the one before decided is still there. */
    assert_int_equal(as_worker(1, has_forgotten), 0);
    slots_sum_server(&slots, 9, &sum);
    assert_int_equal(sum.n, 1);
    assert_int_equal(sum.n_asking, 0);
}

static void
damage_another(struct slot *slot)
{
    (void)slot;
    *(volatile uint8_t *)(uintptr_t)slots_at(&slots, 2) = 1;
}

static void
a_worker_cannot_write_elsewhere(void **state)
{
    (void)state;
    int status = as_worker(1, damage_another);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void
every_live_worker_must_acknowledge(void **state)
{
    (void)state;
    struct err err;
    int        go[2], done[2];
    char       byte = 0;

    assert_true(slots_acknowledged(&slots, 5)); /* nobody lives */
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct slot *slot = slots_take(&slots, 0, &err);
        slot_beat(slot, slots_now_ms());
        for (uint64_t edition = 4;; edition++) {
            slot_acknowledge(slot, edition, 2, 3);
            slot_drained(slot, edition);
            if (write(done[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
                _exit(1);
        }
    }
    assert_int_equal(read(done[0], &byte, 1), 1);
    const struct slot *slot = slots_at(&slots, 0);
    uint64_t           now  = slots_now_ms();
    assert_true(slot_alive(slot, now, 0));
    assert_true(slot_alive(slot, now, 60000));
    assert_false(slot_alive(slot, now + 100000, 60000));
    assert_int_equal(atomic_load(&slot->life.pid), pid);
    assert_int_equal(atomic_load(&slot->life.state), SLOT_STARTING);
    assert_int_equal(atomic_load(&slot->life.epoch), slots_epoch(&slots));
    assert_true(slots_acknowledged(&slots, 4));
    assert_false(slots_acknowledged(&slots, 5));
    assert_false(slots_drained(&slots, 5));
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(read(done[0], &byte, 1), 1);
    assert_true(slots_acknowledged(&slots, 5));
    assert_true(slots_drained(&slots, 5));
    assert_false(slots_acknowledged(&slots, 6));

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(slots_acknowledged(&slots, 6)); /* a dead one counts as drained */
    assert_false(slot_alive(slot, now, 0));
    slots_bury(&slots, 0);
}

static void
a_new_master_has_a_new_epoch(void **state)
{
    (void)state;
    uint64_t   epoch = slots_epoch(&slots);
    struct err err;

    assert_int_equal(slots_master_pid(&slots), getpid());
    assert_false(slots_master_gone(&slots, instance));
    assert_int_equal(as_worker(0, count_some), 0);
    slots_close(&slots);
    assert_true(slots_create(&slots, instance, WORKERS, CLIENTS, &err));
    assert_int_equal(slots_epoch(&slots), epoch + 1);
    assert_int_equal(atomic_load(&slots_at(&slots, 0)->counter[COUNTER_STATEMENTS_SELECT]), 1);

    /* Other dimensions: a new segment. */
    struct slots orphan;
    slots_close(&slots);
    assert_true(slots_open(&orphan, instance, &err));
    assert_int_equal(orphan.n_workers, WORKERS);
    assert_true(slots_create(&slots, instance, WORKERS + 1, CLIENTS, &err));
    assert_int_equal(slots.n_workers, WORKERS + 1);
    assert_true(slots_master_gone(&orphan, instance));
    slots_close(&orphan);
}

static void
die_in_a_row(struct slot *slot)
{
    client_login(slot, 0, 1, SPAN("a"), SPAN("h"), SPAN(""), 1);
    client_login(slot, 1, 2, SPAN("b"), SPAN("h"), SPAN(""), 1);
    atomic_fetch_add(&slot->client[1].lock.count, 1); /* as if killed there */
    raise(SIGKILL);
}

static void
nobody_waits_for_a_dead_row(void **state)
{
    (void)state;
    struct client_info row;

    as_worker(2, die_in_a_row);
    assert_true(client_read(slots_at(&slots, 2), 0, &row));
    assert_string_equal(row.user, "a");
    assert_false(client_read(slots_at(&slots, 2), 1, &row));
    assert_int_equal(as_worker(2, count_some), 0); /* the successor repairs it */
    assert_false(client_read(slots_at(&slots, 2), 0, &row));
    assert_int_equal(atomic_load(&slots_at(&slots, 2)->client[1].lock.count) % 2, 0);
}

static void
write_rows(struct slot *slot)
{
    client_login(slot, 0, 9, SPAN("ann"), SPAN("10.0.0.1:1"), SPAN("shop"), 100);
    client_command(slot, 0, 3, 7, SPAN("SELECT 'a long text that is replaced'"), 200);
    client_command(slot, 0, 3, 8, SPAN("SELECT 1"), 300);
    client_schema(slot, 0, SPAN("other"));
    client_state(slot, 0, 5, 12, true, 400);

    uint8_t text[400];
    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa4", 2); /* cut between characters, not in one */
    client_login(slot, 1, 10, (struct span){ text, 400 }, SPAN(""), SPAN(""), 1);
    client_command(slot, 1, 3, 0, (struct span){ text, 255 }, 1);
    client_login(slot, 2, 11, SPAN("x"), SPAN(""), SPAN(""), 1);
    client_logout(slot, 2);
}

static void
rows_say_what_was_written(void **state)
{
    (void)state;
    struct client_info row;

    assert_int_equal(as_worker(0, write_rows), 0);
    assert_true(client_read(slots_at(&slots, 0), 0, &row));
    assert_int_equal(row.id, 9);
    assert_string_equal(row.user, "ann");
    assert_string_equal(row.host, "10.0.0.1:1");
    assert_string_equal(row.schema, "other");
    assert_string_equal(row.statement, "SELECT 1");
    assert_int_equal(row.login_ms, 100);
    assert_int_equal(row.since_ms, 400);
    assert_int_equal(row.state, 5);
    assert_int_equal(row.shard, 12);
    assert_int_equal(row.in_transaction, 1);
    assert_int_equal(row.statements, 2);
    assert_true(client_read(slots_at(&slots, 0), 1, &row));
    assert_int_equal(strlen(row.user), CLIENT_USER_MAX - 2);
    assert_int_equal(strlen(row.statement), 255);
    assert_false(client_read(slots_at(&slots, 0), 2, &row));
    assert_false(client_read(slots_at(&slots, 0), 3, &row));
}

static void
send_mail(struct slot *slot)
{
    for (uint64_t i = 1; i <= 10; i++)
        mail_post(slot, (struct mail){ MAIL_KILL_QUERY, i });
}

static void
mail_arrives_once(void **state)
{
    (void)state;
    const struct slot *sender = slots_at(&slots, 1);
    uint64_t           cursor = mail_cursor(sender);
    struct mail        mail;

    assert_false(mail_take(sender, &cursor, &mail));
    assert_int_equal(as_worker(1, send_mail), 0);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_true(mail_take(sender, &cursor, &mail));
        assert_int_equal(mail.kind, MAIL_KILL_QUERY);
        assert_int_equal(mail.target, i);
    }
    assert_false(mail_take(sender, &cursor, &mail));
    for (int i = 0; i < 20; i++)
        assert_int_equal(as_worker(1, send_mail), 0);
    int got = 0;
    while (mail_take(sender, &cursor, &mail))
        got++;
    assert_int_equal(got, SLOT_MAILS - 1); /* far behind: the newest */
}

static void
use_high_rows(struct slot *slot)
{
    client_command(slot, 900, 3, 0, SPAN("nobody logged in"), 1);
    client_login(slot, 1000, 5, SPAN("ann"), SPAN("h"), SPAN(""), 1);
}

/* Rows take memory when they are used; looking at the list takes none. */
static void
unused_rows_cost_nothing(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct client_info row;
    struct stat        before, after;
    struct err         err;

    slots_close(&slots);
    assert_true(slots_create(&slots, instance, 1, MANY, &err));
    assert_int_equal(fstat(slots.seg.fd, &before), 0);
    assert_int_equal(as_worker(0, use_high_rows), 0);
    int seen = 0;
    for (uint32_t i = 0; i < MANY; i++)
        seen += client_read(slots_at(&slots, 0), i, &row);
    assert_int_equal(seen, 1);
    slots_bury(&slots, 0);
    assert_int_equal(fstat(slots.seg.fd, &after), 0);
    assert_in_range((after.st_blocks - before.st_blocks) * 512, 1000 * 704, 1100 * 704);
}

static void
many_shards_share_the_last(void **state)
{
    (void)state;
    struct slot *slot = calloc(1, sizeof(*slot));
    uint32_t     kept[] = { 5, 9 };

    for (uint32_t id = 0; id < ROUTES_SHARDS_MAX; id++)
        assert_ptr_equal(slot_shard(slot, id), &slot->shard[id]);
    assert_ptr_equal(slot_shard(slot, 5000), &slot->shard[ROUTES_SHARDS_MAX - 1]);
    slot_keep_shards(slot, kept, 2);
    assert_ptr_equal(slot_shard(slot, 9), &slot->shard[9]);
    assert_ptr_equal(slot_shard(slot, 5000), &slot->shard[0]);
    free(slot);
}

static void
metrics_have_names_and_help(void **state)
{
    (void)state;

    for (int i = 0; i < COUNTERS_N; i++) {
        const struct counter_info *c = &counter_info[i];
        size_t len   = strlen(c->metric);
        bool   first = i == 0 || strcmp(c->metric, counter_info[i - 1].metric) != 0;
        bool   total = len > 6 && strcmp(c->metric + len - 6, "_total") == 0;
        assert_int_equal(total, c->role == COUNTER_TOTAL);
        assert_int_equal(first, c->help[0] != 0);
        for (int k = 0; first && k < i; k++) /* rows of a metric stand together */
            assert_string_not_equal(c->metric, counter_info[k].metric);
    }
    assert_true(counter_info[COUNTER_LOOP_BUSY_NS].scale < 1e-8);
    assert_true(counter_info[COUNTER_LOOP_TURNS].scale > 0.5);
}

/* Twenty of thirty shards are told, and none is left over from the last transaction. */
static void
participants_come_and_go(void **state)
{
    (void)state;
    struct err         err;
    struct client_info row;
    uint64_t           words[30];
    struct slot       *slot = slots_take(&slots, 0, &err);

    assert_non_null(slot);
    for (uint32_t i = 0; i < 30; i++)
        words[i] = participant_word(i + 1, UINT64_C(4294967295) - i);
    assert_int_equal(participant_shard(words[29]), 30);
    assert_int_equal(participant_thread(words[29]), UINT32_C(4294967266));
    client_login(slot, 5, 9, SPAN("app"), SPAN(""), SPAN(""), 10);
    assert_false(client_is_spread(slot, 5));
    client_participants(slot, 5, words, 2, 1000);
    client_participants(slot, 5, words, 30, 2000);
    assert_true(client_is_spread(slot, 5));
    assert_true(client_read(slot, 5, &row));
    assert_int_equal(row.spread_us, 1000);
    assert_int_equal(row.n_participants, CLIENT_PARTICIPANTS_MAX);
    assert_memory_equal(row.participant, words, sizeof(row.participant));
    client_participants(slot, 5, NULL, 0, 0);
    assert_false(client_is_spread(slot, 5));
    assert_true(client_read(slot, 5, &row));
    assert_int_equal(row.n_participants, 0);
    client_participants(slot, 5, words, 2, 3000);
    client_login(slot, 5, 10, SPAN("app"), SPAN(""), SPAN(""), 10);
    assert_false(client_is_spread(slot, 5));
    client_command(slot, 5, 3, 0, SPAN("SELECT 1"), 20);
    client_idle(slot, 5, 0, &(struct client_txn){ 0 }, 30);
    assert_true(client_read(slot, 5, &row));
    assert_int_equal(row.command, 0);
    assert_int_equal(row.since_ms, 30);
    assert_string_equal(row.statement, "SELECT 1");
    assert_false(client_is_spread(slot, CLIENTS - 1)); /* never used */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(totals_survive_their_worker),
        TEST(servers_are_what_workers_see_together),
        TEST(a_worker_cannot_write_elsewhere),
        TEST(every_live_worker_must_acknowledge),
        TEST(a_new_master_has_a_new_epoch),
        TEST(nobody_waits_for_a_dead_row),
        TEST(rows_say_what_was_written),
        TEST(mail_arrives_once),
        TEST(unused_rows_cost_nothing),
        TEST(many_shards_share_the_last),
        TEST(metrics_have_names_and_help),
        TEST(participants_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
