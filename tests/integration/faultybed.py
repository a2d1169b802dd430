"""faultybed.py - a server that is slow, or fails now and then: a proxy before one that is well.

    python3 faultybed.py PORT       listens on a port of its own, which it prints; then takes lines:
        delay MS | fail PERCENT     every answer is so late; so many statements fail
        stats                       prints the number of statements since the last time

Only statements that name the table `bal` are counted and fail: the proxy gives the server
another one in their place, which answers with an error.
"""
import asyncio
import pathlib
import random
import subprocess
import sys
import threading
import time

FAILING = b"\x03SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1030, MESSAGE_TEXT = 'faulty'"


class Proxy:
    def __init__(self, target):
        self.target, self.delay, self.fail, self.n = target, 0.0, 0.0, 0

    async def serve(self, reader, writer):
        try:
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.commands(reader, server_out), self.answers(server_in, writer))

    async def commands(self, reader, out):
        """Packet by packet: a command has number 0."""
        try:
            while True:
                head    = await reader.readexactly(4)
                payload = await reader.readexactly(int.from_bytes(head[:3], "little"))
                if head[3] == 0 and payload[:1] == b"\x03" and b" bal " in payload:
                    self.n += 1
                    if random.random() * 100 < self.fail:
                        payload = FAILING
                out.write(len(payload).to_bytes(3, "little") + head[3:] + payload)
                await out.drain()
        except (OSError, asyncio.IncompleteReadError):
            out.close()

    async def answers(self, server, out):
        loop = asyncio.get_running_loop()
        try:
            while data := await server.read(1 << 16):
                if self.delay:
                    loop.call_later(self.delay, out.write, data)
                else:
                    out.write(data)
        except OSError:
            pass
        loop.call_later(self.delay, out.close)


async def control(proxy):
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).split():
        if line[0] == b"stats":
            print(proxy.n, flush=True)
            proxy.n = 0
        elif line[0] == b"delay":
            proxy.delay = float(line[1]) / 1000
        else:
            proxy.fail = float(line[1])


async def main():
    proxy  = Proxy(int(sys.argv[1]))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await control(proxy)


class Faulty:
    """The proxy as a process."""

    def __init__(self, target):
        self.process = subprocess.Popen([sys.executable, pathlib.Path(__file__), str(target)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def say(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def count(self):
        self.say("stats")
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Three:
    """A shard with three replicas behind such proxies: slow, failing and well, in this order."""

    def __init__(self, c, folder, static):
        from testbed import wait_for  # the proxy itself begins without it
        self.c, self.copies, self.proxies = c, [], []
        folder.mkdir(exist_ok=True)
        c.sql("CREATE TABLE bal (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
        c.sql("INSERT INTO bal VALUES " + ",".join(f"({i}, {i})" for i in range(100)))
        for i in range(3):
            copy = static(c, folder / f"r{i}", f"server_id={701 + i}\n")
            self.copies.append(copy)
            copy.follow()
            wait_for("the copy to replicate", copy.replicates)
            proxy = Faulty(copy.server.port)
            self.proxies.append(proxy)
            c.ctl("replica add", c.shard_list()[0]["name"], "--provisioner", "static",
                  "--address", f"127.0.0.1:{proxy.port}", "--user", "boss", "--password", "x",
                  timeout=120)

    def trouble(self, delay_ms, percent):
        self.proxies[0].say("delay", delay_ms)
        self.proxies[1].say("fail", percent)

    def counts(self):
        return [p.count() for p in self.proxies]

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()
        for copy in self.copies:
            copy.server.stop()


class Load:
    """Closed loops of single reads: `connect(i)` gives the connection for the i-th statement of a
    loop, which may be the same one always."""

    def __init__(self, loops, connect, pause=0.001):
        self.took, self.errors = [], 0
        self.lock, self.over, self.pause = threading.Lock(), threading.Event(), pause
        self.threads = [threading.Thread(target=self.loop, args=(connect,)) for _ in range(loops)]

    def loop(self, connect):
        i, took, errors, choice = 0, [], 0, random.Random()
        while not self.over.is_set():
            began = time.perf_counter()
            try:
                with connect(i).cursor() as cursor:
                    cursor.execute(f"SELECT n FROM bal WHERE id = {choice.randrange(100)}")
                    cursor.fetchall()
            except Exception:
                errors += 1
            took.append(time.perf_counter() - began)
            i += 1
            time.sleep(self.pause)
        with self.lock:
            self.took += took
            self.errors += errors

    def run(self, seconds):
        for t in self.threads:
            t.start()
        time.sleep(seconds)
        self.stop()
        return self

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join()

    def quantile(self, q):
        return sorted(self.took)[int(q * (len(self.took) - 1))]


if __name__ == "__main__":
    asyncio.run(main())
