"""A worker for tests: ``python sftp_worker.py WORKSPACE KILL_AT``.

KILL_AT is ``verb:before`` or ``verb:after`` with a verb of the sftp session, or ``put:amid`` or ``get:amid``, when half
of the bytes are through. There the process kills itself with SIGKILL: no handler runs, nothing is flushed. A file
``heavy.bin`` in the workspace becomes an input of every job.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path

import attrs
from cosmos_core_sftp.session import SftpSession

from cosmos_core import Cosmos, hookimpl
from cosmos_core.extend import Input
from cosmos_core.media import file_digest
from cosmos_core.testing import double
from cosmos_core.work import Worker


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half(done: int, total: int, _: str = "") -> None:
    if 2 * done > total:
        die()


def dies(verb: str, when: str) -> None:
    real = getattr(SftpSession, verb)

    @functools.wraps(real)
    def wrapped(*args: object, **kwargs: object) -> object:
        if when == "before":
            die()
        if when == "amid":
            kwargs["report"] = half
        answer = real(*args, **kwargs)
        die()
        return answer

    setattr(SftpSession, verb, wrapped)


class Heavy:
    """The double, whose jobs read a large file."""

    def __init__(self, path: Path) -> None:
        self.input = Input(name="heavy.bin", digest=file_digest(path), path=path, bytes=path.stat().st_size)

    @hookimpl
    def cosmos_backends(self):
        for backend in double.cosmos_backends():

            def compile_heavy(batch, slot, real=backend.compile):
                return attrs.evolve(real(batch, slot), inputs=(self.input,))

            yield attrs.evolve(backend, compile=compile_heavy)


def main(root: str, kill_at: str) -> None:
    with Cosmos(root) as cosmos:
        heavy = Path(root, "heavy.bin")
        cosmos.plugins.register("double", Heavy(heavy) if heavy.exists() else double)
        verb, _, when = kill_at.partition(":")
        if verb:
            dies(verb, when)
        Worker(cosmos.site).work(until_idle=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
