"""bank.py - money on 4 shards: clients that move it and remember what they were told, and a
checker that knows nothing of how it was moved.

    accounts  id, n                        what is there
    ledger    account, transfer, amount    why: two rows for each transfer, written with it
    notes     the same, by one autocommit statement and without moving anything

A transfer is COMMITTED when the client heard so, FAILED when it heard that nothing is left
of it (or had not asked for COMMIT yet), and else UNKNOWN.
"""
import collections
import random
import threading
import time

import pymysql

COMMITTED, FAILED, UNKNOWN = "committed", "failed", "unknown"
START = 1000
ROLLED_BACK = (1205, 1213)  # what a server says of a transaction that is over

Transfer = collections.namedtuple("Transfer", "number table a b amount began ended told")


def check(accounts, rows, history, n_accounts):
    """Everything that is wrong, as sentences. `accounts` is {id: n}, `rows` is {"ledger":
    [(account, transfer, amount)], "notes": the same}, `history` is [Transfer]."""
    wrong = []
    if len(accounts) != n_accounts:
        wrong.append(f"{len(accounts)} accounts of {n_accounts} are there")
    if sum(accounts.values()) != n_accounts * START:
        wrong.append(f"the sum is {sum(accounts.values())}, not {n_accounts * START}")
    moved = collections.Counter()
    for account, _, amount in rows["ledger"]:
        moved[account] += amount
    for account, n in accounts.items():
        if n != START + moved[account]:
            wrong.append(f"account {account} has {n}, by the ledger {START + moved[account]}")
    known = {t.number: t for t in history}
    if len(known) != len(history):
        wrong.append("two transfers have one number")
    for table, found in rows.items():
        wrong += check_rows(table, found, known)
    return wrong


def check_rows(table, found, known):
    parts = collections.defaultdict(list)
    for account, number, amount in found:
        parts[number].append((account, amount))
    for number in parts.keys() - known.keys():
        yield f"{table}: transfer {number} was never made"
    for t in known.values():
        if t.table != table:
            if t.number in parts:
                yield f"{table}: transfer {t.number} belongs into {t.table}"
            continue
        there = sorted(parts.get(t.number, []))
        if there and there != sorted([(t.a, -t.amount), (t.b, t.amount)]):
            yield f"{table}: of {t} only {there} is there"
        elif not there and t.told == COMMITTED:
            yield f"{table}: {t} is not there"
        elif there and t.told == FAILED:
            yield f"{table}: {t} is there"


class Client(threading.Thread):
    """Moves money until stopped; idle while `pause` is set."""

    def __init__(self, cluster, number, n_accounts, pause, seed):
        super().__init__(daemon=True)
        self.cluster, self.n_accounts, self.pause = cluster, n_accounts, pause
        self.random = random.Random(seed * 1000 + number)
        self.next = number * 10_000_000
        self.stop, self.idle = threading.Event(), threading.Event()
        self.history = []
        self.errors = collections.Counter()
        self.surprise = None  # an error that nothing here explains

    def run(self):
        while not self.stop.is_set():
            try:
                with self.cluster.connect(connect_timeout=30, read_timeout=60) as c:
                    c.cursor().execute("SET SESSION innodb_lock_wait_timeout = 3")
                    self.work(c)
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError,
                    pymysql.err.InternalError, OSError) as error:
                self.errors[error.args[0] if error.args else 0] += 1
                self.rest()
                time.sleep(0.02)
            except Exception as error:
                self.surprise = error
                self.idle.set()
                return
        self.idle.set()

    def rest(self):
        while self.pause.is_set() and not self.stop.is_set():
            self.idle.set()
            time.sleep(0.01)
        self.idle.clear()

    def work(self, c):
        with c.cursor() as cursor:
            while not self.stop.is_set():
                self.rest()
                self.transfer(cursor)

    def transfer(self, cursor):
        self.next += 1
        a, b, other = self.random.sample(range(self.n_accounts), 3)
        amount = self.random.randint(1, 9)
        kind = self.random.random()
        began, asked, told = time.time(), False, FAILED
        try:
            if kind < 0.15:
                asked = True
                cursor.execute("INSERT INTO notes VALUES (%s, %s, %s), (%s, %s, %s)",
                               (a, self.next, -amount, b, self.next, amount))
            else:
                cursor.execute("BEGIN")
                if kind < 0.4:  # the first shard may be one that is only read
                    cursor.execute("SELECT n FROM accounts WHERE id = %s FOR UPDATE", (other,))
                for account, change in (a, -amount), (b, amount):
                    cursor.execute("UPDATE accounts SET n = n + %s WHERE id = %s",
                                   (change, account))
                    cursor.execute("INSERT INTO ledger VALUES (%s, %s, %s)",
                                   (account, self.next, change))
                asked = True
                cursor.execute("COMMIT")
            told = COMMITTED
        except pymysql.err.MySQLError as error:
            if asked and error.args[0] not in ROLLED_BACK:
                told = UNKNOWN
            raise
        finally:
            self.history.append(Transfer(self.next, "notes" if kind < 0.15 else "ledger",
                                         a, b, amount, began, time.time(), told))


class Bank:
    """The tables, the clients, and the points at which nothing moves."""

    def __init__(self, cluster, n_accounts=200, n_clients=32, seed=1):
        self.cluster, self.n_accounts = cluster, n_accounts
        self.pause = threading.Event()
        cluster.sql("CREATE TABLE accounts (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
        for table in "ledger", "notes":
            cluster.sql(f"CREATE TABLE {table} (account BIGINT, transfer BIGINT, amount BIGINT"
                        " NOT NULL, PRIMARY KEY (account, transfer))"
                        " COMMENT 'shardd: key(account)'")
        cluster.sql("INSERT INTO accounts VALUES " + ",".join(
            f"({i}, {START})" for i in range(n_accounts)))
        self.clients = [Client(cluster, i, n_accounts, self.pause, seed)
                        for i in range(n_clients)]
        for client in self.clients:
            client.start()

    def history(self):
        return [t for client in self.clients for t in list(client.history)]

    def count(self, told):
        return sum(t.told == told for t in self.history())

    def quiet(self, wait_for):
        self.pause.set()
        wait_for("the clients to rest", lambda: all(c.idle.is_set() for c in self.clients), 90)

    def go_on(self):
        self.pause.clear()

    def end(self):
        for client in self.clients:
            client.stop.set()
        for client in self.clients:
            client.join(60)

    def problems(self, read):
        """`read` runs a SELECT somewhere and returns all its rows."""
        accounts = dict(read("SELECT id, n FROM accounts"))
        rows = {table: read(f"SELECT account, transfer, amount FROM {table}")
                for table in ("ledger", "notes")}
        surprises = [repr(c.surprise) for c in self.clients if c.surprise is not None]
        return surprises + check(accounts, rows, self.history(), self.n_accounts)
