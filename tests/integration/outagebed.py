"""outagebed.py - a network and a disk that can be taken away.

    Wire       a TCP proxy in front of a server: it can fall silent, as a cable that is pulled does
    SmallDisk  a file system of some megabytes, with ballast to make it full
"""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import threading

from testbed import free_port


class Wire:
    """What comes meanwhile is passed on when it is mended, if both ends are still there.
    `change`: of what goes to the server, in pieces as they come."""

    def __init__(self, port, change=None):
        self.to = port
        self.change = change or (lambda data: data)
        self.port = free_port()
        self.whole = threading.Event()
        self.whole.set()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        self.whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self.to), 10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for a, b, change in (near, far, self.change), (far, near, bytes):
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(a, b, change), daemon=True).start()

    def pump(self, source, target, change):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.whole.wait()
                target.sendall(change(data))
        self.whole.wait()  # nobody hears that the other end has gone
        for s in source, target:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.whole.clear()

    def mend(self):
        self.whole.set()

    def close(self):
        self.mend()
        self.listener.close()


class SmallDisk:
    def __init__(self, folder, megabytes):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}M,mode=755", "tmpfs",
                        str(self.folder)], check=True, capture_output=True)

    def free(self):
        return shutil.disk_usage(self.folder).free

    def fill(self, leave):
        """But for so many bytes."""
        room = self.free() - leave
        assert room > 0, room
        with open(self.folder / "ballast", "wb") as f:
            while room > 0:
                room -= f.write(b"x" * min(room, 1 << 20))

    def make_room(self):
        (self.folder / "ballast").unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
