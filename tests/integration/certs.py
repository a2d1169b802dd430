"""certs.py - certificates for tests of TLS, made by the openssl command."""
import pathlib
import subprocess


class Certs:
    """A CA, a server's certificate (127.0.0.1, localhost), a client's, and a stranger's CA."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.ca, self.cert, self.key = (self.folder / n for n in ("ca.pem", "cert.pem", "key.pem"))
        for name in "ca", "stranger":
            self._run("req", "-x509", *self._new(name), "-out", f"{name}.pem", "-days", "2",
                      "-subj", f"/CN={name}")
        self.server()
        self.make("client", "ca", "DNS:client")
        self.make("bad", "stranger", "DNS:client")

    def server(self, serial="first"):
        """Another certificate under the same names, as a renewal would bring it."""
        self.make("new", "ca", "DNS:localhost,IP:127.0.0.1", serial)
        (self.folder / "new.key").rename(self.key)
        (self.folder / "new.pem").rename(self.cert)

    def make(self, name, ca, names, subject="x"):
        self._run("req", "-new", *self._new(name), "-out", f"{name}.csr", "-subj",
                  f"/CN={subject}")
        (self.folder / "ext").write_text(f"subjectAltName={names}\n")
        self._run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey",
                  f"{ca}.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out",
                  f"{name}.pem")

    def _new(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key"]

    def _run(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def path(self, name):
        return str(self.folder / name)
