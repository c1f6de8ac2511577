"""A connection with our program at its far end: requests out, answers back, and an error when nothing moves."""

from __future__ import annotations

import errno
import json
import os
import shlex
import threading
import time
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import paramiko

from cosmos_core import jobs, launcher
from cosmos_core.errors import HostError, InputError
from cosmos_core_sftp import far, reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cosmos_core_sftp.options import SftpOptions
    from cosmos_core_sftp.where import Where

SILENCE = 12.0
"""Seconds without a byte either way, while an answer is due, after which the line is lost."""
LATE = 30.0
"""The same before the host's program has spoken: a login shell may take its time."""
BLOCK = 1 << 18
LAST_WORDS = 0.5
"""Seconds to wait for what a far end that hung up has to say."""
NOISE = 1 << 16
"""Bytes that a login shell may print before the host's program speaks."""

BOOT = (
    "import sys;"
    'sys.version_info>=(3,8)or sys.exit("Python 3.8 or newer is needed, and this is "+sys.version.split()[0]);'
    "i=sys.stdin.buffer;"
    'exec(__import__("zlib").decompress(i.read(int(i.readline()))))'
)
"""The constant part of the host's command line: it runs what it reads."""

_LOAD = """
import sys, types
package = sys.modules["cosmos_core"] = types.ModuleType("cosmos_core")
for name, text in texts.items():
    module = sys.modules["cosmos_core." + name] = types.ModuleType("cosmos_core." + name)
    setattr(package, name, module)
    exec(compile(text, name + ".py", "exec"), module.__dict__)
package.far.serve(texts["launcher"].encode())
"""


@cache
def program() -> bytes:
    """What the host's Python reads first: a length, and the far end's modules."""
    texts = {
        "launcher": launcher.source().decode(),
        "jobs": jobs.source().decode(),
        "far": Path(far.__file__).read_text("utf-8"),
    }
    packed = zlib.compress(f"texts = {texts!r}\n{_LOAD}".encode())
    return b"%d\n" % len(packed) + packed


@attrs.frozen(kw_only=True)
class Answer:
    """What the far end answered."""

    ok: Any
    payload: bytes = b""


class Line:
    """One connection to a host. Not for several threads at once."""

    def __init__(self, name: str, connection: reach.Connection, channel: paramiko.Channel) -> None:
        self._name = name
        self._connection = connection
        self._channel = channel
        self._found = bytearray()
        self._moved = time.monotonic()
        self._limit = LATE
        self._waiting = threading.Event()
        self._over = threading.Event()
        self._silent = False
        self._said = ""
        """What the far end complained about before it hung up."""
        threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True).start()

    @classmethod
    def open(cls, name: str, where: Where, options: SftpOptions, own: Path) -> Line:
        """Connect, and send the program.

        Raises:
            HostError: the host cannot be reached, refuses us or has no Python that we can use.
        """
        connection = reach.connect(name, where, options, own)
        try:
            channel = connection.transport.open_session(timeout=reach.CONNECT)
            channel.exec_command(f"{options.python} -I -S -X utf8 -c {shlex.quote(BOOT)}")
        except (paramiko.SSHException, OSError, EOFError) as error:
            connection.close()
            raise HostError(f"host {name} runs no commands for us: {error}") from error
        line = cls(name, connection, channel)
        line.greet(options.python)
        return line

    def greet(self, python: str) -> None:
        """Send the program and hear it speak."""
        try:
            self._send(program())
            self._skip_to(far.HELLO)
        except HostError as error:
            # A shell that finds no such program may hang up before all is sent.
            self._said = self._said or self._complaint()
            self.close()
            if not self._said:
                raise
            hint = "it needs Python 3.8 or newer; options.python of the host names another"
            raise HostError(f"host {self._name} cannot run {python}: {self._said}", hint=hint) from error
        self._limit = SILENCE

    def ask(self, do: str, payload: Iterable[Any] = (), *, size: int = 0, **words: Any) -> Answer:
        """Ask for one thing, with *size* bytes of *payload*, and wait for the answer.

        Raises:
            HostError: the host refuses, or the line is lost; it is closed then.
            InputError: what is asked for cannot be.
        """
        try:
            self.tell(do, size=size, **words)
            for piece in payload:
                self._send(piece)
        except HostError:
            # It may have hung up because it refuses: then it has said so.
            self._refusal_left()
            raise
        return self.answer()

    def tell(self, do: str, *, size: int = 0, **words: Any) -> None:
        """Ask for something whose answer is streamed."""
        self._send(far.frame(dict(words, do=do, bytes=size)))

    def answer(self) -> Answer:
        """The next answer, whole."""
        header = self.header()
        if header["bytes"]:
            return Answer(ok=header["ok"], payload=b"".join(map(bytes, self.stream(header["bytes"]))))
        return Answer(ok=header.get("ok"))

    def header(self) -> dict[str, Any]:
        """The header of the next frame that is not a beat.

        Raises:
            HostError: the host refuses, or the line is lost.
            InputError: what was asked for cannot be.
        """
        while True:
            try:
                found: dict[str, Any] = json.loads(self._exactly(far.length(self._exactly(far.HEAD))))
            except ValueError as error:
                raise self._lost(f"it said what nobody understands ({error})") from error
            if "wrong" in found:
                raise InputError(found["wrong"], hint=found["hint"])
            if "denied" in found:
                raise HostError(found["denied"], hint=found["hint"]) from _system_error(found)
            if "beat" not in found:
                return found

    def stream(self, size: int) -> Iterator[bytes | memoryview]:
        """The *size* bytes that follow a header, as they come."""
        if self._found:
            first = bytes(self._found[:size])
            del self._found[:size]
            size -= len(first)
            yield first
        while size:
            found = self._receive(min(BLOCK, size))
            size -= len(found)
            yield found

    def close(self) -> None:
        """Let go of the line, whatever state it is in."""
        self._over.set()
        self._connection.close()

    @property
    def is_open(self) -> bool:
        """Whether it is worth asking: it may be lost all the same."""
        return not self._over.is_set() and self._connection.transport.is_active() and not self._channel.closed

    def _skip_to(self, hello: bytes) -> None:
        while hello not in self._found:
            if len(self._found) > NOISE:
                raise self._lost("its login shell prints too much")
            self._found += self._receive(BLOCK)
        del self._found[: self._found.index(hello) + len(hello)]

    def _exactly(self, size: int) -> bytes:
        while len(self._found) < size:
            self._found += self._receive(BLOCK)
        found = bytes(self._found[:size])
        del self._found[:size]
        return found

    def _receive(self, size: int) -> bytes:
        self._expect()
        try:
            found = self._channel.recv(size)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost(str(error)) from error
        finally:
            self._waiting.clear()
        if not found:
            self._said = self._complaint()
            raise self._lost(self._said or "it hung up")
        self._moved = time.monotonic()
        return found

    def _send(self, piece: Any) -> None:
        rest: Any = memoryview(piece)
        self._expect()
        try:
            while rest:
                rest = rest[self._channel.send(rest) :]
                self._moved = time.monotonic()
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost(str(error)) from error
        finally:
            self._waiting.clear()

    def _expect(self) -> None:
        self._moved = time.monotonic()
        self._waiting.set()

    def _lost(self, why: str) -> HostError:
        if self._silent:
            why = f"nothing moved for {self._limit:.0f} s"
        # What was received before may still be read.
        self._over.set()
        return HostError(f"the line to host {self._name} is lost: {why}")

    def _refusal_left(self) -> None:
        while not self._silent and (self._channel.recv_ready() or self._found):
            self.header()

    def _complaint(self) -> str:
        """The last thing the host's shell or Python complained about."""
        found = b""
        end = time.monotonic() + LAST_WORDS
        while time.monotonic() < end and not (self._channel.closed and not self._channel.recv_stderr_ready()):
            if self._channel.recv_stderr_ready():
                found += self._channel.recv_stderr(NOISE)
            time.sleep(0.01)
        said = found.decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else ""

    def _watch(self) -> None:
        """Break the line when nothing moves though something should."""
        while not self._over.wait(0.5):
            if self._waiting.is_set() and time.monotonic() - self._moved > self._limit:
                self._silent = True
                self._connection.close()
                return


def _system_error(found: dict[str, Any]) -> OSError | None:
    """The host's own error, with this system's number."""
    number = getattr(errno, found.get("errno") or "-", None)
    return OSError(number, os.strerror(number)) if number is not None else None
