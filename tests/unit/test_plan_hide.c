/* test_plan_hide.c - the conditions that keep rows out which are being moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

/* The world, with rows of app's sharded tables to hide, and a view that shows the key. */
static struct route_table moving[countof(world_tables)];

static int
begin(void **state)
{
    (void)state;
    world_init();
    memcpy(moving, world_tables, sizeof(moving));
    for (size_t i = 0; i < countof(moving); i++) {
        if (moving[i].kind == TABLE_SHARDED && moving[i].database == 0)
            moving[i].hide = SPAN("S");
        if (moving[i].kind == TABLE_VIEW && moving[i].view_kind == TABLE_SHARDED)
            moving[i].key = 0;
    }
    world.n_engines = countof(world_engines);
    return 0;
}

/* [t.k] stands for the condition, [t.k!] for that of a statement that locks its rows. */
static const struct plan_case cases[] = {
    { "SELECT COUNT(*) FROM users",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM users WHERE "
      "[users.id]" },
    { "SELECT name FROM users WHERE age = 1 OR age = 2 ORDER BY name LIMIT 3",
      "scatter all; merge: sort 1~h1 limit; text: SELECT name, WEIGHT_STRING(name) FROM "
      "users WHERE [users.id] AND ( age = :0 OR age = :1) ORDER BY name LIMIT {limit}" },
    { "SELECT name FROM users WHERE id = 5",
      "one keys users.id=(:0) one shard" },
    { "CALL sees(1)",
      "gather app.config home (s0): SELECT id,name FROM `app`.`config`; app.users all: SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` WHERE [users.id]" },
    { "/* shardd: shard=s1 */ CALL sees(1)",
      "refuse 1235: shardd: shard=s1 in a comment is for plain reads, and CALL of procedures that "
      "only read, with constants and user variables, and not for tables whose rows move" },
    { "SELECT name FROM users WHERE id IN (5, 6)",
      "scatter keys users.id=(:0,:1); merge: concatenate; text: SELECT name FROM users "
      "WHERE [users.id] AND ( id IN (:0, :1))" },
    { "SELECT name FROM users WHERE id = ?",
      "scatter keys users.id=(?0); merge: concatenate; text: SELECT name FROM users WHERE "
      "[users.id] AND ( id = ?0)" },
    { "SELECT age, SUM(score) FROM users AS u WHERE age > ? AND name = 'a' GROUP BY age "
      "HAVING SUM(score) > 1",
      "scatter all; merge: 2=sum group 1 having sort 1; text: SELECT age, SUM(score) FROM "
      "users AS u WHERE [u.id] AND ( age > ?0 AND name = :0) GROUP BY age ORDER BY NULL" },
    { "SELECT DISTINCT age FROM users u",
      "scatter all; merge: distinct 1; text: SELECT DISTINCT age FROM users u WHERE [u.id]" },
    { "SELECT u.id, o.amount FROM users u JOIN orders o ON o.user_id = u.id AND o.amount > "
      "? WHERE u.age < ?",
      "scatter all; merge: concatenate; text: SELECT u.id, o.amount FROM users u JOIN "
      "orders o ON o.user_id = u.id AND o.amount > ?0 WHERE [u.id] AND ( u.age < ?1)" },
    { "SELECT u.id, o.amount FROM users u LEFT JOIN orders o ON o.user_id = u.id OR u.age "
      "= ? WHERE u.age < ?",
      "gather app.users all: SELECT id,age FROM `app`.`users` WHERE [users.id] AND ((`age` "
      "< ?1)); app.orders all: SELECT user_id,amount FROM `app`.`orders` WHERE "
      "[orders.user_id]" },
    { "SELECT u.id, o.amount FROM users u LEFT JOIN orders o ON (o.user_id = u.id) AND "
      "(o.amount > 1)",
      "scatter all; merge: concatenate; text: SELECT u.id, o.amount FROM users u LEFT JOIN "
      "orders o ON (o.user_id = u.id) AND (o.amount > :0) WHERE [u.id]" },
    { "SELECT u.id, o.amount FROM orders o RIGHT JOIN users u ON o.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT u.id, o.amount FROM orders o RIGHT "
      "JOIN users u ON o.user_id = u.id WHERE [u.id]" },
    { "SELECT u.id, o.amount FROM users u LEFT JOIN (orders o JOIN items i ON i.user_id = "
      "o.user_id) ON o.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT u.id, o.amount FROM users u LEFT JOIN "
      "(orders o JOIN items i ON i.user_id = o.user_id) ON o.user_id = u.id WHERE [u.id]" },
    { "SELECT u.id, o.amount FROM users u LEFT JOIN (orders o LEFT JOIN items i ON "
      "i.user_id = o.user_id) ON o.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT u.id, o.amount FROM users u LEFT JOIN "
      "(orders o LEFT JOIN items i ON i.user_id = o.user_id) ON o.user_id = u.id WHERE "
      "[u.id]" },
    { "SELECT o.amount, i.qty FROM orders o LEFT JOIN items i USING (user_id)",
      "scatter all; merge: concatenate; text: SELECT o.amount, i.qty FROM orders o LEFT "
      "JOIN items i USING (user_id) WHERE [o.user_id]" },
    { "SELECT o.amount, app.i.qty FROM orders o LEFT JOIN items i USING (user_id)",
      "scatter all; merge: concatenate; text: SELECT o.amount, app.i.qty FROM orders o "
      "LEFT JOIN items i USING (user_id) WHERE [o.user_id]" },
    { "SELECT o.amount, i.qty FROM orders o LEFT JOIN items i USING (user_id) FOR UPDATE",
      "scatter all; merge: concatenate; text: SELECT o.amount, i.qty FROM orders o LEFT "
      "JOIN items i USING (user_id) WHERE [o.user_id!] FOR UPDATE" },
    { "SELECT name FROM users FOR UPDATE",
      "scatter all; merge: concatenate; text: SELECT name FROM users WHERE [users.id!] FOR "
      "UPDATE" },
    { "SELECT name FROM users LOCK IN SHARE MODE",
      "scatter all; merge: concatenate; text: SELECT name FROM users WHERE [users.id!] "
      "LOCK IN SHARE MODE" },
    { "SELECT name FROM users WHERE EXISTS (SELECT 1 FROM orders WHERE user_id = users.id)",
      "scatter all; merge: concatenate; text: SELECT name FROM users WHERE [users.id] AND "
      "( EXISTS (SELECT :0 FROM orders WHERE user_id = users.id))" },
    { "SELECT name FROM users WHERE id IN (SELECT user_id FROM orders WHERE amount = 1)",
      "scatter all; merge: concatenate; text: SELECT name FROM users WHERE [users.id] AND "
      "( id IN (SELECT user_id FROM orders WHERE amount = :0))" },
    { "SELECT (SELECT MAX(amount) FROM orders o WHERE o.user_id = u.id) FROM users u",
      "scatter all; merge: concatenate; text: SELECT (SELECT MAX(amount) FROM orders o "
      "WHERE o.user_id = u.id) FROM users u WHERE [u.id]" },
    { "SELECT x.id FROM (SELECT id, age FROM users WHERE age = 1) AS x WHERE x.age > 0",
      "scatter all; merge: concatenate; text: SELECT x.id FROM (SELECT id, age FROM users "
      "WHERE [users.id] AND ( age = :0)) AS x WHERE x.age > :1" },
    { "WITH x AS (SELECT id, age FROM users) SELECT x.id FROM x JOIN x AS y ON x.id = y.id",
      "scatter all; merge: concatenate; text: WITH x AS (SELECT id, age FROM users WHERE "
      "[users.id]) SELECT x.id FROM x JOIN x AS y ON x.id = y.id" },
    { "SELECT id FROM users UNION SELECT user_id FROM orders",
      "gather app.users all: SELECT id FROM `app`.`users` WHERE [users.id]; app.orders "
      "all: SELECT user_id FROM `app`.`orders` WHERE [orders.user_id]" },
    { "SELECT u.id FROM users u JOIN orders o ON o.id = u.id WHERE u.age > 5",
      "gather app.users all, key id: SELECT id,age FROM `app`.`users` WHERE [users.id] AND "
      "((`age` > :0)); app.orders all, key id: SELECT id FROM `app`.`orders` WHERE "
      "[orders.user_id] by id of users.id" },
    { "SELECT name FROM names",
      "scatter all; merge: concatenate; text: SELECT name FROM names WHERE [names.name]" },
    { "SELECT name FROM users shardd_h",
      "scatter all; merge: concatenate; text: SELECT name FROM users shardd_h WHERE NOT "
      "EXISTS (SELECT 1 FROM `shardd_move`.`S` AS `shardd_hh` WHERE `shardd_hh`.`k` <=> "
      "`shardd_h`.`id`)" },
    { "SELECT id FROM vs",
      "scatter all; merge: concatenate; text: SELECT id FROM vs WHERE [vs.id] AND [vs.id] "
      "AND [vs.id]" },
    { "SELECT p.id FROM other.parts p JOIN users u ON u.id = p.id",
      "scatter all; merge: concatenate; text: SELECT p.id FROM other.parts p JOIN users u "
      "ON u.id = p.id" },
    { "SELECT app.users.id FROM app.users WHERE app.users.age = 1",
      "scatter all; merge: concatenate; text: SELECT app.users.id FROM app.users WHERE "
      "[users.id] AND ( app.users.age = :0)" },
    { "UPDATE users SET age = 1",
      "write all; text: UPDATE users SET age = :0 WHERE [users.id!]" },
    { "UPDATE users SET age = ? WHERE age = ? OR age = 3 ORDER BY age",
      "write all; text: UPDATE users SET age = ?0 WHERE [users.id!] AND ( age = ?1 OR age "
      "= :0) ORDER BY age" },
    { "UPDATE users SET age = ? WHERE age = ? LIMIT 1",
      "change app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users` WHERE NOT EXISTS (SELECT 1 FROM `shardd_move`.`S` AS `shardd_h` WHERE "
      "`shardd_h`.`k` <=> `users`.`id` LOCK IN SHARE MODE) AND ((`age` = ?1)) LIMIT 1 FOR "
      "UPDATE; then UPDATE app.users: age" },
    { "UPDATE users SET age = 1 WHERE id = 5",
      "write keys users.id=(:1)" },
    { "UPDATE users SET age = 1 WHERE id IN (5, 6)",
      "write keys users.id=(:1,:2); text: UPDATE users SET age = :0 WHERE [users.id!] AND "
      "( id IN (:1, :2))" },
    { "UPDATE users SET age = 1 WHERE id = ?",
      "write keys users.id=(?0); text: UPDATE users SET age = :0 WHERE [users.id!] AND ( "
      "id = ?0)" },
    { "UPDATE users u JOIN orders o ON o.user_id = u.id SET u.age = o.amount",
      "write all; text: UPDATE users u JOIN orders o ON o.user_id = u.id SET u.age = "
      "o.amount WHERE [u.id!]" },
    { "UPDATE users u LEFT JOIN orders o ON o.user_id = u.id SET u.age = 1 WHERE o.id IS "
      "NULL",
      "write all; text: UPDATE users u LEFT JOIN orders o ON o.user_id = u.id SET u.age = "
      ":0 WHERE [u.id!] AND ( o.id IS NULL)" },
    { "UPDATE orders o LEFT JOIN items i USING (user_id) SET o.amount = 1",
      "write all; text: UPDATE orders o LEFT JOIN items i USING (user_id) SET o.amount = "
      ":0 WHERE [o.user_id!]" },
    { "UPDATE orders o LEFT JOIN items i USING (user_id) SET o.amount = 1 WHERE o.user_id "
      "= ?",
      "write keys items.user_id=(?0); text: UPDATE orders o LEFT JOIN items i USING "
      "(user_id) SET o.amount = :0 WHERE [o.user_id!] AND ( o.user_id = ?0)" },
    { "UPDATE users SET age = 1 WHERE id IN (SELECT user_id FROM orders)",
      "write all; text: UPDATE users SET age = :0 WHERE [users.id!] AND ( id IN (SELECT "
      "user_id FROM orders))" },
    { "DELETE FROM users",
      "write all; text: DELETE FROM users WHERE [users.id!]" },
    { "DELETE FROM users WHERE age = 1 RETURNING id",
      "write all; text: DELETE FROM users WHERE [users.id!] AND ( age = :0) RETURNING id" },
    { "DELETE FROM users ORDER BY age",
      "write all; text: DELETE FROM users WHERE [users.id!] ORDER BY age" },
    { "DELETE u, o FROM users u JOIN orders o ON o.user_id = u.id",
      "write all; text: DELETE u, o FROM users u JOIN orders o ON o.user_id = u.id WHERE "
      "[u.id!]" },
    { "DELETE FROM o USING users u JOIN orders AS o ON o.user_id = u.id WHERE u.age = 1",
      "write all; text: DELETE FROM o USING users u JOIN orders AS o ON o.user_id = u.id "
      "WHERE [u.id!] AND ( u.age = :0)" },
    { "INSERT INTO items SELECT user_id, id, amount FROM orders",
      "write all; text: INSERT INTO items SELECT user_id, id, amount FROM orders WHERE "
      "[orders.user_id!]" },
    { "REPLACE INTO items SELECT user_id, id, amount FROM orders WHERE amount > ?",
      "write all; text: REPLACE INTO items SELECT user_id, id, amount FROM orders WHERE "
      "[orders.user_id!] AND ( amount > ?0)" },
    { "INSERT INTO items SELECT user_id, id, amount FROM orders ON DUPLICATE KEY UPDATE "
      "qty = 1",
      "write all; text: INSERT INTO items SELECT user_id, id, amount FROM orders WHERE "
      "[orders.user_id!] ON DUPLICATE KEY UPDATE qty = :0" },
    { "INSERT INTO items VALUES (1, 2, 3)",
      "insert; header: INSERT INTO items VALUES ; row (:0, :1, :2) key=:0" },
    { "EXPLAIN SELECT COUNT(*) FROM users",
      "one all first; text: EXPLAIN SELECT COUNT(*) FROM users WHERE [users.id]" },
    { "EXPLAIN UPDATE users SET age = 1 WHERE age = 2",
      "one all first; text: EXPLAIN UPDATE users SET age = :0 WHERE [users.id!] AND ( age "
      "= :1)" },
    { "CHECKSUM TABLE users",
      "refuse 1235: shardd: rows of 'users' are being moved, and a checksum would count "
      "them where they are copied to as well: wait until 'shardctl job list' shows that "
      "the move is done" },
    { "SELECT COUNT(*) FROM config",
      "one home (s0)" },
    { "SELECT * FROM users WHERE id BETWEEN 5 AND 6",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE [users.id] AND ( "
      "id BETWEEN :0 AND :1)" },
    { "SELECT * FROM users WHERE id <=> 5",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE [users.id] AND ( "
      "id <=> :0)" },
    { "SELECT STRAIGHT_JOIN u.id FROM users u NATURAL LEFT JOIN names n WHERE u.id = "
      "n.value",
      "gather app.users all, key id: SELECT id,name,age,score,kind,born,ratio,bio,ip,price "
      "FROM `app`.`users` WHERE [users.id]; app.names all, key value: SELECT name,value "
      "FROM `app`.`names` WHERE [names.name]" },
    { "SELECT @a := 1 FROM users",
      "gather app.users all: SELECT id FROM `app`.`users` WHERE [users.id]" },
    { "INSERT INTO config SELECT id, name FROM users WHERE id IN (1,2)",
      "one keys users.id=(:0,:1) at home one shard, else change app.config home (s0): "
      "SELECT id,name FROM `app`.`config` WHERE FALSE; app.users keys users.id=(:0,:1): "
      "SELECT id,name FROM `app`.`users` WHERE NOT EXISTS (SELECT 1 FROM `shardd_move`.`S` "
      "AS `shardd_h` WHERE `shardd_h`.`k` <=> `users`.`id` LOCK IN SHARE MODE) AND ((`id` "
      "IN (:0,:1))) LOCK IN SHARE MODE; then INSERT into app.config: id,name" },
    { "SET @x = (SELECT COUNT(*) FROM users)", "once 1 values" },
    { "WITH x AS (SELECT id, age FROM users) SELECT x.id FROM users u LEFT JOIN x ON x.id "
      "= u.id",
      "scatter all; merge: concatenate; text: WITH x AS (SELECT id, age FROM users) SELECT "
      "x.id FROM users u LEFT JOIN x ON x.id = u.id WHERE [u.id]" },
    { "WITH x AS (SELECT id, age FROM users) SELECT x.id FROM users u LEFT JOIN x ON x.id "
      "= u.id JOIN x AS y ON y.id = u.id",
      "scatter all; merge: concatenate; text: WITH x AS (SELECT id, age FROM users WHERE "
      "[users.id]) SELECT x.id FROM users u LEFT JOIN x ON x.id = u.id JOIN x AS y ON y.id "
      "= u.id WHERE [u.id]" },
    { "SELECT u.id FROM users u LEFT JOIN (SELECT user_id, MAX(amount) AS m FROM orders "
      "GROUP BY user_id) AS m ON m.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT u.id FROM users u LEFT JOIN (SELECT "
      "user_id, MAX(amount) AS m FROM orders GROUP BY user_id) AS m ON m.user_id = u.id "
      "WHERE [u.id]" },
    { "SELECT m.user_id FROM (SELECT user_id, MAX(amount) AS m FROM orders WHERE amount > "
      "? GROUP BY user_id) AS m JOIN users u ON m.user_id = u.id AND u.age = ?",
      "scatter all; merge: concatenate; text: SELECT m.user_id FROM (SELECT user_id, "
      "MAX(amount) AS m FROM orders WHERE [orders.user_id] AND ( amount > ?0) GROUP BY "
      "user_id) AS m JOIN users u ON m.user_id = u.id AND u.age = ?1 WHERE [u.id]" },
    { "SELECT p.id FROM other.parts p LEFT JOIN users u ON u.id = p.id",
      "scatter all; merge: concatenate; text: SELECT p.id FROM other.parts p LEFT JOIN "
      "users u ON u.id = p.id" },
    { "SELECT u.id FROM users u LEFT JOIN other.parts p ON u.id = p.id",
      "scatter all; merge: concatenate; text: SELECT u.id FROM users u LEFT JOIN "
      "other.parts p ON u.id = p.id WHERE [u.id]" },
    { "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM items)",
      "scatter all; merge: concatenate; text: SELECT id FROM users WHERE [users.id] AND ( "
      "id NOT IN (SELECT user_id FROM items))" },
    { "SELECT id FROM users WHERE 1 AND NOT EXISTS (SELECT 1 FROM orders o JOIN items i ON "
      "o.user_id = i.user_id WHERE i.user_id = users.id)",
      "scatter all; merge: concatenate; text: SELECT id FROM users WHERE [users.id] AND ( "
      ":0 AND NOT EXISTS (SELECT :1 FROM orders o JOIN items i ON o.user_id = i.user_id "
      "WHERE i.user_id = users.id))" },
    { "SELECT c.id FROM countries c LEFT JOIN users u ON u.id = c.id",
      "gather app.countries any, key id: SELECT id FROM `app`.`countries`; app.users all, "
      "key id: SELECT id FROM `app`.`users` WHERE [users.id]" },
    { "SELECT c.id FROM countries c JOIN users u ON u.id = c.id LEFT JOIN users v ON v.id "
      "= c.id",
      "scatter all; merge: concatenate; text: SELECT c.id FROM countries c JOIN users u ON "
      "u.id = c.id LEFT JOIN users v ON v.id = c.id WHERE [u.id]" },
    { "SELECT v.id FROM vs v JOIN users u ON u.id = v.id",
      "scatter all; merge: concatenate; text: SELECT v.id FROM vs v JOIN users u ON u.id = "
      "v.id WHERE [v.id] AND [v.id] AND [v.id]" },
    { "SELECT id, /* where */ name FROM users -- x",
      "scatter all; merge: concatenate; text: SELECT id,             name FROM users WHERE "
      "[users.id]" },
};

static void
expand(const char *plan, struct buf *out)
{
    for (; *plan != '\0'; plan++) {
        char table[32], key[32], kind[3] = "";
        if (*plan != '[' || sscanf(plan, "[%31[a-z_].%31[a-z_]%2[]!]", table, key, kind) != 3) {
            buf_append_byte(out, (uint8_t)*plan);
            continue;
        }
        bool locks = kind[0] == '!';
        buf_printf(out, "NOT EXISTS (SELECT 1 FROM `shardd_move`.`S` AS `shardd_h` WHERE "
                        "`shardd_h`.`k` <=> `%s`.`%s`%s)", table, key,
                   locks ? " LOCK IN SHARE MODE" : "");
        plan = strchr(plan, ']');
    }
}

static void
test_on(void **state)
{
    struct plan_case expanded[countof(cases)];
    struct buf       plans[countof(cases)] = { 0 };

    (void)state;
    world.tables = moving;
    for (size_t i = 0; i < countof(cases); i++) {
        expand(cases[i].plan, &plans[i]);
        expanded[i] = (struct plan_case){ cases[i].sql, buf_cstr(&plans[i]) };
    }
    plans_are(expanded, countof(cases));
    for (size_t i = 0; i < countof(cases); i++)
        buf_fini(&plans[i]);
}

/* A statement is what it was. */
static void
none_hides(void)
{
    for (size_t i = 0; i < countof(cases); i++) {
        struct planned c;
        struct buf     words = { 0 };
        planned_make(&c, cases[i].sql, "app", false);
        plan_describe(&c.plan, &world, &words);
        assert_false(c.plan.hides);
        assert_null(strstr(buf_cstr(&words), "shardd_move"));
        if (c.plan.kind == PLAN_WRITE || c.plan.kind == PLAN_ONE)
            assert_null(c.plan.text);
        buf_fini(&words);
        planned_fini(&c);
    }
}

/* Without rows to hide, or when these are on shards that no statement asks: */
static void
test_off(void **state)
{
    (void)state;
    world.tables = world_tables;
    none_hides();
    world.tables = moving;
    world.hides  = false;
    none_hides();
    world.hides = true;
}

/* What shards are sent can be read, and its parameters are the client's in their order. */
static void
test_texts(void **state)
{
    (void)state;
    world.tables = moving;
    for (size_t i = 0; i < countof(cases); i++) {
        struct planned     c;
        struct buf         text      = { 0 };
        struct bind_list   binds     = { 0 };
        struct stmt       *stmt      = NULL;
        struct lex_options lex       = { 0 };
        planned_make(&c, cases[i].sql, "app", false);
        if (c.plan.text != NULL) {
            struct plan_values values = planned_values(&c, NULL, 0);
            plan_render(&c.plan, c.plan.text, &values, RENDER_PREPARE, &text, &binds);
            assert_int_equal(parse_statement(&c.arena, buf_unread(&text), lex, NULL, &stmt),
                             PARSE_OK);
            assert_int_equal(stmt->n_params, binds.n);
        }
        for (uint32_t n = 0; n < binds.n; n++) {
            assert_int_equal(binds.items[n].kind, BIND_PARAM);
            assert_int_equal(binds.items[n].ordinal, n);
        }
        free(binds.items);
        buf_fini(&text);
        planned_fini(&c);
    }
}

static void
explain(const char *sql, struct plan_context *context, struct buf *words)
{
    struct planned c    = { .text = span_of(sql) };
    struct stmt   *stmt = NULL;
    assert_int_equal(digest_make(&c.digest, c.text, context->lex, 1 << 20), DIGEST_OK);
    assert_int_equal(parse_statement(&c.arena, c.text, context->lex, &c.digest, &stmt), PARSE_OK);
    plan_make(&c.arena, context, c.text, &c.digest, stmt, &c.plan);
    plan_describe(&c.plan, &world, words);
    planned_fini(&c);
}

/* One shard alone: what is not fixed by keys needs its conditions there, too. */
static void
test_one_shard(void **state)
{
    struct plan_context context = { .routes = &world, .schema = SPAN("app"), .collation = 45 };
    struct buf          words   = { 0 };

    (void)state;
    world.tables   = moving;
    world.n_shards = 1;
    explain("SELECT COUNT(*) FROM users WHERE age = 1 UNION SELECT 1", &context, &words);
    assert_non_null(strstr(buf_cstr(&words), "gather"));
    world.n_shards = 3;
    buf_fini(&words);
}

/* Names that are not the parser's to give. */
static void
test_names(void **state)
{
    static const struct {
        const char *sql, *part;
    } names[] = {
        { "SELECT `x`.age FROM `users` AS `we``ird` JOIN users AS x ON x.id = `we``ird`.id",
          "`shardd_h`.`k` <=> `we``ird`.`id`" },
        { "SELECT \"id\" FROM users AS \"q\"", "`shardd_h`.`k` <=> `q`.`id`" },
        { "SELECT id FROM USERS AS Shardd_H",
          "AS `shardd_hh` WHERE `shardd_hh`.`k` <=> `Shardd_H`" },
    };
    struct plan_context context = { .routes = &world, .schema = SPAN("app"), .collation = 45 };

    (void)state;
    world.tables             = moving;
    world.lower_case         = true;
    context.lex.ansi_quotes  = true;
    for (size_t i = 0; i < countof(names); i++) {
        struct buf words = { 0 };
        explain(names[i].sql, &context, &words);
        if (strstr(buf_cstr(&words), names[i].part) == NULL)
            fail_msg("%s: %s", names[i].sql, buf_cstr(&words));
        buf_fini(&words);
    }
    world.lower_case = false;
}

/* A key that may be NULL. */
static void
test_null(void **state)
{
    static struct route_column columns[countof(items_columns)];
    struct plan_context context = { .routes = &world, .schema = SPAN("app"), .collation = 45 };
    struct buf          words   = { 0 };

    (void)state;
    memcpy(columns, items_columns, sizeof(columns));
    columns[0].nullable = true;
    world.tables        = moving;
    for (size_t i = 0; i < countof(moving); i++)
        if (moving[i].columns == items_columns)
            moving[i].columns = columns;
    explain("SELECT qty FROM items", &context, &words);
    assert_non_null(strstr(buf_cstr(&words), "`shardd_h`.`k` <=> `items`.`user_id`)"));
    buf_fini(&words);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on),        cmocka_unit_test(test_off),
        cmocka_unit_test(test_texts),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_one_shard), cmocka_unit_test(test_null),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
