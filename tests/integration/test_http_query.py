"""POST /v1/query: statements by HTTP, answers in JSON."""
import base64
import decimal
import http.client
import json
import socket
import threading
import time

import pytest

import testbed

BASIC = "Basic " + base64.b64encode(b"app:app").decode()


@pytest.fixture(scope="module")
def web(scratch):
    cluster = testbed.Cluster(scratch / "web", workers=1, settings=(
        "--set", "http_query = true", "--set", "http_body_max_bytes = 100000"))
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, s VARCHAR(100))")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 'row {i}')" for i in range(100)))
    yield cluster
    cluster.finish()


class Connection:
    """One kept-alive HTTP connection."""

    def __init__(self, cluster, auth=BASIC):
        self.headers = {"Authorization": auth} if auth else {}
        self.http = http.client.HTTPConnection("127.0.0.1", cluster.http_port, timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def post(self, body):
        self.http.request("POST", "/v1/query", body, self.headers)
        answer = self.http.getresponse()
        text = answer.read()
        return answer.status, json.loads(text, parse_float=decimal.Decimal)

    def ask(self, query, params=None, database="app", **more):
        fields = {"query": query, "database": database, **more}
        if params is not None:
            fields["params"] = params
        return self.post(json.dumps(fields))

    def rows(self, query, params=None, **more):
        status, document = self.ask(query, params, **more)
        assert status == 200, document
        return document["rows"]


@pytest.fixture
def conn(web):
    with Connection(web) as connection:
        yield connection


def test_reads_and_writes(web, conn):
    assert conn.rows("SELECT s FROM t WHERE id = 7") == [["row 7"]]
    assert conn.rows("SELECT s FROM t WHERE id = ?", [8]) == [["row 8"]]
    assert conn.rows("SELECT COUNT(*), MIN(id) FROM t WHERE id < ?", [50]) == [[50, 0]]
    status, done = conn.ask("INSERT INTO t VALUES (?, ?), (?, ?)", [1000, 'a"\\\n', 1001, None])
    assert (status, done["affected_rows"], done["warnings"]) == (200, 2, 0)
    assert conn.rows("SELECT s FROM t WHERE id >= 1000 ORDER BY id") == [['a"\\\n'], [None]]
    assert conn.ask("DELETE FROM t WHERE id >= 1000")[1]["affected_rows"] == 2
    conn.ask("CREATE TABLE n (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)")
    first = conn.ask("INSERT INTO n (v) VALUES (1)")[1]["insert_id"]
    assert conn.rows("SELECT id FROM n") == [[first]]


VALUES = [
    ("CAST(-128 AS SIGNED)", "INT", -128),
    ("9007199254740992", "BIGINT", 9007199254740992),
    ("9007199254740993", "BIGINT", "9007199254740993"),
    ("-9223372036854775808", "BIGINT", "-9223372036854775808"),
    ("18446744073709551615", "BIGINT", "18446744073709551615"),
    ("12345678901234567890123.4500", "DECIMAL", "12345678901234567890123.4500"),
    ("1e300", "DOUBLE", decimal.Decimal("1e300")),
    ("0.1e0 + 0.2e0", "DOUBLE", decimal.Decimal("0.30000000000000004")),
    ("NULL", "NULL", None),
    ("DATE'2024-02-29'", "DATE", "2024-02-29"),
    ("TIMESTAMP'2024-02-29 01:02:03.000456'", "DATETIME", "2024-02-29 01:02:03.000456"),
    ("TIME'-12:00:01'", "TIME", "-12:00:01"),
    ("_utf8mb4 x'F09F9880C3A4090122'", "VARCHAR", "\U0001f600ä\t\x01\""),
    ("''", "VARCHAR", ""),
    ("CAST(x'00FF80' AS BINARY)", "VARBINARY", base64.b64encode(b"\x00\xff\x80").decode()),
    ("ST_GeomFromText('POINT(1 2)')", "GEOMETRY", None),
]


@pytest.mark.parametrize("prepared", [False, True])
def test_values_lose_nothing(conn, prepared):
    where, params = (" WHERE ? = 1", [1]) if prepared else ("", None)
    for text, kind, value in VALUES:
        status, document = conn.ask(f"SELECT {text} AS v FROM DUAL{where}", params)
        assert status == 200, (text, document)
        assert document["columns"][0]["type"] == kind, text
        got = document["rows"][0][0]
        if kind == "GEOMETRY":
            assert len(base64.b64decode(got)) == 25
        else:
            assert got == value and isinstance(got, type(value)), text


def test_parameters_of_all_kinds(conn):
    blob = bytes(range(256))
    params = [None, True, False, -5, 2**63 - 1, 1.5, "ä\0'", {"base64": base64.b64encode(blob)
                                                            .decode()}]
    row = conn.rows("SELECT ?, ?, ?, ?, ?, ?, ?, ?", params)[0]
    assert row[:4] == [None, 1, 0, -5] and row[4] == str(2**63 - 1)
    assert row[5] == 1.5 and row[6] == "ä\0'" and base64.b64decode(row[7]) == blob


BAD = [
    ("", 1210), ("[]", 1210), ("{", 1210), ('{"query": 1}', 1210), ("{}", 1210),
    ('{"query": "SELECT 1", "query": "SELECT 2"}', 1210),
    ('{"query": "SELECT 1", "shard": 1}', 1210),
    ('{"query": "SELECT 1", "database": 5}', 1210),
    ('{"query": "SELECT 1", "consistency": "soon"}', 1210),
    ('{"query": "SELECT 1", "shard_key": 1.5}', 1210),
    ('{"query": "SELECT 1", "shard_key": [1]}', 1210),
    ('{"query": "SELECT ?", "params": 1}', 1210),
    ('{"query": "SELECT ?", "params": [[1]]}', 1210),
    ('{"query": "SELECT ?", "params": [{"base64": "!"}]}', 1210),
    ('{"query": "SELECT ?", "params": [1, 2]}', 1210),
    ('{"query": "SELECT ?", "params": [99999999999999999999]}', 1210),
    ('{"query": "SELECT 1; SELECT 2"}', 1064),
    ('{"query": "SELECT nothing FROM t", "database": "app"}', 1054),
    ('{"query": "SELECT 1", "database": "nowhere"}', 1049),
    ('{"query": ""}', 1065),
]


def test_mistakes_are_told(conn):
    for body, code in BAD:
        status, document = conn.post(body)
        assert status == 400 and document["error"]["code"] == code, (body, document)
        assert document["error"]["message"] and document["error"]["sqlstate"]
    assert conn.rows("SELECT 1") == [[1]]  # the connection went on
    status, document = conn.ask("LOAD DATA LOCAL INFILE '/etc/hosts' INTO TABLE t")
    assert status == 400 and document["error"]["code"] in (1235, 4166, 1148)
    assert conn.rows("SELECT 1") == [[1]]


KEPT = [  # query, params, shard_key, rows or None: refused
    ("SELECT s FROM t WHERE id = 7", None, 7, [["row 7"]]),
    ("SELECT s FROM t WHERE id = 7", None, "7", [["row 7"]]),
    ("SELECT s FROM t WHERE id = 7", None, "7.5", None),
    ("SELECT s FROM t WHERE id = 7", None, 8, None),
    ("SELECT s FROM t WHERE id = ?", [7], 7, [["row 7"]]),
    ("SELECT s FROM t WHERE id = ?", [9], 7, None),
    ("SELECT s FROM t WHERE id IN (7, 7)", None, 7, [["row 7"]]),
    ("SELECT s FROM t WHERE id IN (7, 8)", None, 7, None),
    ("SELECT COUNT(*) FROM t", None, 7, None),
    ("SELECT a.s FROM t a JOIN t b ON a.id = b.id WHERE b.id = 7", None, 7, [["row 7"]]),
    ("SELECT a.s FROM t a JOIN t b ON a.s = b.s WHERE b.id = 7", None, 7, None),
    ("SELECT 5", None, 7, [[5]]),
    ("UPDATE t SET s = 'row 7' WHERE id = 7", None, 7, True),
    ("UPDATE t SET s = s", None, 7, None),
    ("REPLACE INTO t VALUES (7, 'row 7')", None, 7, True),
    ("REPLACE INTO t VALUES (7, 'row 7'), (8, 'row 8')", None, 7, None),
    ("REPLACE INTO t VALUES (3 + 4, 'row 7')", None, 7, True),
    ("REPLACE INTO t VALUES (3 + 5, 'row 8')", None, 7, None),
    ("INSERT INTO numbered (s) VALUES ('x')", None, 7, None),
    ("DROP TABLE t", None, 7, None),
    ("SELECT n FROM names WHERE name = 'Ärger'", None, "ärger", [[1]]),
    ("SELECT n FROM names WHERE name = 'Ärger'", None, "Freude", None),
]


def test_a_shard_key_is_kept_to(web, conn):
    web.sql("CREATE TABLE numbered (id BIGINT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(9))")
    web.sql("CREATE TABLE names (name VARCHAR(20) PRIMARY KEY, n INT)")
    web.sql("INSERT INTO names VALUES ('ärger', 1)")
    for query, params, key, rows in KEPT:
        for how in "strong", "causal", "eventual", None:
            status, document = conn.ask(query, params, shard_key=key, consistency=how)
            if rows is None:
                assert status == 400 and document["error"]["code"] == 1235, (query, document)
            else:
                assert status == 200 and document.get("rows", True) == rows, (query, document)
    assert conn.rows("SELECT COUNT(*) FROM t") == [[100]]  # none is given: as always
    web.sql("DROP TABLE numbered, names")


def test_who_may(web):
    for auth in (None, "Basic", "Basic !", "Bearer x", "Basic " + base64.b64encode(b"app").decode(),
                 "Basic " + base64.b64encode(b"app:wrong").decode(),
                 "Basic " + base64.b64encode(b"nobody:app").decode(),
                 "Basic " + base64.b64encode(b"app:").decode()):
        with Connection(web, auth) as connection:
            status, document = connection.ask("SELECT 1")
            assert (status, document["error"]["code"]) == (401, 1045), auth


def test_tokens(web):
    def status(token):
        with Connection(web, f"Bearer {token}") as connection:
            return connection.ask("SELECT 1")[0]

    web.ctl("user add", "robot", "--password", "secret")
    first = web.ctl("user token", "robot")["token"]
    with Connection(web, f"Bearer {first}") as connection:
        assert connection.rows("SELECT USER()")[0][0].startswith("robot@")
    assert status(first[:-1]) == status(first + "x") == status("") == 401
    second = web.ctl_raw("user token", "robot").stdout.strip()
    assert second != first and (status(first), status(second)) == (401, 200)
    assert [u["token"] for u in web.ctl("user list")["users"] if u["name"] == "robot"] == [True]
    web.ctl("user token", "robot", "--revoke")
    assert status(second) == 401
    assert web.ctl_raw("user token", "nobody").returncode == 1
    web.ctl("user remove", "robot")


def test_nothing_of_a_session_stays(web, conn):
    for sql in ("SET @a = 1", "SET SESSION sql_mode = 'ANSI'", "BEGIN",
                "CREATE TEMPORARY TABLE x (a INT)"):
        assert conn.ask(sql)[0] == 200
    assert conn.rows("SELECT @a, @@in_transaction") == [[None, 0]]
    assert "ANSI" not in conn.rows("SELECT @@sql_mode")[0][0]
    assert conn.ask("SELECT * FROM x")[1]["error"]["code"] == 1146
    # What it holds is let go.
    assert conn.rows("SELECT GET_LOCK('web', 0)") == [[1]]
    assert web.sql("SELECT GET_LOCK('web', 10)") == ((1,),)


def test_users_take_turns_on_a_connection(web):
    web.ctl("user add", "other", "--password", "secret")
    with Connection(web) as connection:
        for name, password in (("app", "app"), ("other", "secret"), ("app", "app")):
            both = f"{name}:{password}".encode()
            connection.headers["Authorization"] = "Basic " + base64.b64encode(both).decode()
            assert connection.rows("SELECT USER()", database=None)[0][0].startswith(name + "@")


def test_pipelined_requests_are_answered_in_order(web):
    def request(i):
        body = json.dumps({"query": f"SELECT {i}"}).encode()
        return (f"POST /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    with socket.create_connection(("127.0.0.1", web.http_port), 60) as s:
        s.sendall(b"".join(map(request, range(50)))
                  + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while part := s.recv(65536):
            got += part
    at = [got.index(f'"rows":[[{i}]]'.encode()) for i in range(50)]
    assert at == sorted(at) and got.endswith(b"ok\n")


def raw(web, head, body=b""):
    with socket.create_connection(("127.0.0.1", web.http_port), 60) as s:
        s.sendall(head.replace("\n", "\r\n").encode() + body)
        got = b""
        while part := s.recv(65536):
            got += part
    return got


def test_odd_requests(web):
    auth = f"Host: x\nAuthorization: {BASIC}\n"
    ask = b'{"query": "SELECT 1"}'
    close = "Connection: close\n"
    for head, body, status in (
            (f"POST /v1/query HTTP/1.1\n{auth}{close}Content-Length: 100001\n\n", b"", b"413"),
            (f"POST /v1/query HTTP/1.1\n{auth}{close}\n", b"", b"411"),
            (f"POST /v1/query HTTP/1.1\n{auth}{close}Transfer-Encoding: chunked\n\n", b"", b"411"),
            (f"POST /metrics HTTP/1.1\n{auth}{close}Content-Length: 0\n\n", b"", b"405"),
            (f"GET /v1/query HTTP/1.1\n{auth}{close}\n", b"", b"405"),
            (f"POST /v1/query HTTP/1.1\n{auth}Content-Length: 5\nContent-Length: 6\n\n", b"",
             b"400"),
            (f"POST /v1/query HTTP/1.1\n{auth}{close}Content-Length: 21\n\n", ask, b"200"),
            (f"POST /v1/query HTTP/1.0\n{auth}Content-Length: 21\n\n", ask, b"200")):
        got = raw(web, head, body)
        assert got.startswith(b"HTTP/1.1 " + status), (head, got)
    got = b""
    with socket.create_connection(("127.0.0.1", web.http_port), 60) as s:
        s.sendall((f"POST /v1/query HTTP/1.1\n{auth}{close}Content-Length: 21\n"
                   "Expect: 100-continue\n\n").replace("\n", "\r\n").encode())
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(ask[:5])
        s.sendall(ask[5:])
        while part := s.recv(65536):
            got += part
    assert b"200 OK" in got


def test_long_answers_come_in_pieces(web, conn):
    rows = conn.rows("SELECT s, REPEAT('x', 20000) FROM t ORDER BY id")
    assert len(rows) == 100 and all(len(r[1]) == 20000 for r in rows)
    body = b'{"database": "app", "query": "SELECT REPEAT(\'x\', 20000) FROM t"}'
    got = raw(web, f"POST /v1/query HTTP/1.0\nAuthorization: {BASIC}\n"
              f"Content-Length: {len(body)}\n\n", body)
    head, _, text = got.partition(b"\r\n\r\n")
    assert b"chunked" not in head and len(json.loads(text)["rows"]) == 100


def test_a_reader_that_waits_is_waited_for(web):
    """100 MB for somebody who does not read: the worker's memory stays."""
    (worker,) = web.worker_pids()
    before = testbed.memory_kib(worker)
    body = (b'{"database": "app", "query": "SELECT s, REPEAT(\'x\', 1000000) FROM t"}')
    with socket.create_connection(("127.0.0.1", web.http_port), 60) as s:
        s.sendall(f"POST /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\nConnection: "
                  f"close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert s.recv(100)
        with Connection(web) as other:
            assert other.rows("SELECT 1") == [[1]]
        most, end = 0, time.monotonic() + 1
        while time.monotonic() < end:
            most = max(most, testbed.memory_kib(worker))
        n = 100
        while part := s.recv(1 << 20):
            n += len(part)
    assert n > 100_000_000
    assert most - before < 30_000


def test_a_statement_is_killed_and_listed(web):
    answers = []
    with Connection(web) as connection:
        thread = threading.Thread(target=lambda: answers.append(
            connection.ask("SELECT SLEEP(30), 'by http'")))
        thread.start()
        with web.connect() as c, c.cursor() as cursor:
            def find():
                cursor.execute("SHOW SHARDD CLIENTS")
                names = [d[0].lower() for d in cursor.description]
                for row in cursor.fetchall():
                    if "'by http'" in str(row):
                        return row[names.index("id")]
                return None
            kill = testbed.wait_for("the statement", find)
            cursor.execute(f"KILL QUERY {kill}")
        thread.join(60)
    status, document = answers[0]
    assert status == 400 and document["error"]["code"] == 1317


def test_the_process_list_knows_whence(web):
    """The address of the HTTP connection, and so in USER(), as with any client."""
    with Connection(web) as connection:
        connection.http.connect()
        host = "%s:%d" % connection.http.sock.getsockname()
        shown = connection.rows("SELECT HOST, USER FROM information_schema.PROCESSLIST "
                                "WHERE ID = CONNECTION_ID()")
        assert shown == [[host, "app"]]
        testbed.wait_for("those of before to be gone", lambda: [host] == [
            row[2] for row in connection.rows("SHOW PROCESSLIST")])
        assert connection.rows("SELECT USER()") == [["app@127.0.0.1"]]


def test_a_client_that_goes_ends_its_statement(web):
    body = b'{"query": "SELECT SLEEP(30)"}'
    s = socket.create_connection(("127.0.0.1", web.http_port), 60)
    s.sendall(f"POST /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\n"
              f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def running():
        return any(web.on_shard(shard, "SELECT 1 FROM information_schema.PROCESSLIST"
                                " WHERE INFO LIKE 'SELECT SLEEP(30)%'")
                   for shard in web.shard_list())
    testbed.wait_for("the statement", running)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    s.close()
    testbed.wait_for("its end", lambda: not running())


def test_off_unless_asked_for(checked):
    with Connection(checked) as connection:
        connection.http.request("POST", "/v1/query", "{}", connection.headers)
        assert connection.http.getresponse().status == 405
