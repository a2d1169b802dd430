/* test_move.c - which rows of a move go where; keys as literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "ctl/move/sets.h"

#define H(eighth) ((uint64_t)(eighth) << 61)

/* Four shards whose ids are not their indexes. */
static const struct route_shard shards[] = { { .id = 11 }, { .id = 22 }, { .id = 33 },
                                             { .id = 44 } };
static const struct route_database databases_a[] = { { .name = { (const uint8_t *)"d", 1 } } };
static const struct route_database databases_b[] = { { .name = { (const uint8_t *)"d", 1 },
                                                       .home = 2 } };
static const struct route_range halves[]   = { { .start = 0, .shard = 0 },
                                               { .start = H(4), .shard = 1 } };
static const struct route_range split[]    = { { .start = 0, .shard = 0 },
                                               { .start = H(2), .shard = 2 },
                                               { .start = H(4), .shard = 1 },
                                               { .start = H(6), .shard = 3 } };
static const struct route_range one[]      = { { .start = 0, .shard = 2 } };
static const struct route_column columns[] = {
    { .name = { (const uint8_t *)"a", 1 }, .type = COLUMN_INT },
    { .name = { (const uint8_t *)"b", 1 }, .type = COLUMN_INT },
};
static const struct route_table by_a      = { .kind = TABLE_SHARDED, .key = 0, .n_columns = 2,
                                              .columns = columns };
static const struct route_table by_b      = { .kind = TABLE_SHARDED, .key = 1, .n_columns = 2,
                                              .columns = columns };
static const struct route_table global    = { .kind = TABLE_GLOBAL, .key = ROUTES_NONE };
static const struct route_table reference = { .kind = TABLE_REFERENCE, .key = ROUTES_NONE };

struct map {
    const struct route_range    *ranges;
    uint32_t                     n;
    const struct route_database *databases;
};
static const struct map m_halves = { halves, 2, databases_a };
static const struct map m_split  = { split, 4, databases_a };
static const struct map m_one    = { one, 1, databases_a };
static const struct map m_home   = { halves, 2, databases_b };

static uint32_t indexes[2][(1u << 5) + 1];

static void
build(struct routes *r, const struct map *map, uint32_t *index)
{
    *r = (struct routes){
        .n_shards = 4, .shards = shards, .n_ranges = map->n, .ranges = map->ranges,
        .n_databases = 1, .databases = map->databases,
        .index_bits = routes_index_bits(map->n), .index = index,
    };
    assert_true(r->index_bits <= 5);
    routes_index(map->ranges, map->n, r->index_bits, index);
}

static void
note(void *context, uint32_t target)
{
    char *text = context;

    sprintf(text + strlen(text), "%s%u", text[0] ? " " : "", target);
}

static void
ids(const uint32_t *list, size_t n, char *out)
{
    out[0] = 0;
    for (size_t i = 0; i < n; i++)
        note(out, list[i]);
}

static const struct {
    const char               *name;
    const struct map         *before, *after;
    const struct route_table *table, *then;
    const char               *sources;
    uint32_t                  source;
    const char               *targets; /* of this source */
    uint64_t                  hash_before, hash_after;
    const char               *row; /* goes to these */
} moves[] = {
    { "split: moves", &m_halves, &m_split, &by_a, &by_a, "11 22", 11, "33", H(3), H(3), "33" },
    { "split: stays", &m_halves, &m_split, &by_a, &by_a, "11 22", 11, "33", H(1), H(1), "" },
    { "split: a range's first", &m_halves, &m_split, &by_a, &by_a, "11 22", 22, "44", H(6), H(6),
      "44" },
    { "split: a range's last", &m_halves, &m_split, &by_a, &by_a, "11 22", 22, "44", H(6) - 1,
      H(6) - 1, "" },
    { "split: not its row", &m_halves, &m_split, &by_a, &by_a, "11 22", 22, "44", H(3), H(3), "" },
    { "merge", &m_split, &m_halves, &by_a, &by_a, "33 44", 33, "11", H(2), H(2), "11" },
    { "merge: last key", &m_split, &m_halves, &by_a, &by_a, "33 44", 44, "22", UINT64_MAX,
      UINT64_MAX, "22" },
    { "all to one", &m_split, &m_one, &by_a, &by_a, "11 22 44", 22, "33", H(5), H(5), "33" },
    { "all to one: there", &m_split, &m_one, &by_a, &by_a, "11 22 44", 33, "", H(2), H(2), "" },
    { "nothing", &m_split, &m_split, &by_a, &by_a, "", 11, "", H(0), H(0), "" },
    { "a new key", &m_halves, &m_halves, &by_a, &by_b, "11 22", 11, "22", H(1), H(5), "22" },
    { "a new key: stays", &m_halves, &m_halves, &by_a, &by_b, "11 22", 11, "22", H(1), H(2), "" },
    { "global to sharded", &m_halves, &m_halves, &global, &by_a, "11", 11, "22", 0, H(5), "22" },
    { "global to sharded: stays", &m_halves, &m_halves, &global, &by_a, "11", 11, "22", 0, H(1),
      "" },
    { "global to reference", &m_halves, &m_halves, &global, &reference, "11", 11, "22 33 44", 0,
      0, "22 33 44" },
    { "sharded to global", &m_halves, &m_halves, &by_a, &global, "22", 22, "11", H(5), 0, "11" },
    { "sharded to reference", &m_halves, &m_halves, &by_a, &reference, "11 22", 22, "11 33 44",
      H(5), 0, "11 33 44" },
    { "reference to global", &m_halves, &m_halves, &reference, &global, "", 22, "", 0, 0, "" },
    { "another home", &m_halves, &m_home, &global, &global, "11", 11, "33", 0, 0, "33" },
    { "another home: not its row", &m_halves, &m_home, &global, &global, "11", 22, "", 0, 0, "" },
};

static void
test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(moves); i++) {
        struct routes     before, after;
        uint32_t          list[ROUTES_SHARDS_MAX];
        struct move_table t = { .before = moves[i].table, .after = moves[i].then };
        struct move       back, m = { .before = &before, .after = &after, .n_tables = 1,
                                      .tables = &t };
        char              text[256];

        print_message("  %s\n", moves[i].name);
        build(&before, moves[i].before, indexes[0]);
        build(&after, moves[i].after, indexes[1]);
        ids(list, move_sources(&m, list), text);
        assert_string_equal(text, moves[i].sources);
        ids(list, move_targets_of(&m, moves[i].source, list), text);
        assert_string_equal(text, moves[i].targets);
        text[0] = 0;
        move_targets(&m, &t, moves[i].source, moves[i].hash_before, moves[i].hash_after, note,
                     text);
        assert_string_equal(text, moves[i].row);

        /* Backwards the row comes back, unless it was everywhere. */
        move_reverse(&m, &back);
        if (moves[i].row[0] && moves[i].then != &reference) {
            uint32_t target = (uint32_t)strtoul(moves[i].row, NULL, 10);
            char     source[16];

            snprintf(source, sizeof(source), "%u", moves[i].source);
            text[0] = 0;
            move_targets(&back, back.tables, target, moves[i].hash_after, moves[i].hash_before,
                         note, text);
            assert_string_equal(text, source);
        }
        move_fini(&back);
    }
}

#define S(text) { (const uint8_t *)(text), sizeof(text) - 1 }

static const struct {
    struct route_column column;
    struct key_value    value;
    const char         *literal; /* NULL: none */
} literals[] = {
    { { .type = COLUMN_INT }, { KEY_VALUE_INT, S("-5"), 0, false }, "-5" },
    { { .type = COLUMN_INT }, { KEY_VALUE_INT, S("5) OR (1"), 0, false }, NULL },
    { { .type = COLUMN_INT }, { KEY_VALUE_INT, S(""), 0, false }, NULL },
    { { .type = COLUMN_INT }, { KEY_VALUE_NULL, S(""), 0, false }, "NULL" },
    { { .type = COLUMN_INT }, { KEY_VALUE_OTHER, S("5"), 0, false }, NULL },
    { { .type = COLUMN_DECIMAL }, { KEY_VALUE_DECIMAL, S("-0.50"), 0, false }, "-0.50" },
    { { .type = COLUMN_BIT, .length = 10 }, { KEY_VALUE_STRING, S("\x02\x01"), 63, false }, "513" },
    { { .type = COLUMN_YEAR }, { KEY_VALUE_INT, S("0000"), 0, false }, "'0000'" },
    { { .type = COLUMN_YEAR }, { KEY_VALUE_INT, S("5"), 0, false }, NULL },
    { { .type = COLUMN_DATE }, { KEY_VALUE_STRING, S("2001-00-31"), 0, false }, "'2001-00-31'" },
    { { .type = COLUMN_TIME, .length = 2 }, { KEY_VALUE_STRING, S("-01:02:03.45"), 0, false },
      "'-01:02:03.45'" },
    { { .type = COLUMN_TIME }, { KEY_VALUE_STRING, S("0') --"), 0, false }, NULL },
    { { .type = COLUMN_VARCHAR, .collation = 45 }, { KEY_VALUE_STRING, S("a'\0\xff"), 45, false },
      "_utf8mb4 x'612700ff'" },
    { { .type = COLUMN_CHAR, .collation = 8 }, { KEY_VALUE_STRING, S("\xe4"), 8, false },
      "_latin1 x'e4'" },
    { { .type = COLUMN_VARCHAR, .collation = 54 }, { KEY_VALUE_STRING, S("a"), 54, false }, NULL },
    { { .type = COLUMN_VARBINARY, .collation = 63 }, { KEY_VALUE_STRING, S(""), 63, false },
      "_binary x''" },
    { { .type = COLUMN_UUID }, { KEY_VALUE_STRING, S("00000000-0000-0000-0000-00000000000a"), 0,
                                 false }, "'00000000-0000-0000-0000-00000000000a'" },
    { { .type = COLUMN_INET6 }, { KEY_VALUE_STRING, S("::ffff:1.2.3.4"), 0, false },
      "'::ffff:1.2.3.4'" },
    { { .type = COLUMN_DOUBLE }, { KEY_VALUE_FLOAT, S("1.5"), 0, false }, NULL },
};

static void
test_literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(literals); i++) {
        struct buf out = { 0 };
        bool       ok  = sets_literal(&out, &literals[i].column, &literals[i].value);

        print_message("  %zu\n", i);
        assert_int_equal(ok, literals[i].literal != NULL);
        if (ok)
            assert_string_equal(buf_cstr(&out), literals[i].literal);
        buf_fini(&out);
    }
}

static void
test_writer(void **state)
{
    static const struct route_column column = { .type = COLUMN_INT };
    static const struct key_value    good   = { KEY_VALUE_INT, S("7"), 0, false };
    static const struct key_value    bad    = { KEY_VALUE_INT, S("x"), 0, false };
    struct sets_writer               w      = { .column = &column };

    (void)state;
    assert_true(sets_add(&w, &good));
    assert_false(sets_add(&w, &bad));
    assert_true(sets_add(&w, &good));
    assert_string_equal(buf_cstr(&w.values), "(7),(7)");
    assert_int_equal(w.n, 2);
    buf_fini(&w.values);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
