/* test_deadlock.c - waits in, victims out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/job/deadlock_graph.h"

enum { QUERY = 7 };

/* A look, as words:
 *   txns   "A1B2"      each letter a transaction, older ones first, and how many shards it
 *                      is on: A on shard 1 only is not one, so at least 2; "A3": on 1, 2, 3
 *   waits  "A>B@1"     A waits for B on shard 1; lower case: a connection of its own, which
 *                      is another one on every shard; "A>B@1!": by another statement */
static uint64_t
word(char who, uint32_t shard)
{
    return participant_word(shard, (uint64_t)who);
}

static struct deadlock_view
view_of(const char *txns, const char *waits)
{
    struct deadlock_view view = { 0 };

    for (uint64_t age = 1; txns[0] != 0; txns += 2, age++) {
        struct deadlock_txn txn = { .client = (uint64_t)txns[0], .spread_us = age * 1000 };
        for (uint32_t shard = 1; shard <= (uint32_t)(txns[1] - '0'); shard++)
            txn.member[txn.n_members++] = word(txns[0], shard);
        deadlock_view_add_txn(&view, &txn);
    }
    while (waits[0] != 0) {
        uint32_t             shard = (uint32_t)(waits[4] - '0');
        struct deadlock_wait wait  = { word(waits[0], shard), word(waits[2], shard), QUERY };
        assert_true(waits[1] == '>' && waits[3] == '@');
        waits += 5;
        if (waits[0] == '!') {
            wait.query++;
            waits++;
        }
        while (waits[0] == ' ')
            waits++;
        deadlock_view_add_wait(&view, &wait);
    }
    return view;
}

/* The letters of the victims in the order they are found. */
static void
victims_of(const struct deadlock_view *view, char *out)
{
    uint32_t *victims = calloc(view->n_txns + 1, sizeof(*victims));
    uint32_t  n       = deadlock_find(view, victims);

    for (uint32_t i = 0; i < n; i++)
        out[i] = (char)view->txn[victims[i]].client;
    out[n] = 0;
    free(victims);
}

static const struct {
    const char *name, *txns, *waits, *victims;
} graphs[] = {
    { "nobody waits", "A2B2", "", "" },
    { "one waits", "A2B2", "A>B@1", "" },
    { "a queue", "A2B2C2", "A>B@1 A>C@1 B>C@1", "" },
    { "a queue over two shards", "A2B2C2", "A>B@1 B>C@2", "" },
    { "crosswise", "A2B2", "A>B@1 B>A@2", "B" },
    { "crosswise, the other is younger", "B2A2", "A>B@1 B>A@2", "A" },
    { "on one shard it is the server's", "A2B2", "A>B@1 B>A@1", "" },
    { "on one shard, by three", "A2B2C2", "A>B@2 B>C@2 C>A@2", "" },
    { "three shards", "A3B3C3", "A>B@1 B>C@2 C>A@3", "C" },
    { "three of them on two shards", "A2B2C2", "A>B@1 B>C@1 C>A@2", "C" },
    { "two at once", "A2B2C2D2", "A>B@1 B>A@2 C>D@1 D>C@2", "DB" },
    { "two circles through the youngest", "A2B2C2", "A>C@1 C>A@2 B>C@1 C>B@2", "C" },
    { "two circles through the oldest", "A2B2C2", "A>C@1 C>A@2 B>A@1 A>B@2", "CB" },
    { "a circle and those who wait for it", "A2B2C2D2", "A>B@1 B>A@2 C>A@1 D>C@2", "B" },
    { "a circle that waits for somebody", "A2B2C2", "A>B@1 B>A@2 B>C@2", "B" },
    { "through a connection of one shard", "A2B2", "A>x@1 x>B@1 B>A@2", "B" },
    { "connections are nobody's across shards", "A2B2", "A>x@1 x>B@2 B>A@2", "" },
    { "only connections of one shard", "A2B2", "x>y@1 y>x@1", "" },
    { "several waits of one statement", "A2B2C2", "A>B@1 A>C@1 A>C@2 B>A@2", "B" },
    { "the same wait twice", "A2B2", "A>B@1 A>B@1 B>A@2 B>A@2", "B" },
    { "no transaction waits for itself", "A2B2", "A>A@1 A>A@2", "" },
};

static void
circles_lose_their_youngest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(graphs) / sizeof(*graphs); i++) {
        struct deadlock_view view = view_of(graphs[i].txns, graphs[i].waits);
        char                 got[32];

        victims_of(&view, got);
        if (strcmp(got, graphs[i].victims) != 0)
            fail_msg("%s: victims '%s', not '%s'", graphs[i].name, got, graphs[i].victims);
        deadlock_view_fini(&view);
    }
}

static const struct {
    const char *name, *txns_before, *before, *txns_now, *now, *victims;
} looks[] = {
    { "seen twice", "A2B2", "A>B@1 B>A@2", "A2B2", "B>A@2 A>B@1", "B" },
    { "the first look", "", "", "A2B2", "A>B@1 B>A@2", "" },
    { "never at the same time", "A2B2", "A>B@1", "A2B2", "B>A@2", "" },
    { "half of it is new", "A2B2", "A>B@1", "A2B2", "A>B@1 B>A@2", "" },
    { "half of it has ended", "A2B2", "A>B@1 B>A@2", "A2B2", "A>B@1", "" },
    { "another statement waits", "A2B2", "A>B@1 B>A@2", "A2B2", "A>B@1 B>A@2!", "" },
    { "another transaction waits", "A2", "A>B@1 B>A@2", "A2B2", "A>B@1 B>A@2", "" },
    { "more came meanwhile", "A2B2", "A>B@1 B>A@2", "A2B2C2", "C>A@1 A>B@1 B>A@2 C>B@1", "B" },
    { "it has spread since", "A2B2C2", "A>B@1 B>C@2 C>A@3", "A3B2C3", "A>B@1 B>C@2 C>A@3", "C" },
};

static void
only_what_two_looks_show_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        struct deadlock_view before = view_of(looks[i].txns_before, looks[i].before);
        struct deadlock_view now    = view_of(looks[i].txns_now, looks[i].now);
        struct deadlock_view both   = deadlock_view_both(&before, &now);
        char                 got[32];

        victims_of(&both, got);
        if (strcmp(got, looks[i].victims) != 0)
            fail_msg("%s: victims '%s', not '%s'", looks[i].name, got, looks[i].victims);
        deadlock_view_fini(&before);
        deadlock_view_fini(&now);
        deadlock_view_fini(&both);
    }
}

/* Many who wait for one row, each for all before it, and one circle among them. */
static void
long_queues_are_no_trouble(void **state)
{
    (void)state;
    enum { N = 300 };
    struct deadlock_view view = { 0 };
    uint32_t             victims[N], n;

    for (uint64_t t = 0; t < N; t++) {
        struct deadlock_txn txn = { .client = t + 1, .spread_us = t + 1, .n_members = 2 };
        txn.member[0] = participant_word(1, t + 1);
        txn.member[1] = participant_word(2, t + 1);
        deadlock_view_add_txn(&view, &txn);
    }
    for (uint64_t t = 2; t <= N; t++)
        for (uint64_t ahead = 1; ahead < t; ahead++) {
            struct deadlock_wait wait = { participant_word(1, t), participant_word(1, ahead), t };
            deadlock_view_add_wait(&view, &wait);
        }
    struct deadlock_wait back = { participant_word(2, 1), participant_word(2, N / 2), 1 };
    deadlock_view_add_wait(&view, &back);
    n = deadlock_find(&view, victims);
    assert_int_equal(n, 1);
    assert_int_equal(view.txn[victims[0]].client, N / 2);
    deadlock_view_fini(&view);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circles_lose_their_youngest),
        cmocka_unit_test(only_what_two_looks_show_counts),
        cmocka_unit_test(long_queues_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
