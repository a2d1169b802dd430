-- Rows of text keys beyond ASCII, in another character set than that of literals: (k, k2) IN
-- ((_utf8mb4 x'c3a1', 1), (...)) finds none of them on a server.
CREATE TABLE s (k VARCHAR(30) CHARACTER SET latin1 NOT NULL, k2 INT NOT NULL, v INT, PRIMARY KEY (k, k2)) COMMENT 'shardd: key(k)';
CREATE TABLE r (k VARCHAR(30) CHARACTER SET latin1 NOT NULL, k2 INT NOT NULL, v INT, PRIMARY KEY (k, k2)) COMMENT 'shardd: reference';
CREATE TABLE t (id INT PRIMARY KEY, n INT);
INSERT INTO s VALUES ('á', 1, 1), ('é', 2, 2), ('ü', 5, 3), ('a', 1, 4);
INSERT INTO r VALUES ('á', 1, 1), ('é', 2, 2), ('ü', 5, 3), ('a', 1, 4);
INSERT INTO t VALUES (1, 3), (2, 3), (3, 77);
UPDATE s SET v = v + 10 WHERE v NOT IN (SELECT n FROM t);
SELECT * FROM s;
UPDATE r SET v = v * 2 WHERE v NOT IN (SELECT n FROM t);
SELECT * FROM r;
DELETE FROM s WHERE v NOT IN (SELECT n FROM t);
SELECT * FROM s;
DELETE FROM r WHERE NOT EXISTS (SELECT 1 FROM t WHERE n = r.v);
SELECT * FROM r;
CREATE TABLE u (k VARCHAR(30) COLLATE utf8mb4_unicode_ci NOT NULL, k2 INT NOT NULL, l VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_bin, PRIMARY KEY (k, k2, l)) COMMENT 'shardd: key(k)';
INSERT INTO u VALUES ('zz\tq', 9, 'é'), ('zz\tq', 8, '€'), ('😀', 7, '\n'), ('á', 1, 'ü'), ('a', 1, '');
DELETE FROM u WHERE k2 > 7 ORDER BY k DESC, k2 LIMIT 2;
SELECT * FROM u;
DELETE FROM u WHERE k2 NOT IN (SELECT n FROM t);
SELECT * FROM u;
