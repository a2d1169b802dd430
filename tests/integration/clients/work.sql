-- work.sql - the same work as the other work.*, for the mariadb command line client.
CREATE TABLE w (id BIGINT PRIMARY KEY, s VARCHAR(60), b LONGBLOB, d DECIMAL(20,4),
                f DOUBLE, t DATETIME(3), j INT UNSIGNED NULL);
INSERT INTO w VALUES
    (1, 'name é1', 0x0001ff, 1.25, 0.125, '2024-02-01 10:11:12.125', 1),
    (2, 'name é2', 0x0001ff, 2.25, 0.25, '2024-02-02 10:11:12.125', 2),
    (3, 'name é3', 0x0001ff, 3.25, 0.375, '2024-02-03 10:11:12.125', NULL),
    (4, 'it''s "4"', 0x00, -4.25, 1e100, '1000-01-01', 4294967295),
    (5, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT id, s, HEX(b), d, f, t, j FROM w ORDER BY id;
SELECT id, s FROM w WHERE id = 3;
SELECT COUNT(*), SUM(d), AVG(d), MIN(t), MAX(j) FROM w;
UPDATE w SET j = 5 WHERE id IN (1, 2, 3);
SELECT ROW_COUNT();
BEGIN;
UPDATE w SET s = 'gone' WHERE id = 4;
ROLLBACK;
START TRANSACTION;
UPDATE w SET s = 'kept' WHERE id = 5;
COMMIT;
SELECT id, s FROM w WHERE id IN (4, 5) ORDER BY id;
INSERT INTO w (id) VALUES (1);
SELECT * FROM nothing_here;
SELEC 1;
SELECT nothing FROM w;
SHOW TABLES;
DESCRIBE w;
SET @a = 41;
SELECT @a + 1;
delimiter //
SELECT 'another delimiter' //
delimiter ;
DELETE FROM w WHERE id = 5;
SELECT COUNT(*) FROM w;
DROP TABLE w;
