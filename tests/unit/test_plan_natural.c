/* test_plan_natural.c - rows of several shards that no order was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

static const struct route_column pairs_columns[] = {
    { .name = N("word"), .type = COLUMN_VARCHAR, .collation = 45, .length = 40 },
    { .name = N("n"), .type = COLUMN_INT, .primary = 2 },
    { .name = N("user_id"), .type = COLUMN_BIGINT, .primary = 1 },
};
static const struct route_column texts_columns[] = {
    { .name = N("user_id"), .type = COLUMN_BIGINT, .primary = 1 },
    { .name = N("word"), .type = COLUMN_VARCHAR, .collation = 45, .length = 40, .primary = 2 },
};
static const struct route_column coins_columns[] = {
    { .name = N("k"), .type = COLUMN_DECIMAL, .length = 9, .scale = 2, .primary = 1 },
    { .name = N("n"), .type = COLUMN_INT },
};
static const struct route_table tables[] = {
    TABLE("coins", 0, TABLE_SHARDED, 0, NO, coins_columns),
    TABLE("countries", 0, TABLE_REFERENCE, NO, NO, small_columns),
    TABLE("pairs", 0, TABLE_SHARDED, 2, NO, pairs_columns),
    TABLE("texts", 0, TABLE_SHARDED, 0, NO, texts_columns),
    TABLE("users", 0, TABLE_SHARDED, 0, 0, users_columns),
    TABLE("pairs", 1, TABLE_SHARDED, 2, NO, pairs_columns),
};

static const struct plan_case cases[] = {
    { "SELECT * FROM pairs",
      "scatter all; merge: natural h1,h2; text: SELECT *, `pairs`.`user_id` AS `shardd`, "
      "`pairs`.`n` AS `shardd` FROM pairs" },
    { "SELECT n, word, user_id FROM pairs WHERE n > 3 LIMIT 5",
      "scatter all; merge: natural 3,1 limit; text: SELECT n, word, user_id FROM pairs WHERE n "
      "> :0 LIMIT {limit}" },
    { "SELECT word FROM pairs p WHERE user_id IN (1, 2)",
      "scatter keys pairs.user_id=(:0,:1); merge: natural h1,h2; text: SELECT word, "
      "`p`.`user_id` AS `shardd`, `p`.`n` AS `shardd` FROM pairs p WHERE user_id IN (:0, :1)" },
    { "SELECT n AS user_id, p.* FROM pairs p",
      "scatter all; merge: natural h1,1; text: SELECT n AS user_id, p.*, `p`.`user_id` AS "
      "`shardd` FROM pairs p" },
    { "SELECT t.word, user_id FROM texts t",
      "scatter all; merge: natural 2; text: SELECT t.word, user_id FROM texts t" },
    { "SELECT p.n FROM countries c JOIN pairs p ON p.n = c.id JOIN texts t USING (user_id)",
      "scatter all; merge: natural h1,1; text: SELECT p.n, `p`.`user_id` AS `shardd` FROM "
      "countries c JOIN pairs p ON p.n = c.id JOIN texts t USING (user_id)" },
    { "SELECT user_id, n, COUNT(*) FROM pairs GROUP BY n, user_id",
      "scatter all; merge: natural 2,1; text: SELECT user_id, n, COUNT(*) FROM pairs GROUP BY "
      "n, user_id" },
    { "SELECT MAX(word), user_id FROM pairs GROUP BY n, user_id",
      "scatter all; merge: concatenate; text: SELECT MAX(word), user_id FROM pairs GROUP BY n, "
      "user_id" },
    { "SELECT DISTINCT user_id FROM pairs",
      "scatter all; merge: natural 1; text: SELECT DISTINCT user_id FROM pairs" },
    { "SELECT DISTINCT word, user_id, n FROM pairs",
      "scatter all; merge: natural 2,3; text: SELECT DISTINCT word, user_id, n FROM pairs" },
    { "SELECT DISTINCT word FROM pairs",
      "scatter all; merge: distinct 1~h1; text: SELECT DISTINCT word, WEIGHT_STRING(word) FROM "
      "pairs" },
    /* of these it is not known, or not cheap */
    { "SELECT n FROM coins",
      "scatter all; merge: concatenate; text: SELECT n FROM coins" },
    { "SELECT age FROM users",
      "scatter all; merge: concatenate; text: SELECT age FROM users" },
    { "SELECT user_id FROM app.pairs, other.pairs WHERE app.pairs.user_id = other.pairs.user_id",
      "scatter all; merge: concatenate; text: SELECT user_id FROM app.pairs, other.pairs WHERE "
      "app.pairs.user_id = other.pairs.user_id" },
    /* it was asked for */
    { "SELECT word FROM pairs ORDER BY n",
      "scatter all; merge: sort h1; text: SELECT word, n FROM pairs ORDER BY n" },
    { "SELECT word FROM pairs ORDER BY NULL",
      "scatter all; merge: concatenate; text: SELECT word FROM pairs ORDER BY NULL" },
    { "SELECT COUNT(*) FROM pairs",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM pairs" },
    { "SELECT n FROM pairs WHERE user_id = 3",
      "one keys pairs.user_id=(:0) one shard" },
};

int
main(void)
{
    world_init();
    world.tables   = tables;
    world.n_tables = countof(tables);
    return plans_main(cases, countof(cases));
}
