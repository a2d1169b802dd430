-- Columns that are neither grouped by nor in an aggregate.
CREATE TABLE t (n INT, k INT, g INT, v VARCHAR(10), PRIMARY KEY (n, k)) COMMENT 'shardd: key(k)';
INSERT INTO t VALUES (1, 9, 1, 'a'), (2, 5, 1, 'b'), (3, 7, 1, 'c'), (4, 2, 2, 'd'), (5, 30, 2, 'e'), (6, 31, 2, NULL), (7, 32, 3, NULL), (8, 33, 3, 'f');
SELECT g, v, COUNT(*) FROM t GROUP BY g ORDER BY g;
SELECT g, v, k FROM t GROUP BY g ORDER BY v DESC, g;
SELECT v, COUNT(*) FROM t;
SELECT g, CONCAT(v, '!') x, SUM(k) FROM t GROUP BY g HAVING SUM(k) > 20;
SELECT g, v, MAX(k) FROM t GROUP BY g ORDER BY MAX(k) DESC LIMIT 2;
