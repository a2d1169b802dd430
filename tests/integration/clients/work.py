"""work.py HOST PORT DATABASE - the same work as the other work.*, by mysqlclient. What it
prints must not depend on what it talks to, nor on how: WORK_TLS is a file with the CA to
connect with TLS, WORK_COMPRESS=1 compresses, WORK_USER logs in as somebody else."""
import os
import sys

import MySQLdb

host, port, db = sys.argv[1:]
how = {}
if "WORK_TLS" in os.environ:
    how["ssl"] = {"ca": os.environ["WORK_TLS"]}
if "WORK_COMPRESS" in os.environ:
    how["compress"] = True
c = MySQLdb.connect(host=host, port=int(port), user=os.environ.get("WORK_USER", "app"),
                    password="app", database=db, **how,
                    charset="utf8mb4", autocommit=True, client_flag=1 << 16)
cursor = c.cursor()


def show(what, sql, args=None):
    cursor.execute(sql, args)
    print(what, cursor.fetchall(), [d[:2] for d in cursor.description])


cursor.execute("CREATE TABLE w (id BIGINT PRIMARY KEY, s VARCHAR(60), b LONGBLOB,"
               " d DECIMAL(20,4), f DOUBLE, t DATETIME(3), j INT UNSIGNED NULL)")
print(cursor.executemany("INSERT INTO w VALUES (%s, %s, %s, %s, %s, %s, %s)", [
    (i, f"name é{i}", b"\0\1\xff" * i, f"{i}.2500", i / 8, f"2024-02-{i:02} 10:11:12.125",
     i if i % 3 else None) for i in range(1, 21)]))
show("all", "SELECT * FROM w ORDER BY id")
for i in 3, 7, 11, 99:
    show("one", "SELECT s, LENGTH(b), j FROM w WHERE id = %s", (i,))
print("updated", cursor.execute("UPDATE w SET j = 5 WHERE id IN (1, 2, 3)"), c.info())
print("deleted", cursor.execute("DELETE FROM w WHERE id = 20"))
c.autocommit(False)
cursor.execute("UPDATE w SET s = 'gone' WHERE id = 4")
c.rollback()
cursor.execute("UPDATE w SET s = 'kept' WHERE id = 5")
c.commit()
show("after", "SELECT id, s FROM w WHERE id IN (4, 5) ORDER BY id")
for bad in ("INSERT INTO w (id) VALUES (1)", "SELECT * FROM nothing_here", "SELEC 1",
            "SELECT nothing FROM w"):
    try:
        cursor.execute(bad)
    except MySQLdb.Error as error:
        print("error", error.args[0])
c.commit()
c.ping()
c.select_db(db)
cursor.execute("SELECT id FROM w WHERE id = 1; SELECT 2")
print(cursor.fetchall(), cursor.nextset(), cursor.fetchall())
cursor.execute("DROP TABLE w")
c.close()
