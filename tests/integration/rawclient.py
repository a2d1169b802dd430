"""rawclient.py - the MySQL protocol by hand: for packets no library would send, and for
answers compared byte by byte. Source: the MariaDB documentation's protocol pages."""
import hashlib
import socket
import struct

# Capabilities.
FOUND_ROWS, CONNECT_WITH_DB, LOCAL_FILES = 1 << 1, 1 << 3, 1 << 7
PROTOCOL_41, TRANSACTIONS, SECURE = 1 << 9, 1 << 13, 1 << 15
MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS = 1 << 16, 1 << 17, 1 << 18
PLUGIN_AUTH, SESSION_TRACK, DEPRECATE_EOF = 1 << 19, 1 << 23, 1 << 24
USUAL = (1 | 4 | PROTOCOL_41 | TRANSACTIONS | SECURE | MULTI_RESULTS | PS_MULTI_RESULTS
         | PLUGIN_AUTH | CONNECT_WITH_DB)

QUIT, INIT_DB, QUERY, FIELD_LIST, STATISTICS, PING = 1, 2, 3, 4, 9, 14
STMT_PREPARE, STMT_EXECUTE, STMT_LONG_DATA, STMT_CLOSE, STMT_RESET = 22, 23, 24, 25, 26
SET_OPTION = 27

LONGLONG, DOUBLE, VAR_STRING = 8, 5, 253


class ServerError(Exception):
    def __init__(self, payload):
        self.code = struct.unpack_from("<H", payload, 1)[0]
        self.state = payload[4:9].decode() if payload[3:4] == b"#" else ""
        self.text = payload[9 if self.state else 3:].decode("utf-8", "replace")
        super().__init__(self.code, self.state, self.text)


def native_password(password, scramble):
    if not password:
        return b""
    one = hashlib.sha1(password.encode()).digest()
    two = hashlib.sha1(scramble + hashlib.sha1(one).digest()).digest()
    return bytes(a ^ b for a, b in zip(one, two))


def lenenc(n):
    if n < 251:
        return bytes([n])
    if n < 1 << 16:
        return b"\xfc" + struct.pack("<H", n)
    if n < 1 << 24:
        return b"\xfd" + struct.pack("<I", n)[:3]
    return b"\xfe" + struct.pack("<Q", n)


def read_lenenc(data, at):
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {0xfc: 2, 0xfd: 3, 0xfe: 8}[first]
    return int.from_bytes(data[at + 1:at + 1 + size], "little"), at + 1 + size


class RawClient:
    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb", buffering=1 << 16)
        self.sequence = 0
        self.capabilities = 0

    def close(self):
        self.input.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- packets ------------------------------------------------------------

    def send(self, payload, sequence=None):
        """One message, in as many packets as it takes."""
        if sequence is not None:
            self.sequence = sequence
        at = 0
        while True:
            part = payload[at:at + 0xffffff]
            self.socket.sendall(struct.pack("<I", len(part))[:3] + bytes([self.sequence]) + part)
            self.sequence = (self.sequence + 1) & 255
            at += len(part)
            if len(part) < 0xffffff:
                return

    def read(self):
        """One message; EOFError when the other side has closed."""
        message = b""
        while True:
            head = self.input.read(4)
            if len(head) < 4:
                raise EOFError
            length = int.from_bytes(head[:3], "little")
            self.sequence = (head[3] + 1) & 255
            part = self.input.read(length)
            if len(part) < length:
                raise EOFError
            message += part
            if length < 0xffffff:
                return message

    def closed(self):
        """Reads to the end: true when the other side closes, false when it stays silent."""
        try:
            while self.input.read(1):
                pass
            return True
        except socket.timeout:
            return False
        except ConnectionError:
            return True

    # --- login ----------------------------------------------------------------

    def greeting(self):
        g = self.read()
        if g[:1] == b"\xff":
            raise ServerError(g)
        end = g.index(b"\0", 1)
        self.version = g[1:end].decode()
        self.connection_id = struct.unpack_from("<I", g, end + 1)[0]
        low, self.collation, self.status, high = struct.unpack_from("<HBHH", g, end + 14)
        self.server_capabilities = low | high << 16
        self.scramble = g[end + 5:end + 13] + g[end + 32:end + 44]
        self.plugin = g[end + 45:].split(b"\0")[0].decode()
        return self

    def login(self, user="app", password="app", db=None, more=0, less=0,
              plugin="mysql_native_password", collation=45):
        self.greeting()
        caps = (USUAL | more) & ~less
        caps = caps & ~CONNECT_WITH_DB if db is None else caps
        self.capabilities = caps & (self.server_capabilities | CONNECT_WITH_DB)
        proof = native_password(password, self.scramble)
        if plugin != "mysql_native_password":
            proof = b""
        body = struct.pack("<IIB23x", caps, 1 << 30, collation) + user.encode() + b"\0"
        body += bytes([len(proof)]) + proof
        body += db.encode() + b"\0" if db is not None else b""
        body += plugin.encode() + b"\0" if caps & PLUGIN_AUTH else b""
        self.send(body)
        answer = self.read()
        self.switched_to = None
        if answer[:1] == b"\xfe":
            name, _, rest = answer[1:].partition(b"\0")
            self.switched_to = name.decode()
            self.send(native_password(password, rest[:20]))
            answer = self.read()
        if answer[:1] == b"\xff":
            raise ServerError(answer)
        assert answer[:1] == b"\0", answer
        self.welcome = answer
        return self

    # --- commands ---------------------------------------------------------------

    def command(self, code, body=b""):
        self.send(bytes([code]) + body, sequence=0)

    def _until_eof(self, count=None):
        """Definitions or rows up to an EOF packet; `count` definitions have none behind
        them with DEPRECATE_EOF."""
        packets = []
        while True:
            if count is not None and self.capabilities & DEPRECATE_EOF and len(packets) == count:
                return packets
            p = self.read()
            if p[:1] == b"\xff":
                raise ServerError(p)
            if p[:1] == b"\xfe" and len(p) < 0xffffff and (
                    len(p) < 9 or self.capabilities & DEPRECATE_EOF):
                self.last = p
                return packets
            packets.append(p)

    def result(self):
        """(definitions, rows) as raw packets, or (None, OK packet)."""
        head = self.read()
        if head[:1] == b"\xff":
            raise ServerError(head)
        if head[:1] == b"\0":
            self.last = head
            return None, head
        columns, _ = read_lenenc(head, 0)
        definitions = self._until_eof(columns)
        return definitions, self._until_eof()

    def query(self, sql):
        self.command(QUERY, sql if isinstance(sql, bytes) else sql.encode())
        return self.result()

    def prepare(self, sql):
        """(statement id, parameter definitions, column definitions)."""
        self.command(STMT_PREPARE, sql.encode())
        head = self.read()
        if head[:1] == b"\xff":
            raise ServerError(head)
        statement, columns, params = struct.unpack_from("<IHH", head, 1)
        return (statement, self._until_eof(params) if params else [],
                self._until_eof(columns) if columns else [])

    def execute(self, statement, values=(), send_types=True):
        body = struct.pack("<IBI", statement, 0, 1)
        if values:
            nulls = bytearray((len(values) + 7) // 8)
            types, data = b"", b""
            for i, v in enumerate(values):
                if v is None:
                    nulls[i // 8] |= 1 << i % 8
                    types += struct.pack("<H", 6)
                elif v is Ellipsis:  # sent before as long data
                    types += struct.pack("<H", VAR_STRING)
                elif isinstance(v, tuple):  # type, payload
                    types += struct.pack("<H", v[0])
                    data += v[1]
                elif isinstance(v, int):
                    types += struct.pack("<H", LONGLONG)
                    data += struct.pack("<q", v)
                elif isinstance(v, float):
                    types += struct.pack("<H", DOUBLE)
                    data += struct.pack("<d", v)
                else:
                    v = v.encode() if isinstance(v, str) else v
                    types += struct.pack("<H", VAR_STRING)
                    data += lenenc(len(v)) + v
            body += bytes(nulls) + (b"\1" + types if send_types else b"\0") + data
        self.command(STMT_EXECUTE, body)
        return self.result()

    def long_data(self, statement, param, data):
        self.command(STMT_LONG_DATA, struct.pack("<IH", statement, param) + data)

    def close_statement(self, statement):
        self.command(STMT_CLOSE, struct.pack("<I", statement))

    def ok(self):
        """Reads an OK; an error becomes an exception."""
        answer = self.read()
        if answer[:1] == b"\xff":
            raise ServerError(answer)
        return answer


def text_row(row):
    """The values of a row of the text protocol, bytes or None."""
    values, at = [], 0
    while at < len(row):
        if row[at] == 0xfb:
            values.append(None)
            at += 1
            continue
        n, at = read_lenenc(row, at)
        values.append(row[at:at + n])
        at += n
    return values


def column(definition):
    """What a column definition says, but for the catalog."""
    parts, at = [], 0
    for _ in range(6):
        n, at = read_lenenc(definition, at)
        parts.append(definition[at:at + n].decode("utf-8", "replace"))
        at += n
    charset, length, kind, flags, decimals = struct.unpack_from("<HIBHB", definition, at + 1)
    return {"schema": parts[1], "table": parts[2], "org_table": parts[3], "name": parts[4],
            "org_name": parts[5], "charset": charset, "length": length, "type": kind,
            "flags": flags, "decimals": decimals}
