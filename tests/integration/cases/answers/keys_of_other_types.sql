-- A copy has keys on columns that are compared; MariaDB looks for 0.001 in a key of whole numbers
-- and finds 0, which one server without such a key does not.
CREATE TABLE t0 (k VARCHAR(30) NOT NULL, c0 DECIMAL(12,3) NULL, c1 BLOB NULL, PRIMARY KEY (k)) COMMENT 'shardd: key(k)';
CREATE TABLE r (k VARCHAR(30) NOT NULL, k2 INT NOT NULL, c2 BIGINT NULL, PRIMARY KEY (k, k2)) COMMENT 'shardd: global';
INSERT INTO r VALUES ('%', 0, 2), ('', 32, 0);
INSERT INTO t0 VALUES ('it''s', 99.999, x'ff00'), ('', NULL, NULL), ('%', 0.001, x'ff00');
SELECT k FROM t0 WHERE EXISTS (SELECT 1 FROM r q WHERE q.c2 = t0.c0 AND t0.c0 <=> 0.001);
SELECT t0.k FROM t0 JOIN r q ON q.c2 = t0.c0 WHERE t0.c0 = 0.001;
SELECT t0.k FROM t0 WHERE c0 IN (SELECT c2 FROM r) AND c0 <=> 0.001;
UPDATE t0 SET c1 = NULL WHERE EXISTS (SELECT 1 FROM r q WHERE q.c2 = t0.c0 AND t0.c0 <=> 0.001);
SELECT * FROM t0 ORDER BY k;
