"""A connection to a host: socket, host key, user. Every socket fails soon when the network is gone."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import attrs
import paramiko

from cosmos_core.errors import HostError
from cosmos_core_sftp import known
from cosmos_core_sftp.options import SftpOptions
from cosmos_core_sftp.where import Where, flags, look_up, split

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

# It tells of every line that is cut, with a traceback; we raise an error instead.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

CONNECT = 10.0
"""Seconds that a connection, a greeting or a log-in may take."""
DEAD_AFTER = 10_000
"""Milliseconds that sent bytes may stay unacknowledged before the system gives the connection up."""
KEEPALIVE = 5
WINDOW = 1 << 22
"""Bytes that a host may send before we have read them. More is slower, near and far: what we cannot read in time fills
queues on the way (16 MiB took two to three times as long, over loopback as over 40 ms)."""
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


class Connection:
    """A line to a host's SSH server, and what it stands on."""

    def __init__(self) -> None:
        self.transport: paramiko.Transport
        self._closers: list[Callable[[], None]] = []

    def stand_on(self, each: Any) -> None:
        """Close *each* when this is closed, before what it stands on itself."""
        self._closers.insert(0, each.close)

    def close(self) -> None:
        """Let go of the line, whatever state it is in."""
        for close in self._closers:
            close()


class Prompt(socket.socket):
    """A socket that acknowledges at once what it has read.

    Until it runs a command for us, a server holds each word back until the one before it was acknowledged, and the
    system would let it wait for 40 ms.
    """

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Up to *size* bytes."""
        found = super().recv(size, flags)
        if hasattr(socket, "TCP_QUICKACK"):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return found


class Jump:
    """An ``ssh -W`` that carries bytes to a host behind others, with their keys and ways looked after by OpenSSH."""

    def __init__(self, argv: list[str]) -> None:
        self.socket, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  (closed in close)
        with theirs:
            self._process = subprocess.Popen(
                argv, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._words
            )

    def close(self) -> None:
        """End it."""
        self.socket.close()
        self._process.kill()
        self._process.wait()
        self._words.close()

    def words(self) -> str:
        """The last thing it complained about."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._words.seek(0)
        said = self._words.read().decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else ""


def connect(name: str, where: Where, options: SftpOptions, own: Path) -> Connection:
    """Connect to *where* and log in; *own* is our file of known hosts, *name* the host's, for sentences.

    Raises:
        HostError: it cannot be reached, its key is not known or has changed, or it does not let us in.
    """
    with greeted(name, where, own) as connection:
        check_key(name, where, own, connection.transport)
        _log_in(name, where, options, connection.transport)
        connection.transport.set_keepalive(KEEPALIVE)
        return connection


@contextlib.contextmanager
def greeted(name: str, where: Where, own: Path) -> Iterator[Connection]:
    """A connection whose keys were exchanged; nobody is logged in. It is closed if the body raises.

    Raises:
        HostError: it cannot be reached or speaks no SSH that we know.
    """
    connection = Connection()
    try:
        _greet(name, where, own, connection)
        yield connection
    except BaseException:
        connection.close()
        raise


def _greet(name: str, where: Where, own: Path, connection: Connection) -> None:
    jump = Jump(_jump_argv(where)) if _may_jump(where) else None
    if jump is not None:
        connection.stand_on(jump)
        sock: Any = jump.socket
    elif where.jump:
        sock = _through(name, where, own, connection)
    else:
        sock = _direct(name, where)
    transport = paramiko.Transport(sock, default_window_size=WINDOW)
    connection.transport = transport
    connection.stand_on(transport)
    # First of all: whoever still writes to a dead line must not hold us up.
    connection.stand_on(sock)
    transport.banner_timeout = transport.auth_timeout = CONNECT
    _prefer(transport, known.lines_about((*where.known, own), where.known_as))
    try:
        transport.start_client(timeout=CONNECT)
    except (paramiko.SSHException, OSError, EOFError) as error:
        words = jump.words() if jump is not None else ""
        raise HostError(
            f"host {name} does not answer at {where}: {words or error}",
            hint="is an SSH server running there?",
        ) from error


def _may_jump(where: Where) -> bool:
    return bool(where.jump) and shutil.which("ssh") is not None and sys.platform != "win32"


def _direct(name: str, where: Where) -> socket.socket:
    try:
        sock = socket.create_connection((where.host, where.port), timeout=CONNECT)
    except OSError as error:
        raise HostError(
            f"host {name} cannot be reached at {where.host}:{where.port}: {error.strerror or error}",
            hint=f"try: ssh -p {where.port} {where.user}@{where.host}",
        ) from error
    prompt = Prompt(fileno=sock.detach())
    prompt.settimeout(CONNECT)
    tune(prompt)
    return prompt


def tune(sock: socket.socket) -> None:
    """Send small words at once, and notice a dead network in seconds, not hours."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Windows and macOS have no such option: there the watchdog on bytes moved has to do.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER)


def _jump_argv(where: Where) -> list[str]:
    *before, last = where.jump
    user, host, port = split(last)
    options = (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"ConnectTimeout={CONNECT:.0f}",
        "ServerAliveInterval=5",
    )
    target = f"[{where.host}]:{where.port}"
    return [
        "ssh",
        *flags(user, port, where.config),
        *(word for option in (*options, "ServerAliveCountMax=2") for word in ("-o", option)),
        *(["-J", ",".join(before)] if before else []),
        *("-W", target, "--", host),
    ]


def _through(name: str, where: Where, own: Path, connection: Connection) -> Any:
    """A channel through the last host on the way, without OpenSSH's help."""
    *before, last = where.jump
    hop = look_up(last, where.config)
    below = connect(name, attrs.evolve(hop, jump=tuple(before) or hop.jump), SftpOptions(), own)
    connection.stand_on(below)
    try:
        return below.transport.open_channel(
            "direct-tcpip", (where.host, where.port), ("127.0.0.1", 0), timeout=CONNECT
        )
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise HostError(f"host {name} cannot be reached through {hop}: {error}") from error


def _prefer(transport: paramiko.Transport, lines: tuple[known.Line, ...]) -> None:
    """Quick ciphers first, and keys of the kinds that are known, so that a known host is recognised."""
    options = transport.get_security_options()
    quick = [cipher for cipher in CIPHERS if cipher in options.ciphers]
    options.ciphers = (*quick, *(cipher for cipher in options.ciphers if cipher not in quick))
    kinds = {line.kind for line in lines if not line.revoked}
    if "ssh-rsa" in kinds:
        kinds |= {"rsa-sha2-512", "rsa-sha2-256"}
    first = [kind for kind in options.key_types if kind in kinds]
    options.key_types = (*first, *(kind for kind in options.key_types if kind not in first))


def check_key(name: str, where: Where, own: Path, transport: paramiko.Transport) -> None:
    """Refuse a host whose key is not known.

    Raises:
        HostError: with the fingerprint, and the command that accepts it if it may be accepted.
    """
    key = transport.get_remote_server_key()
    verdict, line = known.judge(
        known.lines_about((*where.known, own), where.known_as), key.get_name(), key.asbytes()
    )
    shown = known.fingerprint(key.asbytes())
    if verdict is known.Verdict.UNKNOWN:
        raise HostError(
            f"the key of host {name} ({where.known_as}) is not known: {key.get_name()} {shown}",
            hint=f"compare it with the host's own, then: cosmos hosts trust {name} --fingerprint {shown}",
        )
    if verdict is not known.Verdict.KNOWN:
        message, hint = why_refused(name, where, verdict, line, f"{key.get_name()} {shown}")
        raise HostError(message, hint=hint)


def why_refused(name: str, where: Where, verdict: known.Verdict, line: str, shown: str) -> tuple[str, str]:
    """Why a key is refused for good, and what a person can do about it."""
    if verdict is known.Verdict.REVOKED:
        return (
            f"the key of host {name} ({where.known_as}) was revoked in {line}: {shown}",
            "ask who runs the host",
        )
    file, _, number = line.rpartition(":")
    return (
        f"the key of host {name} ({where.known_as}) has changed: it is {shown} now, and {line} says otherwise",
        f"somebody may stand in between; if the host was set up anew, remove line {number} of {file}",
    )


def _log_in(name: str, where: Where, options: SftpOptions, transport: paramiko.Transport) -> None:
    tried = 0
    locked: list[Path] = []
    # Closed at once, and the agent with it, when a key was taken.
    with contextlib.closing(_keys(where, options, locked)) as keys:
        for key in keys:
            tried += 1
            try:
                transport.auth_publickey(where.user, key)
            except paramiko.AuthenticationException:
                continue
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise HostError(f"host {name} hung up while {where.user} logged in: {error}") from error
            if transport.is_authenticated():
                return
    hint = f"add a key to the agent with ssh-add, or to {where.user}'s authorized_keys there"
    if locked:
        hint = f"{locked[0]} has a passphrase: ssh-add it, or put the passphrase into ${options.passphrase}"
    raise HostError(f"host {name} does not let {where.user} in with any of {tried} key(s)", hint=hint)


def _keys(where: Where, options: SftpOptions, locked: list[Path]) -> Generator[paramiko.PKey, None, None]:
    """The agent's keys, those that the configuration names first; then key files."""
    public = {line for path in where.keys for line in _public(path)}
    with _agent() as agent:
        named = [key for key in agent if key.asbytes() in public]
        yield from named
        if not where.only_keys:
            yield from (key for key in agent if key.asbytes() not in public)
    offered = {key.asbytes() for key in named}
    for path in where.keys:
        key = _load(path, os.environ.get(options.passphrase), locked)
        if key is not None and key.asbytes() not in offered:
            yield key


@contextlib.contextmanager
def _agent() -> Iterator[tuple[paramiko.PKey, ...]]:
    """The agent's keys, which sign as long as the body runs; none where there is no agent."""
    try:
        agent = paramiko.Agent()
    except (paramiko.SSHException, OSError):
        yield ()
        return
    try:
        yield tuple(agent.get_keys())
    finally:
        agent.close()


def _public(path: Path) -> Iterator[bytes]:
    import base64

    with contextlib.suppress(OSError, ValueError, IndexError):
        yield base64.b64decode(path.with_name(path.name + ".pub").read_text("utf-8").split()[1])


def _load(path: Path, passphrase: str | None, locked: list[Path]) -> paramiko.PKey | None:
    if not path.is_file():
        return None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(str(path), password=passphrase)
        except paramiko.PasswordRequiredException:
            locked.append(path)
            return None
        except (paramiko.SSHException, ValueError, OSError):
            # Another kind of key, or a wrong passphrase.
            continue
    locked.append(path)
    return None
