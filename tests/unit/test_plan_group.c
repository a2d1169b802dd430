/* test_plan_group.c - aggregates and groups over several shards: text and merge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/plan_cases.h"

static const struct plan_case cases[] = {
    { "SELECT id, COUNT(*) FROM orders GROUP BY user_id",
      "scatter all; merge: concatenate; text: SELECT id, COUNT(*) FROM orders GROUP BY "
      "user_id" },
    { "SELECT country, COUNT(*), SUM(amount), AVG(amount), MAX(note) FROM orders GROUP "
      "BY country HAVING COUNT(*) > 5 ORDER BY 2 DESC LIMIT 3",
      "scatter all; merge: 2=count 3=sum 4=avg h1=sum h2=count 5=max h3=max group 1 "
      "having sort 2 desc limit; text: SELECT country, COUNT(*), SUM(amount), "
      "AVG(amount), MAX(note), SUM(amount), COUNT(amount), WEIGHT_STRING(MAX(note)) FROM "
      "orders GROUP BY country ORDER BY NULL" },
    { "SELECT COUNT(*) FROM users",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM users" },
    { "SELECT * FROM (SELECT user_id, COUNT(*) c FROM orders GROUP BY user_id) d JOIN "
      "users u ON u.id = d.user_id",
      "scatter all; merge: concatenate; text: SELECT * FROM (SELECT user_id, COUNT(*) c "
      "FROM orders GROUP BY user_id) d JOIN users u ON u.id = d.user_id" },
    { "SELECT age FROM users GROUP BY age, MAX(id)", "refuse 1111: Invalid use of group function" },
    { "SELECT COUNT(*) FROM users GROUP BY COUNT(*)",
      "refuse 1111: Invalid use of group function" },
    { "SELECT COUNT(*) FROM users GROUP BY 1", "refuse 1056: Can't group on an aggregate" },
    { "SELECT COUNT(*) FROM users GROUP BY city HAVING age = 10",
      "refuse 1054: Unknown column 'age' in 'HAVING'" },
    { "SELECT MAX(id) FROM users HAVING users.age > 10",
      "refuse 1054: Unknown column 'users.age' in 'HAVING'" },
    { "SELECT COUNT(DISTINCT id) FROM users",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(DISTINCT id) FROM users" },
    { "SELECT MAX(name), MIN(born) FROM users",
      "scatter all; merge: 1=max h1=max 2=min one group; text: SELECT MAX(name), "
      "MIN(born), WEIGHT_STRING(MAX(name)) FROM users" },
    { "SELECT country, SUM(amount) s FROM orders GROUP BY country ORDER BY s",
      "scatter all; merge: 2=sum group 1 sort 2; text: SELECT country, SUM(amount) s "
      "FROM orders GROUP BY country ORDER BY NULL" },
    { "SELECT note n, COUNT(*) FROM orders GROUP BY n ORDER BY COUNT(*) DESC, n",
      "scatter all; merge: 2=count group 1~h1 sort 2 desc,1~h1; text: SELECT note n, "
      "COUNT(*), WEIGHT_STRING(note) FROM orders GROUP BY n ORDER BY NULL" },
    { "SELECT (SELECT MAX(amount) FROM orders o WHERE o.user_id = u.id) FROM users u",
      "scatter all; merge: concatenate; text: SELECT (SELECT MAX(amount) FROM orders o "
      "WHERE o.user_id = u.id) FROM users u" },
    { "SELECT COUNT(*), COUNT(name), SUM(age), AVG(age), MIN(age), MAX(age) FROM users",
      "scatter all; merge: 1=count 2=count 3=sum 4=avg h1=sum h2=count 5=min 6=max one "
      "group; text: SELECT COUNT(*), COUNT(name), SUM(age), AVG(age), MIN(age), "
      "MAX(age), SUM(age), COUNT(age) FROM users" },
    { "SELECT SUM(price), AVG(price), MIN(price), MAX(price) FROM users",
      "scatter all; merge: 1=sum 2=avg h1=sum h2=count 3=min 4=max one group; text: "
      "SELECT SUM(price), AVG(price), MIN(price), MAX(price), SUM(price), COUNT(price) "
      "FROM users" },
    { "SELECT SUM(score), AVG(score), MIN(score), MAX(score) FROM users WHERE score < "
      "1e10",
      "scatter all; merge: 1=sum 2=avg h1=sum h2=count 3=min 4=max one group; text: "
      "SELECT SUM(score), AVG(score), MIN(score), MAX(score), SUM(score), COUNT(score) "
      "FROM users WHERE score < :0" },
    { "SELECT SUM(score), AVG(ratio), SUM(ratio) FROM users WHERE ratio=2.5",
      "scatter all; merge: 1=sum 2=avg h1=sum h2=count 3=sum one group; text: SELECT "
      "SUM(score), AVG(ratio), SUM(ratio), SUM(ratio), COUNT(ratio) FROM users WHERE "
      "ratio=:0" },
    { "SELECT MIN(name), MAX(born), MIN(born) FROM users",
      "scatter all; merge: 1=min h1=min 2=max 3=min one group; text: SELECT MIN(name), "
      "MAX(born), MIN(born), WEIGHT_STRING(MIN(name)) FROM users" },
    { "SELECT MAX(note) FROM orders",
      "scatter all; merge: 1=max h1=max one group; text: SELECT MAX(note), "
      "WEIGHT_STRING(MAX(note)) FROM orders" },
    { "SELECT COUNT(*), SUM(age), MAX(name) FROM users WHERE id > 100000",
      "scatter all; merge: 1=count 2=sum 3=max h1=max one group; text: SELECT COUNT(*), "
      "SUM(age), MAX(name), WEIGHT_STRING(MAX(name)) FROM users WHERE id > :0" },
    { "SELECT age, COUNT(*), SUM(price), AVG(price), AVG(score) FROM users WHERE score < "
      "1e10 GROUP BY age ORDER BY age",
      "scatter all; merge: 2=count 3=sum 4=avg h1=sum h2=count 5=avg h3=sum h4=count "
      "group 1 sort 1; text: SELECT age, COUNT(*), SUM(price), AVG(price), AVG(score), "
      "SUM(price), COUNT(price), SUM(score), COUNT(score) FROM users WHERE score < :0 "
      "GROUP BY age ORDER BY NULL" },
    { "SELECT UPPER(name) n, COUNT(*) FROM users GROUP BY age ORDER BY age",
      "scatter all; merge: 2=count h2=count group h1 sort h1; text: SELECT UPPER(name) n, "
      "COUNT(*), age, COUNT(*) FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT COUNT(*) c, age FROM users GROUP BY age HAVING c > 8 ORDER BY c DESC, age",
      "scatter all; merge: 1=count group 2 having sort 1 desc,2; text: SELECT COUNT(*) "
      "c, age FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT COUNT(*) c, age FROM users GROUP BY age HAVING SUM(id) > 200 AND c BETWEEN "
      "5 AND 20 ORDER BY age",
      "scatter all; merge: 1=count h1=sum group 2 having sort 2; text: SELECT COUNT(*) "
      "c, age, SUM(id) FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT age, AVG(price) FROM users GROUP BY age HAVING AVG(price) IS NOT NULL AND "
      "AVG(price) < 20.5 ORDER BY AVG(price), age",
      "scatter all; merge: 2=avg h1=sum h2=count group 1 having sort 2,1; text: SELECT "
      "age, AVG(price), SUM(price), COUNT(price) FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT age % 3 m, COUNT(*) FROM users GROUP BY m ORDER BY m",
      "scatter all; merge: 2=count group 1 sort 1; text: SELECT age % :0 m, COUNT(*) "
      "FROM users GROUP BY m ORDER BY NULL" },
    { "SELECT age % 3, COUNT(*) FROM users GROUP BY 1 ORDER BY 1 DESC",
      "scatter all; merge: 2=count group 1 sort 1 desc; text: SELECT age % :0, COUNT(*) "
      "FROM users GROUP BY 1 ORDER BY NULL" },
    { "SELECT kind, COUNT(*) FROM users GROUP BY kind ORDER BY kind",
      "scatter all; merge: 2=count group h1 sort h1; text: SELECT kind, COUNT(*), "
      "0+(kind) FROM users GROUP BY kind ORDER BY NULL" },
    { "SELECT born, COUNT(*) FROM users GROUP BY born ORDER BY 2, 1",
      "scatter all; merge: 2=count group 1 sort 2,1; text: SELECT born, COUNT(*) FROM "
      "users GROUP BY born ORDER BY NULL" },
    { "SELECT ratio, COUNT(*) FROM users GROUP BY ratio ORDER BY ratio",
      "scatter all; merge: 2=count group h1 sort h1; text: SELECT ratio, COUNT(*), "
      "0e0+(ratio) FROM users GROUP BY ratio ORDER BY NULL" },
    { "SELECT ip, COUNT(*) FROM users GROUP BY ip",
      "scatter all; merge: 2=count group 1 sort 1; text: SELECT ip, COUNT(*) FROM users "
      "GROUP BY ip ORDER BY NULL" },
    { "SELECT user_id, COUNT(*), GROUP_CONCAT(amount ORDER BY amount) FROM orders GROUP "
      "BY user_id ORDER BY user_id",
      "scatter all; merge: sort 1; text: SELECT user_id, COUNT(*), GROUP_CONCAT(amount "
      "ORDER BY amount) FROM orders GROUP BY user_id ORDER BY user_id" },
    { "SELECT user_id, COUNT(*) c FROM orders GROUP BY user_id HAVING c > 2 ORDER BY c "
      "DESC, user_id LIMIT 5",
      "scatter all; merge: sort 2 desc,1 limit; text: SELECT user_id, COUNT(*) c FROM "
      "orders GROUP BY user_id HAVING c > :0 ORDER BY c DESC, user_id LIMIT {limit}" },
    { "SELECT u.name, SUM(o.amount) FROM users u JOIN orders o ON o.user_id = u.id GROUP "
      "BY u.age ORDER BY SUM(o.amount)",
      "scatter all; merge: 2=sum h2=count group h1 sort 2; text: SELECT u.name, "
      "SUM(o.amount), u.age, COUNT(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY "
      "u.age ORDER BY NULL" },
    { "SELECT c.name, COUNT(*) FROM orders o JOIN countries c ON c.id = o.country GROUP "
      "BY c.id ORDER BY c.name",
      "scatter all; merge: 2=count h2=count group h1 sort 1~h3; text: SELECT c.name, "
      "COUNT(*), c.id, COUNT(*), WEIGHT_STRING(c.name) FROM orders o JOIN countries c ON c.id = "
      "o.country "
      "GROUP BY c.id ORDER BY NULL" },
    { "SELECT id, (SELECT COUNT(*) FROM orders o WHERE o.user_id = u.id) n FROM users u "
      "ORDER BY n DESC, id LIMIT 6",
      "scatter all; merge: sort 2 desc,1 limit; text: SELECT id, (SELECT COUNT(*) FROM "
      "orders o WHERE o.user_id = u.id) n FROM users u ORDER BY n DESC, id LIMIT {limit}" },
    { "SELECT d.c, COUNT(*) FROM (SELECT user_id, COUNT(*) c FROM orders GROUP BY "
      "user_id) d GROUP BY d.c ORDER BY d.c",
      "scatter all; merge: 2=count group 1 sort 1; text: SELECT d.c, COUNT(*) FROM "
      "(SELECT user_id, COUNT(*) c FROM orders GROUP BY user_id) d GROUP BY d.c ORDER BY "
      "NULL" },
    { "SELECT u.name, d.c FROM users u JOIN (SELECT user_id, COUNT(*) c FROM orders "
      "GROUP BY user_id) d ON d.user_id = u.id ORDER BY u.id",
      "scatter all; merge: sort h1; text: SELECT u.name, d.c, u.id FROM users u JOIN "
      "(SELECT user_id, COUNT(*) c FROM orders GROUP BY user_id) d ON d.user_id = u.id "
      "ORDER BY u.id" },
    { "SELECT BIT_AND(age), BIT_OR(age), BIT_XOR(age) FROM users",
      "scatter all; merge: 1=and 2=or 3=xor one group; text: SELECT BIT_AND(age), "
      "BIT_OR(age), BIT_XOR(age) FROM users" },
    { "SELECT COUNT(DISTINCT user_id) FROM orders",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(DISTINCT user_id) FROM "
      "orders" },
    { "SELECT MAX(age), MIN(id) FROM users GROUP BY kind, age HAVING MAX(age) IN (1, 3, "
      "5) ORDER BY kind, age",
      "scatter all; merge: 1=max 2=min group h1,h2 having sort h1,h2; text: SELECT "
      "MAX(age), MIN(id), 0+(kind), age FROM users GROUP BY kind, age ORDER BY NULL" },
    { "SELECT SUM(age) FROM users WHERE id < 0",
      "scatter all; merge: 1=sum one group; text: SELECT SUM(age) FROM users WHERE id < "
      ":0" },
    { "SELECT 5, 'x', COUNT(*) FROM users",
      "scatter all; merge: 3=count one group; text: SELECT :0, :1, COUNT(*) FROM users" },
    { "SELECT TIME('10:00:00') t, MAX(born) FROM users",
      "scatter all; merge: 2=max one group; text: SELECT TIME(:0) t, MAX(born) FROM users" },
    { "SELECT YEAR(born) y, COUNT(*) FROM users GROUP BY y ORDER BY y",
      "scatter all; merge: 2=count group 1 sort 1; text: SELECT YEAR(born) y, COUNT(*) "
      "FROM users GROUP BY y ORDER BY NULL" },
    { "SELECT DATE_FORMAT(born, '%Y') y, COUNT(*) FROM users GROUP BY y ORDER BY y",
      "scatter all; merge: 2=count group 1~h1 sort 1~h2; text: SELECT DATE_FORMAT(born, "
      ":0) y, COUNT(*), WEIGHT_STRING(DATE_FORMAT(born, :0)), "
      "WEIGHT_STRING(DATE_FORMAT(born, :0)) FROM users GROUP BY y ORDER BY NULL" },
    { "SELECT AVG(age+0.5), AVG(age/3), SUM(age/7) FROM users",
      "scatter all; merge: 1=avg h1=sum h2=count 2=avg h3=sum h4=count 3=sum h5=sum one "
      "group; text: SELECT AVG(age+:0), AVG(age/:1), SUM(age/:2), SUM(age+:0), "
      "COUNT(age+:0), 0.000000000000000000000000000+SUM(age/:1), COUNT(age/:1), "
      "0.000000000000000000000000000+SUM(age/:2) FROM users" },
    { "SELECT AVG(price*1.00001), AVG(price*price) FROM users",
      "scatter all; merge: 1=avg h1=sum h2=count 2=avg h3=sum h4=count one group; text: "
      "SELECT AVG(price*:0), AVG(price*price), SUM(price*:0), COUNT(price*:0), "
      "SUM(price*price), COUNT(price*price) FROM users" },
    { "SELECT SEC_TO_TIME(-age*100000) t, COUNT(*) FROM users GROUP BY t ORDER BY t DESC",
      "scatter all; merge: 2=count group 1 sort 1 desc; text: SELECT "
      "SEC_TO_TIME(-age*:0) t, COUNT(*) FROM users GROUP BY t ORDER BY NULL" },
    { "SELECT MAX(SEC_TO_TIME(age*1000-3000)), MIN(SEC_TO_TIME(age*100000)) FROM users",
      "scatter all; merge: 1=max 2=min one group; text: SELECT "
      "MAX(SEC_TO_TIME(age*:0-:1)), MIN(SEC_TO_TIME(age*:2)) FROM users" },
    { "SELECT name, COUNT(*) FROM users GROUP BY name ORDER BY name",
      "scatter all; merge: 2=count group 1~h1 sort 1~h1; text: SELECT name, COUNT(*), "
      "WEIGHT_STRING(name) FROM users GROUP BY name ORDER BY NULL" },
    { "SELECT COUNT(*), age FROM users GROUP BY age ORDER BY NULL",
      "scatter all; merge: 1=count group 2; text: SELECT COUNT(*), age FROM users GROUP "
      "BY age ORDER BY NULL" },
    { "SELECT CASE WHEN age > 3 THEN name ELSE 'old' END x, COUNT(*) FROM users GROUP BY "
      "x ORDER BY x",
      "scatter all; merge: 2=count group 1~h1 sort 1~h2; text: SELECT CASE WHEN age > :0 "
      "THEN name ELSE :1 END x, COUNT(*), WEIGHT_STRING(CASE WHEN age > :0 THEN name "
      "ELSE :1 END), WEIGHT_STRING(CASE WHEN age > :0 THEN name ELSE :1 END) FROM users "
      "GROUP BY x ORDER BY NULL" },
    { "SELECT IF(age > 3, 'young', 'old') x, COUNT(*) FROM users GROUP BY x ORDER BY x "
      "DESC",
      "scatter all; merge: 2=count group 1~h1 sort 1~h2 desc; text: SELECT IF(age > :0, "
      ":1, :2) x, COUNT(*), WEIGHT_STRING(IF(age > :0, :1, :2)), WEIGHT_STRING(IF(age > "
      ":0, :1, :2)) FROM users GROUP BY x ORDER BY NULL" },
    { "SELECT SUM(price/7), SUM(score/3), AVG(price/7) FROM users WHERE score < 100",
      "scatter all; merge: 1=sum h1=sum 2=sum h2=sum 3=avg h3=sum h4=count one group; "
      "text: SELECT SUM(price/:0), SUM(score/:1), AVG(price/:2), "
      "0.000000000000000000000000000+SUM(price/:0), "
      "0.000000000000000000000000000+SUM(score/:1), "
      "0.000000000000000000000000000+SUM(price/:2), COUNT(price/:2) FROM users WHERE "
      "score < :3" },
    { "SELECT age, AVG(age/7), AVG(price/13) a FROM users GROUP BY age ORDER BY a, age",
      "scatter all; merge: 2=avg h1=sum h2=count 3=avg h3=sum h4=count h5=sum h6=count "
      "group 1 sort 3,1; text: SELECT age, AVG(age/:0), AVG(price/:1) a, "
      "0.000000000000000000000000000+SUM(age/:0), COUNT(age/:0), "
      "0.000000000000000000000000000+SUM(price/:1), COUNT(price/:1), "
      "0.000000000000000000000000000+SUM(price/:1), COUNT(price/:1) FROM users GROUP BY "
      "age ORDER BY NULL" },
    { "SELECT COUNT(*), MAX(CONCAT(name, 'x')) FROM users",
      "scatter all; merge: 1=count 2=max h1=max one group; text: SELECT COUNT(*), "
      "MAX(CONCAT(name, :0)), WEIGHT_STRING(MAX(CONCAT(name, :0))) FROM users" },
    { "SELECT LEFT(name, 1) l, COUNT(*) c FROM users GROUP BY l ORDER BY c DESC, l",
      "scatter all; merge: 2=count group 1~h1 sort 2 desc,1~h2; text: SELECT LEFT(name, "
      ":0) l, COUNT(*) c, WEIGHT_STRING(LEFT(name, :0)), WEIGHT_STRING(LEFT(name, :0)) "
      "FROM users GROUP BY l ORDER BY NULL" },
    { "SELECT COALESCE(name, '?') l, COUNT(*) c FROM users GROUP BY l ORDER BY l",
      "scatter all; merge: 2=count group 1~h1 sort 1~h2; text: SELECT COALESCE(name, :0) "
      "l, COUNT(*) c, WEIGHT_STRING(COALESCE(name, :0)), WEIGHT_STRING(COALESCE(name, "
      ":0)) FROM users GROUP BY l ORDER BY NULL" },
    { "SELECT country FROM orders WHERE country IN (SELECT id FROM countries) GROUP BY "
      "country ORDER BY country",
      "scatter all; merge: group 1 sort 1; text: SELECT country FROM orders WHERE "
      "country IN (SELECT id FROM countries) GROUP BY country ORDER BY NULL" },
    { "SELECT DISTINCT COUNT(*) FROM users GROUP BY age ORDER BY 1",
      "scatter all; merge: 1=count group h1 sort 1 distinct 1; text: SELECT DISTINCT "
      "COUNT(*), age FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT t.a, COUNT(*) FROM (SELECT id, age a FROM users) t GROUP BY t.a ORDER BY "
      "t.a",
      "scatter all; merge: 2=count group 1 sort 1; text: SELECT t.a, COUNT(*) FROM "
      "(SELECT id, age a FROM users) t GROUP BY t.a ORDER BY NULL" },
    { "SELECT COUNT(*) FROM (SELECT age + 1 a FROM users WHERE age > 2) t",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM (SELECT age + :0 a "
      "FROM users WHERE age > :1) t" },
    { "SELECT COUNT(*) FROM (SELECT * FROM users) t",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM (SELECT * FROM users) "
      "t" },
    { "SELECT COUNT(*) FROM (SELECT DISTINCT user_id FROM orders) t",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM (SELECT "
      "DISTINCT user_id FROM orders) t" },
    { "SELECT MAX(s) FROM (SELECT user_id, SUM(amount) s FROM orders GROUP BY user_id) t",
      "scatter all; merge: 1=max one group; text: SELECT MAX(s) FROM (SELECT user_id, "
      "SUM(amount) s FROM orders GROUP BY user_id) t" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age HAVING age > 2 AND COUNT(*) > 1 "
      "ORDER BY age",
      "scatter all; merge: 2=count group 1 having sort 1; text: SELECT age, COUNT(*) "
      "FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT age a, COUNT(*) FROM users GROUP BY a HAVING NOT (a = 2 OR COUNT(*) < 3) "
      "ORDER BY a",
      "scatter all; merge: 2=count group 1 having sort 1; text: SELECT age a, COUNT(*) "
      "FROM users GROUP BY a ORDER BY NULL" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age HAVING SUM(price) * 2 - 1 > 100 "
      "ORDER BY age",
      "scatter all; merge: 2=count h1=sum group 1 having sort 1; text: SELECT age, "
      "COUNT(*), SUM(price) FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT age, MAX(name) FROM users GROUP BY age ORDER BY MAX(name), age",
      "scatter all; merge: 2=max h1=max group 1 sort 2~h1,1; text: SELECT age, "
      "MAX(name), WEIGHT_STRING(MAX(name)) FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT age, MAX(name) m FROM users GROUP BY age ORDER BY m DESC, age",
      "scatter all; merge: 2=max h1=max group 1 sort 2~h1 desc,1; text: SELECT age, "
      "MAX(name) m, WEIGHT_STRING(MAX(name)) FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT COUNT(*) FROM users, countries",
      "scatter all; merge: 1=count one group; text: SELECT COUNT(*) FROM users, countries" },
    { "SELECT SUM(IF(age > 3, 1, 0)) s FROM users",
      "scatter all; merge: 1=sum one group; text: SELECT SUM(IF(age > :0, :1, :2)) s "
      "FROM users" },
    { "SELECT SUM(age > 3), COUNT(age > 3 OR NULL) FROM users",
      "scatter all; merge: 1=sum 2=count one group; text: SELECT SUM(age > :0), "
      "COUNT(age > :1 OR NULL) FROM users" },
    { "SELECT COUNT(*) FROM users GROUP BY age ORDER BY age LIMIT 2 OFFSET 1",
      "scatter all; merge: 1=count group h1 sort h1 limit; text: SELECT COUNT(*), age "
      "FROM users GROUP BY age ORDER BY NULL" },
    { "SELECT age AS id, COUNT(*) FROM users GROUP BY id ORDER BY COUNT(*), id",
      "scatter all; merge: sort 2,1; text: SELECT age AS id, COUNT(*) FROM users GROUP "
      "BY id ORDER BY COUNT(*), id" },
    { "SELECT id FROM users WHERE id IN (SELECT user_id FROM orders GROUP BY user_id "
      "HAVING COUNT(*) > 2) ORDER BY id",
      "scatter all; merge: sort 1; text: SELECT id FROM users WHERE id IN (SELECT "
      "user_id FROM orders GROUP BY user_id HAVING COUNT(*) > :0) ORDER BY id" },
    { "SELECT name COLLATE utf8mb4_bin b, COUNT(*) FROM users GROUP BY b ORDER BY b",
      "scatter all; merge: 2=count group 1~h1 sort 1~h1; text: SELECT name COLLATE "
      "utf8mb4_bin b, COUNT(*), WEIGHT_STRING(name COLLATE utf8mb4_bin) FROM users GROUP "
      "BY b ORDER BY NULL" },
    { "SELECT age, COUNT(*) c FROM users GROUP BY age ORDER BY AVG(price) DESC, age "
      "LIMIT 2, 3",
      "scatter all; merge: 2=count h1=avg h2=sum h3=count group 1 sort h1 desc,1 limit; "
      "text: SELECT age, COUNT(*) c, AVG(price), SUM(price), COUNT(price) FROM users "
      "GROUP BY age ORDER BY NULL" },
    { "SELECT u.age, o.country, SUM(o.amount) s FROM users u JOIN orders o ON u.id = "
      "o.user_id GROUP BY u.age, o.country HAVING s > 10 ORDER BY 1, 2",
      "scatter all; merge: 3=sum group 1,2 having sort 1,2; text: SELECT u.age, "
      "o.country, SUM(o.amount) s FROM users u JOIN orders o ON u.id = o.user_id GROUP "
      "BY u.age, o.country ORDER BY NULL" },
};

int
main(void)
{
    world_init();
    return plans_main(cases, countof(cases));
}
