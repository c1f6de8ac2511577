"""The whole way through a real SSH server: workers that die, lines that are lost, hosts that change."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import attrs
import pytest

from cosmos_core import settings
from cosmos_core.run import Blame, State, new_id
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun
from cosmos_core.testing import double
from cosmos_core.testing.fixtures import ended
from cosmos_core.testing.media import make_clip
from cosmos_core.testing.sshd import Sshd
from cosmos_core.testing.sshd import sshd as sshd  # noqa: PLC0414  (a fixture)
from cosmos_core.work import Worker

HOSTS = """
[hosts.local]
slots = 0

[hosts.gpu]
transport = "sftp"
address = "gpu"
root = {root}
gpus = 2
slots = 2
gpu = "h200"

[hosts.gpu.options]
config = {config}
python = {python}
"""


@pytest.fixture
def root(tmp_path):
    """The root on the host."""
    return tmp_path / "far away"


@pytest.fixture
def cosmos(cosmos, sshd, root):
    """The workspace, with one host, which is behind the server, and the double on offer."""
    words = {"root": str(root), "config": str(sshd.config), "python": sys.executable}
    with cosmos.workspace.settings.open("a") as file:
        file.write(HOSTS.format(**{name: json.dumps(value) for name, value in words.items()}))
    object.__setattr__(cosmos, "settings", settings.load(cosmos.workspace))
    cosmos.plugins.register("double", double)
    return cosmos


@pytest.fixture
def other(cosmos, root, tmp_path):
    """A second machine, ``far``, with a server, a key and a root of its own; the roots of both."""
    server = Sshd(tmp_path / "other-sshd")
    server.start()
    folder = tmp_path / "farther away"
    facts = {"transport": "sftp", "address": "gpu", "root": str(folder), "gpus": 1, "slots": 1, "gpu": "h100"}
    options = {"config": str(server.config), "python": sys.executable}
    with cosmos.workspace.settings.open("a") as file:
        for name, table in {"far": facts, "far.options": options}.items():
            file.write(f"\n[hosts.{name}]\n")
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
    object.__setattr__(cosmos, "settings", settings.load(cosmos.workspace))
    yield root, folder
    server.stop()


@pytest.fixture
def tiny(root):
    """A root on a disk of eight megabytes."""
    root.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(root)]
    if os.geteuid() or subprocess.call(words, stderr=subprocess.DEVNULL):
        pytest.skip("a small file system cannot be mounted here")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)


@pytest.fixture
def clip(cosmos):
    """A sealed clip of the workspace."""
    return cosmos.clip(make_clip(cosmos.workspace.clips / "street", frames=6, width=64, height=48))


@pytest.fixture
def submit(cosmos):
    """``submit("a street", "crash")``: runs of the double, small and quick."""

    def make(*prompts, clip=""):
        specs = [
            Spec(
                backend="double",
                prompt=Prompt(text),
                frames=6,
                fps=24,
                width=64,
                height=48,
                seed=seed,
                clip=clip,
            )
            for seed, text in enumerate(prompts)
        ]
        return cosmos.store.accept(
            [NewRun(id=new_id("r"), name="test", spec=spec, load_key="double", seconds=1.0) for spec in specs]
        )

    return make


@pytest.fixture
def worker_program():
    """Kills itself at any verb of the sftp session, and amid a transfer."""
    return Path(__file__).with_name("sftp_worker.py")


STEPS = [
    "put:before",
    "put:amid",
    "put:after",
    "start:before",
    "start:after",
    "poll:after",
    "read:after",
    "get:before",
    "get:amid",
    "get:after",
    "remove:before",
    "remove:after",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_step_costs_nothing(cosmos, submit, worker, root, step):
    """During upload, start, run and fetch: the next worker seals the run, once, and its job ran once."""
    (run,) = submit("a street")
    ended(worker(step), -signal.SIGKILL)
    ended(worker())
    run = cosmos.store.run(run.id)

    assert State.SEALED == run.state, run.reason
    assert [run.artifact.path] == sorted(cosmos.workspace.outputs.rglob("*.mp4"))
    assert () == cosmos.store.leases()
    assert 1 == cosmos.workspace.log(run.batch).read_text().count(f"Processing sample {run.id}")
    assert [] == list((root / "jobs").iterdir())


def test_a_worker_killed_amid_an_upload_leaves_what_it_sent(cosmos, submit, worker, root, wait_for):
    """Half of a large input is on the host and has no name; the next worker goes on from there, and the run is sealed."""
    heavy = cosmos.workspace.root / "heavy.bin"
    heavy.write_bytes(os.urandom(60_000_000))
    (run,) = submit("a street")
    ended(worker("put:amid"), -signal.SIGKILL)
    (part,) = wait_for(lambda: [path for path in root.glob("tmp/*.part") if path.stat().st_size > 20_000_000])

    assert [] == list(root.glob("cas/sha256/*/*")) == list((root / "jobs").iterdir())
    ended(worker())
    (blob,) = root.glob("cas/sha256/*/*")

    assert part.name == f"{blob.name}.part"
    assert not part.exists()
    assert heavy.read_bytes() == blob.read_bytes()
    assert State.SEALED == cosmos.store.run(run.id).state


def test_a_server_that_goes_away_while_a_job_runs_costs_nothing(cosmos, submit, worker, sshd, wait_for):
    """No relaunch and no kill: the run goes on, and is sealed in its first attempt when the server is back."""
    (run,) = submit("slow")
    process = worker()
    wait_for(lambda: cosmos.store.run(run.id).state is State.RUNNING)
    sshd.stop()
    time.sleep(1.5)
    sshd.start()
    said = ended(process)
    run = cosmos.store.run(run.id)

    assert (State.SEALED, 1) == (run.state, run.attempt), said
    assert 1 == cosmos.workspace.log(run.batch).read_text().count(f"Processing sample {run.id}")


def test_connections_cut_at_odd_moments_cost_nothing(cosmos, submit, worker, sshd, wait_for):
    """Four runs and a line that is cut again and again: each is sealed once, its log neither short nor doubled."""
    runs = submit(*["a street"] * 4)
    over, pauses = threading.Event(), (0.7 * 1.2**cuts for cuts in itertools.count())

    def cut():
        # Ever later: a machine so busy that no line is made in 0.7 s comes to an end too.
        while not over.wait(next(pauses)):
            sshd.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        process = worker()
        wait_for(
            lambda: (
                all(cosmos.store.run(run.id).state.is_final for run in runs) or process.poll() is not None
            ),
            seconds=180.0,
        )
    finally:
        over.set()
        cutter.join()
    ended(process)
    after = [cosmos.store.run(run.id) for run in runs]

    assert {(State.SEALED, 1)} == {(run.state, run.attempt) for run in after}
    for run in after:
        assert 1 == cosmos.workspace.log(run.batch).read_text().count(f"Processing sample {run.id}")


def test_two_workers_share_one_host(cosmos, submit, worker):
    """Eight runs, two workers, one host of two slots: each run is sealed once, by one of them."""
    runs = submit(*["a street"] * 8)
    for process in [worker(), worker()]:
        ended(process)
    after = [cosmos.store.run(run.id) for run in runs]
    journal = (cosmos.workspace.state / "journal.jsonl").read_text().splitlines()
    sealed = [line["sealed"] for line in map(json.loads, journal) if "sealed" in line]

    assert {(State.SEALED, 1)} == {(run.state, run.attempt) for run in after}
    assert sorted(run.id for run in runs) == sorted(sealed)


def test_two_workers_and_two_hosts(cosmos, submit, worker, other):
    """Twelve runs, two machines with a server each: both work, each run is sealed once, and nothing is left on either."""
    folders = other
    runs = submit(*["a street"] * 12)
    for process in [worker(), worker()]:
        ended(process)
    after = [cosmos.store.run(run.id) for run in runs]
    hosts = {attempt.host for run in runs for attempt in cosmos.store.attempts(run.id)}

    assert {(State.SEALED, 1)} == {(run.state, run.attempt) for run in after}
    assert {"gpu", "far"} == hosts
    assert len(runs) == len(list(cosmos.workspace.outputs.rglob("*.mp4")))
    for folder in folders:
        assert [] == list((folder / "jobs").iterdir())


def test_a_host_that_goes_away_costs_the_other_nothing(cosmos, submit, worker, other, sshd, wait_for):
    """One machine is gone while both work: the other one goes on, and what was begun is sealed when it is back."""
    runs = submit(*["slow"] * 4)
    process = worker()
    wait_for(lambda: {lease.host for lease in cosmos.store.leases()} == {"gpu", "far"})
    wait_for(lambda: all(run.state is State.RUNNING for run in map(cosmos.store.run, _on(cosmos, "gpu"))))
    begun = set(_on(cosmos, "gpu"))
    sshd.stop()
    try:
        wait_for(lambda: sum(cosmos.store.run(run.id).state is State.SEALED for run in runs) >= 1)
    finally:
        sshd.start()
    ended(process)
    after = [cosmos.store.run(run.id) for run in runs]

    assert begun
    assert {(State.SEALED, 1)} == {(run.state, run.attempt) for run in after}


def lay_heavy(cosmos):
    """An input of the double that the tiny disk has no room for."""
    (cosmos.workspace.root / "heavy.bin").write_bytes(os.urandom(12_000_000))


def fill(folder):
    """Take what room there is on a disk with a file in *folder*."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while out.write(b"\0" * 65536):
            pass
    return filler


def _on(cosmos, host):
    return [run for lease in cosmos.store.leases() if lease.host == host for run in lease.runs]


def test_a_host_whose_disk_is_full_rests_alone(cosmos, submit, worker, tiny, other):
    """The other host takes all the work and nothing is paused; who asks is told which host is full, and no try is lost."""
    lay_heavy(cosmos)
    text = cosmos.workspace.settings.read_text()
    cosmos.workspace.settings.write_text(text.replace("[queue]", "[queue]\nrest = 600"))
    object.__setattr__(cosmos, "settings", settings.load(cosmos.workspace))
    runs = submit(*["a street"] * 4)
    ended(worker())
    after = [cosmos.store.run(run.id) for run in runs]
    tries = [each for run in runs for each in cosmos.store.attempts(run.id)]
    (full,) = cosmos.store.full_hosts()
    rests = [rest for rest in cosmos.resting() if rest.is_full]

    assert [State.SEALED] * 4 == [run.state for run in after]
    assert cosmos.store.paused() is None
    assert "No space left on device" in full.reason
    assert "gpu" == full.host
    assert {"gpu": Blame.DISK, "far": Blame.RUN} == {each.host: each.blame for each in tries}
    assert ["gpu/0", "gpu/1"] == [rest.slot for rest in rests]
    assert [] == list((tiny / "jobs").iterdir())


def test_a_full_host_comes_back_by_itself(cosmos, submit, tiny, wait_for):
    """It is tried again and again while it rests in between; once there is room its run is sealed without a word."""
    queue = attrs.evolve(cosmos.settings.queue, rest=0.2)
    object.__setattr__(cosmos, "settings", attrs.evolve(cosmos.settings, queue=queue))
    (first,) = submit("a square")
    stop = threading.Event()
    thread = threading.Thread(target=Worker(cosmos.site, stop=stop).work)
    thread.start()
    try:
        wait_for(lambda: cosmos.store.run(first.id).state.is_final and not cosmos.store.leases())
        filler = fill(tiny)
        (run,) = submit("a street")
        wait_for(lambda: any(full.count >= 2 for full in cosmos.store.full_hosts()))
        filler.unlink()
        wait_for(lambda: cosmos.store.run(run.id).state.is_final)
    finally:
        stop.set()
        thread.join()
    *before, last = cosmos.store.attempts(run.id)

    assert State.SEALED == cosmos.store.run(run.id).state
    assert {Blame.DISK} == {each.blame for each in before}
    assert State.SEALED == last.state
    assert () == cosmos.store.full_hosts()
    assert cosmos.store.paused() is None


def test_a_run_is_cancelled_on_its_host(cosmos, submit, worker, root, wait_for):
    """The job is ended there, and the run says cancelled, not failed."""
    (run,) = submit("stubborn")
    process = worker()
    wait_for(lambda: cosmos.store.run(run.id).state is State.RUNNING)
    cosmos.store.cancel(run.id)
    ended(process)

    assert State.CANCELLED == cosmos.store.run(run.id).state
    assert [] == list((root / "jobs").iterdir())


def test_a_host_with_another_key_gets_no_run(cosmos, submit, sshd, root, wait_for):
    """The run waits, with the reason in the worker's log; once the key is known it is sealed."""
    known = sshd.known_hosts.read_text()
    kind, key, *_ = (sshd.folder / "client.pub").read_text().split()
    sshd.known_hosts.write_text(f"{sshd.name} {kind} {key}\n")
    (run,) = submit("a street")
    stop = threading.Event()
    thread = threading.Thread(target=Worker(cosmos.site, stop=stop).work)
    thread.start()
    try:
        wait_for(lambda: cosmos.store.run(run.id).state is not State.QUEUED)
        time.sleep(1.0)
        assert cosmos.store.run(run.id).state in {State.PLACED, State.QUEUED}
        assert not root.exists()
    finally:
        sshd.known_hosts.write_text(known)
        wait_for(lambda: cosmos.store.run(run.id).state.is_final)
        stop.set()
        thread.join()

    assert (State.SEALED, 1) == (cosmos.store.run(run.id).state, cosmos.store.run(run.id).attempt)


def test_no_secret_is_left_anywhere(cosmos, submit, worker, monkeypatch, root, sshd):
    """What stands in the environment of a worker is not in the store, logs, settings, manifests or on the host."""
    canaries = {
        name: f"canary-{name.lower()}" for name in ("HF_TOKEN", "NGC_API_KEY", "COSMOS_SSH_PASSPHRASE")
    }
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
    (run,) = submit("a street")
    said = ended(worker())
    places = (cosmos.workspace.root, root, sshd.folder)
    files = [path for place in places for path in place.rglob("*") if path.is_file()]

    assert State.SEALED == cosmos.store.run(run.id).state
    assert len(files) > 10
    assert [] == [path for path in files if b"canary" in path.read_bytes()]
    assert "canary" not in said


def test_gpus_of_the_slot_are_the_jobs(cosmos, submit, worker, root, wait_for):
    """A native job sees its slot's GPUs and no others."""
    (run,) = submit("slow")
    process = worker()
    orders = wait_for(lambda: [json.loads(path.read_text()) for path in root.glob("jobs/*/job.json")])
    ended(process)

    assert orders[0]["env"]["CUDA_VISIBLE_DEVICES"] in {"0", "1"}
    assert State.SEALED == cosmos.store.run(run.id).state
