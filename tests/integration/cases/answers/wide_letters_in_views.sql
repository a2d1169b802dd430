-- A server's VIEW_DEFINITION has four question marks for such a letter.
CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20) CHARACTER SET utf8mb4);
INSERT INTO t VALUES (1, '😀'), (2, '????'), (3, 'é'), (4, NULL);
CREATE VIEW `v``w` (a, b) AS SELECT id, CONCAT(name, '😀?') FROM t WHERE name <> '😀' WITH CASCADED CHECK OPTION;
SELECT v.a, v.b, t.name FROM `v``w` v JOIN t ON t.id = v.a + 1;
SELECT COUNT(*) FROM `v``w` v JOIN t ON t.name = 'é';
SELECT * FROM `v``w`;
DROP VIEW `v``w`;
