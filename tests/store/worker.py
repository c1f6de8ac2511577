"""Another process at the store, for tests: ``worker.py URL ROOT VERB …``. It prints one line a fact."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from fractions import Fraction
from pathlib import Path

from cosmos_core.run import Artifact, State
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import LeaseLost, NewRun, Store

AHEAD = {
    State.PLACED: (State.RUNNING, State.RETURNED),
    State.RUNNING: (State.RETURNED,),
    State.RETURNED: (),
}


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def new_run(name, number):
    spec = Spec(backend="preview", prompt=Prompt("fog"), frames=1, fps=24, width=64, height=48, seed=number)
    return NewRun(id=name, name=name, spec=spec, load_key="model-a", seconds=1.0)


def opens(url, root):
    """Open the store, and say how many runs it holds."""
    with Store.open(url, root=root) as store:
        say("runs", sum(store.counts().values()))


def claims(url, root, owner):
    """Claim one run after the other, from the word go on standard input, until nothing waits."""
    with Store.open(url, root=root) as store:
        say("ready")
        sys.stdin.readline()
        while lease := store.claim(owner=owner, load_key="model-a", host="local", slot=0, limit=2):
            for request in lease.batch.requests:
                say("claimed", request.run)


def submits(url, root, token, name):
    """Accept three runs under a token, from the word go, and say which runs that gave."""
    with Store.open(url, root=root) as store:
        say("ready")
        sys.stdin.readline()
        runs = store.accept([new_run(f"{name}{part}", part) for part in "123"], token=token)
        say("accepted", *(run.id for run in runs))


def accepts(url, root, prefix, count):
    """Accept one run in each of *count* children, which kill themselves with -9 the moment it returns."""
    for number in range(int(count)):
        child = os.fork()
        if not child:
            name = f"{prefix}{number:06d}"
            Store.open(url, root=root).accept([new_run(name, number)])
            say("accepted", name)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)


def holds(url, root):
    """Hold the lock that writers need until standard input ends."""
    store = Store.open(url, root=root)
    with store._db.write() as connection:
        connection.exec_driver_sql("UPDATE run SET name = name")
        say("holding")
        sys.stdin.read()


def works(url, root, owner, seed):
    """Work until stopped, with leases of a second, and now and then stall for longer than that."""
    chance = random.Random(f"{owner} {seed}")
    with Store.open(url, root=root) as store:
        say("ready")
        while True:
            lease = store.adopt(owner=owner, hosts=["local"], lease=1.0) or store.claim(
                owner=owner, load_key="model-a", host="local", slot=0, limit=3, lease=1.0
            )
            if lease is None:
                time.sleep(0.05)
                continue
            try:
                _work(store, lease, root, chance)
            except LeaseLost:
                say("refused", lease.batch.id)


def _work(store, lease, root, chance):
    if not lease.batch.job_key:
        store.launched(lease, job_key=lease.batch.key, handle={"pid": os.getpid()})
    for run in store.held(lease):
        for after in AHEAD[run.state]:
            _spend(chance)
            store.move(lease, run.id, after)
        _spend(chance)
        store.seal(lease, run.id, _artifact(store.run(run.id), lease, root), [])
    store.finish(lease)


def _spend(chance):
    time.sleep(1.3 if chance.random() < 0.02 else chance.uniform(0.0, 0.01))


def _artifact(run, lease, root):
    return Artifact(
        run=run.id,
        attempt=run.attempt,
        digest=f"{run.id}-{lease.batch.fence}",
        path=root / run.id / f"f{lease.batch.fence}.mp4",
        bytes=1,
        frames=1,
        fps=Fraction(24),
        width=64,
        height=48,
    )


VERBS = {made.__name__: made for made in (opens, claims, submits, accepts, holds, works)}

if __name__ == "__main__":
    url, root, verb, *rest = sys.argv[1:]
    VERBS[verb](url, Path(root), *rest)
