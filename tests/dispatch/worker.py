"""A worker for tests: ``python worker.py WORKSPACE KILL_AT``.

KILL_AT is ``verb:before`` or ``verb:after``, with a verb of the store or of the local session, or ``moved:STATE``, just
after that move was committed. There the process kills itself with SIGKILL: no handler runs, nothing is flushed.
"""

from __future__ import annotations

import functools
import os
import signal
import sys

from cosmos_core import Cosmos, hookimpl
from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.store.store import Store
from cosmos_core.testing import double
from cosmos_core.work import Worker

SESSION = {"put", "start", "read", "poll", "get", "remove"}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesOnMove:
    def __init__(self, state: str) -> None:
        self.state = state

    @hookimpl
    def cosmos_run_moved(self, after: str) -> None:
        if after == self.state:
            die()


def dies(verb: str, when: str) -> None:
    owner = LocalSession if verb in SESSION else Store
    real = getattr(owner, verb)

    @functools.wraps(real)
    def wrapped(*args: object, **kwargs: object) -> object:
        if when == "before":
            die()
        answer = real(*args, **kwargs)
        die()
        return answer

    setattr(owner, verb, wrapped)


def main(root: str, kill_at: str) -> None:
    with Cosmos(root) as cosmos:
        cosmos.plugins.register("double", double)
        what, _, when = kill_at.partition(":")
        if what == "moved":
            cosmos.plugins.register("dies", DiesOnMove(when))
        elif what:
            dies(what, when)
        Worker(cosmos.site).work(until_idle=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
