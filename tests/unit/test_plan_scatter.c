/* test_plan_scatter.c - reads on several shards: their text and their merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

static const struct plan_case cases[] = {
    { "SELECT * FROM users WHERE id = ?",
      "scatter keys users.id=(?0); merge: concatenate; text: SELECT * FROM users WHERE "
      "id = ?0" },
    { "SELECT * FROM users WHERE id IN (1, 2, 3)",
      "scatter keys users.id=(:0,:1,:2); merge: concatenate; text: SELECT * FROM users "
      "WHERE id IN (:0, :1, :2)" },
    { "SELECT * FROM users WHERE id = 1 OR id = 2",
      "scatter keys users.id=(:0,:1); merge: concatenate; text: SELECT * FROM users "
      "WHERE id = :0 OR id = :1" },
    { "SELECT * FROM users WHERE id = 1 OR age = 2",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id = :0 OR age = "
      ":1" },
    { "SELECT * FROM users",
      "scatter all; merge: concatenate; text: SELECT * FROM users" },
    { "SELECT id FROM users LIMIT 1.5",
      "refuse 1064: shardd: LIMIT takes whole numbers, and parameters" },
    { "SELECT id FROM users LIMIT 5 OFFSET (1)",
      "refuse 1064: shardd: LIMIT takes whole numbers, and parameters" },
    { "SELECT id FROM users LIMIT TRUE",
      "refuse 1064: shardd: LIMIT takes whole numbers, and parameters" },
    { "SELECT name FROM users ORDER BY name LIMIT 5, 10",
      "scatter all; merge: sort 1~h1 limit; text: SELECT name, WEIGHT_STRING(name) FROM "
      "users ORDER BY name LIMIT {limit}" },
    { "SELECT name FROM users ORDER BY age DESC, kind, ratio LIMIT ?",
      "scatter all; merge: sort h1 desc,h2,h3 limit; text: SELECT name, age, 0+(kind), "
      "0e0+(ratio) FROM users ORDER BY age DESC, kind, ratio LIMIT {limit}" },
    { "SELECT DISTINCT name FROM users",
      "scatter all; merge: distinct 1~h1; text: SELECT DISTINCT name, "
      "WEIGHT_STRING(name) FROM users" },
    { "SELECT DISTINCT name FROM users ORDER BY name LIMIT 3",
      "scatter all; merge: sort 1~h1 distinct 1~h1 limit; text: SELECT DISTINCT name, "
      "WEIGHT_STRING(name) FROM users ORDER BY name" },
    { "SELECT age AS id FROM users ORDER BY id, users.id", "scatter all; merge: sort 1,h1; text: "
      "SELECT age AS id, users.id AS `shardd` FROM users ORDER BY id, users.id" },
    { "SELECT DISTINCT id, name FROM users",
      "scatter all; merge: concatenate; text: SELECT DISTINCT id, name FROM users" },
    { "SELECT u.name, o.amount FROM users u JOIN orders o ON o.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT u.name, o.amount FROM users u JOIN "
      "orders o ON o.user_id = u.id" },
    { "SELECT u.name FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.user_id = "
      "5",
      "scatter all; merge: concatenate; text: SELECT u.name FROM users u LEFT JOIN "
      "orders o ON o.user_id = u.id AND o.user_id = :0" },
    { "SELECT * FROM users u, countries c WHERE u.age = c.id",
      "scatter all; merge: concatenate; text: SELECT * FROM users u, countries c WHERE "
      "u.age = c.id" },
    { "SELECT * FROM users WHERE EXISTS (SELECT 1 FROM orders WHERE orders.user_id = "
      "users.id AND amount > 5)",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE EXISTS (SELECT "
      ":0 FROM orders WHERE orders.user_id = users.id AND amount > :1)" },
    { "SELECT * FROM users WHERE id IN (SELECT user_id FROM orders)",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id IN (SELECT "
      "user_id FROM orders)" },
    { "SELECT * FROM users WHERE (id, age) IN ((5, 6), (7, 8))",
      "scatter keys users.id=(:0,:2); merge: concatenate; text: SELECT * FROM users "
      "WHERE (id, age) IN ((:0, :1), (:2, :3))" },
    { "SELECT * FROM names WHERE name = 'abc'",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT * FROM names WHERE "
      "name = :0" },
    { "SELECT * FROM names WHERE name = 'abc' COLLATE utf8mb4_bin",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT * FROM names WHERE "
      "name = :0 COLLATE utf8mb4_bin" },
    { "SELECT * FROM names WHERE name = 'abc' COLLATE utf8mb4_icelandic_ci",
      "scatter all; merge: concatenate; text: SELECT * FROM names WHERE name = :0 COLLATE "
      "utf8mb4_icelandic_ci" },
    { "WITH c AS (SELECT id, name FROM users) SELECT * FROM c JOIN orders o ON o.user_id "
      "= c.id",
      "scatter all; merge: concatenate; text: WITH c AS (SELECT id, name FROM users) "
      "SELECT * FROM c JOIN orders o ON o.user_id = c.id" },
    { "SELECT name FROM users HAVING name > 'a'",
      "scatter all; merge: concatenate; text: SELECT name FROM users HAVING name > :0" },
    { "SELECT * FROM other.parts p JOIN app.users u ON p.id = u.id",
      "scatter all; merge: concatenate; text: SELECT * FROM other.parts p JOIN app.users "
      "u ON p.id = u.id" },
    { "SELECT * FROM users WHERE NOT id = 5",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE NOT id = :0" },
    { "SELECT * FROM users WHERE id NOT IN (1)",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id NOT IN (:0)" },
    { "SELECT * FROM users WHERE id <=> 5",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id <=> :0" },
    { "SELECT * FROM users WHERE id BETWEEN 1 AND 5",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id BETWEEN :0 "
      "AND :1" },
    { "SELECT * FROM users WHERE id = age",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id = age" },
    { "SELECT * FROM users WHERE id = 5 + 1",
      "scatter all; merge: concatenate; text: SELECT * FROM users WHERE id = :0 + :1" },
    { "SELECT * FROM users WHERE id = TRUE",
      "scatter keys users.id=(1); merge: concatenate; text: SELECT * FROM users WHERE id "
      "= TRUE" },
    { "SELECT * FROM users WHERE id = DATE '2001-01-01'",
      "scatter keys users.id=(:0); merge: concatenate; text: SELECT * FROM users WHERE "
      "id = DATE :0" },
    { "SELECT * FROM names WHERE name = _utf8mb4'x'",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT * FROM names WHERE "
      "name = _utf8mb4:0" },
    { "SELECT * FROM users u RIGHT JOIN orders o ON u.id = o.user_id",
      "scatter all; merge: concatenate; text: SELECT * FROM users u RIGHT JOIN orders o "
      "ON u.id = o.user_id" },
    { "SELECT * FROM users u LEFT JOIN countries c ON u.age = c.id",
      "scatter all; merge: concatenate; text: SELECT * FROM users u LEFT JOIN countries "
      "c ON u.age = c.id" },
    { "SELECT * FROM users u LEFT JOIN (orders o JOIN items i ON i.user_id = o.user_id) "
      "ON o.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT * FROM users u LEFT JOIN (orders o "
      "JOIN items i ON i.user_id = o.user_id) ON o.user_id = u.id" },
    { "SELECT id, name FROM users ORDER BY name, id",
      "scatter all; merge: sort 2~h1,1; text: SELECT id, name, WEIGHT_STRING(name) FROM "
      "users ORDER BY name, id" },
    { "SELECT id, name FROM users ORDER BY name DESC, id DESC",
      "scatter all; merge: sort 2~h1 desc,1 desc; text: SELECT id, name, "
      "WEIGHT_STRING(name) FROM users ORDER BY name DESC, id DESC" },
    { "SELECT id, kind FROM users ORDER BY kind, id",
      "scatter all; merge: sort h1,1; text: SELECT id, kind, 0+(kind) FROM users ORDER "
      "BY kind, id" },
    { "SELECT id, ratio FROM users ORDER BY ratio DESC, id",
      "scatter all; merge: sort h1 desc,1; text: SELECT id, ratio, 0e0+(ratio) FROM "
      "users ORDER BY ratio DESC, id" },
    { "SELECT id, score FROM users ORDER BY score, id LIMIT 7",
      "scatter all; merge: sort 2,1 limit; text: SELECT id, score FROM users ORDER BY "
      "score, id LIMIT {limit}" },
    { "SELECT id, born FROM users ORDER BY born, id LIMIT 5, 12",
      "scatter all; merge: sort 2,1 limit; text: SELECT id, born FROM users ORDER BY "
      "born, id LIMIT {limit}" },
    { "SELECT * FROM users ORDER BY price, id",
      "scatter all; merge: sort h1,h2; text: SELECT *, price, id FROM users ORDER BY "
      "price, id" },
    { "SELECT id FROM users ORDER BY price DESC, age, id",
      "scatter all; merge: sort h1 desc,h2,1; text: SELECT id, price, age FROM users "
      "ORDER BY price DESC, age, id" },
    { "SELECT DISTINCT name, age FROM users ORDER BY age, name",
      "scatter all; merge: sort 2,1~h1 distinct 1~h1,2; text: SELECT DISTINCT name, age, "
      "WEIGHT_STRING(name) FROM users ORDER BY age, name" },
    { "SELECT DISTINCT kind FROM users ORDER BY kind",
      "scatter all; merge: sort h1 distinct h1; text: SELECT DISTINCT kind, 0+(kind) "
      "FROM users ORDER BY kind" },
    { "SELECT DISTINCT ratio FROM users",
      "scatter all; merge: distinct h1; text: SELECT DISTINCT ratio, 0e0+(ratio) FROM "
      "users" },
    { "SELECT u.id, o.id, i.line FROM users u LEFT JOIN orders o ON o.user_id = u.id "
      "LEFT JOIN items i ON i.user_id = o.user_id ORDER BY 1, 2, 3",
      "scatter all; merge: sort 1,2,3; text: SELECT u.id, o.id, i.line FROM users u LEFT "
      "JOIN orders o ON o.user_id = u.id LEFT JOIN items i ON i.user_id = o.user_id "
      "ORDER BY 1, 2, 3" },
    { "SELECT * FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id "
      "AND o.amount > 20) ORDER BY id",
      "scatter all; merge: sort h1; text: SELECT *, id FROM users u WHERE EXISTS (SELECT "
      ":0 FROM orders o WHERE o.user_id = u.id AND o.amount > :1) ORDER BY id" },
    { "SELECT * FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = "
      "u.id AND o.user_id = 5) ORDER BY id",
      "scatter all; merge: sort h1; text: SELECT *, id FROM users u WHERE NOT EXISTS "
      "(SELECT :0 FROM orders o WHERE o.user_id = u.id AND o.user_id = :1) ORDER BY id" },
    { "SELECT id FROM users WHERE id IN (SELECT user_id FROM orders WHERE amount > 30) "
      "ORDER BY id",
      "scatter all; merge: sort 1; text: SELECT id FROM users WHERE id IN (SELECT "
      "user_id FROM orders WHERE amount > :0) ORDER BY id" },
    { "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM orders) ORDER BY id",
      "scatter all; merge: sort 1; text: SELECT id FROM users WHERE id NOT IN (SELECT "
      "user_id FROM orders) ORDER BY id" },
    { "SELECT name FROM names WHERE name = 'ALICE'",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT name FROM names "
      "WHERE name = :0" },
    { "SELECT name FROM names WHERE name IN ('BOB', 'UBER', 's', 'SS')",
      "scatter keys names.name=(:0,:1,:2,:3); merge: concatenate; text: SELECT name FROM "
      "names WHERE name IN (:0, :1, :2, :3)" },
    { "SELECT * FROM names ORDER BY name",
      "scatter all; merge: sort h1~h2; text: SELECT *, name, WEIGHT_STRING(name) FROM "
      "names ORDER BY name" },
    { "SELECT LOWER(name) l FROM users ORDER BY l, id",
      "scatter all; merge: sort 1~h1,h2; text: SELECT LOWER(name) l, "
      "WEIGHT_STRING(LOWER(name)), id FROM users ORDER BY l, id" },
    { "SELECT CONCAT(name, '!') l FROM users ORDER BY l, id",
      "scatter all; merge: sort 1~h1,h2; text: SELECT CONCAT(name, :0) l, "
      "WEIGHT_STRING(CONCAT(name, :0)), id FROM users ORDER BY l, id" },
    { "SELECT id FROM users ORDER BY age + id % 2, id",
      "scatter all; merge: sort h1,1; text: SELECT id, age + id % 2 FROM users ORDER BY "
      "age + id % 2, id" },
    { "SELECT age, age AS id FROM users ORDER BY id, age",
      "scatter all; merge: sort 2,1; text: SELECT age, age AS id FROM users ORDER BY id, "
      "age" },
    { "SELECT -age AS age FROM users ORDER BY age",
      "scatter all; merge: sort 1; text: SELECT -age AS age FROM users ORDER BY age" },
    { "SELECT DISTINCT u.age, o.country FROM users u JOIN orders o ON o.user_id=u.id "
      "ORDER BY 1, 2",
      "scatter all; merge: sort 1,2 distinct 1,2; text: SELECT DISTINCT u.age, o.country "
      "FROM users u JOIN orders o ON o.user_id=u.id ORDER BY 1, 2" },
    { "SELECT age, name FROM users WHERE id=3 OR id=4 OR id IN (7,9,11) ORDER BY name, id",
      "scatter keys users.id=(:0,:1,:2,:3,:4); merge: sort 2~h1,h2; text: SELECT age, "
      "name, WEIGHT_STRING(name), id FROM users WHERE id=:0 OR id=:1 OR id IN (:2,:3,:4) "
      "ORDER BY name, id" },
    { "SELECT SEC_TO_TIME(age*100000) t FROM users ORDER BY t",
      "scatter all; merge: sort 1; text: SELECT SEC_TO_TIME(age*:0) t FROM users ORDER "
      "BY t" },
    { "SELECT * FROM users ORDER BY id",
      "scatter all; merge: sort h1; text: SELECT *, id FROM users ORDER BY id" },
    { "SELECT CONCAT(age, '-', kind) x FROM users ORDER BY x, id",
      "scatter all; merge: sort 1,h1; text: SELECT CONCAT(age, :0, kind) x, id FROM "
      "users ORDER BY x, id" },
    { "SELECT CONCAT(age, '-') x FROM users ORDER BY x, id",
      "scatter all; merge: sort 1~h1,h2; text: SELECT CONCAT(age, :0) x, "
      "WEIGHT_STRING(CONCAT(age, :0)), id FROM users ORDER BY x, id" },
    { "SELECT CAST(age AS CHAR) x FROM users ORDER BY x, id",
      "scatter all; merge: sort 1~h1,h2; text: SELECT CAST(age AS CHAR) x, "
      "WEIGHT_STRING(CAST(age AS CHAR)), id FROM users ORDER BY x, id" },
    { "SELECT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id "
      "IS NULL ORDER BY u.id",
      "scatter all; merge: sort 1; text: SELECT u.id FROM users u LEFT JOIN orders o ON "
      "o.user_id = u.id WHERE o.user_id IS NULL ORDER BY u.id" },
    { "SELECT a.id, b.id FROM users a JOIN users b ON a.id = b.id WHERE a.age > b.age",
      "scatter all; merge: concatenate; text: SELECT a.id, b.id FROM users a JOIN users "
      "b ON a.id = b.id WHERE a.age > b.age" },
    { "SELECT a.id, b.id FROM users a JOIN users b USING (id) ORDER BY 1",
      "scatter all; merge: sort 1; text: SELECT a.id, b.id FROM users a JOIN users b "
      "USING (id) ORDER BY 1" },
    { "SELECT id FROM users a RIGHT JOIN users b USING (id) ORDER BY a.id, b.id",
      "scatter all; merge: sort h1,h2; text: SELECT id, a.id, b.id FROM users a RIGHT JOIN "
      "users b USING (id) ORDER BY a.id, b.id" },
    { "SELECT * FROM users WHERE id = NULL",
      "scatter keys users.id=(NULL); merge: concatenate; text: SELECT * FROM users WHERE "
      "id = NULL" },
    { "SELECT id FROM users WHERE id = '5'",
      "scatter keys users.id=(:0); merge: concatenate; text: SELECT id FROM users WHERE "
      "id = :0" },
    { "SELECT id FROM users WHERE id = 5.0",
      "scatter keys users.id=(:0); merge: concatenate; text: SELECT id FROM users WHERE "
      "id = :0" },
    { "SELECT id FROM users WHERE id IN (5.5, 6, '7', 8.0)",
      "scatter keys users.id=(:0,:1,:2,:3); merge: concatenate; text: SELECT id FROM "
      "users WHERE id IN (:0, :1, :2, :3)" },
    { "SELECT id FROM users WHERE id = 5e0 OR id = 0x06",
      "scatter keys users.id=(:0,:1); merge: concatenate; text: SELECT id FROM users "
      "WHERE id = :0 OR id = :1" },
    { "SELECT name FROM names WHERE name = 5",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT name FROM names "
      "WHERE name = :0" },
    { "SELECT name FROM names WHERE name = _latin1'bob' OR name = x'78'",
      "scatter keys names.name=(:0,:1); merge: concatenate; text: SELECT name FROM names "
      "WHERE name = _latin1:0 OR name = :1" },
    { "SELECT name FROM names WHERE name = 'BOB  '",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT name FROM names "
      "WHERE name = :0" },
    { "SELECT name FROM names WHERE name LIKE 'b%'",
      "scatter all; merge: concatenate; text: SELECT name FROM names WHERE name LIKE :0" },
    { "SELECT name FROM names WHERE 'bob' = name",
      "scatter keys names.name=(:0); merge: concatenate; text: SELECT name FROM names "
      "WHERE :0 = name" },
    { "SELECT u.id, (SELECT name FROM countries c WHERE c.id = u.age) FROM users u ORDER "
      "BY u.id",
      "scatter all; merge: sort 1; text: SELECT u.id, (SELECT name FROM countries c "
      "WHERE c.id = u.age) FROM users u ORDER BY u.id" },
    { "SELECT id FROM users WHERE (id, age) IN ((1, 2), (3, 4), (5, 6)) ORDER BY id",
      "scatter keys users.id=(:0,:2,:4); merge: sort 1; text: SELECT id FROM users WHERE "
      "(id, age) IN ((:0, :1), (:2, :3), (:4, :5)) ORDER BY id" },
    { "SELECT id FROM users WHERE NOT (id = 5) AND age = 3 ORDER BY id",
      "scatter all; merge: sort 1; text: SELECT id FROM users WHERE NOT (id = :0) AND "
      "age = :1 ORDER BY id" },
    { "SELECT DISTINCT user_id, country FROM orders ORDER BY user_id, country LIMIT 4, 6",
      "scatter all; merge: sort 1,2 limit; text: SELECT DISTINCT user_id, country FROM "
      "orders ORDER BY user_id, country LIMIT {limit}" },
    { "SELECT users.* FROM users ORDER BY users.name, users.id",
      "scatter all; merge: sort h1~h2,h3; text: SELECT users.*, users.name, "
      "WEIGHT_STRING(users.name), users.id FROM users ORDER BY users.name, users.id" },
    { "SELECT t.id FROM (SELECT id, age FROM users WHERE age > 2) t ORDER BY t.id",
      "scatter all; merge: sort 1; text: SELECT t.id FROM (SELECT id, age FROM users "
      "WHERE age > :0) t ORDER BY t.id" },
    { "SELECT DISTINCT t.* FROM (SELECT age FROM users) t",
      "refuse 1235: shardd: SELECT DISTINCT * over several shards needs the key among the "
      "columns; name the columns; or add an engine, which can answer it: 'shardctl engine "
      "add'" },
    { "SELECT DISTINCT user_id FROM orders JOIN (SELECT age FROM users) t ON user_id = t.age",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each; or add an engine, which can answer it: 'shardctl engine add'" },
    { "SELECT id FROM users ORDER BY LENGTH(name), id",
      "scatter all; merge: sort h1,1; text: SELECT id, LENGTH(name) FROM users ORDER BY "
      "LENGTH(name), id" },
    { "SELECT id FROM users ORDER BY name IS NULL, name, id",
      "scatter all; merge: sort h1,h2~h3,1; text: SELECT id, name IS NULL, name, "
      "WEIGHT_STRING(name) FROM users ORDER BY name IS NULL, name, id" },
    { "SELECT id FROM users ORDER BY name COLLATE utf8mb4_bin, id",
      "scatter all; merge: sort h1~h2,1; text: SELECT id, name COLLATE utf8mb4_bin, "
      "WEIGHT_STRING(name COLLATE utf8mb4_bin) FROM users ORDER BY name COLLATE "
      "utf8mb4_bin, id" },
    { "SELECT id FROM users ORDER BY BINARY name, id",
      "scatter all; merge: sort h1,1; text: SELECT id, BINARY name FROM users ORDER BY "
      "BINARY name, id" },
    { "SELECT id, price FROM users ORDER BY price * 1.5 DESC, id LIMIT 9",
      "scatter all; merge: sort h1 desc,1 limit; text: SELECT id, price, price * 1.5 "
      "FROM users ORDER BY price * 1.5 DESC, id LIMIT {limit}" },
    { "SELECT id FROM users ORDER BY born + INTERVAL 1 DAY, id",
      "scatter all; merge: sort h1,1; text: SELECT id, born + INTERVAL 1 DAY FROM users "
      "ORDER BY born + INTERVAL 1 DAY, id" },
    { "SELECT age, id FROM users ORDER BY age LIMIT 3",
      "scatter all; merge: sort 1 limit; text: SELECT age, id FROM users ORDER BY age "
      "LIMIT {limit}" },
    { "SELECT DISTINCT CAST(age AS CHAR) x FROM users ORDER BY x",
      "scatter all; merge: sort 1~h1 distinct 1~h1; text: SELECT DISTINCT CAST(age AS "
      "CHAR) x, WEIGHT_STRING(CAST(age AS CHAR)) FROM users ORDER BY x" },
    { "SELECT DISTINCT age FROM users WHERE id < 30 ORDER BY age LIMIT 2, 2",
      "scatter all; merge: sort 1 distinct 1 limit; text: SELECT DISTINCT age FROM users "
      "WHERE id < :0 ORDER BY age LIMIT {limit}" },
};

int
main(void)
{
    world_init();
    return plans_main(cases, countof(cases));
}
