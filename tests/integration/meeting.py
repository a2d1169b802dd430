"""meeting.py - several connections that wait for one another, on shardd and on one plain server.

A step is one connection's statement. Behind each, on both servers, every connection has its
answer or waits for a lock, and it is the same ones that wait; answers are compared when they
are there. Connections that wait say nothing until they have what they wait for.
"""
import queue
import re
import threading

import testbed

STATUS = 0x1 | 0x2  # in a transaction, autocommit
DEADLOCK = 1213
STATES = ("SELECT id FROM information_schema.processlist WHERE state = 'User lock' "
          "OR state LIKE 'Waiting for table%'")


class Speaker:
    """One connection and its thread."""

    def __init__(self, connection):
        self.connection = connection
        self.asked, self.answer, self.done = queue.Queue(), None, threading.Event()
        self.sent = False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        while (sql := self.asked.get()) is not None:
            self.answer = testbed.Answer(self.connection, sql)
            self.done.set()

    def ask(self, sql):
        self.answer, self.sent = None, True
        self.done.clear()
        self.asked.put(sql)

    def busy(self):
        return self.connection.open and self.sent and not self.done.is_set()

    def status(self):
        """As of the last OK; what is behind rows is not kept."""
        return self.connection.server_status & STATUS

    def end(self):
        self.asked.put(None)
        self.thread.join(testbed.PATIENCE_S)
        if self.connection.open:
            self.connection.close()


class Meeting:
    """`places`: for each connection the database it is in."""

    def __init__(self, cluster, plain, places):
        self.ours = [Speaker(cluster.connect(db=db)) for db in places]
        self.theirs = [Speaker(plain.connect(db=db)) for db in places]
        self.cluster, self.plain, self.places = cluster, plain, places
        self.asking = plain.connect()
        self.shards = [cluster.shard_connect(s) for s in cluster.shard_list()]
        self.pending, self.said = {}, []  # who waits, for the answer to what
        self.waits, self.ended = 0, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Who still waits, behind a deadlock or a failure, is not waited for."""
        for server, side in (self.cluster, self.ours), (self.plain, self.theirs):
            for one in side:
                if one.busy():
                    server.sql(f"KILL {one.connection.thread_id()}")
        for asking in self.shards + [self.asking]:
            asking.close()
        for one in self.ours + self.theirs:
            one.end()

    @staticmethod
    def _waiting(asking):
        """The connections of a server that wait for a lock."""
        found = {row[0] for row in testbed.Answer(asking, STATES).rows}
        # information_schema.innodb_trx is a copy, and stays the same while it is asked often.
        (_, _, text), = testbed.Answer(asking, "SHOW ENGINE INNODB STATUS").rows
        return found | {int(re.search(r"thread id (\d+)", part)[1])
                        for part in text.split("---TRANSACTION")[1:]
                        if "LOCK WAIT" in part and "thread id" in part}

    def _settled(self):
        """Who of the plain server's connections waits, when each has its answer or does."""
        waiting, found = self._waiting(self.asking), set()
        for who in self.pending:
            if self.theirs[who].done.is_set():
                continue
            if self.theirs[who].connection.thread_id() not in waiting:
                return None
            found.add(who)
        return [found]

    def say(self, who, sql):
        """Returns the connections that have got an answer: {who: (ours, theirs)}."""
        self.said.append(f"{who}: {sql}")
        self.pending[who] = sql
        for side in self.ours, self.theirs:
            side[who].ask(sql)
        return self.listen()

    def _agreed(self):
        """Those who wait at both servers, or None. Who was given a lock by name or of a table
        is told to wait until it gets a CPU, so a difference may be none a moment later."""
        settled = self._settled()
        if settled is None:
            return None
        still, = settled
        for who in self.pending:
            if self.ours[who].done.wait(0.02 if who in still else 0) == (who in still):
                return None
        if still and sum(len(self._waiting(a)) for a in self.shards) < len(still):
            return None  # somebody is on the way: the order in which they come counts
        return settled

    def listen(self):
        try:
            still, = testbed.wait_for("agreement", self._agreed)
        except testbed.Timeout as late:
            ours, theirs = ([who for who in self.pending if not side[who].done.is_set()]
                            for side in (self.ours, self.theirs))
            heard = [[who, *(side[who].answer for side in (self.ours, self.theirs))]
                     for who in self.pending]
            raise AssertionError(self.story(f"at shardd {ours} wait, at the server {theirs}: "
                                            f"{late}; answers: {heard}")) from late
        self.waits += len(still)
        return {who: self._heard(who) for who in list(self.pending) if who not in still}

    def _heard(self, who):
        sql = self.pending.pop(who)
        self.said.append(f"   {who} has its answer")
        return [self._seen(side[who], sql) for side in (self.ours, self.theirs)]

    def _seen(self, speaker, sql):
        a = speaker.answer
        rows = a.rows if "ORDER BY" in sql or not a.rows else sorted(a.rows)
        if "IS_USED_LOCK" in sql and rows and rows[0][0] is not None:
            side = self.ours if speaker in self.ours else self.theirs
            rows = [[s.connection.thread_id() for s in side].index(rows[0][0])]
        status = 0 if a.error or a.rows is not None else speaker.status()
        return a.error and a.error[0], rows, a.affected, a.warnings, status

    def story(self, end):
        return "\n ".join(["", *self.said, end])

    def compare(self, heard):
        """False: a deadlock. Whose statement is given up is a server's own choice, so nothing
        can be compared behind it."""
        for ours, theirs in heard.values():
            if DEADLOCK in (ours[0], theirs[0]):
                self.ended = True
                return False
            if ours != theirs:
                raise AssertionError(self.story(f"shardd: {ours}\n server: {theirs}"))
        return True

    def free(self):
        """Those who do not wait."""
        return [who for who in range(len(self.ours)) if who not in self.pending]

    def is_open(self, who):
        """Whether it is in a transaction, or without autocommit."""
        return self.theirs[who].status() != 2
