"""A worker for tests: ``python worker.py WORKSPACE STOP_AT``.

STOP_AT is a verb of the store or of the local session. Before its first call the process stops itself with SIGSTOP, as
a machine that sleeps does; SIGCONT wakes it. It is not stopped while its heart writes to the store: SQLite would keep
everybody out until it wakes.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

from cosmos_core import Cosmos
from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.store.engine import Database
from cosmos_core.store.store import Store
from cosmos_core.work import Worker

SESSION = {"put", "start", "get", "remove"}


def one_writer() -> threading.RLock:
    """A lock that every write of this process takes."""
    lock, real = threading.RLock(), Database.write

    @contextmanager
    def write(self, **more):
        with lock, real(self, **more) as connection:
            yield connection

    Database.write = write
    return lock


def sleeps(verb: str) -> None:
    lock = one_writer()
    owner = LocalSession if verb in SESSION else Store
    real = getattr(owner, verb)
    slept = []

    @functools.wraps(real)
    def wrapped(*args: object, **kwargs: object) -> object:
        if not slept:
            slept.append(True)
            with lock:
                os.kill(os.getpid(), signal.SIGSTOP)
                # The signal may reach another thread first.
                time.sleep(0.1)
        return real(*args, **kwargs)

    setattr(owner, verb, wrapped)


def main(root: str, stop_at: str) -> None:
    with Cosmos(root) as cosmos:
        sleeps(stop_at)
        Worker(cosmos.site).work(until_idle=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
