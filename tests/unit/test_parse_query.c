/* test_parse_query.c - trees of queries and expressions. */
#include "tests/unit/parse_check.h"

static const struct parse_row rows[] = {
    { "SELECT 1",
      "(select (items 1#0))" },
    { "SELECT c FROM sbtest1 WHERE id=4242",
      "(select (items c) (from sbtest1) (where (= id 4242#0)))" },
    { "SELECT a, b AS x, t.*, s.t.*, * FROM s.t AS t",
      "(select (items a (as b x) t.* s.t.* *) (from (as s.t t)))" },
    { "SELECT DISTINCT a 'alias', b \"other\" FROM t",
      "(select distinct (items (as a alias) (as b other)) (from t))" },
    { "SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 5",
      "(select calc (items a) (from t) (limit 5))" },
    { "SELECT a FROM t WHERE a = 1 OR b = 2 AND NOT c = 3 XOR d",
      "(select (items a) (from t) (where (or (= a 1#0) (xor (and (= b 2#1) (not (= c "
      "3#2))) d))))" },
    { "SELECT a+b*c-d/2%3 DIV 4 MOD 5 FROM t",
      "(select (items (- (+ a (* b c)) (% (div (% (/ d 2#0) 3#1) 4#2) 5#3))) (from t))" },
    { "SELECT a|b&c<<2^3",
      "(select (items (| a (& b (<< c (^ 2#0 3#1))))))" },
    { "SELECT -a, +b, ~c, !d, - -1",
      "(select (items (neg a) (pos b) (~ c) (not d) (neg (neg 1#0))))" },
    { "SELECT a FROM t WHERE a BETWEEN 1 AND 2 AND b NOT BETWEEN 3 AND 4",
      "(select (items a) (from t) (where (and (between a 1#0 2#1) (not-between b 3#2 "
      "4#3))))" },
    { "SELECT a FROM t WHERE a IN (1,2,3) AND b NOT IN (SELECT c FROM u) AND (a,b) IN "
      "((1,2),(3,4))",
      "(select (items a) (from t) (where (and (in a 1#0 2#1 3#2) (not-in b (select (items "
      "c) (from u))) (in (row a b) (row 1#3 2#4) (row 3#5 4#6)))))" },
    { "SELECT a FROM t WHERE a IN (1) OR a IN ((SELECT 1)) OR a IN (-1, b)",
      "(select (items a) (from t) (where (or (in a 1#0) (in a (select (items 1#1))) (in a "
      "(neg 1#2) b))))" },
    { "SELECT a FROM t WHERE a LIKE 'x%' ESCAPE '!' AND b NOT LIKE c AND d REGEXP 'e' AND "
      "f NOT RLIKE 'g' AND h SOUNDS LIKE 'i'",
      "(select (items a) (from t) (where (and (like a 'x%'#0 '!'#1) (not-like b c) (regexp "
      "d 'e'#2) (not-regexp f 'g'#3) (sounds-like h 'i'#4))))" },
    { "SELECT a IS NULL, b IS NOT NULL, c IS TRUE, d IS NOT UNKNOWN",
      "(select (items (is NULL a) (not-is NULL b) (is TRUE c) (not-is UNKNOWN d)))" },
    { "SELECT a <=> b, a <> b, a != b, a >= b, a <= b, a < b, a > b",
      "(select (items (<=> a b) (<> a b) (<> a b) (>= a b) (<= a b) (< a b) (> a b)))" },
    { "SELECT a = ALL (SELECT 1), b > ANY (SELECT 2), c <> SOME (SELECT 3)",
      "(select (items (= ALL a (select (items 1#0))) (> ANY b (select (items 2#1))) (<> "
      "ANY c (select (items 3#2)))))" },
    { "SELECT EXISTS (SELECT 1), NOT EXISTS (SELECT 1 FROM t)",
      "(select (items (exists (select (items 1#0))) (not (exists (select (items 1#1) (from "
      "t))))))" },
    { "SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE b WHEN 1 THEN 'x' WHEN 2 THEN 'y' END",
      "(select (items (case else a 1#0 2#1) (case operand b 1#2 'x'#3 2#4 'y'#5)))" },
    { "SELECT CAST(a AS SIGNED), CAST(b AS CHAR(10) CHARACTER SET utf8mb4), CONVERT(c, "
      "DECIMAL(10,2)), CONVERT(d USING latin1)",
      "(select (items (cast a SIGNED) (cast b CHAR) (cast c DECIMAL) (convert latin1 d)))" },
    { "SELECT a COLLATE utf8mb4_bin, BINARY b, _utf8mb4'x' COLLATE utf8mb4_general_ci",
      "(select (items (collate utf8mb4_bin a) (binary b) (collate utf8mb4_general_ci "
      "_utf8mb4'x'#0)))" },
    { "SELECT DATE '2020-01-01', TIME'10:00:00', TIMESTAMP '2020-01-01 00:00:00', {d "
      "'2020-01-01'}",
      "(select (items (temporal DATE '2020-01-01'#0) (temporal TIME '10:00:00'#1) "
      "(temporal TIMESTAMP '2020-01-01 00:00:00'#2) (odbc '2020-01-01')))" },
    { "SELECT NOW() + INTERVAL 1 DAY, INTERVAL 2 HOUR + a, DATE_ADD(a, INTERVAL b+1 "
      "MINUTE_SECOND), INTERVAL(1,2,3)",
      "(select (items (+ (NOW) (interval DAY 1#0)) (+ (interval HOUR 2#1) a) (DATE_ADD a "
      "(interval MINUTE_SECOND (+ b 1#2))) (INTERVAL 1#3 2#4 3#5)))" },
    { "SELECT INTERVAL(a, 1, 5) IN (b, 0), INTERVAL((1), 2) + 1, INTERVAL (a + 1) * 2 DAY + c, "
      "INTERVAL (SELECT 1) DAY + c",
      "(select (items (in (INTERVAL a 1#0 5#1) b 0#2) (+ (INTERVAL (paren 1#3) 2#4) 1#5) (+ "
      "(interval DAY (* (paren (+ a 1#6)) 2#7)) c) (+ (interval DAY (select (items 1#8))) c)))" },
    { "SELECT COUNT(*), COUNT(DISTINCT a, b), SUM(a), AVG(DISTINCT b), MIN(c), MAX(d) FROM "
      "t",
      "(select (items (COUNT *) (COUNT distinct a b) (SUM a) (AVG distinct b) (MIN c) (MAX "
      "d)) (from t))" },
    { "SELECT GROUP_CONCAT(DISTINCT a, b ORDER BY c DESC, d SEPARATOR '-') FROM t",
      "(select (items (GROUP_CONCAT distinct a b (order (desc c) d))) (from t))" },
    { "SELECT GROUP_CONCAT(a ORDER BY b LIMIT 1) FROM t",
      "(select (items (GROUP_CONCAT a (order b) (limit 1))) (from t))" },
    { "SELECT JSON_ARRAYAGG(a ORDER BY b), JSON_OBJECTAGG(a, b) FROM t",
      "(select (items (JSON_ARRAYAGG a (order b)) (JSON_OBJECTAGG a b)) (from t))" },
    { "SELECT SUM(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN UNBOUNDED PRECEDING AND "
      "CURRENT ROW), ROW_NUMBER() OVER w, RANK() OVER (w ORDER BY d) FROM t WINDOW w AS "
      "(PARTITION BY e)",
      "(select (items (SUM a (over (by b) (order c))) (ROW_NUMBER (over w)) (RANK (over w "
      "(order d)))) (from t) (over w (by e)))" },
    { "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a) OVER (PARTITION BY b) FROM t",
      "(select (items (PERCENTILE_CONT 0.5#0 (order a) (over (by b)))) (from t))" },
    { "SELECT TRIM(a), TRIM(LEADING 'x' FROM b), TRIM(BOTH FROM c), TRIM('y' FROM d)",
      "(select (items (TRIM a) (TRIM 'x'#0 b) (TRIM c) (TRIM 'y'#1 d)))" },
    { "SELECT SUBSTRING(a FROM 2 FOR 3), SUBSTR(a, 2), MID(a, 1, 2), POSITION('x' IN a), "
      "EXTRACT(YEAR FROM a), TIMESTAMPDIFF(DAY, a, b)",
      "(select (items (SUBSTRING a 2#0 3#1) (SUBSTR a 2#2) (MID a 1#3 2#4) (POSITION 'x'#5 "
      "a) (EXTRACT YEAR a) (TIMESTAMPDIFF DAY a b)))" },
    { "SELECT CHAR(65, 66 USING utf8mb4), IF(a, b, c), LEFT(a, 1), RIGHT(b, 2), REPLACE(a, "
      "'b', 'c'), INSERT(a, 1, 2, 'x'), REPEAT('a', 3), MOD(5, 2), TRUNCATE(1.5, 0)",
      "(select (items (CHAR 65#0 66#1) (IF a b c) (LEFT a 1#2) (RIGHT b 2#3) (REPLACE a "
      "'b'#4 'c'#5) (INSERT a 1#6 2#7 'x'#8) (REPEAT 'a'#9 3#10) (MOD 5#11 2#12) (TRUNCATE "
      "1.5#13 0#14)))" },
    { "SELECT CURRENT_DATE, CURRENT_TIMESTAMP(3), UTC_TIMESTAMP, LOCALTIME(), USER(), "
      "CURRENT_USER, DATABASE(), SCHEMA()",
      "(select (items (CURRENT_DATE) (CURRENT_TIMESTAMP 3#0) (UTC_TIMESTAMP) (LOCALTIME) "
      "(USER) (CURRENT_USER) (DATABASE) (SCHEMA)))" },
    { "SELECT @a, @`b c`, @'d', @@sql_mode, @@global.max_connections, "
      "@@session.autocommit, @x := @x + 1",
      "(select (items @a @b c @d @@sql_mode @@GLOBAL.max_connections @@SESSION.autocommit "
      "(:= @x (+ @x 1#0))))" },
    { "SELECT s.f(1, 2), f(), `weird func`(3)",
      "(select (items (s.f 1#0 2#1) (f) (weird func 3#2)))" },
    { "SELECT MATCH (a, b) AGAINST ('x' IN BOOLEAN MODE), MATCH a AGAINST ('y')",
      "(select (items (match 'x'#0 a b) (match 'y'#1 a)))" },
    { "SELECT (1, 2) = (a, b), ROW(1, 2) = ROW(3, 4), ((1)), (a)",
      "(select (items (= (row 1#0 2#1) (row a b)) (= (row 1#2 2#3) (row 3#4 4#5)) (paren "
      "(paren 1#6)) (paren a)))" },
    { "SELECT 'a' 'b' \"c\", N'd', x'41', 0x42, b'1', 0b11, 1.5, .5, 1e3, NULL, TRUE, "
      "FALSE, \\N",
      "(select (items 'a' 'b' \"c\"#0 N'd'#3 x'41'#4 0x42#5 b'1'#6 0b11#7 1.5#8 .5#9 "
      "1e3#10 null true false null))" },
    { "SELECT DEFAULT(a), VALUES(b) FROM t",
      "(select (items (default a) (VALUES b)) (from t))" },
    { "SELECT NEXT VALUE FOR s, NEXTVAL(s), LASTVAL(s.q)",
      "(select (items (NEXTVAL s) (NEXTVAL s) (LASTVAL s.q)))" },
    { "SELECT WEIGHT_STRING('a' AS CHAR(3)), GET_FORMAT(DATE, 'USA')",
      "(select (items (WEIGHT_STRING 'a'#0) (GET_FORMAT 'USA'#2)))" },
    { "SELECT a FROM t GROUP BY a, b DESC WITH ROLLUP HAVING COUNT(*) > 1 ORDER BY 1, 2 "
      "DESC LIMIT 10 OFFSET 5",
      "(select (items a) (from t) (rollup a (desc b)) (having (> (COUNT *) 1#0)) (order 1 "
      "(desc 2)) (limit 10 offset 5))" },
    { "SELECT a FROM t LIMIT 5, 10",
      "(select (items a) (from t) (limit 10 offset 5))" },
    { "SELECT a FROM t LIMIT 5 ROWS EXAMINED 100",
      "(select (items a) (from t) (limit 5 examined 100))" },
    { "SELECT a FROM t ORDER BY a OFFSET 5 ROWS FETCH NEXT 3 ROWS ONLY",
      "(select (items a) (from t) (order a) (limit 3 offset 5))" },
    { "SELECT a FROM t ORDER BY a FETCH FIRST ROW WITH TIES",
      "(select (items a) (from t) (order a) (limit row ties))" },
    { "SELECT a FROM t OFFSET 2 ROWS FETCH NEXT ROW ONLY",
      "(select (items a) (from t) (limit row offset 2#0))" },
    { "SELECT COLUMN_GET(COLUMN_CREATE('a', b AS INT, 'c', d), 'a' AS DECIMAL(9, 2)), "
      "COLUMN_ADD(a, 'b', c AS CHAR(3) CHARACTER SET utf8)",
      "(select (items (COLUMN_GET (COLUMN_CREATE 'a'#0 b 'c'#1 d) 'a'#2) "
      "(COLUMN_ADD a 'b'#5 c)))" },
    { "SELECT a FROM t OFFSET 2 ROWS", "(select (items a) (from t) (limit offset 2#0))" },
    { "SELECT a FROM t FOR UPDATE",
      "(select (items a) (from t) update)" },
    { "SELECT a FROM t LOCK IN SHARE MODE NOWAIT",
      "(select (items a) (from t) share nowait)" },
    { "SELECT a FROM t FOR UPDATE SKIP LOCKED",
      "(select (items a) (from t) update skip)" },
    { "SELECT a FROM t LIMIT 1 FOR UPDATE WAIT 5",
      "(select (items a) (from t) (limit 1) update wait)" },
    { "SELECT a INTO @x FROM t",
      "(select (items a) (from t) (into INTO @x))" },
    { "SELECT a, b FROM t INTO @x, @y",
      "(select (items a b) (from t) (into INTO @x @y))" },
    { "SELECT a INTO OUTFILE '/tmp/x' FIELDS TERMINATED BY ',' FROM t",
      "(select (items a) (from t) (into OUTFILE))" },
    { "SELECT a FROM t INTO DUMPFILE '/tmp/x'",
      "(select (items a) (from t) (into DUMPFILE))" },
    { "SELECT * FROM a, b, c",
      "(select (items *) (from (comma (comma a b) c)))" },
    { "SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (y, z) RIGHT OUTER JOIN d ON 1",
      "(select (items *) (from (right (left (join a b (on (= a.x b.x))) c using (y z)) d "
      "(on 1#0))))" },
    { "SELECT * FROM a LEFT JOIN b LEFT JOIN c ON b.x=c.x ON a.x=b.x",
      "(select (items *) (from (left a (left b c (on (= b.x c.x))) (on (= a.x b.x)))))" },
    { "SELECT * FROM a JOIN b JOIN c ON 1 ON 2",
      "(select (items *) (from (join a (join b c (on 1#0)) (on 2#1))))" },
    { "SELECT * FROM a JOIN b LEFT JOIN c ON 1 ON 2",
      "(select (items *) (from (join a (left b c (on 1#0)) (on 2#1))))" },
    { "SELECT * FROM a INNER JOIN b, c CROSS JOIN d",
      "(select (items *) (from (comma (join a b) (join c d))))" },
    { "SELECT * FROM a NATURAL JOIN b NATURAL LEFT JOIN c STRAIGHT_JOIN d",
      "(select (items *) (from (straight (natural-left (natural-join a b) c) d)))" },
    { "SELECT * FROM (a, b) LEFT JOIN (c JOIN d ON 1) ON 2",
      "(select (items *) (from (left (comma a b) (join c d (on 1#0)) (on 2#1))))" },
    { "SELECT * FROM (SELECT 1) x, (SELECT 2 AS a) AS y (b) JOIN ((SELECT 3) UNION (SELECT "
      "4)) z",
      "(select (items *) (from (comma (as (select (items 1#0)) x) (join (as (select (items "
      "(as 2#1 a))) y(b)) (as (query (select (items 3#2)) UNION (select (items 4#3))) "
      "z)))))" },
    { "SELECT * FROM ((SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 1) z",
      "(select (items *) (from (as (query (select (items 1#0)) UNION-ALL (select (items "
      "2#1)) (order 1) (limit 1)) z)))" },
    { "SELECT * FROM ((a JOIN b)), {oj c LEFT JOIN d ON 1}",
      "(select (items *) (from (comma (join a b) (left c d (on 1#0)))))" },
    { "SELECT * FROM t PARTITION (p0, p1) AS x USE INDEX (i, PRIMARY) IGNORE INDEX FOR "
      "ORDER BY (j)",
      "(select (items *) (from (as t x)))" },
    { "SELECT * FROM t FOR SYSTEM_TIME AS OF NOW() AS x, u FOR SYSTEM_TIME ALL",
      "(select (items *) (from (comma (as t x) u)))" },
    { "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) AS jt",
      "(select (items *) (from (as json_table jt)))" },
    { "SELECT 1 FROM DUAL WHERE 1",
      "(select (items 1#0) (where 1#1))" },
    { "SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 ORDER BY 1 LIMIT 2",
      "(query (select (items 1#0)) UNION (select (items 2#1)) UNION-ALL (select (items "
      "3#2)) (order 1) (limit 2))" },
    { "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4",
      "(query (select (items 1#0)) UNION (query (select (items 2#1)) INTERSECT (select "
      "(items 3#2))) EXCEPT-ALL (select (items 4#3)))" },
    { "(SELECT 1) UNION (SELECT 2 LIMIT 1)",
      "(query (select (items 1#0)) UNION (select (items 2#1) (limit 1)))" },
    { "(SELECT 1 ORDER BY 1 LIMIT 3) LIMIT 1",
      "(query (select (items 1#0) (order 1) (limit 3)) (limit 1))" },
    { "((SELECT 1))",
      "(select (items 1#0))" },
    { "(SELECT 1 UNION SELECT 2) EXCEPT SELECT 3",
      "(query (query (select (items 1#0)) UNION (select (items 2#1))) EXCEPT (select "
      "(items 3#2)))" },
    { "WITH a AS (SELECT 1), b (x, y) AS (SELECT 2, 3) SELECT * FROM a, b",
      "(with a (select (items 1#0))) (with b (select (items 2#1 3#2))) (select (items *) "
      "(from (comma a b)))" },
    { "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM r WHERE n < 5) SELECT "
      "* FROM r",
      "(with recursive r (query (select (items (as 1#0 n))) UNION-ALL (select (items (+ n "
      "1#1)) (from r) (where (< n 5#2))))) (select (items *) (from r))" },
    { "VALUES (1, 2), (3, 4)",
      "(values (row 1#0 2#1) (row 3#2 4#3))" },
    { "SELECT a FROM t WHERE b = (SELECT MAX(c) FROM u WHERE u.d = t.d)",
      "(select (items a) (from t) (where (= b (select (items (MAX c)) (from u) (where (= "
      "u.d t.d))))))" },
    { "SELECT ((SELECT 1) UNION (SELECT 2)), ((SELECT 1) + 1)",
      "(select (items (query (select (items 1#0)) UNION (select (items 2#1))) (paren (+ "
      "(select (items 1#2)) 1#3))))" },
    { "SELECT a FROM t WHERE (a = 1 OR b = 2) AND (c = 3)",
      "(select (items a) (from t) (where (and (paren (or (= a 1#0) (= b 2#1))) (paren (= c "
      "3#2)))))" },
    { "SELECT a b, c d FROM t u",
      "(select (items (as a b) (as c d)) (from (as t u)))" },
    { "SELECT `select`, t.`from`, t.select FROM `table` t",
      "(select (items select t.from t.select) (from (as table t)))" },
    { "SELECT 1 /*!50001 + 1 */ /*! , 2 */ /*!99999 , 3 */",
      "(select (items (+ 1#0 1#1) 2#2))" },
    { "SELECT date, time, year, text, name, value, status, user, count FROM t",
      "(select (items date time year text name value status user count) (from t))" },
    { "SELECT a FROM t WHERE id = ? AND b IN (?, ?) LIMIT ?",
      "(select (items a) (from t) (where (and (= id ?0) (in b ?1 ?2))) (limit ?3))" },
    { "SELECT a FROM t WHERE a = 1 PROCEDURE ANALYSE()",
      "(unknown a t a ANALYSE)" },
    { "SELECT JSON_VALUE(a, '$.b'), JSON_EXTRACT(a, '$') FROM t",
      "(select (items (JSON_VALUE a '$.b'#0) (JSON_EXTRACT a '$'#1)) (from t))" },
    { "SELECT a FROM t1 WHERE (a, b) = (1, 2) AND (c, d) <=> (3, 4)",
      "(select (items a) (from t1) (where (and (= (row a b) (row 1#0 2#1)) (<=> (row c d) "
      "(row 3#2 4#3)))))" },
    { "SELECT x.y.z FROM x.y",
      "(select (items x.y.z) (from x.y))" },
    { "SELECT UUID(), RAND(), LAST_INSERT_ID(), FOUND_ROWS(), ROW_COUNT(), GET_LOCK('a', 1)",
      "(select (items (UUID) (RAND) (LAST_INSERT_ID) (FOUND_ROWS) (ROW_COUNT) (GET_LOCK "
      "'a'#0 1#1)))" },
    { "SELECT a LIKE b NOT LIKE c LIKE d, a LIKE b LIKE c, a BETWEEN b AND c IN (1), "
      "a REGEXP b NOT BETWEEN c AND d, a LIKE b ESCAPE c NOT IN (2), a BETWEEN b LIKE c AND d",
      "(select (items (like (like a (not-like b c)) d) (like (like a b) c) (between a b (in c "
      "1#0)) (regexp a (not-between b c d)) (like a b (not-in c 2#1)) (between a (like b c) "
      "d)))" },
    { "SELECT 1 IN (2) = 3, 1 = 2 IN (3), NOT 1 = 2, NOT a BETWEEN 1 AND 2, a = b IS NULL",
      "(select (items (= (in 1#0 2#1) 3#2) (= 1#3 (in 2#4 3#5)) (not (= 1#6 2#7)) (not "
      "(between a 1#8 2#9)) (is NULL (= a b))))" },
    { "SELECT a FROM t ORDER BY a COLLATE utf8mb4_bin DESC, FIELD(b, 3, 1), -c",
      "(select (items a) (from t) (order (desc (collate utf8mb4_bin a)) (FIELD b 3 1) (neg "
      "c)))" },
    { "SELECT IFNULL(a, 0), COALESCE(a, b, 'x'), CONCAT_WS(',', a, b) FROM t",
      "(select (items (IFNULL a 0#0) (COALESCE a b 'x'#1) (CONCAT_WS ','#2 a b)) (from t))" },
    { "SELECT a FROM t WHERE a = 'x' COLLATE utf8mb4_bin AND b = BINARY 'y'",
      "(select (items a) (from t) (where (and (= a (collate utf8mb4_bin 'x'#0)) (= b "
      "(binary 'y'#1)))))" },
    { "SELECT t1.a FROM t1 LEFT JOIN (t2 JOIN t3 USING (b)) ON t1.a = t2.a WHERE t3.c IS "
      "NULL",
      "(select (items t1.a) (from (left t1 (join t2 t3 using (b)) (on (= t1.a t2.a)))) "
      "(where (is NULL t3.c)))" },
    { "SELECT a FROM t WHERE a > DATE_SUB(NOW(), INTERVAL 1 WEEK) AND b < '2020-01-01' + "
      "INTERVAL '1:1' DAY_HOUR",
      "(select (items a) (from t) (where (and (> a (DATE_SUB (NOW) (interval WEEK 1#0))) "
      "(< b (+ '2020-01-01'#1 (interval DAY_HOUR '1:1'#2))))))" },
    { "SELECT a AS `from` FROM t HAVING `from` > 1",
      "(select (items (as a from)) (from t) (having (> from 1#0)))" },
    { "SELECT LAG(a, 1) OVER (ORDER BY b), NTH_VALUE(a, 2) OVER (ORDER BY b RANGE BETWEEN "
      "1 PRECEDING AND 2 FOLLOWING) FROM t",
      "(select (items (LAG a 1#0 (over (order b))) (NTH_VALUE a 2#1 (over (order b)))) "
      "(from t))" },
    { "SELECT STD(a), BIT_XOR(b), MEDIAN(c) OVER () FROM t",
      "(select (items (STD a) (BIT_XOR b) (MEDIAN c (over))) (from t))" },
    { "SELECT * FROM t WHERE a IN (VALUES (1), (2))",
      "(select (items *) (from t) (where (in a (VALUES 1#0) (paren 2#1))))" },
    { "SELECT 1 LIMIT 1 UNION SELECT 2",
      "(unknown)" },
    { "SELECT",
      "(unknown)" },
    { "SELECT FROM t",
      "(unknown t)" },
    { "SELECT 1 +",
      "(unknown)" },
    { "SELECT 'open",
      "bad" },
    { "SELECT a FROM t WHERE",
      "(unknown a t)" },
    { "SELECT 1; DELETE FROM t",
      "(select (items 1#0))" },
    { "SELECT a 'b', f(c) AS \"d\" FROM t WHERE e = 'f'",
      "(select (items (as a b) (as (f c) d)) (from t) (where (= e 'f'#0)))" },
    { "SELECT SQL_CACHE sql_no_cache FROM t",
      "(select (items sql_no_cache) (from t))" },
};

static void
queries_parse(void **state)
{
    (void)state;
    parse_check(rows, countof(rows));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
