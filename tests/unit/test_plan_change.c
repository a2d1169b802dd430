/* test_plan_change.c - writes whose rows one server has to find: when they are changes, and what
 * is fetched, locked and written; and when they are not, because shards can do them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

static const struct plan_case cases[] = {
    /* What each shard does alone stays so. */
    { "UPDATE users u JOIN orders o ON o.user_id = u.id SET u.age = o.amount",
      "write all" },
    { "DELETE FROM users WHERE age > 3",
      "write all" },
    { "DELETE FROM users WHERE id = 3 LIMIT 1",
      "write keys users.id=(:0) one shard" },
    { "INSERT INTO items (user_id, line) SELECT user_id, id FROM orders",
      "write all" },
    /* The condition is just not met. */
    { "UPDATE users u JOIN orders o ON o.id = u.id SET u.age = o.amount",
      "change app.users all, key id: SELECT id,name,age,score,kind,born,ratio,bio,ip,price "
      "FROM `app`.`users` FOR UPDATE; app.orders all, key id: SELECT id,amount FROM "
      "`app`.`orders` LOCK IN SHARE MODE; then UPDATE app.users: age" },
    { "UPDATE users u LEFT JOIN orders o ON o.id = u.age SET u.age = 1 WHERE o.amount IS NULL",
      "change app.users all, key age: SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` FOR UPDATE; "
      "app.orders all, key id: SELECT id,amount FROM `app`.`orders` LOCK IN SHARE MODE; "
      "then UPDATE app.users: age" },
    { "DELETE FROM users WHERE age > 3 LIMIT 1",
      "change app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users` WHERE (`age` > :0) LIMIT 1 FOR UPDATE; then DELETE from app.users" },
    { "DELETE FROM users WHERE id IN (3, 4) ORDER BY age LIMIT 1",
      "write keys users.id=(:0,:1) one shard, else change app.users keys users.id=(:0,:1): "
      "SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` WHERE "
      "(`id` IN (:0, :1)) ORDER BY (`age`) LIMIT 1 FOR UPDATE; then DELETE from app.users" },
    { "UPDATE users SET id = 3 WHERE id = 5",
      "change app.users keys users.id=(:1): SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` WHERE (`id` = :1) "
      "FOR UPDATE; then UPDATE app.users: id" },
    { "UPDATE users SET age = (SELECT MAX(amount) FROM orders) WHERE id = 7",
      "change app.users keys users.id=(:0): SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` WHERE (`id` = :0) "
      "FOR UPDATE; app.orders all: SELECT amount FROM `app`.`orders` LOCK IN SHARE MODE; "
      "then UPDATE app.users: age" },
    { "DELETE u FROM users u JOIN users v ON u.age = v.age AND u.id > v.id",
      "change app.users all, key age: SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` FOR UPDATE; then "
      "DELETE from app.users" },
    { "UPDATE users u, countries c SET c.name = u.name WHERE u.age = c.id",
      "change app.users all, key age: SELECT name,age FROM `app`.`users` LOCK IN SHARE "
      "MODE; app.countries home (s0), key id: SELECT id,name FROM `app`.`countries` FOR "
      "UPDATE; then UPDATE app.countries: name" },
    { "UPDATE users u, config c SET u.name = c.name WHERE u.age = c.id AND c.id > RAND()",
      "change app.users all, key age: SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` FOR UPDATE; "
      "app.config home (s0), key id: SELECT id,name FROM `app`.`config` LOCK IN SHARE "
      "MODE; then UPDATE app.users: name" },
    { "INSERT INTO items (user_id, line) SELECT amount, id FROM orders WHERE amount > 5",
      "change app.items any: SELECT user_id,line,qty FROM `app`.`items` WHERE FALSE; "
      "app.orders all: SELECT id,amount FROM `app`.`orders` WHERE (`amount` > :0) LOCK IN "
      "SHARE MODE; then INSERT into app.items: user_id,line" },
    { "INSERT IGNORE INTO names (name) SELECT name FROM users ORDER BY id LIMIT 5",
      "change app.names any: SELECT name,value FROM `app`.`names` WHERE FALSE; app.users "
      "all: SELECT id,name FROM `app`.`users` LOCK IN SHARE MODE; then INSERT into "
      "app.names: name" },
    { "INSERT INTO names (name, value) VALUES ('a', (SELECT MAX(id) FROM users)) "
      "ON DUPLICATE KEY UPDATE value = VALUES(value) + 1",
      "change app.names any: SELECT name,value FROM `app`.`names` WHERE FALSE; app.users "
      "all: SELECT id FROM `app`.`users` LOCK IN SHARE MODE; then INSERT into app.names: "
      "name,value; text: INSERT INTO names (name, value) VALUES (:0, (SELECT MAX(id) FROM "
      "users)) " },
    { "REPLACE INTO config (id, name) SELECT id, name FROM users RETURNING id",
      "change app.config home (s0): SELECT id,name FROM `app`.`config` WHERE FALSE; "
      "app.users all: SELECT id,name FROM `app`.`users` LOCK IN SHARE MODE; then INSERT "
      "into app.config: id,name; text: REPLACE INTO config (id, name) SELECT id, name FROM "
      "users " },
    /* What cannot be proved. */
    /* The engine has the rows that new ones may meet: those with their keys, if these are known. */
    { "INSERT INTO names (name, value) SELECT name, age FROM users "
      "ON DUPLICATE KEY UPDATE value = users.age",
      "change app.names all: SELECT name,value FROM `app`.`names` FOR UPDATE; app.users all: "
      "SELECT name,age FROM `app`.`users` LOCK IN SHARE MODE; then UPDATE app.names: value, INSERT "
      "into app.names: name,value" },
    { "INSERT IGNORE INTO names (name, value) SELECT name, age FROM users "
      "ON DUPLICATE KEY UPDATE value = users.age",
      "change app.names all: SELECT name,value FROM `app`.`names` FOR UPDATE; app.users all: "
      "SELECT name,age FROM `app`.`users` LOCK IN SHARE MODE; then UPDATE app.names: value, INSERT "
      "into app.names: name,value" },
    { "INSERT INTO names (name, value) SELECT name, age FROM users "
      "ON DUPLICATE KEY UPDATE name = 'x'",
      "change app.names all: SELECT name,value FROM `app`.`names` FOR UPDATE; app.users all: "
      "SELECT name,age FROM `app`.`users` LOCK IN SHARE MODE; then UPDATE app.names: name, INSERT "
      "into app.names: name,value" },
    { "INSERT INTO users (id, age) VALUES (7, 1), (9, 2) ON DUPLICATE KEY UPDATE age = (SELECT "
      "MAX(amount) FROM orders)",
      "change app.users keys users.id=(:0,:2): SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users` WHERE (`id` IN "
      "(:0,:2)) FOR UPDATE; app.orders all: SELECT amount FROM `app`.`orders` LOCK IN SHARE "
      "MODE; then UPDATE app.users: age, INSERT into app.users: "
      "id,name,age,score,kind,born,ratio,bio,ip,price" },
    { "INSERT INTO users (id, age) VALUES (7, 1) RETURNING (SELECT MAX(amount) FROM orders)",
      "change app.users any: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users` WHERE FALSE; app.orders all: SELECT amount FROM `app`.`orders` LOCK IN "
      "SHARE MODE; then INSERT into app.users: id,age" },
    { "INSERT INTO users (id, age) SELECT user_id, amount FROM orders WHERE amount > 5 ON "
      "DUPLICATE KEY UPDATE age = orders.amount",
      "change app.orders all: SELECT user_id,amount FROM `app`.`orders` WHERE (`amount` > :0) "
      "LOCK IN SHARE MODE; app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price"
      " FROM `app`.`users` FOR UPDATE by id of orders.user_id; then UPDATE app.users: age, "
      "INSERT into app.users: id,name,age,score,kind,born,ratio,bio,ip,price" },
    { "UPDATE IGNORE users SET id = 5 WHERE name = 'x' ORDER BY id LIMIT 1",
      "change app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users` FOR UPDATE; then UPDATE app.users: id" },
    { "UPDATE users SET age = (@a := (SELECT MAX(amount) FROM orders))",
      "change app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users` FOR UPDATE; app.orders all: SELECT amount FROM `app`.`orders` LOCK IN SHARE "
      "MODE; then UPDATE app.users: age" },
    { "UPDATE users SET age = LAST_INSERT_ID(5) ORDER BY id LIMIT 3",
      "write all one shard" },
    { "DELETE z FROM users u JOIN orders o ON o.amount = u.age",
      "refuse 1109: Unknown table 'z' in MULTI DELETE" },
};

int
main(void)
{
    world_init();
    world.n_engines = 1;
    return plans_main(cases, countof(cases));
}
