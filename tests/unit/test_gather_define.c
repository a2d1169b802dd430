/* test_gather_define.c - tables as the engine gets them; SHOW CREATE TABLE as 10.11 says it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/route/gather_define.h"
#include "core/route/table.h"

static const char everything[] =
    "CREATE TABLE `t` (\n"
    "  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,\n"
    "  `na``me` varchar(20) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'it''s\\n' "
    "COMMENT 'x',\n"
    "  `f` float(7,3) unsigned zerofill DEFAULT NULL,\n"
    "  `at` timestamp(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),\n"
    "  `e` enum('a,b','c''d') NOT NULL DEFAULT 'a,b',\n"
    "  `u` uuid DEFAULT uuid(),\n"
    "  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK "
    "(json_valid(`j`)),\n"
    "  `g` int(11) GENERATED ALWAYS AS (`id` + 1) VIRTUAL INVISIBLE,\n"
    "  `c` varchar(500) /*M!100301 COMPRESSED*/ DEFAULT NULL,\n"
    "  `p` point NOT NULL,\n"
    "  `n` decimal(65,30) NOT NULL DEFAULT -1.500000000000000000000000000000 CHECK (`n` < 5),\n"
    "  PRIMARY KEY (`id`),\n"
    "  UNIQUE KEY `k` (`na``me`),\n"
    "  SPATIAL KEY `s` (`p`),\n"
    "  CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `o` (`id`) ON DELETE CASCADE,\n"
    "  CONSTRAINT `ck` CHECK (`id` > 0)\n"
    ") ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci "
    "COMMENT='shardd: key(id)'";

static struct gather_definition
define(struct arena *a, const char *text)
{
    struct gather_definition d;
    struct err               err;

    if (!gather_define(a, span_of(text), &d, &err))
        fail_msg("%s", err.text);
    return d;
}

/* Columns by number; keys are columns too. */
static const struct row {
    const char *name;
    uint32_t    columns[4], n, keys[2], n_keys;
    const char *create, *select;
    uint32_t    width; /* 0: no MEMORY table */
} rows[] = {
    { "plain ones", { 0, 1 }, 2, { 0, 1 }, 2,
      "CREATE TEMPORARY TABLE `s`.`t` (`id` bigint(20) unsigned NOT NULL DEFAULT 0, `na``me` "
      "varchar(20) CHARACTER SET latin1 COLLATE latin1_bin NULL DEFAULT 'it''s\\n', KEY (`id`), "
      "KEY (`na``me`)) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
      "SELECT `id`,CAST(`na``me` AS BINARY)", 2 + 8 + 82 },
    { "those that are fetched as something else", { 2, 3, 5 }, 3, { 0 }, 0,
      "CREATE TEMPORARY TABLE `s`.`t` (`f` float(7,3) unsigned zerofill NULL DEFAULT NULL, "
      "`at` timestamp(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3), "
      "`u` uuid NULL) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
      "SELECT `f`*1e0,UNIX_TIMESTAMP(`at`),CAST(`u` AS BINARY(16))", 2 + 4 + 7 + 16 },
    { "a generated one is plain, and hidden where it is not alone", { 4, 7 }, 2, { 0 }, 0,
      "CREATE TEMPORARY TABLE `s`.`t` (`e` enum('a,b','c''d') NOT NULL DEFAULT 'a,b', "
      "`g` int(11) NULL INVISIBLE) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4 "
      "COLLATE=utf8mb4_unicode_ci", "SELECT CAST(`e` AS BINARY),`g`", 2 + 2 + 4 },
    { "hidden alone", { 7 }, 1, { 0 }, 0,
      "CREATE TEMPORARY TABLE `s`.`t` (`g` int(11) NULL) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4 "
      "COLLATE=utf8mb4_unicode_ci", "SELECT `g`", 2 + 4 },
    { "JSON and a long key", { 6, 8 }, 2, { 6, 8 }, 2,
      "CREATE TEMPORARY TABLE `s`.`t` (`j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin "
      "NULL DEFAULT NULL CHECK (json_valid(`j`)), `c` varchar(500) NULL DEFAULT NULL, "
      "KEY (`c`(191))) ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 "
      "COLLATE=utf8mb4_unicode_ci", "SELECT CAST(`j` AS BINARY),CAST(`c` AS BINARY)", 0 },
    { "a point and a long number", { 9, 10 }, 2, { 0 }, 0,
      "CREATE TEMPORARY TABLE `s`.`t` (`p` point NOT NULL, `n` decimal(65,30) NOT NULL DEFAULT "
      "-1.500000000000000000000000000000) ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=DYNAMIC DEFAULT "
      "CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci", "SELECT `p`,`n`", 0 },
};

static void
texts(void **state)
{
    struct arena             a = { 0 };
    struct gather_definition d = define(&a, everything);

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        const struct row  *r = &rows[i];
        struct buf         out = { 0 };
        struct gather_copy c   = { .definition = &d, .schema = SPAN("s"),
                                     .name = SPAN("t"), .n = r->n, .columns = r->columns,
                                     .n_keys = r->n_keys, .keys = r->keys };

        assert_int_equal(gather_width(&c), r->width);
        gather_create_text(&c, r->width != 0 ? GATHER_MEMORY : GATHER_ARIA, &out);
        assert_string_equal(buf_cstr(&out), r->create);
        buf_clear(&out);
        gather_select_text(&c, &out);
        assert_string_equal(buf_cstr(&out), r->select);
        buf_fini(&out);
    }
    arena_fini(&a);
}

static void
names_and_loads(void **state)
{
    struct arena             a         = { 0 };
    struct gather_definition d         = define(&a, everything);
    const uint32_t           columns[] = { 1, 7 };
    struct gather_copy       c         = { .definition = &d, .schema = SPAN("s`"),
                                           .name = SPAN("t"), .n = 2, .columns = columns };
    struct buf               out       = { 0 };

    (void)state;
    assert_int_equal(d.n_columns, 11);
    assert_int_equal(gather_find(&d, SPAN("NA`ME")), 1);
    assert_int_equal(gather_find(&d, SPAN("none")), ROUTES_NONE);
    gather_load_text(&c, &out);
    assert_string_equal(buf_cstr(&out), "LOAD DATA LOCAL INFILE 'rows' INTO TABLE `s```.`t` "
                        "CHARACTER SET binary FIELDS TERMINATED BY x'09' ESCAPED BY x'5c' LINES "
                        "TERMINATED BY x'0a' (`na``me`,`g`)");
    buf_fini(&out);
    arena_fini(&a);
}

static void
refused(void **state)
{
    static const char *const bad[] = {
        "", "CREATE", "CREATE VIEW `v` AS select 1", "CREATE TABLE `t` (\n `a` strange(5)\n)",
        "CREATE TABLE `t` (", "CREATE TABLE `t` LIKE `u`", "SELECT 1",
    };

    (void)state;
    for (size_t i = 0; i < countof(bad); i++) {
        struct arena             a = { 0 };
        struct gather_definition d;
        struct err               err;
        assert_false(gather_define(&a, span_of(bad[i]), &d, &err));
        arena_fini(&a);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(names_and_loads),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
