"""binlog_record.py - records what a real server logs, for test_binlog.c and fuzz_binlog.c.

    /usr/bin/python3 tests/unit/binlog_record.py

Writes tests/fuzz/corpus/binlog/{plain,packed,none}: a byte of options, then a log's events one
behind the other; and tests/unit/binlog_values.txt: "file table id column kind hex", what the
server says that each value is, "-" for NULL.
"""
import pathlib
import shutil
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))

import test_binlog  # noqa: E402
import testbed  # noqa: E402

CORPUS = TOP / "tests/fuzz/corpus/binlog"
OPTIONS = {"plain": b"\1", "packed": b"\3", "none": b"\0"}  # see fuzz_binlog.c


def short(types):
    """Without values of more than a line."""
    for name, definition, literals, kind in types:
        if name in ("varchar_16000", "varbinary_60000"):
            continue
        yield name, definition, [v for v in literals if "REPEAT" not in v or "200" in v], kind


def canonical(kind, text):
    if text is None:
        return "-"
    if kind == "bits":
        return f"={int(text, 16):x}"
    if kind in ("zeros", "raw"):
        text = bytes.fromhex(text).rstrip(b"\0").hex()
    return "=" + text.lower()


def write_rows(run):
    columns = list(short(test_binlog.types()))
    tables = {f"t{i}": columns[i * 12:i * 12 + 12] for i in range((len(columns) + 11) // 12)}
    said = []
    for name, columns in tables.items():
        run(f"CREATE TABLE {name} (id INT PRIMARY KEY, " + ", ".join(
            f"v_{c} {definition}" for c, definition, _, _ in columns) + ")")
        run(f"INSERT INTO {name} VALUES " + ", ".join(f"({i}, " + ", ".join(
            literals[i % len(literals)] for _, _, literals, _ in columns) + ")"
            for i in range(6)))
        for row in run(f"SELECT id, " + ", ".join(test_binlog.expression(kind).format(f"v_{c}")
                                                 for c, _, _, kind in columns) + f" FROM {name}"):
            said += [(name, row[0], i, kind, canonical(kind, text)) for i, (text, (_, _, _, kind))
                     in enumerate(zip(row[1:], columns), 1) if kind is not None]
    return said


def write_changes(run):
    run("CREATE TABLE c (id INT PRIMARY KEY, v TEXT)")
    run("INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, REPEAT('c', 300))")
    run("UPDATE c SET v = CONCAT(v, 'x')")
    run("BEGIN")
    run("DELETE FROM c WHERE id = 2")
    run("SAVEPOINT p")
    run("UPDATE c SET id = 5 WHERE id = 3")
    run("COMMIT")
    run("XA START 'trid', 'qual', 3")
    run("INSERT INTO c VALUES (9, NULL)")
    run("XA END 'trid', 'qual', 3")
    run("XA PREPARE 'trid', 'qual', 3")
    run("XA COMMIT 'trid', 'qual', 3")
    run("SET binlog_row_image = MINIMAL")
    run("UPDATE c SET v = 'm' WHERE id = 9")
    run("SET binlog_row_image = FULL")
    run("SET binlog_format = STATEMENT")
    run("SET @a = 5")
    run("INSERT INTO c VALUES (RAND() * 100 + 1000, @a)")
    run("SET binlog_format = ROW")


def record(server, name, settings):
    connection = server.connect()
    with connection.cursor() as cursor:
        def run(sql):
            cursor.execute(sql)
            return cursor.fetchall()

        for setting in settings:
            run(f"SET GLOBAL {setting}")
        run("SET sql_mode = '', time_zone = '+00:00', timestamp = 1700000000")
        run("CREATE OR REPLACE DATABASE r CHARACTER SET utf8mb4")
        run("USE r")
        run("FLUSH BINARY LOGS")
        log = run("SHOW MASTER STATUS")[0][0]
        values = write_rows(run)
        write_changes(run)
        run("FLUSH BINARY LOGS")
    connection.close()
    events = (server.data / log).read_bytes()[4:]
    (CORPUS / name).write_bytes(OPTIONS[name] + events)
    return values


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shardd-it-"))
    CORPUS.mkdir(exist_ok=True)
    server = testbed.Server(folder / "s", settings=test_binlog.SETTINGS)
    try:
        values = record(server, "plain", ["binlog_row_metadata = FULL"])
        record(server, "packed", ["log_bin_compress = 1", "binlog_row_metadata = NO_LOG"])
        record(server, "none", ["log_bin_compress = 0", "binlog_checksum = NONE",
                                "binlog_row_metadata = MINIMAL"])
    finally:
        server.stop()
        shutil.rmtree(folder)
    with open(TOP / "tests/unit/binlog_values.txt", "w") as out:
        for name, id_, column, kind, text in values:
            print(name, id_, column, kind, text, file=out)


if __name__ == "__main__":
    main()
