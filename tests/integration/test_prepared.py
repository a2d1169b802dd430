"""Prepared statements at the protocol's level: nothing grows, whatever is prepared; answers are
those of a plain server, packet by packet."""
import os
import struct
import time

import pytest

import rawclient
import testbed
from rawclient import RawClient, ServerError

STMT_RESET = rawclient.STMT_RESET


@pytest.fixture(scope="module")
def one(scratch):
    """One worker, so that its memory and its connections are all there is. The address sanitizer
    would keep 256 MiB of what is freed."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4")
        cluster = testbed.Cluster(scratch / "prepared", workers=1,
                                  settings=["--set", "pool_statements = 20"])
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, s VARCHAR(20), b LONGBLOB)")
    cluster.sql("INSERT INTO t (id, s) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
    yield cluster
    cluster.finish()


def server_counts(cluster):
    """Statements that are prepared on the shards, and connections of clients to them."""
    statements = connections = 0
    for shard in cluster.shard_list():
        row = cluster.on_shard(shard, "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[0]
        statements += int(row[1])
        connections += cluster.on_shard(shard, "SELECT COUNT(*) FROM information_schema."
                                               "PROCESSLIST WHERE USER = 'app'")[0][0]
    return statements, connections


def cycle(client, i):
    """Every text is new: nothing is found that was prepared before."""
    statement = client.prepare(f"SELECT id + ?, {i} FROM t WHERE id = ?")[0]
    if i % 16 == 0:
        rows = client.execute(statement, [i, 1 + i % 3])[1]
        assert struct.unpack("<q", rows[0][2:10]) == (i + 1 + i % 3,)
    client.close_statement(statement)


def cycles(cluster, n):
    """How long the first and the last tenth of them took, and how much memory came in between."""
    worker = cluster.worker_pids()[0]
    with RawClient(cluster.port) as client:
        client.login(db="app")
        for i in range(n // 10):  # what is made once and for all
            cycle(client, i)
        before, times = testbed.memory_kib(worker), []
        for part in range(9):
            began = time.monotonic()
            for i in range(n // 10):
                cycle(client, n * (part + 1) + i)
            times.append(time.monotonic() - began)
        grown = testbed.memory_kib(worker) - before

        def agree():
            """A server hears a moment later that a statement is closed."""
            statements, connections = server_counts(cluster)
            return (statements <= 20 * connections
                    and cluster.metric("shardd_backend_statements") == statements)
        testbed.wait_for("servers and worker to agree", agree)
    return times, grown


def test_what_is_closed_is_gone(one):
    """Memory: the plan cache is a bounded part, and is full by then."""
    times, grown = cycles(one, 20000)
    assert grown < 24 * 1024, f"{grown} KiB more"
    assert min(times[-3:]) < 4 * min(times[:3])


@pytest.mark.long
def test_what_is_closed_is_gone_a_million_times(one):
    times, grown = cycles(one, 1000000)
    print(f"\ntenths of 10^6 prepare and close: {[round(t, 1) for t in times]} s, {grown} KiB")
    assert grown < 24 * 1024
    assert min(times[-3:]) < 2 * min(times[:3])


def test_status_tells(one):
    testbed.wait_for("it to agree with the servers", lambda: server_counts(one)[0] == dict(
        one.sql("SHOW SHARDD STATUS"))["shardd_backend_statements"])


def test_a_server_with_no_room_for_statements(one):
    """It refuses to prepare; the statement before must not run in its place."""
    shards = one.shard_list()
    try:
        with RawClient(one.port) as client:
            client.login(db="app")
            kept = [client.prepare(f"SELECT s, {i} FROM t WHERE id = ?")[0] for i in range(12)]
            scatter = client.prepare("SELECT COUNT(*), MAX(s) FROM t WHERE id < ?")[0]
            for shard in shards:
                one.on_shard(shard, "SET GLOBAL max_prepared_stmt_count = 2")
            for i in range(60):
                rows = client.execute(kept[i % 12], [1 + i % 4])[1]
                assert rows[0][2:4] == b"\1" + b"abcd"[i % 4:i % 4 + 1]
                assert client.execute(scatter, [9])[1][0][2:12] == struct.pack("<q", 4) + b"\1d"
            client.prepare("SELECT 'one more'")
            for shard in shards:
                one.on_shard(shard, "SET GLOBAL max_prepared_stmt_count = 0")
            for statement in kept:
                with pytest.raises(ServerError) as refused:
                    client.execute(statement, [1])
                assert refused.value.code == 1461
            with pytest.raises(ServerError) as refused:
                client.prepare("SELECT 'too many'")
            assert refused.value.code == 1461
    finally:
        for shard in shards:
            one.on_shard(shard, "SET GLOBAL max_prepared_stmt_count = DEFAULT")
    assert one.sql("SELECT COUNT(*) FROM t") == ((4,),)


def test_too_many_of_one_client(one):
    with RawClient(one.port) as client:
        client.login(db="app")
        for i in range(16382):
            client.command(rawclient.STMT_PREPARE, b"DO 1")
            client.read()
        with pytest.raises(ServerError) as refused:
            client.prepare("DO 1")
        assert refused.value.code == 1461
        client.close_statement(5)
        client.prepare("DO 1")


def test_long_data(one):
    """18 MiB in three parts and several packets, to rows of both shards."""
    parts = [bytes([n]) * (6 << 20) for n in (1, 2, 3)]
    with RawClient(one.port, timeout=60) as client:
        client.login(db="app")
        statement = client.prepare("UPDATE t SET b = ?, s = ? WHERE id = ?")[0]
        for key in (1, 2, 3, 4):
            for part in parts:
                client.long_data(statement, 0, part)
            client.long_data(statement, 1, b"long")
            client.execute(statement, [..., ..., key])
        for row in one.sql("SELECT s, LENGTH(b), MD5(b) = MD5(CONCAT(REPEAT(CHAR(1), 6291456),"
                           " REPEAT(CHAR(2), 6291456), REPEAT(CHAR(3), 6291456))) FROM t"):
            assert row == ("long", 18 << 20, 1)
        # Forgotten by a reset, and by the execution.
        client.long_data(statement, 0, b"x" * 1000)
        client.command(STMT_RESET, struct.pack("<I", statement))
        client.ok()
        client.execute(statement, [b"short", "s", 1])
        assert one.sql("SELECT b FROM t WHERE id = 1") == ((b"short",),)
        # More than max_packet_bytes is told at the execution, and the client goes on.
        for _ in range(11):
            client.long_data(statement, 0, parts[0])
        with pytest.raises(ServerError) as refused:
            client.execute(statement, [..., "s", 1])
        assert refused.value.code == 1153
        client.execute(statement, [b"after", "s", 1])
    one.sql("UPDATE t SET b = NULL")


def transcript(server, db):
    """What a client sees of statements that outlive changes of their tables, as packets."""
    out = []

    def note(*packets):
        for p in packets:
            if p is None:
                out.append(None)
            elif isinstance(p, list):
                out.extend(rawclient.column(x) if x[:4] == b"\3def" else x for x in p)
            else:
                out.append(p)

    def run(statement, values, **more):
        try:
            note(*client.execute(statement, values, **more))
        except ServerError as error:
            out.append((error.code, error.state))

    with RawClient(server.port) as client:
        client.login(db=db)
        client.query("CREATE TABLE a (id INT PRIMARY KEY, n INT)")
        client.query("INSERT INTO a VALUES (1, 10), (2, 20), (3, 30)")
        everything = client.prepare("SELECT * FROM a WHERE id = ?")[0]
        ordered = client.prepare("SELECT * FROM a WHERE id < ? ORDER BY id")[0]
        change = client.prepare("UPDATE a SET n = ? WHERE id = ?")[0]
        for _ in range(2):
            run(everything, [2])
            run(ordered, [9])
        client.query("ALTER TABLE a ADD s VARCHAR(10) DEFAULT 'new'")
        run(everything, [2])
        run(ordered, [9])
        client.query("ALTER TABLE a MODIFY n VARCHAR(20)")
        run(everything, [2])
        run(ordered, [9])
        run(change, ["text", 2])
        client.query("ALTER TABLE a DROP n")
        run(everything, [2])
        run(change, ["gone", 2])
        client.query("DROP TABLE a")
        run(everything, [2])
    return out


def test_tables_change_under_statements(checked, plain, db):
    plain.sql(f"CREATE DATABASE {db}")
    try:
        theirs, ours = transcript(plain, db), transcript(checked, db)
        assert ours == theirs
    finally:
        plain.sql(f"DROP DATABASE {db}")


def types_transcript(server, db):
    """Types come once; values of the same types follow, NULLs among them."""
    out = []
    with RawClient(server.port) as client:
        client.login(db=db)
        client.query("CREATE TABLE k (id BIGINT PRIMARY KEY, f DOUBLE, s VARCHAR(20))")
        insert = client.prepare("INSERT INTO k VALUES (?, ?, ?)")[0]
        read = client.prepare("SELECT * FROM k WHERE id = ?")[0]
        with pytest.raises(ServerError) as unbound:
            client.execute(insert, [1, 1.5, "x"], send_types=False)
        out.append(unbound.value.code)
        client.execute(insert, [1, 1.5, "x"])
        for i in range(2, 9):
            client.execute(insert, [i, i / 4, None if i % 3 == 0 else "y" * i], send_types=False)
        for i in range(1, 10):
            out.append(client.execute(read, [i], send_types=i == 1)[1])
        client.command(STMT_RESET, struct.pack("<I", read))
        client.ok()
        out.append(client.execute(read, [1], send_types=False)[1])
        for wrong in (STMT_RESET, rawclient.STMT_EXECUTE):
            client.command(wrong, struct.pack("<I", 9999) + bytes(5))
            with pytest.raises(ServerError) as unknown:
                client.ok()
            out.append((unknown.value.code, unknown.value.text))
    return out


def test_types_are_sent_once(checked, plain, db):
    plain.sql(f"CREATE DATABASE {db}")
    try:
        assert types_transcript(checked, db) == types_transcript(plain, db)
    finally:
        plain.sql(f"DROP DATABASE {db}")
