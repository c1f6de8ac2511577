"""A way from this machine's loopback to the host's.

It has a connection of its own: what servers say does not wait behind files, and a slow answer is no lost line.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import paramiko

from cosmos_core.errors import HostError, InputError
from cosmos_core_sftp import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cosmos_core_sftp.reach import Connection

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
BLOCK = 1 << 15


@contextmanager
def tunnel(connect: Callable[[], Connection], port: int, at: int) -> Iterator[int]:
    """Give a port here whose connections end at *port* there. A connection that breaks is made again for the next caller.

    Raises:
        HostError: the host cannot be reached.
        InputError: the port *at* is in use here.
    """
    with _listener(at) as listener, closing(_Way(connect, port)) as way:
        threading.Thread(target=way.take, args=(listener,), name=f"tunnel-{port}", daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            # On Linux a close alone does not wake who waits in accept.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _listener(at: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, at))
    except OSError as error:
        raise InputError(f"port {at} of this machine cannot be listened on: {error.strerror}") from error


class _Way:
    """The connection that all callers share, and what is open on it."""

    def __init__(self, connect: Callable[[], Connection], port: int) -> None:
        self._connect = connect
        self._port = port
        self._lock = threading.Lock()
        self._connection = connect()
        self._callers: set[socket.socket] = set()
        self._over = False

    def take(self, listener: socket.socket) -> None:
        """Carry whoever calls, until the listener is closed."""
        while not self._over:
            try:
                caller, where = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller, where), daemon=True).start()

    def close(self) -> None:
        """Hang up on everybody."""
        self._over = True
        with self._lock:
            self._connection.close()
            callers = [*self._callers]
        for caller in callers:
            with suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)

    def _carry(self, caller: socket.socket, where: tuple[str, int]) -> None:
        with closing(caller):
            with self._lock:
                self._callers.add(caller)
            try:
                with closing(self._channel(where)) as channel:
                    back = threading.Thread(target=_pour, args=(channel, caller), daemon=True)
                    back.start()
                    _pour(caller, channel)
                    back.join()
            except (HostError, paramiko.SSHException, OSError, EOFError) as error:
                # The caller sees a connection that is closed, as of a server that is not there.
                log.debug("nobody answers at port %d: %s", self._port, error)
            finally:
                with self._lock:
                    self._callers.discard(caller)

    def _channel(self, where: tuple[str, int]) -> paramiko.Channel:
        with self._lock:
            if self._over:
                raise HostError("the tunnel is closed")
            if not self._connection.transport.is_active():
                self._connection.close()
                self._connection = self._connect()
            transport = self._connection.transport
        return transport.open_channel("direct-tcpip", (LOOPBACK, self._port), where, timeout=reach.CONNECT)


def _pour(source: Any, target: Any) -> None:
    """Carry bytes one way until it ends, and say so to the other side."""
    with suppress(OSError, EOFError, paramiko.SSHException):
        while piece := source.recv(BLOCK):
            target.sendall(piece)
    with suppress(OSError, EOFError, paramiko.SSHException):
        target.shutdown(socket.SHUT_WR) if isinstance(target, socket.socket) else target.shutdown_write()
