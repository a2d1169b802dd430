"""test_refused.py - what shardd refuses: where one server refuses it as well, in its words."""
import pytest

import testbed
from rawclient import RawClient, ServerError

DB = "refused"
SETUP = [
    "CREATE TABLE users (id INT PRIMARY KEY, age INT) COMMENT 'shardd: key(id)'",
    "CREATE TABLE orders (id INT PRIMARY KEY, user_id INT) COMMENT 'shardd: key(id)'",
    "CREATE TABLE settings (id INT PRIMARY KEY, v INT) COMMENT 'shardd: global'",
    "INSERT INTO users VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)",
    "INSERT INTO orders VALUES (1, 2), (2, 2), (3, 5), (4, 9)",
    "CREATE VIEW old AS SELECT id FROM users WHERE age > 30",
]
THEIRS = [  # nobody takes these
    "SELECT * FROM users u JOIN missing m ON m.x = u.age",
    "SELECT * FROM missing m LEFT JOIN users u ON m.x = u.age",
    "SELECT COUNT(*) FROM users WHERE age IN (SELECT x FROM missing)",
    "SELECT id FROM users UNION SELECT x FROM missing",
    "SELECT id, ROW_NUMBER() OVER (ORDER BY age) FROM users, missing",
    "SELECT o.id FROM orders o JOIN old v ON v.id = o.user_id JOIN missing m ON m.x = v.id",
    "WITH w AS (SELECT * FROM missing) SELECT * FROM w JOIN users u ON u.age = w.x",
    "SELECT nothing(id) FROM users",
    "SELECT id FROM users WHERE nothing(age) > 3 ORDER BY id",
    "SELECT refused.nothing(u.id) FROM users u JOIN orders o ON o.user_id = u.id",
    "SELECT u.id, x.n FROM users u, LATERAL (SELECT COUNT(*) AS n FROM orders) x",
    "UPDATE users SET age = (SELECT MAX(x) FROM missing)",
    "UPDATE users u JOIN missing m ON m.x = u.age SET u.age = 1",
    "DELETE FROM users WHERE age IN (SELECT x FROM missing)",
    "INSERT INTO users SELECT id, x FROM missing",
    "INSERT INTO users SELECT user_id, nothing(id) FROM orders",
    "REPLACE INTO missing SELECT user_id, id FROM orders",
]
OURS = [  # a server would do it
    "SELECT GET_LOCK('x', 0), id FROM users",
    "SELECT age FROM users ORDER BY age LIMIT 5 ROWS EXAMINED 100",
]


@pytest.fixture(scope="module")
def both(gathering, plain):
    with testbed.both(gathering, plain, DB, SETUP) as pair:
        yield pair


def prepared(server, sql):
    with RawClient(server.port) as client:
        client.login(db=DB)
        with pytest.raises(ServerError) as error:
            client.prepare(sql)
        return error.value.code, error.value.text


@pytest.mark.parametrize("sql", THEIRS)
def test_as_one_server(both, sql):
    assert both.compare(sql, messages=True).error[0] in (1064, 1146, 1305)
    assert prepared(both.cluster, sql) == prepared(both.plain, sql)
    both.compare("EXECUTE IMMEDIATE %s", (sql,), messages=True)


def test_a_transaction_stays_what_it_is(both):
    both.run("BEGIN")
    both.run("UPDATE users SET age = age + 1 WHERE id = 2")
    for sql in THEIRS[:3] + THEIRS[-3:]:
        assert both.compare(sql, messages=True).error
    both.compare("SELECT * FROM users ORDER BY id")
    both.run("COMMIT")
    both.compare("SELECT * FROM users ORDER BY id")


def test_what_one_server_does_is_refused_in_our_words(both):
    for sql in OURS:
        error = both.answers(sql)[0].error
        assert error and error[0] == 1235 and error[1].startswith("shardd: "), (sql, error)


def test_a_temporary_table_does_exist(both):
    with both.cluster.connect(db=DB) as mine:
        assert testbed.Answer(mine, "CREATE TEMPORARY TABLE missing (x INT)").error is None
        assert testbed.Answer(mine, THEIRS[0]).rows == []
        assert testbed.Answer(mine, "SELECT COUNT(*) FROM missing").rows == [(0,)]
    both.compare(THEIRS[0], messages=True)
