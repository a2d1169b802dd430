"""The workers' HTTP endpoints."""
import re
import shutil
import socket
import subprocess

import pytest


def test_metrics_are_clean(checked):
    checked.sql("SELECT 1")
    status, text = checked.http("/metrics")
    assert status == 200
    names = set(re.findall(r"^# TYPE (\S+)", text, flags=re.M))
    assert names and all(n.startswith("shardd_") for n in names)
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr


def counters(text):
    """Every sample of every counter."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, flags=re.M))
    samples = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            head, _, value = line.rpartition(" ")
            if kinds.get(head.split("{")[0]) == "counter":
                samples[head] = float(value)
    return samples


def test_counters_count_and_never_fall(checked):
    before = counters(checked.http("/metrics")[1])
    with checked.connect() as c, c.cursor() as cursor:
        for i in range(100):
            cursor.execute(f"SELECT {i}")
    after = counters(checked.http("/metrics")[1])
    assert all(after[k] >= v for k, v in before.items())
    assert any(after[k] - before.get(k, 0) >= 100 for k in after)


def test_health(checked):
    assert checked.http("/healthz")[0] == 200
    assert checked.http("/readyz")[0] == 200
    assert checked.http("/nothing")[0] == 404


def exchange(port, data):
    with socket.create_connection(("127.0.0.1", port), 60) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            part = s.recv(65536)
            if not part:
                return answer
            answer += part


@pytest.mark.parametrize("request_text,status", [
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
    (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
    (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
    (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
     b"405"),
    (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", None),
    (b"nonsense\r\n\r\n", b"400"),
    (b"\0" * 1000, None),
    (b"", None),
])
def test_requests(checked, request_text, status):
    try:
        answer = exchange(checked.http_port, request_text)
    except ConnectionError:
        answer = b""
    if status is None:
        assert answer == b"" or answer[9:10] == b"4"
    else:
        assert answer[9:12] == status
    assert checked.http("/healthz")[0] == 200


def test_two_requests_on_a_connection(checked):
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = get.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = exchange(checked.http_port, get + get + last)
    assert answer.count(b"HTTP/1.1 200") == 3
