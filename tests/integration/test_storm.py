"""Connection storms: thousands of logins at once are served or refused, and nobody else waits."""
import asyncio
import multiprocessing
import struct
import time

import pytest

import rawclient
from rawclient import RawClient

STORM = 5000


async def log_in(port, password, gate):
    """"in", or the code of the refusal, or what went wrong."""
    await gate.wait()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = await reader.readexactly(4)
        greeting = await reader.readexactly(int.from_bytes(head[:3], "little"))
        if greeting[:1] == b"\xff":
            writer.close()
            return struct.unpack_from("<H", greeting, 1)[0]
        end = greeting.index(b"\0", 1)
        nonce = greeting[end + 5:end + 13] + greeting[end + 32:end + 44]
        proof = rawclient.native_password(password, nonce)
        caps = rawclient.USUAL & ~rawclient.CONNECT_WITH_DB
        body = struct.pack("<IIB23x", caps, 1 << 30, 45) + b"app\0" + bytes([len(proof)]) + proof
        body += b"mysql_native_password\0"
        writer.write(struct.pack("<I", len(body))[:3] + b"\1" + body)
        head = await reader.readexactly(4)
        answer = await reader.readexactly(int.from_bytes(head[:3], "little"))
        writer.close()
        return "in" if answer[:1] == b"\0" else struct.unpack_from("<H", answer, 1)[0]
    except (OSError, asyncio.IncompleteReadError) as error:
        return repr(error)


async def storm(port, password):
    gate = asyncio.Event()
    waiting = [asyncio.create_task(log_in(port, password, gate)) for _ in range(STORM)]
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*waiting)
    return {o: outcomes.count(o) for o in set(outcomes)}


def bystand(port, over, result):
    """A client that was there before and asks all the time: the longest it waited, in ms. A
    process of its own, or it would wait for the storm's Python as well."""
    longest = count = 0
    with RawClient(port) as client:
        client.login(db="app")
        while not over.is_set():
            start = time.monotonic()
            client.command(rawclient.PING)
            client.read()
            longest = max(longest, (time.monotonic() - start) * 1000)
            count += 1
            time.sleep(0.002)
    result.put((longest, count))


@pytest.mark.long
@pytest.mark.parametrize("password,max_clients,allowed", [
    ("app", 10000, {"in"}), ("wrong", 10000, {1045}), ("app", 200, {"in", 1040}),
])
def test_a_storm_of_logins(new_cluster, password, max_clients, allowed):
    cluster = new_cluster(shards=1, workers=2, settings=[
        "--set", f"max_clients = {max_clients}", "--set", "login_timeout_s = 60"])
    over, result = multiprocessing.Event(), multiprocessing.Queue()
    others = [multiprocessing.Process(target=bystand, args=(cluster.port, over, result))
              for _ in range(4)]
    for one in others:
        one.start()
    start = time.monotonic()
    outcomes = asyncio.run(storm(cluster.port, password))
    took = time.monotonic() - start
    over.set()
    seen = [result.get(timeout=30) for _ in others]
    for one in others:
        one.join()
    print(f"{STORM} logins in {took:.1f} s: {outcomes}; others waited at most "
          f"{max(longest for longest, _ in seen):.0f} ms")
    assert set(outcomes) <= allowed and sum(outcomes.values()) == STORM
    assert all(count > 0 for _, count in seen)
    assert cluster.sql("SELECT 1") == ((1,),)
