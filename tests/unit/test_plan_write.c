/* test_plan_write.c - writes, transactions, settings and DDL, planned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

#define CONNECTION                                                                           \
    "refuse 1235: shardd: CONNECTION_ID() here would be the number of a connection between "   \
    "shardd and the server, not the client's: give the number as a value of the statements "   \
    "that need it"

static const struct plan_case cases[] = {
    { "UPDATE users SET name='x' WHERE id = 5",
      "write keys users.id=(:1)" },
    { "UPDATE users SET age = age + 1",
      "write all" },
    { "UPDATE users SET id = 3 WHERE id = 5",
      "refuse 1235: shardd: 'id' is the key of 'users': changing it would move the row "
      "to another shard; DELETE the row and INSERT it anew"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "UPDATE users SET age=1 LIMIT 1",
      "write all one shard" },
    { "DELETE FROM users WHERE id IN (1,2)",
      "write keys users.id=(:0,:1)" },
    { "DELETE FROM countries WHERE id = 5",
      "write every reference" },
    { "DELETE u FROM users u JOIN orders o ON o.user_id = u.id",
      "write all" },
    { "INSERT INTO users (name) VALUES ('a'), ('b')",
      "insert; header: INSERT INTO users (name, `id`) VALUES ; row (:0, {auto}) "
      "key=auto; row (:1, {auto}) key=auto" },
    { "INSERT INTO users (id, name) VALUES (1, 'a'), (NULL, 'b')",
      "insert; header: INSERT INTO users (id, name) VALUES ; row ({auto}, :1) key=auto; "
      "row ({auto}, :2) key=auto" },
    { "INSERT INTO orders (user_id, amount) VALUES (1, 2), (3, 4) ON DUPLICATE KEY "
      "UPDATE amount = amount + 1",
      "insert; header: INSERT INTO orders (user_id, amount, `id`) VALUES ; row (:0, :1, "
      "{auto}) key=:0; row (:2, :3, {auto}) key=:2; tail:  ON DUPLICATE KEY UPDATE "
      "amount = amount + :4" },
    { "INSERT INTO names VALUES ('a', 1)",
      "insert; header: INSERT INTO names VALUES ; row (:0, :1) key=:0" },
    { "INSERT INTO names SET name='x', value=2",
      "insert; header: INSERT INTO names SET ; row name=:0, value=:1 key=:0" },
    { "INSERT INTO users SET name='x'",
      "insert; header: INSERT INTO users SET ; row name=:0, `id` = {auto} key=auto" },
    { "INSERT INTO names (name) VALUES (CONCAT('a','b'))",
      "once 1 values" },
    { "INSERT INTO names (name) VALUES (CONCAT('a', ?))",
      "refuse 1235: shardd: the key column 'name' of 'names' needs a plain value in "
      "INSERT, not an expression: compute it first"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO names (name) VALUES (UPPER(value))",
      "refuse 1235: shardd: the key column 'name' of 'names' needs a plain value in "
      "INSERT, not an expression: compute it first"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO names (name) VALUES ('a'), (UUID()), (NOW()), ('b')",
      "once 2 values" },
    { "INSERT INTO countries VALUES (1, 'x')",
      "write every reference" },
    { "INSERT INTO countries VALUES (1, RAND())",
      "once 1 values" },
    { "INSERT INTO countries VALUES (1 + 1, CONCAT('a', NOW())), (RAND(), UUID()), (@@port, 'x')",
      "once 3 values" },
    { "INSERT INTO countries VALUES (1, (SELECT RAND()))",
      "refuse 1235: shardd: a reference table is written on every shard, so its values "
      "cannot come from functions such as RAND, UUID or USER; compute the value first"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO tags (name) VALUES ('x')",
      "write every reference; header: INSERT INTO tags (name, `id`) VALUES ; row (:0, "
      "{auto}) key=:0" },
    { "INSERT INTO config VALUES (1, 'x')",
      "one home (s0) one shard" },
    { "INSERT INTO items SELECT user_id, id, amount FROM orders",
      "write all" },
    { "INSERT INTO config SELECT id, name FROM users",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "BEGIN",
      "transaction" },
    { "START TRANSACTION READ ONLY",
      "transaction" },
    { "COMMIT AND CHAIN",
      "transaction" },
    { "ROLLBACK TO SAVEPOINT a",
      "transaction" },
    { "SET autocommit=0, sql_mode='ANSI'",
      "set; session autocommit=0; session sql_mode='ANSI'" },
    { "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
      "set; session utf8mb4=utf8mb4_bin" },
    { "SET @a = 5",
      "set; session a=5; not replayable" },
    { "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
      "set; session isolation level=READ COMMITTED; session access mode=READ ONLY" },
    { "SET sql_mode = CONCAT(@@sql_mode, ',ANSI')",
      "set; session sql_mode=CONCAT(@@sql_mode, ',ANSI'); not "
      "replayable" },
    { "USE other",
      "use other" },
    { "SHOW TABLES",
      "one home (s0)" },
    { "SHOW TABLES FROM other",
      "one home (s1)" },
    { "SHOW WARNINGS",
      "one home (s0)" },
    { "SHOW SHARDD SHARDS",
      "shardd" },
    { "CREATE TABLE x (a int)",
      "ddl" },
    { "CREATE TEMPORARY TABLE x (a int)",
      "one home (s0) pins temporary_table" },
    { "DROP TABLE x",
      "one home (s0)" },
    { "DROP TABLE users",
      "ddl" },
    { "EXPLAIN SELECT * FROM users",
      "one all first" },
    { "EXPLAIN SHARDD SELECT * FROM users",
      "shardd" },
    { "KILL 5",
      "kill" },
    { "XA START 'a'",
      "refuse 1235: shardd: XA statements are not supported; transactions over several "
      "shards are atomic by themselves" },
    { "LOCK TABLES users READ",
      "refuse 1235: shardd: LOCK TABLES is possible for global tables only" },
    { "LOCK TABLES config WRITE",
      "one home (s0) pins lock_tables" },
    { "DO sums(1)",
      "one home (s0) one shard" },
    { "SELECT sums(1)",
      "one home (s0)" },
    { "SELECT sums(id) FROM users WHERE id = 1",
      "refuse 1235: shardd: the stored function 'sums' cannot be used here, beside sharded or "
      "reference tables: it reads tables, calls other routines or runs statements, which it "
      "would do on one shard alone; ask for its value in a statement before" },
    { "INSERT INTO users (id) VALUES (sums(1))",
      "refuse 1235: shardd: the AUTO_INCREMENT column of 'users' needs a plain value in "
      "INSERT, not an expression" },
    { "INSERT INTO tags (id) VALUES (sums(1))",
      "refuse 1235: shardd: the reference table 'tags' is written on every shard, so its rows "
      "can be read from reference tables only" },
    { "SELECT sums(1) FROM other.things",
      "refuse 1235: shardd: 'sums' and other tables of this statement are on different shards; "
      "make one of them a reference table, or use the tables one by one" },
    { "SELECT (SELECT COUNT(*) FROM users WHERE id = sums(3))",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other shards "
      "than those they are combined with; join the tables on their keys, or give the key of "
      "each" },
    { "FOO BAR users",
      "refuse 1235: shardd: this statement is not understood near 'FOO BAR users', and "
      "it names the sharded table 'users'" },
    { "FOO BAR config",
      "one home (s0)" },
    { "UPDATE users u, orders o SET u.name = 'x' WHERE u.id = o.user_id AND u.id = 5",
      "write keys orders.user_id=(:1)" },
    { "UPDATE users u, countries c SET u.name = c.name WHERE u.age = c.id",
      "write all" },
    { "UPDATE users u, countries c SET c.name = u.name WHERE u.age = c.id",
      "refuse 1235: shardd: the reference table 'countries' is written on every shard "
      "and cannot be combined with other kinds of tables in one write"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "UPDATE users u, config c SET u.name = c.name WHERE u.age = c.id",
      "refuse 1235: shardd: the sharded table 'users' is combined with tables that are "
      "not on every shard; make those reference tables, or give the key"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "UPDATE config SET name = 'x'",
      "one home (s0)" },
    { "UPDATE countries SET name = UUID()",
      "refuse 1235: shardd: a reference table is written on every shard, so its values "
      "cannot come from functions such as RAND, UUID or USER; compute the value first"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "UPDATE countries SET name = NOW() WHERE id = 3",
      "write every reference" },
    { "UPDATE countries SET name = 'x' LIMIT 1",
      "refuse 1235: shardd: LIMIT in a write to the reference table 'countries' could "
      "hit other rows on each shard; name the rows instead"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "UPDATE users SET id = id, name = 'x'",
      "write all" },
    { "UPDATE users SET age = (SELECT MAX(id) FROM countries)",
      "write all" },
    { "UPDATE users SET age = (SELECT MAX(amount) FROM orders)",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "UPDATE users SET age = (SELECT MAX(amount) FROM orders WHERE user_id = users.id)",
      "write all" },
    { "DELETE FROM users ORDER BY id LIMIT 5",
      "write all one shard" },
    { "DELETE FROM users WHERE id = 5 LIMIT 1",
      "write keys users.id=(:0) one shard" },
    { "DELETE FROM users WHERE id IN (SELECT user_id FROM orders)",
      "write all" },
    { "DELETE FROM config WHERE id = (SELECT MAX(id) FROM countries)",
      "one home (s0)" },
    { "REPLACE INTO names VALUES (?, ?)",
      "insert; header: REPLACE INTO names VALUES ; row (?0, ?1) key=?0" },
    { "INSERT INTO users VALUES (DEFAULT, 'a', 1, 1, 'a', NULL, 1, NULL, NULL, 1)",
      "insert; header: INSERT INTO users VALUES ; row ({auto}, :0, :1, :2, :3, NULL, :4, "
      "NULL, NULL, :5) key=auto" },
    { "INSERT INTO users (id) VALUES (0)",
      "insert; header: INSERT INTO users (id) VALUES ; row ({auto}) key=auto" },
    { "INSERT INTO users () VALUES ()",
      "insert; header: INSERT INTO users (`id`) VALUES ; row ({auto}) key=auto" },
    { "INSERT INTO users VALUES ()",
      "refuse 1235: shardd: name the columns of 'users' in an INSERT with empty VALUES"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO orders (amount) VALUES (1)",
      "refuse 1235: shardd: the key column 'user_id' of 'orders' needs a value in INSERT, its "
      "default is not enough; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO orders (id, user_id, amount) VALUES (-1, 2, 3)",
      "insert; header: INSERT INTO orders (id, user_id, amount) VALUES ; row (-:0, :1, "
      ":2) key=:1" },
    { "INSERT INTO names (name, value) VALUES ('a', (SELECT MAX(id) FROM countries))",
      "insert; header: INSERT INTO names (name, value) VALUES ; row (:0, (SELECT MAX(id) "
      "FROM countries)) key=:0" },
    { "INSERT INTO names (name, value) VALUES ('a', (SELECT MAX(id) FROM users))",
      "refuse 1235: shardd: a subquery in the VALUES for 'names', or in its RETURNING, may read "
      "reference tables only"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO names (value) VALUES (1, 2)",
      "refuse 1136: Column count doesn't match value count at row 1" },
    { "INSERT INTO items (user_id, line) VALUES (1, 2) ON DUPLICATE KEY UPDATE user_id = "
      "5",
      "refuse 1235: shardd: ON DUPLICATE KEY UPDATE cannot change 'user_id', the key of "
      "'items'; or add an engine, which "
      "can answer it: 'shardctl engine add'" },
    { "INSERT INTO items (user_id, line) VALUES (1, 2) ON DUPLICATE KEY UPDATE user_id = "
      "VALUES(user_id)",
      "insert; header: INSERT INTO items (user_id, line) VALUES ; row (:0, :1) key=:0; "
      "tail:  ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)" },
    { "INSERT INTO items SELECT amount, id, 1 FROM orders",
      "refuse 1235: shardd: INSERT ... SELECT into the sharded table 'items' is possible "
      "only where its key 'user_id' is copied from the key of a sharded table, as it "
      "is, so that rows stay on their shard; read the rows and insert them instead"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO items SELECT user_id, MAX(id), 1 FROM orders GROUP BY country",
      "refuse 1235: shardd: INSERT ... SELECT into the sharded table 'items' is possible "
      "only where its key 'user_id' is copied from the key of a sharded table, as it "
      "is, so that rows stay on their shard; read the rows and insert them instead"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO config SELECT id, name FROM users WHERE id = 5",
      "one keys users.id=(:0) at home one shard" },
    { "INSERT INTO countries SELECT * FROM countries",
      "write every reference" },
    { "INSERT INTO countries SELECT id, age FROM users",
      "refuse 1235: shardd: the reference table 'countries' is written on every shard, "
      "so its rows can be read from reference tables only"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO tags (name) VALUES ('a'), ('b')",
      "write every reference; header: INSERT INTO tags (name, `id`) VALUES ; row (:0, {auto}) "
      "key=:0; row (:1, {auto}) key=:0" },
    { "INSERT INTO tags (name) SELECT name FROM countries",
      "refuse 1235: shardd: give the AUTO_INCREMENT column of the reference table "
      "'tags', or insert its rows one by one"
      "; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO tags (id, name) VALUES (1, 'a'), (2, 'b')",
      "write every reference; header: INSERT INTO tags (id, name) VALUES ; row ({auto}, "
      ":1) key=:0; row ({auto}, :3) key=:0" },
    { "INSERT INTO log (name) VALUES ('x')",
      "one home (s0) one shard" },
    { "INSERT INTO config (id) SELECT 1 FROM users WHERE id = 1",
      "one keys users.id=(:1) at home one shard" },
    { "SET GLOBAL max_connections = 5", "ddl" },
    { "SET GLOBAL a = 5, SESSION b = 6",
      "refuse 1235: shardd: SET GLOBAL is for all shards and SET SESSION for this session: write "
      "two statements" },
    { "SET @@session.wait_timeout = DEFAULT",
      "set; session wait_timeout=DEFAULT" },
    { "SET @a = (SELECT MAX(age) FROM users)", "once 1 values" },
    { "SET @a = 1, @b = 2 + (SELECT MAX(age) FROM users), sql_mode = (SELECT name FROM users)",
      "once 2 values" },
    { "DO @a := (SELECT MAX(age) FROM users), 1", "once 1 values" },
    { "SET @a = (SELECT age FROM users WHERE id = 5)", "once 1 values" },
    { "SET @a = (SELECT COUNT(*) FROM countries)",
      "set; session a=(SELECT COUNT(*) FROM countries); not replayable" },
    { "SET @a = (SELECT age FROM users WHERE id = 5) + (SELECT age FROM users WHERE id = 6)",
      "once 1 values" },
    { "SET @a = ? + (SELECT MAX(age) FROM users)",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each" },
    { "DELETE FROM users WHERE age = 5 RETURNING id, (SELECT MAX(id) FROM orders)",
      "refuse 1235: shardd: the rows of 'orders' that this statement needs are on other shards "
      "than those they are combined with; join the tables on their keys, or give the key of each; "
      "or add an engine, which can answer it: 'shardctl engine add'" },
    { "DELETE FROM users WHERE age = 5 RETURNING id, (SELECT COUNT(*) FROM orders WHERE "
      "orders.user_id = users.id)", "write all" },
    { "DELETE FROM config RETURNING id, (SELECT COUNT(*) FROM users)",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other shards than "
      "those they are combined with; join the tables on their keys, or give the key of each; or "
      "add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO names VALUES ('a', 1) RETURNING (SELECT COUNT(*) FROM users)",
      "refuse 1235: shardd: a subquery in the VALUES for 'names', or in its RETURNING, may read "
      "reference tables only; or add an engine, which can answer it: 'shardctl engine add'" },
    { "INSERT INTO names VALUES ('a', 1) RETURNING (SELECT COUNT(*) FROM countries)",
      "insert; header: INSERT INTO names VALUES ; row (:0, :1) key=:0; tail:  RETURNING (SELECT "
      "COUNT(*) FROM countries)" },
    { "INSERT INTO config VALUES (1, 'x') RETURNING (SELECT COUNT(*) FROM users)",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other shards than "
      "those they are combined with; join the tables on their keys, or give the key of each; or "
      "add an engine, which can answer it: 'shardctl engine add'" },
    { "SET TRANSACTION READ ONLY",
      "set; once access mode=READ ONLY" },
    { "SET CHARACTER SET latin1",
      "set; session latin1=latin1; not replayable" },
    { "SET optimizer_switch = 'mrr=on', sql_mode = ''",
      "set; session optimizer_switch='mrr=on'; session sql_mode=''; not replayable" },
    { "SET PASSWORD = PASSWORD('x')",
      "ddl" },
    { "TRUNCATE TABLE users",
      "ddl" },
    { "ALTER TABLE config ADD COLUMN x INT",
      "ddl" },
    { "ALTER TABLE nosuch ADD COLUMN x INT",
      "one home (s0)" },
    { "CREATE INDEX i ON users (age)",
      "ddl" },
    { "CREATE DATABASE x",
      "ddl" },
    { "CREATE VIEW v AS SELECT 1",
      "ddl" },
    { "CREATE VIEW v AS SELECT id FROM users", "ddl" },
    { "CREATE VIEW v AS SELECT id, connection_id () FROM users", CONNECTION },
    { "CREATE TABLE x (id INT PRIMARY KEY, c INT DEFAULT `connection_id`())", CONNECTION },
    { "ALTER TABLE users ADD c BIGINT DEFAULT (CONNECTION_ID() + 1)", CONNECTION },
    { "CREATE FUNCTION f() RETURNS INT RETURN CONNECTION_ID()", CONNECTION },
    { "CREATE TABLE x (id INT PRIMARY KEY, connection_id INT)", "ddl" },
    { "CREATE TABLE x (id INT PRIMARY KEY COMMENT 'CONNECTION_ID()')", "ddl" },
    { "CREATE VIEW v AS SELECT users.id FROM users, config",
      "ddl" },
    { "CREATE TABLE x AS SELECT * FROM users",
      "ddl" },
    { "CREATE TABLE x AS SELECT @a FROM users",
      "ddl" },
    { "CREATE TABLE x AS SELECT CONNECTION_ID() FROM users",
      "ddl" },
    { "CREATE TABLE x (c INT DEFAULT (CONNECTION_ID())) AS SELECT id FROM users",
      "refuse 1235: shardd: CONNECTION_ID() here would be the number of a connection between "
      "shardd and the server, not the client's: give the number as a value of the statements that "
      "need it" },
    { "CREATE USER x",
      "ddl" },
    { "GRANT ALL ON *.* TO x",
      "ddl" },
    { "DROP TEMPORARY TABLE x",
      "one home (s0)" },
    { "CREATE TEMPORARY TABLE users (id INT)",
      "refuse 1235: shardd: the temporary table 'users' would hide a table of the same name on "
      "one shard only: give it another name" },
    { "RENAME TABLE users TO u2",
      "ddl" },
    { "ANALYZE TABLE users",
      "ddl" },
    { "CHECKSUM TABLE users", "ddl" },
    { "CHECK TABLE nosuch", "one home (s0)" },
    { "FLUSH TABLES", "ddl" },
    { "FLUSH TABLES WITH READ LOCK",
      "refuse 1235: shardd: FLUSH TABLES with locks would stop one server, or stop shardd itself: "
      "for a copy of one moment read in START TRANSACTION WITH CONSISTENT SNAPSHOT, for files use "
      "mariadb-backup on each server" },
    { "SHOW GRANTS", "ddl" },
    { "SHOW ENGINE InnoDB STATUS", "ddl" },
    { "SHOW MASTER STATUS",
      "refuse 1235: shardd: each shard has a binary log and a place in replication of its own: ask "
      "the server ('shardctl shard list' says where it is)" },
    { "UNLOCK TABLES",
      "one home (s0)" },
    { "HANDLER users OPEN",
      "refuse 1235: shardd: HANDLER is possible for global tables only" },
    { "LOAD DATA LOCAL INFILE 'x' INTO TABLE users",
      "load key=#0 number=#0 columns=10; text: LOAD DATA LOCAL INFILE 'x' INTO TABLE users "
      "CHARACTER SET utf8mb4 " },
    { "LOAD DATA LOCAL INFILE 'x' IGNORE INTO TABLE orders CHARACTER SET latin1 FIELDS "
      "TERMINATED BY ',' IGNORE 2 LINES (@a, user_id) SET amount = @a",
      "load key=#1 adds number skip=2 @a=#0 columns=2; text: LOAD DATA LOCAL INFILE 'x' IGNORE "
      "INTO TABLE orders CHARACTER SET latin1  FIELDS TERMINATED BY ','   (`id`, @a, user_id)  "
      "SET amount = @a" },
    { "LOAD DATA LOCAL INFILE 'x' INTO TABLE countries (name, id) SET name = RAND()",
      "refuse 1235: shardd: a reference table is written on every shard, so its values cannot "
      "come from functions such as RAND, UUID or USER; compute the value first" },
    { "LOAD DATA LOCAL INFILE 'x' INTO TABLE countries (id)",
      "load reference columns=1; text: LOAD DATA LOCAL INFILE 'x' INTO TABLE countries CHARACTER "
      "SET utf8mb4   (id) " },
    { "LOAD DATA LOCAL INFILE 'x' INTO TABLE tags (name)",
      "refuse 1235: shardd: a file for the reference table 'tags' must have its AUTO_INCREMENT "
      "column, so that all copies get the same numbers" },
    { "LOAD DATA LOCAL INFILE 'x' INTO TABLE names (value)",
      "refuse 1235: shardd: LOAD DATA into 'names' needs its key 'name' as a column of the file, "
      "not by way of a variable" },
    { "LOAD DATA INFILE 'x' INTO TABLE users",
      "refuse 1235: shardd: LOAD DATA INFILE reads a file of one server, and 'users' is on "
      "several: use LOAD DATA LOCAL INFILE" },
    { "LOAD DATA INFILE 'x' INTO TABLE log SET name = (SELECT name FROM users)",
      "refuse 1235: shardd: LOAD DATA is possible for global tables only" },
    { "LOAD DATA LOCAL INFILE 'x' INTO TABLE config",
      "one home (s0)" },
    { "PREPARE s FROM 'SELECT 1'",
      "named prepare s from constant" },
    { "PREPARE `S s` FROM @x", "named prepare S s from variable" },
    { "PREPARE s FROM CONCAT('a', @x)", "named prepare s from expression" },
    { "EXECUTE s USING @a, 5, 'x', NULL, -5, TRUE, 1 + 1, DEFAULT",
      "named execute s using variable, constant, constant, constant, constant, constant, "
      "expression, constant" },
    { "EXECUTE IMMEDIATE 'SELECT 1' USING _latin1'x'",
      "named immediate from constant using constant" },
    { "DROP PREPARE s", "named deallocate s" },
    { "EXECUTE s USING (SELECT 1)",
      "refuse 1970: EXECUTE..USING does not support subqueries or stored functions" },
    { "EXECUTE IMMEDIATE own_function()",
      "refuse 1970: EXECUTE IMMEDIATE does not support subqueries or stored functions" },
    { "DO SLEEP(1)",
      "one any one shard" },
    { "DO (SELECT MAX(age) FROM users)", "once 1 values" },
    { "DO ? + (SELECT MAX(age) FROM users)",
      "refuse 1235: shardd: the rows of 'users' that this statement needs are on other "
      "shards than those they are combined with; join the tables on their keys, or give "
      "the key of each" },
    { "KILL QUERY 7",
      "kill" },
    { "KILL USER x",
      "refuse 1235: shardd: KILL takes the number of a connection" },
    { "SHOW CREATE TABLE other.things",
      "one home (s1)" },
    { "SHOW VARIABLES LIKE 'a%'",
      "one home (s0)" },
    { "SHOW SHARDD STATUS LIKE 'x%'",
      "refuse 1235: shardd: SHOW SHARDD STATUS shows all rows: LIKE, WHERE and LIMIT do not go "
      "with it" },
    { "SHOW SHARDD FOO",
      "refuse 1105: shardd: SHOW SHARDD knows STATUS, SHARDS, SERVERS, ENGINES, POOLS, CLIENTS, "
      "TRANSACTIONS and DIGESTS" },
    { "DESCRIBE users",
      "one home (s0)" },
    { "EXPLAIN UPDATE users SET age = 1 WHERE id = 3",
      "one keys users.id=(:1) first" },
    { "EXPLAIN INSERT INTO users (name) VALUES ('x')",
      "one all first" },
    { "ANALYZE SELECT * FROM users WHERE id = 5",
      "one keys users.id=(:0) one shard" },
    { "SAVEPOINT x",
      "transaction" },
    { "RELEASE SAVEPOINT x",
      "transaction" },
    { "SHUTDOWN",
      "refuse 1235: shardd: a shard that stops takes its rows away: 'shardctl down' stops the "
      "whole cluster, 'shardctl shard remove' one shard" },
    { "UPDATE users SET age = age + 1 WHERE id IN (1, 2, 3)",
      "write keys users.id=(:1,:2,:3)" },
    { "UPDATE orders SET amount = amount + 1 WHERE country = 2",
      "write all" },
    { "UPDATE users u JOIN orders o ON o.user_id = u.id SET u.age = u.age + 1 WHERE "
      "o.amount > 30",
      "write all" },
    { "DELETE FROM items WHERE qty = 3",
      "write all" },
    { "DELETE u FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL "
      "AND u.id > 50",
      "write all" },
    { "INSERT INTO items SELECT user_id, 9, COUNT(*) FROM orders GROUP BY user_id",
      "write all" },
    { "INSERT INTO items (user_id, line, qty) VALUES (1,9,1),(2,9,1) ON DUPLICATE KEY "
      "UPDATE qty = qty + VALUES(qty)",
      "insert; header: INSERT INTO items (user_id, line, qty) VALUES ; row (:0,:1,:2) "
      "key=:0; row (:3,:4,:5) key=:3; tail:  ON DUPLICATE KEY UPDATE qty = qty + "
      "VALUES(qty)" },
    { "REPLACE INTO items VALUES (5, 9, 100), (6, 1, 1)",
      "insert; header: REPLACE INTO items VALUES ; row (:0, :1, :2) key=:0; row (:3, :4, "
      ":5) key=:3" },
    { "UPDATE countries SET name = 'zz' WHERE id = 3",
      "write every reference" },
};

static void
test_plans(void **state)
{
    (void)state;
    plans_are(cases, countof(cases));
}

/* An INSERT's rows, where they go and what is sent there. */
static void
test_insert_rows(void **state)
{
    (void)state;
    struct planned     c;
    struct sql_error   error;
    enum insert_number number;
    uint64_t           value = 0;
    planned_make(&c, "INSERT INTO users (id, name) VALUES (7, 'a'), (NULL, 'b'), ('9', ?)", "app",
                 false);
    struct key_value   text   = { .kind = KEY_VALUE_STRING, .bytes = SPAN("x") };
    struct plan_values values = planned_values(&c, &text, 1);
    assert_true(insert_inspect(&c.plan, &world, &values, 0, &number, &value, &error));
    assert_int_equal(number, INSERT_RAISES);
    assert_int_equal(value, 7);
    assert_true(insert_inspect(&c.plan, &world, &values, 1, &number, &value, &error));
    assert_int_equal(number, INSERT_NUMBER);
    assert_true(insert_inspect(&c.plan, &world, &values, 2, &number, &value, &error));
    assert_int_equal(number, INSERT_RAISES);
    assert_int_equal(value, 9);

    uint32_t a, b;
    assert_true(insert_shard(&c.plan, &world, &values, 0, false, 0, &a, &error));
    assert_true(insert_shard(&c.plan, &world, &values, 1, true, 7, &b, &error));
    assert_int_equal(a, b);

    struct buf       out     = { 0 };
    struct bind_list binds   = { 0 };
    uint32_t         rows[]  = { 1, 2 };
    uint64_t         ids[]   = { 100, 0 };
    bool             wants[] = { true, false };
    insert_render(&c.plan, &values, RENDER_PREPARE, rows, 2, ids, wants, &out, &binds);
    assert_string_equal(buf_cstr(&out), "INSERT INTO users (id, name) VALUES (?, 'b'),('9', ?)");
    assert_int_equal(binds.n, 2);
    assert_int_equal(binds.items[0].kind, BIND_NUMBER);
    assert_int_equal(binds.items[0].number, 100);
    assert_int_equal(binds.items[1].kind, BIND_PARAM);
    buf_clear(&out);
    insert_render(&c.plan, &values, RENDER_TEXT, rows, 1, ids, NULL, &out, NULL);
    assert_string_equal(buf_cstr(&out), "INSERT INTO users (id, name) VALUES (100, 'b')");
    free(binds.items);
    buf_fini(&out);
    planned_fini(&c);
}

static void
test_insert_undecided(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "INSERT INTO items (user_id, line) VALUES (1.5, 2)",
        "INSERT INTO items (user_id, line) VALUES ('x', 2)",
        "INSERT INTO items (user_id, line) VALUES (99999999999999999999, 2)",
    };
    for (size_t i = 0; i < countof(refused); i++) {
        struct planned   c;
        struct sql_error error;
        uint32_t         shard;
        planned_make(&c, refused[i], "app", false);
        struct plan_values values = planned_values(&c, NULL, 0);
        assert_int_equal(c.plan.kind, PLAN_INSERT);
        if (insert_shard(&c.plan, &world, &values, 0, false, 0, &shard, &error))
            fail_msg("%s: shard %u", refused[i], shard);
        assert_int_equal(error.code, SQL_NOT_SUPPORTED);
        planned_fini(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_insert_rows),
        cmocka_unit_test(test_insert_undecided),
    };
    world_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
