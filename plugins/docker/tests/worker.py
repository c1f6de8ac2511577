"""A worker for tests: ``python worker.py WORKSPACE KILL_AT``; it says its peak memory when it ends by itself.

KILL_AT is ``verb:before`` or ``verb:after``, with a verb of the docker session, or a word said to docker such as
``docker-create:after``. There the process kills itself with SIGKILL.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import sys

from cosmos_core_docker.engine import Engine
from cosmos_core_docker.session import DockerSession

from cosmos_core import Cosmos
from cosmos_core.work import Worker


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def dies(verb, when):
    owner, name, word = (Engine, "say", verb[7:]) if verb.startswith("docker-") else (DockerSession, verb, "")
    real = getattr(owner, name)

    @functools.wraps(real)
    def wrapped(*args, **kwargs):
        hit = not word or args[1] == word
        if hit and when == "before":
            die()
        answer = real(*args, **kwargs)
        if hit:
            die()
        return answer

    setattr(owner, name, wrapped)


def main(root, kill_at):
    verb, _, when = kill_at.partition(":")
    if verb:
        dies(verb, when)
    with Cosmos(root) as cosmos:
        Worker(cosmos.site).work(until_idle=True)
    print("peak kB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main(*sys.argv[1:])
