"""A server for each module, sessions with it, and a proxy that mistreats what goes through it."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from contextlib import ExitStack, closing, suppress

import attrs
import pytest
from cosmos_core_sftp.options import SftpOptions
from cosmos_core_sftp.session import SftpSession

from cosmos_core.extend import Input
from cosmos_core.options import build
from cosmos_core.testing.sshd import sshd as sshd  # noqa: PLC0414  (a fixture)


@pytest.fixture
def root(tmp_path):
    """The root on the host."""
    return tmp_path / "far away"


@pytest.fixture
def make_host(sshd, root):
    """``make_host(server, address=…, python=…)``: a server as a session's ``open`` gets it."""

    def make(server=sshd, *, address="gpu", **options):
        made = attrs.evolve(server.host(root=str(root)), address=address)
        return attrs.evolve(made, options=build(SftpOptions, made.options | options, where="options"))

    return make


@pytest.fixture
def host(make_host):
    """The module's server."""
    return make_host()


@pytest.fixture
def open_session(tmp_path):
    """``open_session(host)``: a session with it, closed after the test."""
    with ExitStack() as stack:
        yield lambda host: stack.enter_context(closing(SftpSession.open(host, tmp_path / "state")))


@pytest.fixture
def session(host, open_session):
    """A session with the module's server."""
    return open_session(host)


@pytest.fixture
def make_input(tmp_path):
    """``make_input("name", size)``: an input of random bytes."""

    def make(name="color.mp4", size=200_000):
        path = tmp_path / f"clip {name}"
        path.write_bytes(os.urandom(size))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Input(name=f"in/{name}", digest=digest, path=path, bytes=size)

    return make


class Proxy:
    """Stands before a server; ``mistreat(chunk, count)`` gets what passes either way, and how much of it has passed."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.mistreat = None
        self.hole = threading.Event()
        self._pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._pairs += [near, far]
                for source, target, down in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=(source, target, down), daemon=True).start()

    def _carry(self, source, target, down):
        count = 0
        with suppress(OSError):
            while chunk := source.recv(1 << 16):
                while self.hole.is_set():
                    if self.hole.wait(3600):
                        threading.Event().wait(0.05)
                if self.mistreat is not None:
                    chunk = self.mistreat(chunk, count, down)
                    if chunk is None:
                        break
                count += len(chunk)
                target.sendall(chunk)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.hole.clear()
        self._listener.close()
        for each in self._pairs:
            each.close()


@pytest.fixture
def proxy(sshd):
    """A proxy before the module's server."""
    made = Proxy(sshd.port)
    yield made
    made.close()


@pytest.fixture
def behind(make_host, sshd, proxy, tmp_path):
    """The server as it is reached through the proxy."""
    config = tmp_path / "proxied"
    known = " ".join((f"[127.0.0.1]:{proxy.port}", *sshd.public_key))
    (tmp_path / "proxied_known").write_text(known + "\n")
    text = sshd.config.read_text().replace(str(sshd.port), str(proxy.port))
    config.write_text(text.replace(str(sshd.known_hosts), str(tmp_path / "proxied_known")))
    return make_host(config=str(config))
