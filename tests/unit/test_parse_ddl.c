/* test_parse_ddl.c - trees of data definition. */
#include "tests/unit/parse_check.h"

static const struct parse_row rows[] = {
    { "CREATE TABLE t (id INT PRIMARY KEY)",
      "(create table t (column id INT primary))" },
    { "CREATE TABLE IF NOT EXISTS s.t (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, a "
      "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT 'x' COMMENT 'it''s', "
      "b DECIMAL(10,2) NULL DEFAULT NULL, c TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE "
      "CURRENT_TIMESTAMP, d ENUM('a','b') NOT NULL, e INT AS (id + 1) STORED, f DOUBLE "
      "PRECISION, g TEXT COLLATE utf8mb4_general_ci, PRIMARY KEY (id), UNIQUE KEY u "
      "(a(10), b DESC), KEY k (c) USING BTREE, INDEX (d), FULLTEXT INDEX ft (g), "
      "CONSTRAINT fk FOREIGN KEY fki (b) REFERENCES s.o (x, y) ON DELETE CASCADE ON UPDATE "
      "SET NULL, CHECK (id > 0), CONSTRAINT ch CHECK (a <> 'q')) ENGINE=InnoDB DEFAULT "
      "CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT='shardd: key(id)' "
      "AUTO_INCREMENT=5 ROW_FORMAT=DYNAMIC",
      "(create if-not-exists table s.t (column id BIGINT unsigned not-null auto) (column a "
      "VARCHAR(20) charset:utf8mb4 collate:utf8mb4_bin (default 'x') (comment 'it''s')) "
      "(column b DECIMAL(10,2) (default null)) (column c TIMESTAMP (default "
      "(CURRENT_TIMESTAMP)) (on-update (CURRENT_TIMESTAMP))) (column d ENUM (members 'a' "
      "'b') not-null) (column e INT stored (as (+ id 1))) (column f DOUBLE PRECISION) "
      "(column g TEXT collate:utf8mb4_general_ci) (primary id) (unique name:u a(10) "
      "b-desc) (key name:k c) (key d) (fulltext name:ft g) (foreign constraint:fk name:fki "
      "b (references s.o (columns x y) delete:cascade update:set-null)) (check (check (> "
      "id 0))) (check constraint:ch (check (<> a 'q'))) (ENGINE InnoDB) (CHARSET utf8mb4) "
      "(COLLATE utf8mb4_unicode_ci) (COMMENT 'shardd: key(id)') (AUTO_INCREMENT 5) "
      "(ROW_FORMAT DYNAMIC))" },
    { "CREATE OR REPLACE TEMPORARY TABLE t (a INT) SELECT 1 AS a",
      "(create temporary or-replace table t (column a INT) (select (items (as 1 a))))" },
    { "CREATE TABLE t LIKE s.u",
      "(create table t like s.u)" },
    { "CREATE TABLE t (LIKE u)",
      "(create table t like u)" },
    { "CREATE TABLE t AS SELECT * FROM u",
      "(create table t (select (items *) (from u)))" },
    { "CREATE TABLE t SELECT 1",
      "(create table t (select (items 1)))" },
    { "CREATE TABLE t (a INT) IGNORE AS (SELECT 1 a)",
      "(create table t (column a INT) (select (items (as 1 a))))" },
    { "CREATE TABLE t (a SERIAL, b INT UNIQUE KEY, c INT KEY, d INT REFERENCES p (q) ON "
      "DELETE NO ACTION, e VARCHAR(5) DEFAULT 'a' COLLATE utf8mb4_bin NOT NULL, f INT "
      "GENERATED ALWAYS AS (a) VIRTUAL, g INT INVISIBLE DEFAULT 0, h INT DEFAULT -1, i INT "
      "DEFAULT (1+1) CHECK (i > 0), j BIT(3), k SET('x','y'), l NATIONAL VARCHAR(5), m "
      "LONG VARCHAR, n CHAR BYTE, o UUID, p INET6, q JSON, r POINT)",
      "(create table t (column a SERIAL not-null auto unique) (column b INT unique) "
      "(column c INT primary) (column d INT (references p (columns q) delete:no-action)) "
      "(column e VARCHAR(5) collate:utf8mb4_bin not-null (default 'a')) (column f INT (as "
      "a)) (column g INT invisible (default 0)) (column h INT (default (neg 1))) (column i "
      "INT (default (paren (+ 1 1))) (check (> i 0))) (column j BIT(3)) (column k SET "
      "(members 'x' 'y')) (column l NATIONAL VARCHAR(5)) (column m LONG VARCHAR) (column n "
      "CHAR charset:BYTE) (column o UUID) (column p INET6) (column q JSON) (column r "
      "POINT))" },
    { "CREATE TABLE t (a INT, b DATE, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e "
      "TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH "
      "SYSTEM VERSIONING PARTITION BY HASH (a) PARTITIONS 4",
      "(create table t (column a INT) (column b DATE) (column s TIMESTAMP(6) stored (as "
      "null)) (column e TIMESTAMP(6) stored (as null)) partition)" },
    { "CREATE TABLE t (a INT) ENGINE=Aria, TRANSACTIONAL=1 UNION=(a,b) DATA DIRECTORY='/x' "
      "ENCRYPTED=YES",
      "(create table t (column a INT) (ENGINE Aria) (TRANSACTIONAL 1) (UNION (a,b)) (DATA "
      "'/x') ( YES))" },
    { "CREATE INDEX i ON t (a, b(5) DESC)",
      "(create-index t (add-key (key name:i a b(5)-desc)))" },
    { "CREATE UNIQUE INDEX IF NOT EXISTS i USING HASH ON s.t (a) COMMENT 'x' "
      "ALGORITHM=INPLACE LOCK=NONE",
      "(create-index s.t (add-key (unique name:i a)))" },
    { "DROP INDEX IF EXISTS i ON t",
      "(drop-index t (drop-key i))" },
    { "ALTER TABLE t ADD a INT FIRST, ADD COLUMN IF NOT EXISTS (b INT, c INT), DROP COLUMN "
      "d, DROP e, MODIFY f BIGINT NOT NULL AFTER a, CHANGE g h INT, RENAME COLUMN i TO j, "
      "ALTER k SET DEFAULT 5, ALTER COLUMN l DROP DEFAULT",
      "(alter t (add-column (column a INT first)) (add-column (column b INT) (column c "
      "INT)) (drop-column d) (drop-column e) (modify (column f BIGINT not-null after:a)) "
      "(change g (column h INT)) (rename-column i to j) (default k (default 5)) (default "
      "l))" },
    { "ALTER TABLE t ADD PRIMARY KEY (a), ADD UNIQUE u (b), ADD CONSTRAINT c FOREIGN KEY "
      "(d) REFERENCES e (f), ADD INDEX IF NOT EXISTS g (h), DROP PRIMARY KEY, DROP KEY i, "
      "DROP INDEX IF EXISTS j, DROP FOREIGN KEY k, DROP CONSTRAINT l, RENAME INDEX m TO n, "
      "ALTER INDEX o IGNORED",
      "(alter t (add-key (primary a)) (add-key (unique name:u b)) (add-key (foreign "
      "constraint:c d (references e (columns f)))) (add-key (key name:g h)) (drop-primary) "
      "(drop-key i) (drop-key j) (drop-foreign k) (drop-constraint l) (rename-key m to n) "
      "(visibility o))" },
    { "ALTER ONLINE IGNORE TABLE IF EXISTS s.t RENAME TO s.u, ENGINE=InnoDB, "
      "AUTO_INCREMENT = 5, COMMENT 'x', CONVERT TO CHARACTER SET utf8mb4 COLLATE "
      "utf8mb4_bin, DEFAULT CHARSET=latin1, ORDER BY a, FORCE, DISABLE KEYS, "
      "ALGORITHM=COPY, LOCK=SHARED",
      "(unknown ONLINE s.t s.u ENGINE InnoDB AUTO_INCREMENT COMMENT utf8mb4 utf8mb4_bin "
      "CHARSET latin1 a DISABLE ALGORITHM COPY SHARED)" },
    { "ALTER TABLE t PARTITION BY HASH(a) PARTITIONS 4",
      "(alter t (partition))" },
    { "ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE u",
      "(alter t (partition p0 u))" },
    { "ALTER TABLE t TRUNCATE PARTITION p0",
      "(alter t (partition))" },
    { "ALTER TABLE t DROP PARTITION p0",
      "(alter t (partition))" },
    { "ALTER TABLE t ADD PERIOD IF NOT EXISTS FOR p (a, b), DROP PERIOD IF EXISTS FOR q",
      "(alter t (period) (period))" },
    { "ALTER TABLE t ADD SYSTEM VERSIONING",
      "(alter t (versioning))" },
    { "ALTER TABLE t IMPORT TABLESPACE",
      "(alter t (tablespace))" },
    { "DROP TABLE t",
      "(drop TABLE (tables t))" },
    { "DROP TEMPORARY TABLE IF EXISTS a, s.b CASCADE",
      "(drop temporary TABLE if-exists (tables a s.b))" },
    { "DROP VIEW v",
      "(drop VIEW (tables v))" },
    { "TRUNCATE TABLE t",
      "(truncate (tables t))" },
    { "TRUNCATE s.t",
      "(truncate (tables s.t))" },
    { "RENAME TABLE a TO b, s.c TO s.d",
      "(rename (tables a to b s.c to s.d))" },
    { "CREATE DATABASE d",
      "(CREATE database d)" },
    { "CREATE OR REPLACE DATABASE d CHARACTER SET = utf8mb4 COLLATE utf8mb4_bin",
      "(CREATE database d (CHARSET utf8mb4) (COLLATE utf8mb4_bin))" },
    { "CREATE SCHEMA IF NOT EXISTS d DEFAULT CHARSET latin1 COMMENT 'x'",
      "(CREATE database d (CHARSET latin1) (COMMENT 'x'))" },
    { "ALTER DATABASE d COLLATE utf8mb4_bin",
      "(ALTER database d (COLLATE utf8mb4_bin))" },
    { "ALTER DATABASE CHARACTER SET latin1",
      "(ALTER database (CHARSET latin1))" },
    { "DROP DATABASE IF EXISTS d",
      "(DROP database d)" },
    { "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW s.v (x, "
      "y) AS SELECT a, b FROM t WITH CASCADED CHECK OPTION",
      "(create view s.v (columns x y) (select (items a b) (from t)))" },
    { "ALTER VIEW v AS SELECT 1",
      "(alter view v (select (items 1)))" },
    { "CREATE PROCEDURE p (IN a INT) BEGIN SELECT a; SELECT 2; END",
      "(object CREATE PROCEDURE p p a BEGIN a END)" },
    { "CREATE DEFINER=CURRENT_USER() FUNCTION f () RETURNS INT RETURN 1",
      "(object CREATE FUNCTION f DEFINER FUNCTION f RETURNS)" },
    { "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
      "(object CREATE TRIGGER tr tr t ROW NEW.a)" },
    { "CREATE USER 'a'@'b' IDENTIFIED BY 'c'",
      "(object CREATE USER USER IDENTIFIED)" },
    { "CREATE SEQUENCE s START WITH 1",
      "(object CREATE SEQUENCE s SEQUENCE s START)" },
    { "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t",
      "(object CREATE EVENT e EVENT e SCHEDULE EVERY DAY DO t)" },
    { "DROP PROCEDURE IF EXISTS p",
      "(object DROP PROCEDURE if-exists p p)" },
    { "DROP USER a",
      "(object DROP USER USER a)" },
    { "DROP SEQUENCE s",
      "(drop SEQUENCE (tables s))" },
    { "DROP PREPARE s",
      "(deallocate s)" },
};

static void
definitions_parse(void **state)
{
    (void)state;
    parse_check(rows, countof(rows));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
