/* test_plan_gather.c - reads that are gathered: which columns, rows and shards, and why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/route/gather.h"
#include "tests/unit/plan_cases.h"

#define MATCH_REFUSED \
    "refuse 1235: shardd: how well a row MATCHes depends on all rows of one server: over " \
    "several shards MATCH ... AGAINST can be a condition on a table that is named once, by " \
    "itself or with AND, OR and NOT, without QUERY EXPANSION; or give the key"

static const struct plan_case cases[] = {
    /* joins on other columns: needed columns, keys */
    { "SELECT u.name FROM users u JOIN orders o ON o.id = u.id",
      "gather app.users all, key id: SELECT id,name FROM `app`.`users`; app.orders all, "
      "key id: SELECT id FROM `app`.`orders`" },
    { "SELECT u.name FROM users u JOIN orders o ON o.amount = u.age WHERE u.score > 5 AND "
      "o.note = 'x'",
      "gather app.orders all, key amount: SELECT amount,note FROM `app`.`orders` WHERE "
      "(`note` = :1); app.users all, key age: SELECT name,age,score FROM `app`.`users` WHERE "
      "(`score` > :0) by age of orders.amount" },
    { "SELECT COUNT(*) FROM users u JOIN orders o",
      "gather app.users all: SELECT id FROM `app`.`users`; app.orders all: SELECT id FROM "
      "`app`.`orders`" },
    { "SELECT * FROM users u, config c WHERE u.age = c.id",
      "gather app.users all, key age: SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users`; app.config home "
      "(s0), key id: SELECT id,name FROM `app`.`config`" },
    { "SELECT * FROM config, other.things",
      "gather app.config home (s0): SELECT id,name FROM `app`.`config`; other.things home "
      "(s1): SELECT id,name FROM `other`.`things`" },
    { "SELECT c.name, COUNT(o.id) FROM countries c LEFT JOIN orders o ON c.id = o.country "
      "GROUP BY c.id",
      "gather app.countries any, key id: SELECT id,name FROM `app`.`countries`; app.orders "
      "all, key country: SELECT id,country FROM `app`.`orders`" },
    /* conditions of the null-supplying side stay, those of its ON go */
    { "SELECT o.note FROM users u LEFT JOIN orders o ON o.amount = u.age WHERE o.note = "
      "'x' AND u.age > 3",
      "gather app.users all, key age: SELECT age FROM `app`.`users` WHERE (`age` > :1); "
      "app.orders all, key amount: SELECT amount,note FROM `app`.`orders` by amount of "
      "users.age" },
    { "SELECT o.note FROM users u LEFT JOIN orders o ON o.amount = u.age AND o.note = 'x' "
      "AND u.age > 3",
      "gather app.users all, key age: SELECT age FROM `app`.`users`; app.orders all, key "
      "amount: SELECT amount,note FROM `app`.`orders` WHERE (`note` = :0)" },
    { "SELECT o.note FROM users u RIGHT JOIN orders o ON o.amount = u.age AND o.note = 'x' "
      "AND u.age > 3",
      "gather app.users all, key age: SELECT age FROM `app`.`users` WHERE (`age` > :1); "
      "app.orders all, key amount: SELECT amount,note FROM `app`.`orders`" },
    { "SELECT 1 FROM users u LEFT JOIN (orders o JOIN items i ON i.line = o.id AND i.qty > "
      "1 AND o.note = 'y') ON o.amount = u.age AND i.qty < 9",
      "gather app.users all, key age: SELECT age FROM `app`.`users`; app.orders all, key "
      "id,amount: SELECT id,amount,note FROM `app`.`orders` WHERE (`note` = :2); app.items "
      "all, key line: SELECT line,qty FROM `app`.`items` WHERE (`qty` < :3) AND (`qty` > :1) "
      "by line of orders.id" },
    { "SELECT 1 FROM users u LEFT JOIN (orders o LEFT JOIN items i ON i.line = o.id AND "
      "i.qty > 1 AND o.note = 'y') ON o.amount = u.age AND i.qty < 9",
      "gather app.users all, key age: SELECT age FROM `app`.`users`; app.orders all, key "
      "id,amount: SELECT id,amount,note FROM `app`.`orders`; app.items all, key line: "
      "SELECT line,qty FROM `app`.`items` WHERE (`qty` > :1)" },
    /* what is not the same for a row everywhere stays */
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age WHERE RAND() < 0.5 AND "
      "u.age > @v AND u.born < NOW() AND (u.age > 1 OR o.amount > 1) AND LOWER(u.name) "
      "LIKE 'a%' AND u.age IN (SELECT 1)",
      "gather app.users all, key age: SELECT id,name,age,born FROM `app`.`users` WHERE "
      "(LOWER(`name`) LIKE :3); app.orders all, key amount: SELECT amount FROM `app`.`orders`"
      " by amount of users.age" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age WHERE age BETWEEN 1 AND "
      "2 AND note IS NULL AND `name` = 'n'",
      "gather app.users all, key age: SELECT id,name,age FROM `app`.`users` WHERE (`age` "
      "BETWEEN :0 AND :1) AND (`name` = :2); app.orders all, key amount: SELECT amount,note "
      "FROM `app`.`orders` WHERE (`note` IS NULL) by amount of users.age" },
    /* several occurrences */
    { "SELECT a.name FROM users a JOIN users b ON a.age = b.age WHERE a.id > 5 AND b.kind "
      "= 'x'",
      "gather app.users all, key age: SELECT id,name,age,kind FROM `app`.`users` WHERE "
      "(`id` > :0) OR (`kind` = :1)" },
    { "SELECT a.name FROM users a JOIN users b ON a.age = b.age WHERE a.id > 5",
      "gather app.users all, key age: SELECT id,name,age FROM `app`.`users`" },
    { "SELECT a.name FROM users a JOIN users b ON a.age = b.age WHERE a.id = 5 AND b.id IN "
      "(6, 7)",
      "one keys users.id=(:1,:2) users.id=(:0) one shard, else gather app.users keys "
      "users.id=(:1,:2,:0), key age: SELECT id,name,age FROM `app`.`users` WHERE (`id` = "
      ":0) OR (`id` IN (:1, :2))" },
    { "WITH c AS (SELECT age FROM users WHERE price > 3) SELECT 1 FROM c x JOIN c y ON "
      "x.age = y.age",
      "gather app.users all: SELECT age,price FROM `app`.`users` WHERE (`price` > :0)" },
    { "WITH c AS (SELECT age FROM users WHERE price > 3) SELECT qty FROM items i JOIN "
      "orders o ON o.id = i.line",
      "gather app.users all: SELECT age,price FROM `app`.`users` WHERE (`price` > :0); "
      "app.items all, key line: SELECT line,qty FROM `app`.`items`; app.orders all, key "
      "id: SELECT id FROM `app`.`orders`" },
    { "WITH users AS (SELECT amount FROM orders) SELECT a.amount FROM users a JOIN items i "
      "ON i.qty = a.amount",
      "gather app.orders all: SELECT amount FROM `app`.`orders`; app.items all: "
      "SELECT qty FROM `app`.`items`" },
    { "WITH RECURSIVE r AS (SELECT id, age FROM users WHERE id = 1 UNION ALL SELECT u.id, "
      "u.age FROM users u JOIN r ON u.age = r.id) SELECT * FROM r",
      "gather app.users all: SELECT id,age FROM `app`.`users`" },
    /* keys: whose rows */
    { "SELECT u.name FROM users u JOIN orders o ON o.amount = u.age WHERE u.id = 5",
      "gather app.users keys users.id=(:0), key age: SELECT id,name,age FROM `app`.`users` "
      "WHERE (`id` = :0); app.orders all, key amount: SELECT amount FROM `app`.`orders` by "
      "amount of users.age" },
    { "SELECT u.name FROM users u LEFT JOIN orders o ON o.user_id = u.id JOIN items i ON "
      "i.line = o.id WHERE u.id IN (5, 6)",
      "gather app.users keys users.id=(:0,:1), key id: SELECT id,name FROM `app`.`users` "
      "WHERE (`id` IN (:0, :1)); app.orders keys orders.user_id=(:0,:1), key id,user_id: "
      "SELECT id,user_id FROM `app`.`orders` WHERE (`user_id` IN (:0,:1)); app.items all, key"
      " line: SELECT line FROM `app`.`items` by line of orders.id" },
    { "SELECT * FROM users WHERE id = 1 UNION SELECT * FROM users WHERE id = ?",
      "one keys users.id=(?0) users.id=(:0) one shard, else gather app.users keys "
      "users.id=(?0,:0): SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users` WHERE (`id` = :0) OR (`id` = ?0)" },
    { "SELECT COUNT(DISTINCT name), COUNT(DISTINCT age) FROM users WHERE id IN (1, 2)",
      "one keys users.id=(:0,:1) one shard, else gather app.users keys users.id=(:0,:1): "
      "SELECT id,name,age FROM `app`.`users` WHERE (`id` IN (:0, :1))" },
    { "SELECT COUNT(DISTINCT name), COUNT(DISTINCT age) FROM users WHERE id = 1",
      "one keys users.id=(:0) one shard" },
    { "SELECT RANK() OVER (ORDER BY o.amount) FROM users u JOIN orders o ON o.user_id = u.id "
      "AND o.note = 'x' WHERE u.id IN (-5, ?)",
      "one keys orders.user_id=(-:1,?0) one shard, else gather app.users keys "
      "users.id=(-:1,?0), key id: SELECT id FROM `app`.`users` WHERE (`id` IN (-:1, ?0)); "
      "app.orders keys orders.user_id=(-:1,?0), key user_id: SELECT user_id,amount,note "
      "FROM `app`.`orders` WHERE (`note` = :0) AND (`user_id` IN (-:1,?0))" },
    { "SELECT RANK() OVER (ORDER BY o.amount) FROM users u JOIN orders o ON o.user_id = u.id "
      "WHERE u.id IN (5, '6')",
      "one keys orders.user_id=(:0,:1) one shard, else gather app.users keys "
      "users.id=(:0,:1), key id: SELECT id FROM `app`.`users` WHERE (`id` IN (:0, :1)); "
      "app.orders keys orders.user_id=(:0,:1), key user_id: SELECT user_id,amount FROM "
      "`app`.`orders`" },
    /* subqueries */
    { "SELECT name FROM users u WHERE EXISTS (SELECT * FROM orders o WHERE o.amount = "
      "u.age AND o.note = 'a')",
      "gather app.orders all, key amount: SELECT amount,note FROM `app`.`orders` WHERE "
      "(`note` = :0); app.users all, key age: SELECT name,age FROM `app`.`users` by age of "
      "orders.amount" },
    { "SELECT name FROM users u WHERE NOT EXISTS (SELECT DISTINCT * FROM orders o WHERE "
      "o.amount = u.age LIMIT 1, 1)",
      "gather app.users all, key age: SELECT name,age FROM `app`.`users`; app.orders all, "
      "key amount: SELECT id,user_id,amount,note,country FROM `app`.`orders`" },
    { "SELECT name FROM users WHERE age IN (SELECT amount FROM orders WHERE country = 4)",
      "gather app.orders all, key amount: SELECT amount,country FROM `app`.`orders` WHERE "
      "(`country` = :0); app.users all: SELECT name,age FROM `app`.`users` by age of "
      "orders.amount" },
    { "SELECT (SELECT MAX(amount) FROM orders o) FROM users u",
      "gather app.users all: SELECT id FROM `app`.`users`; app.orders all: SELECT amount "
      "FROM `app`.`orders`" },
    { "SELECT (SELECT MAX(amount) FROM orders o WHERE o.id = score) FROM users u",
      "gather app.users all: SELECT score FROM `app`.`users`; app.orders all: "
      "SELECT id,amount FROM `app`.`orders`" },
    { "SELECT name FROM users WHERE age > ALL (SELECT qty FROM items)",
      "gather app.users all: SELECT name,age FROM `app`.`users`; app.items all: SELECT qty "
      "FROM `app`.`items`" },
    { "SELECT id FROM countries UNION SELECT id FROM countries ORDER BY (SELECT MAX(age) "
      "FROM users)",
      "gather app.countries any: SELECT id FROM `app`.`countries`; app.users all: SELECT "
      "age FROM `app`.`users`" },
    { "SELECT d.c FROM (SELECT kind, COUNT(*) c FROM users WHERE born > '2020-01-01' GROUP "
      "BY kind) d",
      "gather app.users all: SELECT kind,born FROM `app`.`users` WHERE (`born` > :0)" },
    { "SELECT * FROM users u JOIN JSON_TABLE(u.bio, '$[*]' COLUMNS (x INT PATH '$')) j "
      "ORDER BY u.id",
      "scatter all; merge: sort h1; text: SELECT *, u.id FROM users u JOIN "
      "JSON_TABLE(u.bio, :0 COLUMNS (x INT PATH :1)) j ORDER BY u.id" },
    /* NULL IN (...) is false where a shard has no row, and NULL elsewhere */
    { "SELECT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id NOT IN "
      "(SELECT user_id FROM items)",
      "gather app.users all, key id: SELECT id FROM `app`.`users`; app.orders all, key "
      "user_id: SELECT user_id FROM `app`.`orders`; app.items all, key user_id: SELECT "
      "user_id FROM `app`.`items`" },
    { "SELECT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.user_id IN "
      "(SELECT user_id FROM items)",
      "scatter all; merge: concatenate; text: SELECT u.id FROM users u LEFT JOIN orders o "
      "ON o.user_id = u.id WHERE o.user_id IN (SELECT user_id FROM items)" },
    { "SELECT u.id FROM users u WHERE u.id NOT IN (SELECT user_id FROM items)",
      "scatter all; merge: concatenate; text: SELECT u.id FROM users u WHERE u.id NOT IN "
      "(SELECT user_id FROM items)" },
    { "SELECT id, id IN (SELECT user_id FROM items) FROM users WHERE id = 5 GROUP BY id WITH "
      "ROLLUP",
      "gather app.users keys users.id=(:0): SELECT id FROM `app`.`users` WHERE (`id` = "
      ":0); app.items all, key user_id: SELECT user_id FROM `app`.`items`" },
    /* all columns */
    { "SELECT * FROM items ORDER BY 1, 2",
      "gather app.items all: SELECT user_id,line,qty FROM `app`.`items`" },
    { "SELECT u.*, o.note FROM users u JOIN orders o ON o.amount = u.age",
      "gather app.users all, key age: SELECT "
      "id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users`; app.orders all, "
      "key amount: SELECT amount,note FROM `app`.`orders`" },
    { "SELECT line FROM items NATURAL JOIN orders JOIN tags ON tags.id = line",
      "gather app.items all, key line: SELECT user_id,line,qty FROM `app`.`items`; "
      "app.orders all: SELECT id,user_id,amount,note,country FROM `app`.`orders`; app.tags "
      "any, key id: SELECT id,name FROM `app`.`tags`" },
    { "SELECT name FROM users JOIN names USING (name)",
      "gather app.users all, key name: SELECT name FROM `app`.`users`; app.names all, key "
      "name: SELECT name FROM `app`.`names`" },
    { "SELECT name FROM users u JOIN names USING (name) WHERE name = 'x' AND u.name > 'a'",
      "gather app.names keys names.name=(:0), key name: SELECT name FROM `app`.`names`; "
      "app.users all, key name: SELECT name FROM `app`.`users` WHERE (`name` > :1) by name of"
      " names.name" },
    /* what a merge cannot do */
    { "SELECT name, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY age) FROM users",
      "gather app.users all: SELECT name,age,kind FROM `app`.`users`" },
    { "SELECT name FROM users WINDOW w AS (ORDER BY price) ORDER BY RANK() OVER w",
      "gather app.users all: SELECT name,price FROM `app`.`users`" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age WITH ROLLUP",
      "gather app.users all: SELECT age FROM `app`.`users`" },
    { "SELECT GROUP_CONCAT(name ORDER BY score SEPARATOR ',') FROM users WHERE age = 3",
      "gather app.users all: SELECT name,age,score FROM `app`.`users` WHERE (`age` = :0)" },
    { "SELECT bio FROM users ORDER BY bio",
      "gather app.users all: SELECT bio FROM `app`.`users`" },
    { "SELECT id FROM users ORDER BY RAND() LIMIT 3",
      "gather app.users all: SELECT id FROM `app`.`users`" },
    /* hints, locks */
    { "SELECT u.id FROM users u USE INDEX (x) JOIN orders o FORCE INDEX FOR JOIN (y) ON "
      "o.amount = u.age FOR UPDATE",
      "gather app.users all, key age: SELECT id,age FROM `app`.`users` FOR UPDATE; "
      "app.orders all, key amount: SELECT amount FROM `app`.`orders` FOR UPDATE; text: "
      "SELECT u.id FROM users u  JOIN orders o  ON o.amount = u.age " },
    { "SELECT u.id FROM users u WHERE u.age IN (SELECT amount FROM orders) LOCK IN SHARE "
      "MODE",
      "gather app.users all: SELECT id,age FROM `app`.`users` LOCK IN SHARE MODE; "
      "app.orders all, key amount: SELECT amount FROM `app`.`orders`; text: SELECT u.id "
      "FROM users u WHERE u.age IN (SELECT amount FROM orders) " },
    { "SELECT u.id FROM users u JOIN users v ON u.age = v.age FOR UPDATE NOWAIT",
      "gather app.users all, key age: SELECT id,age FROM `app`.`users` FOR UPDATE NOWAIT; "
      "text: SELECT u.id FROM users u JOIN users v ON u.age = v.age " },
    { "SELECT u.id FROM users u WHERE u.age IN (SELECT age FROM users) FOR UPDATE",
      "refuse 1235: shardd: the table 'users' is read both with and without FOR UPDATE in "
      "a statement on several shards; take the lock in a statement of its own" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age FOR UPDATE SKIP LOCKED",
      "gather app.users all, key age: SELECT id,age FROM `app`.`users` FOR UPDATE SKIP LOCKED; "
      "app.orders all, key amount: SELECT amount FROM `app`.`orders` FOR UPDATE SKIP LOCKED; "
      "text: SELECT u.id FROM users u JOIN orders o ON o.amount = u.age " },
    { "SELECT d.id FROM (SELECT id FROM users LIMIT 3) d FOR UPDATE",
      "refuse 1235: shardd: FOR UPDATE on 'd', which is no table, is not supported over "
      "several shards: put it inside" },
    { "SELECT u.id FROM users PARTITION (p1) u JOIN orders o ON o.amount = u.age",
      "gather app.users all, key age: SELECT id,age FROM `app`.`users` PARTITION (p1); "
      "app.orders all, key amount: SELECT amount FROM `app`.`orders`; text: SELECT u.id "
      "FROM users  u JOIN orders o ON o.amount = u.age" },
    { "SELECT u.id FROM users PARTITION (p1) u JOIN users PARTITION (p2) o ON o.age = u.age",
      "refuse 1235: shardd: the table 'users' is read with different partitions or at "
      "different times in a statement on several shards" },
    { "SELECT u.id FROM users FOR SYSTEM_TIME ALL u JOIN users o ON o.age = u.age",
      "refuse 1235: shardd: the table 'users' is read with different partitions or at "
      "different times in a statement on several shards" },
    { "SELECT u.id FROM users FOR SYSTEM_TIME ALL u JOIN orders o ON o.amount = u.age",
      "gather app.users all, key age: SELECT id,age FROM `app`.`users` FOR SYSTEM_TIME ALL; "
      "app.orders all, key amount: SELECT amount FROM `app`.`orders`; text: SELECT u.id FROM "
      "users  u JOIN orders o ON o.amount = u.age" },
    /* what is the session's */
    { "SELECT @x := age FROM users", "gather app.users all: SELECT age FROM `app`.`users`" },
    { "SELECT age FROM users WHERE age IN (SELECT amount FROM orders) INTO @x",
      "gather app.users all: SELECT age FROM `app`.`users`; app.orders all, key amount: SELECT "
      "amount FROM `app`.`orders`" },
    { "SELECT age FROM users WHERE age IN (SELECT amount FROM orders) INTO OUTFILE 'x'",
      "refuse 1235: shardd: SELECT ... INTO OUTFILE from several shards is not supported: it "
      "would be a file of another server" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age AND o.id = LAST_INSERT_ID()",
      "gather app.users all, key age: SELECT id,age FROM `app`.`users`; app.orders all, key "
      "amount: SELECT id,amount FROM `app`.`orders`" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age AND o.id = UUID_SHORT()",
      "refuse 1235: shardd: UUID_SHORT() is about a server or a session, and the rows of this "
      "statement are brought together on another: ask for it in a statement of its own" },
    /* MATCH is a condition for shards, or nothing */
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age WHERE MATCH (u.bio) "
      "AGAINST ('x')",
      "gather app.users all, key age: SELECT id,age,bio FROM `app`.`users` WHERE (MATCH "
      "(`bio`) AGAINST (:0)); app.orders all, key amount: SELECT amount FROM `app`.`orders` "
      "by amount of users.age; text: SELECT u.id FROM users u JOIN orders o ON o.amount = "
      "u.age WHERE TRUE" },
    { "SELECT id FROM users WHERE MATCH (bio) AGAINST ('x') OR NOT (MATCH (name) AGAINST ('y'))",
      "scatter all; merge: concatenate; text: SELECT id FROM users WHERE MATCH (bio) AGAINST (:0)"
      " OR NOT (MATCH (name) AGAINST (:1))" },
    { "SELECT id FROM users WHERE MATCH (bio) AGAINST ('x') > 0.5", MATCH_REFUSED },
    { "SELECT id, MATCH (bio) AGAINST ('x') FROM users", MATCH_REFUSED },
    { "SELECT id FROM users ORDER BY MATCH (bio) AGAINST ('x')", MATCH_REFUSED },
    { "SELECT id FROM users WHERE MATCH (bio) AGAINST ('x' WITH QUERY EXPANSION)", MATCH_REFUSED },
    { "SELECT u.id FROM users u JOIN users o ON o.age = u.age WHERE MATCH (u.bio) AGAINST ('x') "
      "AND o.id > 5", MATCH_REFUSED },
    { "SELECT u.id FROM orders o LEFT JOIN users u ON o.amount = u.age WHERE MATCH (u.bio) "
      "AGAINST ('x') OR u.id IS NULL", MATCH_REFUSED },
    /* refused */
    { "SELECT * FROM vs",
      "refuse 1235: shardd: the rows of view 'vs' cannot be brought together with those of "
      "other shards; use its SELECT instead" },
    { "SELECT * FROM vg JOIN users u ON u.age = vg.id",
      "refuse 1235: shardd: the rows of view 'vg' cannot be brought together with those of "
      "other shards; use its SELECT instead" },
    /* Conditions that set variables see all rows. */
    { "SELECT @x := age FROM users WHERE id = 5 OR age > 3",
      "gather app.users all: SELECT id,age FROM `app`.`users` WHERE (`id` = :0 OR `age` > :1)" },
    { "SELECT age FROM users WHERE age > 3 AND (@x := @x + 1) < 5",
      "gather app.users all: SELECT age FROM `app`.`users`" },
    { "SELECT SQL_CALC_FOUND_ROWS * FROM users",
      "scatter all; merge: concatenate; text: SELECT SQL_CALC_FOUND_ROWS * FROM users" },
    { "SELECT nofunc(id) FROM users",
      "refuse 1235: shardd: the stored function 'nofunc' cannot be used here, as its database has "
      "sharded or reference tables: what it does is not known; CREATE OR REPLACE FUNCTION makes it "
      "known" },
    { "SELECT DEFAULT(age) FROM users u JOIN orders o ON o.amount = u.age",
      "gather app.users all, key age: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users`; app.orders all, key amount: SELECT amount FROM `app`.`orders`" },
    { "SELECT DEFAULT(x.age) FROM (SELECT age FROM users) x JOIN orders o ON o.amount = x.age",
      "refuse 1235: shardd: DEFAULT(column) over several shards is possible for columns of tables "
      "only" },
    { "SELECT s.seq, u.id FROM seq_1_to_3 s LEFT JOIN users u ON u.id = s.seq",
      "gather app.users all, key id: SELECT id FROM `app`.`users`" },
    { "SELECT u.id FROM users u JOIN nosuch n ON n.id = u.age",
      "refuse 1235: shardd: the columns of 'nosuch' are not known, so its rows cannot be "
      "brought together with those of other shards" },
    { "SELECT u.id FROM users u JOIN information_schema.tables t ON t.table_name = u.name",
      "refuse 1235: shardd: tables of information_schema and the like cannot be combined "
      "with rows of several shards; read them in a statement of their own" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age LIMIT ROWS EXAMINED 5",
      "refuse 1235: shardd: LIMIT ROWS EXAMINED over several shards is not supported: what "
      "is examined is not what one server would" },
    { "SELECT u.id FROM users u ORDER BY 99",
      "refuse 1054: Unknown column '99' in 'ORDER BY'" },
    /* routines that only read */
    { "CALL sees(1, @a)",
      "gather app.config home (s0): SELECT id,name FROM `app`.`config`; app.users all: "
      "SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users`" },
    { "CALL app.sees(?)",
      "gather app.config home (s0): SELECT id,name FROM `app`.`config`; app.users all: "
      "SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM `app`.`users`" },
    { "CALL sees(NOW())",
      "refuse 1235: shardd: the arguments of CALL can be constants and user variables only, "
      "where the procedure reads sharded or reference tables: SET a user variable before" },
    { "/* shardd: gather=off */ CALL sees(1)",
      "refuse 1235: shardd: a comment says that the statement is not to be gathered, and no "
      "shard can do it alone" },
    { "SELECT counts(id) FROM users WHERE id = 5",
      "gather app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users`" },
    { "SELECT counts(1)",
      "gather app.users all: SELECT id,name,age,score,kind,born,ratio,bio,ip,price FROM "
      "`app`.`users`" },
    { "SELECT u.id FROM users u JOIN orders o ON o.amount = u.age WHERE u.id > 3 AND counts(u.id)",
      "gather app.users all, key age: SELECT id,name,age,score,kind,born,ratio,bio,ip,price "
      "FROM `app`.`users`; app.orders all, key amount: SELECT amount FROM `app`.`orders`" },
    { "SELECT sums(id) FROM users WHERE id = 1",
      "refuse 1235: shardd: the stored function 'sums' is not on the engine, where rows of "
      "several shards are brought together: it reads tables, calls other routines or runs "
      "statements, which it would do on one shard alone" },
    { "SELECT counts(id) FROM users FOR UPDATE",
      "refuse 1235: shardd: a stored function reads 'users', of which the statement reads a "
      "partition, another time, or FOR UPDATE: ask for the function's value in a statement "
      "before" },
    { "UPDATE orders SET amount = counts(id)",
      "refuse 1235: shardd: the stored function 'counts' cannot be used here, as its "
      "database has sharded or reference tables: it reads tables, calls other routines or "
      "runs statements, which it would do on one shard alone" },
    /* as it was */
    { "SELECT COUNT(*) FROM users",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM users" },
    { "SELECT * FROM users WHERE id = 5",
      "one keys users.id=(:0) one shard" },
    { "SELECT u.name, o.amount FROM users u JOIN orders o ON o.user_id = u.id",
      "scatter all; merge: concatenate; text: SELECT u.name, o.amount FROM users u JOIN "
      "orders o ON o.user_id = u.id" },
    { "EXPLAIN SELECT u.name FROM users u JOIN orders o ON o.amount = u.age",
      "one all first" },
    { "EXPLAIN SELECT u.name FROM users u JOIN other.things o ON o.id = u.age",
      "one home (s1) first" },
    { "EXPLAIN SELECT * FROM config, other.things",
      "refuse 1235: shardd: no shard has all the tables of this statement, so none can "
      "explain it; EXPLAIN SHARDD shows what is done" },
    { "ANALYZE SELECT u.name FROM users u JOIN orders o ON o.amount = u.age",
      "refuse 1235: shardd: ANALYZE of a statement whose rows are brought together from "
      "several shards is not supported; EXPLAIN SHARDD shows what is done" },
};

int
main(void)
{
    world_init();
    world.n_engines = 1;
    return plans_main(cases, countof(cases));
}
