/* test_plan_view.c - when a view becomes its SELECT, and into what text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

#define VIEW(n, kind_of, text, more)                                                              \
    { .name = N(n), .database = 0, .kind = TABLE_VIEW, .view_kind = (kind_of), .key = NO,         \
      .auto_increment = NO, .n_columns = 1, .columns = view_columns, .view_text = N(text), more }

static struct route_table tables[32];

static const struct route_table views[] = {
    VIEW("va", TABLE_GLOBAL, "select count(0) AS `n` from `app`.`users`", .view_expands = true),
    VIEW("vb", TABLE_SHARDED, "select `app`.`users`.`id` AS `id` from `app`.`users`",
         .view_collation = 45),
    VIEW("vc", TABLE_GLOBAL, "select 'a' AS `id` from `app`.`users` limit 1",
         .view_expands = true),
    VIEW("vd", TABLE_SHARDED, "select `app`.`users`.`id` AS `k`,`app`.`users`.`age` AS `n`,"
         "`app`.`users`.`age` + 1 AS `m` from `app`.`users` where `app`.`users`.`age` > 5",
         .view_unchecked = true),
    VIEW("ve", TABLE_SHARDED, "select `app`.`users`.`id` AS `k` from `app`.`users` where "
         "`app`.`users`.`age` > 5", .view_collation = 45),
    VIEW("vf", TABLE_REFERENCE, "select `app`.`countries`.`id` AS `id` from `app`.`countries`",
         .view_unchecked = true),
};

/* Behind "users", as they are sorted. */
static int
add_views(void **state)
{
    uint32_t n = 0;

    (void)state;
    world_init();
    world.n_engines = 1;
    for (uint32_t i = 0; i < world.n_tables; i++) {
        tables[n++] = world_tables[i];
        for (size_t v = 0; v < countof(views) && span_equal(world_tables[i].name, SPAN("users"));
             v++)
            tables[n++] = views[v];
    }
    world.tables   = tables;
    world.n_tables = n;
    return 0;
}

#define VA "(select count(0) AS `n` from `app`.`users`)"
#define VB "(select `app`.`users`.`id` AS `id` from `app`.`users`)"

static const struct plan_case cases[] = {
    { "SELECT n FROM va", "expand; text: SELECT n FROM " VA " `va`" },
    { "SELECT x.n FROM app.va AS x WHERE n > 5",
      "expand; text: SELECT x.n FROM " VA " AS x WHERE n > :0" },
    { "SELECT app.va.n, va.*, app.va.* FROM va /* all */ WHERE app.va.n = ?",
      "expand; text: SELECT `va`.`n`, va.*, `va`.* FROM " VA " `va`           WHERE `va`.`n` = "
      "?0" },
    { "SELECT 1 + app.va.n FROM va",
      "expand; text: SELECT :0 + `va`.`n` AS `1 + app.va.n` FROM " VA " `va`" },
    { "SELECT EXISTS (SELECT 1 FROM va WHERE n = '`') FROM users",
      "expand; text: SELECT EXISTS (SELECT :0 FROM " VA " `va` WHERE n = :1) AS "
      "`EXISTS (SELECT 1 FROM va WHERE n = '``')` FROM users" },
    { "SELECT * FROM va JOIN vb ON vb.id = va.n",
      "expand; text: SELECT * FROM " VA " `va` JOIN " VB " `vb` ON vb.id = va.n" },
    { "INSERT INTO config SELECT n, 'x' FROM va",
      "expand; text: INSERT INTO config SELECT n, :0 FROM " VA " `va`" },
    { "UPDATE users SET age = (SELECT n FROM va) WHERE id = 3",
      "expand; text: UPDATE users SET age = (SELECT n FROM " VA " `va`) WHERE id = :0" },
    { "EXPLAIN SELECT n FROM va", "expand; text: EXPLAIN SELECT n FROM " VA " `va`" },
    /* What its shards can do with its name is left to them; else not. */
    { "SELECT id FROM vb", "expand; text: SELECT id FROM " VB " `vb`" },
    { "SELECT id FROM vg", "one home (s0)" },
    /* What is written is its table. */
    { "UPDATE vd SET n = n + 1",
      "expand; text: UPDATE `app`.`users` AS `vd` SET `vd`.`age` = `vd`.`age` + :0 WHERE "
      "(`vd`.`age` > 5)" },
    { "UPDATE app.vd AS x SET x.n = m WHERE x.k IN (SELECT id FROM orders) LIMIT ?",
      "expand; text: UPDATE `app`.`users` AS x SET `x`.`age` = (`x`.`age` + 1) WHERE (`x`.`id` "
      "IN (SELECT id FROM orders)) AND (`x`.`age` > 5) LIMIT ?0" },
    { "DELETE FROM vd WHERE n = 7 ORDER BY m RETURNING k, n + 1, m AS z",
      "expand; text: DELETE FROM `app`.`users` WHERE (`users`.`age` = :0) AND (`users`.`age` > "
      "5) ORDER BY (`users`.`age` + 1) RETURNING `users`.`id` AS `k`, `users`.`age` + :1 AS `n "
      "+ 1`, (`users`.`age` + 1) AS z" },
    { "DELETE vd FROM vd JOIN orders o ON o.amount = n",
      "expand; text: DELETE vd FROM `app`.`users` AS `vd` JOIN orders o ON o.amount = "
      "`vd`.`age` WHERE (`vd`.`age` > 5)" },
    { "INSERT INTO vd (n, k) VALUES (1, 2) ON DUPLICATE KEY UPDATE n = VALUES(n) + k",
      "expand; text: INSERT INTO `app`.`users` (`age`, `id`) VALUES (:0, :1) ON DUPLICATE KEY "
      "UPDATE `users`.`age` = VALUES(`users`.`age`) + `users`.`id`" },
    { "INSERT INTO vf VALUES (5)",
      "expand; text: INSERT INTO `app`.`countries` (`id`) VALUES (:0)" },
    { "DELETE FROM ve WHERE k > 5",
      "expand; text: DELETE FROM `ve` USING `app`.`users` AS `ve` WHERE (`ve`.`id` > :0) AND "
      "(`ve`.`age` > 5)" },
    { "UPDATE vd SET m = 5",
      "refuse 1348: Column 'm' is not updatable" },
    { "UPDATE vd SET nosuch = 5",
      "refuse 1054: Unknown column 'nosuch' in 'field list'" },
    { "UPDATE vd SET n = age",
      "refuse 1054: Unknown column 'age' in 'field list'" },
    { "INSERT INTO vd VALUES (1, 2, 3)",
      "refuse 1471: The target table vd of the INSERT is not insertable-into" },
    /* Not certain: */
    { "UPDATE ve SET k = 5",
      "refuse 1235: shardd: the view 've' has a CHECK OPTION (or was made before shardd kept "
      "whether it has: make it anew), and the rows of this write may be on several shards: "
      "write its table" },
    { "INSERT INTO ve VALUES (5)",
      "refuse 1235: shardd: the view 've' has a CHECK OPTION (or was made before shardd kept "
      "whether it has: make it anew), and the rows of this write may be on several shards: "
      "write its table" },
    { "DELETE FROM vd WHERE EXISTS (SELECT 1 FROM users WHERE users.id = vd.k)",
      "expand; text: DELETE FROM `vd` USING `app`.`users` AS `vd` WHERE (EXISTS (SELECT :0 FROM"
      " users WHERE users.id = `vd`.`id`)) AND (`vd`.`age` > 5)" },
    { "UPDATE vd SET n = 5 WHERE EXISTS (SELECT 1 FROM orders WHERE n = amount)",
      "expand; text: UPDATE `app`.`users` AS `vd` SET `vd`.`age` = :0 WHERE (EXISTS (SELECT :1 "
      "FROM orders WHERE `vd`.`age` = amount)) AND (`vd`.`age` > 5)" },
    { "UPDATE orders LEFT JOIN vd ON vd.k = amount SET n = 5",
      "refuse 1235: shardd: the rows of view 'vd' cannot be brought together with those of "
      "other shards; use its SELECT instead" },
    { "WITH va AS (SELECT id FROM users) SELECT id FROM va WHERE id IN (SELECT n FROM app.va)",
      "refuse 1235: shardd: the rows of view 'va' cannot be brought together with those of other "
      "shards; use its SELECT instead" },
    { "SELECT (WITH va AS (SELECT 1 AS n) SELECT n FROM va) FROM va",
      "refuse 1235: shardd: the rows of view 'va' cannot be brought together with those of other "
      "shards; use its SELECT instead" },
    { "SELECT * FROM va FOR SYSTEM_TIME ALL",
      "refuse 1235: shardd: the rows of view 'va' cannot be brought together with those of other "
      "shards; use its SELECT instead" },
    { "SELECT * FROM va FOR UPDATE",
      "refuse 1235: shardd: the rows of view 'va' cannot be brought together with those of other "
      "shards; use its SELECT instead" },
    { "SELECT * FROM vs",
      "refuse 1235: shardd: the rows of view 'vs' cannot be brought together with those of other "
      "shards; use its SELECT instead" },
    { "SELECT id FROM vc",
      "refuse 1235: shardd: the view 'vc' was made under another collation_connection than this "
      "session's, and its strings may mean something else here: SET NAMES as it was made, or use "
      "its SELECT instead" },
};

static void
test_expansions(void **state)
{
    (void)state;
    plans_are(cases, countof(cases));
}

/* A title with a literal in it is in no other statement of the kind. */
static void
test_cached(void **state)
{
    static const struct {
        const char *sql;
        bool        cacheable;
    } rows[] = {
        { "SELECT n FROM va WHERE n > 5", true },
        { "SELECT app.va.n + 1 FROM va", false },
        { "SELECT app.va.n + 1 AS x FROM va", true },
        { "SELECT app.va.n + n FROM va", true },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct planned c;
        planned_in(&c, &world, rows[i].sql, "app", false);
        assert_int_equal(c.plan.kind, PLAN_EXPAND);
        if (c.plan.cacheable != rows[i].cacheable)
            fail_msg("%s: cacheable is %d", rows[i].sql, c.plan.cacheable);
        planned_fini(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expansions),
        cmocka_unit_test(test_cached),
    };
    return cmocka_run_group_tests(tests, add_views, NULL);
}
