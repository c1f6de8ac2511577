"""A real OpenSSH server on loopback, with its own keys, port and configuration: for tests of what goes by SSH.

    def test_something(sshd, tmp_path):
        host = sshd.host(root=str(tmp_path / "root"))

The fixture ``sshd`` skips with a sentence where there is no server to start. Nothing of the user's own configuration is
read or written: a client's settings stand in :attr:`Sshd.config`, which also makes the server known under the alias
``gpu``.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cosmos_core.hosts import Host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE = 60.0
"""Seconds to wait for what should happen at once."""
ALIAS = "gpu"

_SERVER = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_{kind}
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxSessions 64
MaxStartups 200
PrintMotd no
PrintLastLog no
LogLevel VERBOSE
Subsystem sftp internal-sftp
SetEnv HOME={folder}/home
"""
_CLIENT = """\
Host {alias}
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {folder}/client
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
"""


def missing() -> str:
    """What this machine lacks to start a server, in a sentence; empty when it lacks nothing."""
    if os.name != "posix":
        return "an OpenSSH server is started on POSIX systems only"
    lacking = [
        name for name, found in (("sshd", program()), ("ssh-keygen", shutil.which("ssh-keygen"))) if not found
    ]
    return f"there is no {' and no '.join(lacking)} here: apt install openssh-server" if lacking else ""


def program() -> str:
    """The path of ``sshd``; empty when there is none."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


class Sshd:
    """A server, the key of its one client, and that client's configuration."""

    def __init__(
        self, folder: Path, *, kind: str = "ed25519", address: str = "127.0.0.1", within: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.within = tuple(within)
        """Words before the server's command, such as ``ip netns exec NAME``."""
        self.kind = kind
        """Of its host key: ``ed25519``, ``ecdsa`` or ``rsa``."""
        self.address = address
        self.user = getpass.getuser()
        self.port = _free_port()
        self.config = folder / "config"
        """An ssh_config in which the alias ``gpu`` is this server."""
        self.known_hosts = folder / "known_hosts"
        self.log = folder / "sshd.log"
        self._process: subprocess.Popen[bytes] | None = None
        # A home of its own: what a user's shell does at its start is slow, and none of a test's business.
        (folder / "home").mkdir(parents=True, exist_ok=True)
        make_key(folder / "client")
        (folder / "authorized_keys").write_text((folder / "client.pub").read_text("utf-8"))
        words: dict[str, Any] = {"folder": folder, "port": self.port, "address": address, "kind": kind}
        (folder / "sshd_config").write_text(_SERVER.format(**words))
        self.config.write_text(_CLIENT.format(alias=ALIAS, user=self.user, **words))
        self.new_key()
        self.make_known()

    @property
    def public_key(self) -> tuple[str, str]:
        """Kind and base64 of its host key."""
        kind, key, *_ = (self.folder / f"host_{self.kind}.pub").read_text("utf-8").split()
        return kind, key

    @property
    def fingerprint(self) -> str:
        """Its host key's fingerprint, ``SHA256:…``, as OpenSSH says it."""
        public = self.folder / f"host_{self.kind}.pub"
        done = subprocess.run(["ssh-keygen", "-lf", str(public)], capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    @property
    def name(self) -> str:
        """How a file of known hosts calls it."""
        return f"[{self.address}]:{self.port}"

    def new_key(self) -> None:
        """Give it a new host key, as a machine that was set up anew has. Restart it to use it."""
        make_key(self.folder / f"host_{self.kind}", kind=self.kind)

    def make_known(self) -> None:
        """Let the client's configuration know its key."""
        self.known_hosts.write_text(" ".join((self.name, *self.public_key)) + "\n")

    def host(self, name: str = ALIAS, **fields: Any) -> Host:
        """This server as ``cosmos.toml`` would name it."""
        options = {"config": str(self.config)} | fields.pop("options", {})
        return Host(name=name, transport="sftp", address=ALIAS, options=options, **fields)

    def start(self) -> None:
        """Start it and wait until it answers."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                [*self.within, program(), "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + PATIENCE
        while b"Server listening" not in self.log.read_bytes()[begin:]:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"sshd does not start: {self.log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, with every connection."""
        if self._process is not None:
            # Its children are found by their parent, so before it is gone.
            found = _servers_below(self._process.pid)
            self._process.kill()
            self._process.wait()
            _kill(found)
            self._process = None

    def restart(self) -> None:
        """End it with every connection, and start it again."""
        self.stop()
        self.start()

    def cut(self) -> int:
        """Cut every connection; how many processes of the server that ended. Jobs are left alone."""
        if self._process is None:
            return 0
        found = _servers_below(self._process.pid)
        _kill(found)
        return len(found)

    def connections(self) -> int:
        """How many processes serve connections now."""
        return len(_servers_below(self._process.pid)) if self._process is not None else 0


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> None:
    """Make a key pair at *path*, in the place of an older one."""
    path.unlink(missing_ok=True)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)],
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server for the tests of one module, known to its client."""
    if why := missing():
        pytest.skip(why)
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(processes: list[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _servers_below(parent: int) -> list[int]:
    """The processes below *parent* that are servers too, children first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = stat.read_text("utf-8", "replace").partition("(")[2].rpartition(")")
            if name.startswith("sshd"):
                children.setdefault(int(rest.split()[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    waiting = [parent]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found[::-1]
