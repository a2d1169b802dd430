-- That the columns of these are text is seen when the shards answer.
CREATE TABLE t (id INT PRIMARY KEY, c INT, name VARCHAR(20), d DATE);
INSERT INTO t VALUES (1, 1, 'a', '2024-01-01'), (2, 2, 'B', NULL), (3, 1, 'é', '2023-05-05'), (4, 2, '7', '2022-02-02'), (5, 3, NULL, '2021-01-01'), (6, NULL, 'zz', '2020-01-01');
SELECT id FROM t ORDER BY ELT(c, name, 'b'), id;
SELECT * FROM t ORDER BY ELT(c, name, 'b') DESC, id LIMIT 3;
SELECT c, MAX(name) FROM t GROUP BY c HAVING MAX(name) <= 1 ORDER BY c;
SELECT c, MIN(d) FROM t GROUP BY c HAVING MIN(d) > '2021-06-01' ORDER BY c;
SELECT ELT(c, name, 'b') x, COUNT(*) FROM t GROUP BY x ORDER BY x;
SELECT DISTINCT ELT(c, name, 'b') x FROM t ORDER BY x;
SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY ELT(c, name, 'b'), id LIMIT 2;
SELECT FOUND_ROWS();
