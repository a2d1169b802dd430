"""test_api_login.py - the REST API on TCP: TLS, tokens, roles, and who tries too often."""
import base64
import http.client
import itertools
import json
import os
import socket
import ssl
import subprocess
import sys
import time

import jwt
import pytest

from certs import Certs
from controlbed import Controller
from test_api import filled, good_error, operations
from testbed import SHARDCTL, free_port

ROLES = ["viewer", "operator", "admin", "owner"]
BAD_BODIES = [("", b'{"no_such": 1}'), ("", b"{"), ("", b"[]"), ("", b'"x"'), ("", b"\xff{}"),
              ("", b'{"a": 1, "a": 2}'), ("?no_such=1", b"{}")]
BAD_QUERIES = [("?no_such=1", None), ("?limit=1&limits=2", None), ("?%00=1", None)]


class Remote(Controller):
    """With its API on TCP. Each test may come from an address of its own."""

    def __init__(self, home, certs):
        self.certs = certs
        self.port = free_port()
        super().__init__(home, 1, ["--api-listen", f"127.0.0.1:{self.port}", "--api-cert",
                                   certs.cert, "--api-key", certs.key])

    def tcp(self, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=str(self.certs.ca))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context,
                                           source_address=(source, 0))

    def ask(self, method, path, token=None, body=None, source="127.0.0.1", authorization=None):
        connection = self.tcp(source)
        headers = {"Authorization": authorization or f"Bearer {token}"} \
            if token or authorization else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        headers = {k.lower(): v for k, v in answer.getheaders()}
        parsed = json.loads(answer.read())
        connection.close()
        return answer.status, headers, parsed

    def issue(self, role, name="somebody", **more):
        options = [word for key, value in more.items() for word in (f"--{key}", value)]
        return self.ctl("token", "issue", name, "--role", role, *options).strip()


@pytest.fixture(scope="module")
def c(scratch):
    controller = Remote(scratch / "remote", Certs(scratch / "certs"))
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def tokens(c):
    return {role: c.issue(role, role) for role in ROLES[:3]}


def test_every_route_asks_for_its_role(c, tokens):
    """What a role may not do is refused before anything is looked at; what it may do gets to
    the check of members, which here always fails."""
    document = c.ask("GET", "/v1/openapi.json", tokens["viewer"])[2]
    connection = c.tcp()
    n = 0
    for method, path, operation in operations(document):
        bad = BAD_BODIES if "requestBody" in operation else BAD_QUERIES
        for (role, token), (query, text) in itertools.product(tokens.items(), bad):
            may = ROLES.index(role) >= ROLES.index(operation["x-role"])
            connection.request(method, filled(path) + query, text,
                               {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            assert answer.status == (400 if may else 403), (method, path, role, text, body)
            assert good_error(answer.status, body)
            n += 1
    connection.close()
    assert n > 800


def test_no_route_knows_a_forged_token(c, tokens):
    """Each of them, with none, with one that nobody signed, and with one that was changed."""
    document = c.ask("GET", "/v1/openapi.json", tokens["viewer"])[2]
    head, body, signature = tokens["admin"].split(".")
    changed = f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}"
    unsigned = f'{part({"alg": "none"})}.{part(claims())}.'
    for n, (method, path, _) in enumerate(operations(document)):
        for token in None, unsigned, changed:
            status, _, said = c.ask(method, filled(path), token, source=f"127.0.7.{n // 3 + 1}")
            assert status == 401 and good_error(status, said), (method, path, token, said)


def test_nobody_learns_anything_without_a_token(c):
    for path in ("/v1/status", "/v1/nothing", "/v1/openapi.json"):
        status, headers, body = c.ask("GET", path, source="127.0.0.20")
        assert status == 401 and good_error(status, body)
        assert headers["www-authenticate"].startswith("Bearer")


def claims(**more):
    now = int(time.time())
    return {"sub": "mallory", "role": "admin", "aud": "shardd", "jti": "x", "iat": now,
            "exp": now + 600, **more}


def signed(key, alg, kid, body=None, headers=None):
    return jwt.encode(body or claims(), key, alg, {"kid": kid, **(headers or {})})


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def issuers(c, scratch):
    """Two others whose keys are trusted, and one whose is not."""
    folder = scratch / "issuers"
    folder.mkdir()

    def make(name, *words):
        subprocess.run(["openssl", "genpkey", *words, "-out", folder / f"{name}.key"], check=True,
                       capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", folder / f"{name}.key", "-pubout", "-out",
                        folder / f"{name}.pem"], check=True)
        return (folder / f"{name}.key").read_text(), (folder / f"{name}.pem").read_text()
    rsa = make("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    ec = make("ec", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    stranger = make("stranger", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    c.ctl("token", "trust", folder / "rsa.pem", "--kid", "rsa", "--alg", "RS256")
    c.ctl("token", "trust", folder / "ec.pem", "--kid", "ec", "--alg", "ES256", "--audience",
          "our-cluster")
    return {"rsa": rsa, "ec": ec, "stranger": stranger, "folder": folder}


def test_tokens_of_others(c, issuers):
    rsa, ec = issuers["rsa"][0], issuers["ec"][0]
    good = [signed(rsa, "RS256", "rsa"), signed(rsa, "RS256", "rsa", claims(aud=["a", "shardd"])),
            signed(ec, "ES256", "ec", claims(aud="our-cluster"))]
    for token in good:
        status, _, body = c.ask("GET", "/v1/users", token)
        assert status == 200, body
    c.ctl("user", "add", "made", "--password", "x")
    assert c.ask("DELETE", "/v1/users/made", good[0])[0] == 200
    rows = c.call("GET", "/v1/audit")[2]["audit"]
    assert next(r for r in rows if r["kind"] == "user")["who"] == "token:mallory"


def forged(c, issuers):
    now = int(time.time())
    rsa, rsa_public = issuers["rsa"]
    ours = c.issue("admin")
    head, body, signature = ours.split(".")
    kid = jwt.get_unverified_header(ours)["kid"]
    raised = part({**jwt.decode(ours, options={"verify_signature": False}), "role": "admin"})
    yield "none", f'{part({"alg": "none", "kid": kid})}.{body}.'
    yield "None", f'{part({"alg": "None", "kid": kid})}.{body}.'
    yield "none with a signature", f'{part({"alg": "none", "kid": kid})}.{body}.{signature}'
    yield "no alg", f'{part({"kid": kid})}.{body}.{signature}'
    yield "no kid", f'{part({"alg": "HS256"})}.{body}.{signature}'
    yield "two algs", base64.urlsafe_b64encode(
        b'{"alg":"HS256","kid":"%s","alg":"none"}' % kid.encode()).rstrip(b"=").decode() + \
        f".{body}.{signature}"
    yield "another body", f"{head}.{raised}x.{signature}"
    yield "no signature", f"{head}.{body}."
    yield "no signature at all", f"{head}.{body}"
    yield "half a signature", f"{head}.{body}.{signature[:20]}"
    yield "more behind", f"{ours}.{signature}"
    yield "a stranger's", signed(issuers["stranger"][0], "RS256", "rsa")
    yield "an unknown key", signed(issuers["stranger"][0], "RS256", "stranger")
    # The public key, which anybody may know, as if it were a secret.
    import hashlib
    import hmac
    mixed = f'{part({"alg": "HS256", "kid": "rsa", "typ": "JWT"})}.{part(claims())}'
    digest = hmac.new(rsa_public.encode(), mixed.encode(), hashlib.sha256).digest()
    yield "mixed up", mixed + "." + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    yield "RS384", signed(rsa, "RS384", "rsa")
    yield "PS256", signed(rsa, "PS256", "rsa")
    yield "crit", signed(rsa, "RS256", "rsa", headers={"crit": ["exp"]})
    yield "expired", signed(rsa, "RS256", "rsa", claims(exp=now - 60))
    yield "never expires", signed(rsa, "RS256", "rsa", {
        k: v for k, v in claims().items() if k != "exp"})
    yield "not yet", signed(rsa, "RS256", "rsa", claims(nbf=now + 600))
    yield "nbf is a text", f'{part({"alg": "RS256", "kid": "rsa"})}.{part(claims(nbf="x"))}.AAAA'
    yield "for others", signed(rsa, "RS256", "rsa", claims(aud="other"))
    yield "for nobody", signed(rsa, "RS256", "rsa", {
        k: v for k, v in claims().items() if k != "aud"})
    yield "another audience", signed(issuers["ec"][0], "ES256", "ec")
    yield "owner", signed(rsa, "RS256", "rsa", claims(role="owner"))
    yield "no role", signed(rsa, "RS256", "rsa", claims(role=""))
    yield "role is a list", signed(rsa, "RS256", "rsa", claims(role=["admin"]))
    yield "no sub", signed(rsa, "RS256", "rsa", claims(sub=""))
    yield "newline in sub", signed(rsa, "RS256", "rsa", claims(sub="a\nb"))
    yield "long sub", signed(rsa, "RS256", "rsa", claims(sub="a" * 200))
    yield "too long", signed(rsa, "RS256", "rsa", claims(more="x" * 9000))
    for text in ("", ".", "..", "...", "a.b.c", "x" * 5000, "e30.e30.e30", "\u00e4.b.c"):
        yield repr(text[:10]), text


def test_forged_tokens(c, issuers):
    for number, (name, token) in enumerate(forged(c, issuers)):
        status, _, body = c.ask("GET", "/v1/users", source=f"127.0.1.{number // 8 + 1}",
                                authorization=f"Bearer {token}".encode("latin-1", "replace"))
        assert status == 401 and good_error(status, body), (name, status, body)


@pytest.mark.parametrize("authorization", [
    "Basic YXBwOmFwcA==", "Bearer", "bearer", "Token x", "Digest username=x",
])
def test_other_ways_to_log_in(c, authorization):
    assert c.ask("GET", "/v1/status", authorization=authorization, source="127.0.2.1")[0] == 401


def test_revoked_tokens_stay_revoked(c, issuers):
    token = c.issue("viewer", "leaver")
    row = next(t for t in c.json("token", "list")["tokens"] if t["name"] == "leaver")
    theirs = signed(issuers["rsa"][0], "RS256", "rsa", claims(jti="their-17"))
    assert c.ask("GET", "/v1/ranges", token)[0] == c.ask("GET", "/v1/ranges", theirs)[0] == 200
    c.ctl("token", "revoke", row["id"])
    c.ctl("token", "revoke", "their-17")
    for _ in range(2):
        for each in (token, theirs):
            status, _, body = c.ask("GET", "/v1/ranges", each, source="127.0.3.1")
            assert status == 401 and "revoked" in body["error"]["message"]
        c.kill()
        c.start()


@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256"])
def test_keys_are_rotated(c, alg):
    before = c.issue("viewer", f"before-{alg}")
    c.ctl("token", "rotate", "--alg", alg)
    after = c.issue("viewer", f"after-{alg}")
    header = jwt.get_unverified_header(after)
    assert header["alg"] == alg and header["kid"] != jwt.get_unverified_header(before)["kid"]
    assert c.ask("GET", "/v1/ranges", before)[0] == c.ask("GET", "/v1/ranges", after)[0] == 200
    keys = c.json("token", "keys")["keys"]
    assert [k["kid"] for k in keys if k.get("signs")] == [header["kid"]]
    assert "secret" not in json.dumps(keys)
    c.ctl("token", "distrust", header["kid"])
    assert c.ask("GET", "/v1/ranges", after, source="127.0.4.1")[0] == 401
    assert c.ask("GET", "/v1/ranges", before)[0] == 200


def test_tokens_expire(c):
    token = c.issue("viewer", "soon", expires="1s")
    assert c.ask("GET", "/v1/ranges", token)[0] == 200  # clocks may be 30 s apart
    exp = jwt.decode(token, options={"verify_signature": False})["exp"]
    assert exp - time.time() < 5
    for bad in ("0s", "-1d", "1w", "", "x", "400d"):
        assert c.ctl_raw("token", "issue", "x", "--expires", bad).returncode == 2


def test_who_fails_too_often_has_to_wait(c, tokens):
    for _ in range(10):
        assert c.ask("GET", "/v1/ranges", "wrong", source="127.0.5.1")[0] == 401
    status, headers, body = c.ask("GET", "/v1/ranges", tokens["viewer"], source="127.0.5.1")
    assert status == 429 and good_error(status, body) and 1 <= int(headers["retry-after"]) <= 60
    assert c.ask("GET", "/v1/ranges", tokens["viewer"], source="127.0.5.2")[0] == 200


def test_what_is_not_tls_is_refused(c):
    with socket.create_connection(("127.0.0.1", c.port), 20) as plain:
        plain.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        try:
            while data := plain.recv(1000):
                answer += data
        except ConnectionResetError:
            pass
        assert b"HTTP/1.1 200" not in answer
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=str(c.certs.ca))
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", c.port), 20) as raw, \
                context.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
            assert secure.version() == version.name.replace("_", ".")


@pytest.mark.parametrize("options, says", [
    (["--api-listen", "0.0.0.0:1", "--api-plain"], "loopback"),
    (["--api-listen", "127.0.0.1:0"], "--api-cert"),
    (["--api-listen", "nowhere"], "address and a port"),
    (["--api-listen", "127.0.0.1:0", "--api-cert", "/dev/null", "--api-key", "/dev/null"], "PEM"),
    (["--api-listen", "127.0.0.1:0", "--api-cert", "/nowhere", "--api-key", "/n"], "cannot read"),
    (["--api-group", "no such group"], "no group"),
])
def test_settings_that_cannot_be(scratch, options, says):
    home = scratch / "wrong"
    done = subprocess.run([SHARDCTL, "serve", "--home", home, *options], text=True, timeout=60,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and says in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts to become")
def test_a_group_gets_its_role(scratch):
    """An account of that group, another's, and the socket's mode."""
    controller = Controller(scratch / "group", 0, ["--api-group", "games", "--api-role",
                                                   "operator"])
    script = ("import json, os, socket, sys\n"
              "gid, uid, path, method, where = sys.argv[1:]\n"
              "os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))\n"
              "s = socket.socket(socket.AF_UNIX); s.connect(path)\n"
              "s.sendall(f'{method} {where} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
              "Content-Length: 0\\r\\n\\r\\n'.encode())\n"
              "print(s.recv(100).split()[1].decode())\n")

    def ask(gid, uid, method, where):
        done = subprocess.run([sys.executable, "-c", script, str(gid), str(uid),
                               controller.home / "controller.sock", method, where], text=True,
                              capture_output=True, timeout=60)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1].split(":")[0]
    try:
        for folder in (scratch, *scratch.parents):
            if folder.stat().st_mode & 0o001 == 0:
                os.chmod(folder, folder.stat().st_mode | 0o001)
        import grp
        games = grp.getgrnam("games").gr_gid
        assert ask(games, 65534, "GET", "/v1/ranges") == "200"
        assert ask(games, 65534, "POST", "/v1/shutdown") == "403"
        assert ask(65534, 65534, "GET", "/v1/ranges") == "PermissionError"
        assert ask(0, 0, "GET", "/v1/users") == "200"
    finally:
        controller.stop()
