"""Another process at the store, for tests: ``worker.py URL ROOT VERB …``. It prints one line a fact."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
import traceback
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


def breathe():
    """Let another process have a turn: who asks SQLite again at once may be served first until all is gone."""
    time.sleep(0.003)


def opens(url, root, gate):
    """Open the store at the word, and say how many runs it holds."""
    gate()
    with Store.open(url, root=root) as store:
        say("runs", sum(store.counts().values()))


def claims(url, root, gate):
    """Claim two runs after two runs, from the word, until nothing waits."""
    with Store.open(url, root=root) as store:
        gate()
        place = {"host": f"host-{os.getpid()}", "load_key": "model-a"}
        slots = itertools.count()
        while lease := store.claim(owner=str(os.getpid()), slot=next(slots), limit=2, **place):
            for request in lease.batch.requests:
                say("claimed", request.run, os.getpid())
            breathe()


def serves(url, root, gate):
    """Fight for one slot from the word until nothing waits: claim, hold a moment, bring home, finish."""
    with Store.open(url, root=root) as store:
        gate()
        while store.counts()[State.QUEUED] or store.leases():
            lease = store.claim(owner=str(os.getpid()), load_key="model-a", host="local", slot=0, limit=1)
            if lease is None:
                continue
            say("open", lease.batch.id, sum(held.slot == 0 for held in store.leases()))
            for request in lease.batch.requests:
                store.move(lease, request.run, State.FAILED)
            store.finish(lease)
            breathe()


def submits(url, root, gate, token):
    """Accept three runs under a token, at the word, and say which runs that gave."""
    with Store.open(url, root=root) as store:
        gate()
        runs = store.accept([new_run(f"r{os.getpid()}{part}", part) for part in "123"], token=token)
        say("accepted", *(run.id for run in runs))


def crowd(url, root, count, verb, *words):
    """Let *count* processes do the same thing at the same time."""
    ready, gate = os.pipe(), os.pipe()

    def wait():
        os.close(gate[1])
        os.write(ready[1], b"x")
        os.read(gate[0], 1)

    children = [_fork(VERBS[verb], url, root, wait, *words) for _ in range(int(count))]
    for _ in children:
        os.read(ready[0], 1)
    os.close(gate[1])
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(ended))


def accepts(url, root, prefix, count):
    """Accept one run in each of *count* children, which kill themselves with -9 the moment it returns."""
    store = Store.open(url, root=root)
    # What this process has compiled its children need not compile again.
    store.accept([new_run(f"{prefix}first", 0)])
    say("accepted", f"{prefix}first")

    def accept(name, number):
        store.accept([new_run(name, number)])
        say("accepted", name)
        os.kill(os.getpid(), signal.SIGKILL)

    for number in range(int(count)):
        os.waitpid(_fork(accept, f"{prefix}{number:06d}", number), 0)


def holds(url, root):
    """Hold the lock that writers need until standard input ends."""
    store = Store.open(url, root=root)
    with store._db.write() as connection:
        connection.exec_driver_sql("UPDATE run SET name = name")
        say("holding")
        sys.stdin.read()


def mayhem(url, root, count, kills, seed):
    """Let *count* workers work until every run is sealed; kill -9 some of them on the way, and start others."""
    chance, started, killed = random.Random(seed), iter(range(1000)), 0
    with Store.open(url, root=root) as store:
        total = sum(store.counts().values())
        workers = [_fork(works, url, root, next(started), seed) for _ in range(int(count))]
        while store.counts()[State.SEALED] < total or killed < int(kills):
            time.sleep(chance.uniform(0.05, 0.2))
            if killed < int(kills):
                victim = chance.randrange(len(workers))
                _kill(workers[victim])
                workers[victim] = _fork(works, url, root, next(started), seed)
                killed += 1
        for worker in workers:
            _kill(worker)
        say("killed", killed)


def works(url, root, number, seed):
    """Work until stopped, with leases of a second, and now and then stall for longer than that."""
    owner, chance = f"worker-{number}", random.Random(f"{number} {seed}")
    store = Store.open(url, root=root)
    while True:
        lease = store.adopt(owner=owner, hosts=["local"], lease=1.0) or store.claim(
            owner=owner, load_key="model-a", host="local", slot=number, limit=3, lease=1.0
        )
        if lease is None:
            time.sleep(0.05)
            continue
        try:
            _work(store, lease, root, chance)
        except LeaseLost as error:
            say("refused:", error)


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
    time.sleep(1.5 if chance.random() < 0.03 else chance.uniform(0.0, 0.01))


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


def _fork(work, *words):
    """Start a child that does *work* and ends. Forking spares every child the second that imports take."""
    if child := os.fork():
        return child
    status = 1
    try:
        work(*words)
        status = 0
    except BaseException:  # noqa: BLE001  a child must never return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(status)


def _kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


VERBS = {made.__name__: made for made in (opens, claims, serves, submits, crowd, accepts, holds, mayhem)}

if __name__ == "__main__":
    url, root, verb, *rest = sys.argv[1:]
    VERBS[verb](url, Path(root), *rest)
