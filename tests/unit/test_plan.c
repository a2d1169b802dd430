/* test_plan.c - statements, and what is to be done with them: one shard, writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

static const struct plan_case cases[] = {
    { "SELECT 1",
      "one any" },
    { "SELECT * FROM users WHERE id = 5",
      "one keys users.id=(:0) one shard" },
    { "SELECT u.name, o.amount FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id "
      "= 7",
      "one keys orders.user_id=(:0) one shard" },
    { "SELECT u.name FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id "
      "= 5",
      "one keys orders.user_id=(:0) one shard" },
    { "SELECT u.name FROM users u JOIN orders o ON o.id = u.id",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM users u, config c WHERE u.age = c.id",
      "refuse 1235: shardd: the sharded table 'users' is combined with tables that are not "
      "on every shard; make those reference tables, or give the key; or add an engine, "
      "which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM users u, config c WHERE u.id = 5",
      "one keys users.id=(:0) at home one shard" },
    { "SELECT * FROM config",
      "one home (s0)" },
    { "SELECT * FROM countries",
      "one any" },
    { "SELECT * FROM config, other.things",
      "refuse 1235: shardd: 'things' and other tables of this statement are on different "
      "shards; make one of them a reference table, or use the tables one by one; or add an "
      "engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM nosuch",
      "one home (s0)" },
    { "SELECT * FROM users WHERE age IN (SELECT amount FROM orders)",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM users WHERE (id, age) = (5, 6)",
      "one keys users.id=(:0) one shard" },
    { "SELECT * FROM users UNION ALL SELECT * FROM users",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM users WHERE id = 1 UNION SELECT * FROM users WHERE id = 1",
      "one keys users.id=(:1) users.id=(:0) one shard" },
    { "SELECT SUM(age)/COUNT(*) FROM users",
      "refuse 1235: shardd: SUM(age)/COUNT(*) over several shards is not supported yet; "
      "select the aggregates by themselves and compute with them; or add an engine, which "
      "can answer it: 'shardctl engine add'" },
    { "SELECT name FROM users WHERE id=3 FOR UPDATE",
      "one keys users.id=(:0) one shard" },
    { "SELECT GET_LOCK('a', 1)",
      "one home (s0) pins user_lock" },
    { "SELECT @a",
      "one any" },
    { "SELECT * FROM information_schema.tables",
      "one home (s0)" },
    { "SELECT users FROM blah bleh bluh users",
      "refuse 1235: shardd: this statement is not understood near 'bluh users', and it "
      "names the sharded table 'users'" },
    { "SELECT 'unterminated",
      "one home (s0)" },
    { "WITH c AS (SELECT * FROM users WHERE id = 5) SELECT * FROM c",
      "one keys users.id=(:0) one shard" },
    { "SELECT name, ROW_NUMBER() OVER (ORDER BY id) FROM users",
      "refuse 1235: shardd: window functions over several shards are not supported yet; "
      "give the key in the WHERE clause; or add an engine, which can answer it: 'shardctl "
      "engine add'" },
    { "SELECT COUNT(DISTINCT name) FROM users",
      "scatter all; merge: 1=count_distinct one group; text: SELECT COUNT(DISTINCT name), name, "
      "WEIGHT_STRING(name) FROM users GROUP BY name ORDER BY NULL" },
    { "SELECT COUNT(DISTINCT name, age) FROM users",
      "refuse 1235: shardd: COUNT(DISTINCT name, age) over several shards is not supported "
      "yet: the values of several shards may be the same; or add an engine, which can "
      "answer it: 'shardctl engine add'" },
    { "SELECT COUNT(DISTINCT name), COUNT(DISTINCT age) FROM users",
      "refuse 1235: shardd: COUNT(DISTINCT age) over several shards is not supported yet: "
      "the values of several shards may be the same; or add an engine, which can answer "
      "it: 'shardctl engine add'" },
    { "SELECT COUNT(DISTINCT name), COUNT(DISTINCT id) FROM users",
      "refuse 1235: shardd: COUNT(DISTINCT id) over several shards is not supported yet: "
      "the values of several shards may be the same; or add an engine, which can answer "
      "it: 'shardctl engine add'" },
    { "SELECT 1, COUNT(DISTINCT name) FROM users",
      "refuse 1235: shardd: COUNT(DISTINCT name) over several shards is not supported yet: "
      "the values of several shards may be the same; or add an engine, which can answer "
      "it: 'shardctl engine add'" },
    { "SELECT bio FROM users ORDER BY bio",
      "refuse 1235: shardd: 'bio' has a collation whose order is not known to the proxy, "
      "so rows of several shards cannot be put in order or grouped by it; or add an "
      "engine, which can answer it: 'shardctl engine add'" },
    { "SELECT /*!50000 STRAIGHT_JOIN */ name FROM users WHERE id = -5 ORDER BY name",
      "one keys users.id=(-:0) one shard" },
    { "SELECT * FROM users WHERE id = 5 AND id = 6",
      "one keys users.id=(:0) one shard" },
    { "SELECT * FROM users WHERE 5 = id",
      "one keys users.id=(:0) one shard" },
    { "SELECT * FROM users WHERE id = 5 AND (name = 'a' OR age = 3)",
      "one keys users.id=(:0) one shard" },
    { "SELECT * FROM users WHERE id = -5",
      "one keys users.id=(-:0) one shard" },
    { "SELECT * FROM users u JOIN orders o ON u.id = o.user_id JOIN items i ON i.user_id "
      "= o.user_id WHERE i.user_id = 4",
      "one keys items.user_id=(:0) one shard" },
    { "SELECT * FROM users u WHERE u.id = 1 AND EXISTS (SELECT 1 FROM orders o WHERE "
      "o.user_id = 2)",
      "one keys orders.user_id=(:2) users.id=(:0) one shard" },
    { "SELECT * FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = 2)",
      "refuse 1235: shardd: the sharded table 'orders' is combined with tables that are "
      "not on every shard; make those reference tables, or give the key; or add an engine, "
      "which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM countries c LEFT JOIN users u ON u.age = c.id",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM users u JOIN orders o ON u.id = o.user_id AND o.user_id = 5",
      "one keys orders.user_id=(:0) one shard" },
    { "SELECT * FROM users u LEFT JOIN (orders o JOIN items i ON i.line = o.id) ON "
      "o.user_id = u.id",
      "refuse 1235: shardd: the rows of 'items' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT (SELECT MAX(amount) FROM orders o) FROM users u",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM vg",
      "one home (s0)" },
    { "SELECT * FROM vs",
      "refuse 1235: shardd: view 'vs' reaches sharded tables; use its SELECT instead" },
    { "SELECT * FROM users WHERE id IN (SELECT id FROM config)",
      "refuse 1235: shardd: the sharded table 'users' is combined with tables that are not "
      "on every shard; make those reference tables, or give the key; or add an engine, "
      "which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM countries FOR UPDATE",
      "one home (s0)" },
    { "SELECT SQL_CALC_FOUND_ROWS * FROM users",
      "scatter all; merge: concatenate; text: SELECT SQL_CALC_FOUND_ROWS * FROM users" },
    { "SELECT SQL_CALC_FOUND_ROWS id FROM users ORDER BY id LIMIT 5, 2",
      "scatter all; merge: sort 1 limit; text: SELECT SQL_CALC_FOUND_ROWS id FROM users ORDER "
      "BY id" },
    { "SELECT * FROM users INTO OUTFILE '/tmp/x'",
      "refuse 1235: shardd: SELECT ... INTO OUTFILE from several shards is not supported: each "
      "server would write a file of its own" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age WITH ROLLUP",
      "refuse 1235: shardd: WITH ROLLUP over several shards is not supported yet; or add "
      "an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT LAST_INSERT_ID()",
      "one any" },
    { "SELECT * FROM users WHERE age = LAST_INSERT_ID()",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE age = "
      "LAST_INSERT_ID()" },
    { "SELECT * FROM users ORDER BY RAND()",
      "refuse 1235: shardd: ORDER BY a random value over several shards is not supported; "
      "or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT @x := age FROM users",
      "refuse 1235: shardd: user variables cannot be assigned in a statement on several "
      "shards; give the key in the WHERE clause; or add an engine, which can answer it: "
      "'shardctl engine add'" },
    { "SELECT * FROM users WHERE id = @x",
      "scatter keys users.id=(@v); merge: concatenate; text: SELECT * FROM users WHERE id = @x" },
    { "SELECT * FROM mysql.user",
      "one home (s0)" },
    { "SELECT c.name, COUNT(o.id) FROM countries c LEFT JOIN orders o ON c.id = "
      "o.country GROUP BY c.id ORDER BY c.name",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT AVG(DISTINCT age) FROM users",
      "refuse 1235: shardd: AVG(DISTINCT age) over several shards is not supported yet: "
      "the values of several shards may be the same; or add an engine, which can answer "
      "it: 'shardctl engine add'" },
    { "SELECT STD(age) FROM users",
      "refuse 1235: shardd: STD(age) over several shards is not supported yet; group by "
      "the key, or give the key; or add an engine, which can answer it: 'shardctl engine "
      "add'" },
    { "SELECT * FROM items ORDER BY 1, 2",
      "refuse 1235: shardd: a position behind '*' in ORDER BY or GROUP BY of a statement "
      "on several shards is not supported; name the column; or add an engine, which can "
      "answer it: 'shardctl engine add'" },
    { "SELECT u.id, n.value FROM users u LEFT JOIN names n ON n.name = u.name ORDER BY "
      "u.id",
      "refuse 1235: shardd: the rows of 'names' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT u.name, COUNT(*) FROM users u JOIN names n ON n.name = u.name GROUP BY "
      "u.name",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM users WHERE id = 3 AND id = 4",
      "one keys users.id=(:0) one shard" },
    { "SELECT user_id FROM orders WHERE user_id = 5 UNION SELECT user_id FROM items "
      "WHERE user_id = 5",
      "one keys items.user_id=(:1) orders.user_id=(:0) one shard" },
    { "SELECT COUNT(*) FROM (SELECT DISTINCT country FROM orders) t",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT COUNT(*) FROM (SELECT id FROM users LIMIT 5) t",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age HAVING MAX(name) > 'c' ORDER BY age",
      "refuse 1235: shardd: ''c'' in HAVING over several shards is not supported yet: use "
      "numbers, comparisons, AND, OR, NOT, IN, BETWEEN, IS NULL; or add an engine, which "
      "can answer it: 'shardctl engine add'" },
    { "SELECT COUNT(*) FROM users u JOIN orders o",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT MIN(kind) FROM users",
      "scatter all; merge: 1=min h1=min one group; text: SELECT MIN(kind), "
      "WEIGHT_STRING(MIN(kind)) FROM users" },
    { "SELECT id FROM users WHERE id IN (SELECT user_id FROM orders GROUP BY country "
      "HAVING COUNT(*) > 3) ORDER BY id",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT (SELECT COUNT(*) FROM users u WHERE u.id IN (1, 2)) FROM countries",
      "one keys users.id=(:0,:1) one shard" },
    { "SELECT c FROM (SELECT COUNT(*) c FROM users WHERE id IN (1, 2)) d",
      "one keys users.id=(:0,:1) one shard" },
    { "SELECT * FROM countries c LEFT JOIN users u ON u.id = c.id WHERE c.id IN (1, 2)",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT * FROM countries c JOIN users u ON u.id = c.id WHERE c.id IN (1, 2)",
      "scatter all; merge: concatenate; text: SELECT * FROM countries c JOIN users u ON "
      "u.id = c.id WHERE c.id IN (:0, :1)" },
    { "SELECT * FROM countries c LEFT JOIN (SELECT id FROM users WHERE id IN (1, 2)) d ON d.id = 1",
      "one keys users.id=(:0,:1) one shard" },
    { "SELECT * FROM countries c JOIN (SELECT id FROM users WHERE id IN (1, 2)) d",
      "scatter keys users.id=(:0,:1); merge: concatenate; text: SELECT * FROM countries c "
      "JOIN (SELECT id FROM users WHERE id IN (:0, :1)) d" },
    { "SELECT * FROM (SELECT id FROM users WHERE id IN (1, 2) LIMIT 1) d",
      "one keys users.id=(:0,:1) one shard" },
    { "SELECT * FROM users u LEFT JOIN orders o ON u.id = o.user_id WHERE o.user_id IN (1, 2)",
      "scatter keys orders.user_id=(:0,:1); merge: concatenate; text: SELECT * FROM users "
      "u LEFT JOIN orders o ON u.id = o.user_id WHERE o.user_id IN (:0, :1)" },
    { "SELECT * FROM users u LEFT JOIN (SELECT user_id FROM orders WHERE user_id IN (1, 2)) d "
      "ON d.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT * FROM users u LEFT JOIN (SELECT "
      "user_id FROM orders WHERE user_id IN (:0, :1)) d ON d.user_id = u.id" },
    { "SELECT * FROM users u JOIN (SELECT user_id FROM orders WHERE user_id IN (1, 2)) d "
      "ON d.user_id = u.id",
      "scatter keys orders.user_id=(:0,:1); merge: concatenate; text: SELECT * FROM users "
      "u JOIN (SELECT user_id FROM orders WHERE user_id IN (:0, :1)) d ON d.user_id = u.id" },
    { "SELECT * FROM (SELECT * FROM users) d WHERE d.id IN (1, 2)",
      "scatter all; merge: concatenate; text: SELECT * FROM (SELECT * FROM users) d WHERE "
      "d.id IN (:0, :1)" },
    { "SELECT name FROM countries WHERE EXISTS (SELECT 1 FROM users u WHERE u.id IN (1, 2))",
      "one keys users.id=(:1,:2) one shard" },
    { "SELECT nofunc(id) FROM users",
      "refuse 1235: shardd: the stored function 'nofunc' cannot be used here, as its database has "
      "sharded or reference tables: what it does is not known; CREATE OR REPLACE FUNCTION makes it "
      "known" },
    { "SELECT looks(id) FROM users WHERE id = 3",
      "refuse 1235: shardd: the stored function 'looks' cannot be used here, as its database has "
      "sharded or reference tables: it reads tables, calls other routines or runs statements, "
      "which it would do on one shard alone" },
    { "SELECT Plain(id) FROM users", "scatter all; merge: concatenate; text: SELECT Plain(id) FROM"
      " users" },
    { "SELECT other.plain(id) FROM users", "refuse 1235: shardd: the stored function 'plain' cannot"
      " be used here, as its database has sharded or reference tables: what it does is not known;"
      " CREATE OR REPLACE FUNCTION makes it known" },
};

static void
test_plans(void **state)
{
    (void)state;
    plans_are(cases, countof(cases));
}

/* The shards of a statement whose literals and parameters are given. */
static void
shards_of(const char *sql, const struct key_value *params, uint32_t n, struct shard_set *out,
          bool *ok)
{
    struct planned   c;
    struct sql_error error;
    planned_make(&c, sql, "app", false);
    struct plan_values values = planned_values(&c, params, n);
    *ok = plan_route(&c.plan, &world, &values, 2, out, &error);
    planned_fini(&c);
}

static void
test_routes(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        uint32_t    n; /* shards; 0: refused at run time */
    } runs[] = {
        { "SELECT * FROM users WHERE id = 5", 1 },
        { "SELECT * FROM users WHERE id IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16)", 3 },
        { "SELECT * FROM users WHERE id = '5'", 1 },
        { "SELECT * FROM users WHERE id = NULL", 1 },
        { "SELECT * FROM users", 3 },
        { "SELECT 1", 1 },
        { "UPDATE users SET age = 1", 3 },
        { "DELETE FROM users LIMIT 3", 0 },
        { "EXPLAIN SELECT * FROM users", 1 },
        { "SELECT * FROM names WHERE name = 'ab\\'c'", 1 },
        { "SELECT * FROM names WHERE name = 5", 3 },
        { "SELECT * FROM names WHERE name = 'a' COLLATE utf8mb4_general_ci", 1 },
        { "SELECT * FROM names WHERE name = 'a' COLLATE utf8mb4_unicode_ci", 3 },
        { "SELECT * FROM names WHERE name = _latin1'a'", 1 },
        { "SELECT COUNT(DISTINCT name) FROM users WHERE id IN (3, 3)", 1 },
        { "SELECT STD(age) FROM users WHERE id IN (1,2,3,4,5,6,7,8,9)", 0 },
    };
    for (size_t i = 0; i < countof(runs); i++) {
        struct shard_set set;
        bool             ok;
        shards_of(runs[i].sql, NULL, 0, &set, &ok);
        if (ok != (runs[i].n > 0) || (ok && set.n != runs[i].n))
            fail_msg("%s: %u shards, %d", runs[i].sql, set.n, ok);
    }
}

static void
test_same_key_same_shard(void **state)
{
    (void)state;
    struct shard_set a, b, c;
    bool             ok;
    struct key_value five = { .kind = KEY_VALUE_INT, .bytes = SPAN("5") };
    shards_of("SELECT * FROM users WHERE id = 5", NULL, 0, &a, &ok);
    shards_of("SELECT * FROM users WHERE id = ?", &five, 1, &b, &ok);
    shards_of("UPDATE orders SET amount = 2 WHERE user_id = 5", NULL, 0, &c, &ok);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.first, b.first);
    assert_int_equal(a.first, c.first);
    shards_of("SELECT 1", NULL, 0, &a, &ok);
    assert_int_equal(a.first, 2); /* any: as the caller wished */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_same_key_same_shard),
    };
    world_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
