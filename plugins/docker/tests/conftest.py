"""Hosts whose containers are real, on an engine of our own."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import attrs
import pytest
from cosmos_core_docker.options import DockerOptions
from cosmos_core_docker.session import DockerSession

from cosmos_core import Cosmos, plugins, reach
from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.extend import Host, Job, JobState, Prompt, Spec
from cosmos_core.run import new_id
from cosmos_core.store import NewRun
from cosmos_core.testing.sshd import sshd as sshd  # noqa: PLC0414  (a fixture)

HERE = Path(__file__).parent


@pytest.fixture
def image(dockerd):
    """An image with Python 3 and nothing else."""
    return dockerd.python_image()


@pytest.fixture
def lay(dockerd, image, tmp_path):
    """``lay(memory="64m")``: a session on this machine's containers, as another process would open it."""

    def laid(**options):
        options = DockerOptions(**{"docker_host": dockerd.address, "image": image} | options)
        below = LocalSession.open(Host(name="here", root=str(tmp_path / "host")), tmp_path / "state")
        return DockerSession.lay(below, Host(name="here", options=options), tmp_path / "state")

    return laid


@pytest.fixture
def far(dockerd, image, sshd, tmp_path):
    """``far()``: a session on the containers of a host at the other end of a line, opened as a worker opens it."""
    known = plugins.load({})
    with ExitStack() as stack:

        def opened(server=sshd, root=tmp_path / "far", **options):
            made = server.host(
                root=str(root), options={"docker_host": dockerd.address, "image": image} | options
            )
            session = reach.connect(known, attrs.evolve(made, transport="docker"), tmp_path / "state")
            return stack.enter_context(closing(session))

        yield opened


@pytest.fixture
def session(lay):
    """A session on this machine's containers."""
    return lay()


@pytest.fixture
def begin(session):
    """``begin("print(1)")``: put and start a Python program in a container; what is left is removed after the test."""
    begun = []

    def start(program, *arguments, by=None, **fields):
        by = by or session
        job = Job(argv=("python3", "-c", program, *arguments), **fields)
        handle = by.put(job, f"{secrets.token_hex(6)}/1/1")
        begun.append((by, handle))
        by.start(handle, job)
        return handle

    yield start
    for by, handle in begun:
        by.stop(handle, grace=0.0)
        by.remove(handle)


@pytest.fixture
def end_of():
    """``end_of(session, handle)``: the status of a job once it is not active any more."""

    def wait(session, handle, seconds=60.0):
        end = time.monotonic() + seconds
        while (status := session.poll([handle])[handle.key]).state is JobState.ACTIVE:
            assert time.monotonic() < end, f"{handle.key} is still active"
            time.sleep(0.02)
        return status

    return wait


@pytest.fixture
def says():
    """``says(session, handle, b"on")``: wait until a job has said it, and give its whole log."""

    def wait(session, handle, words=b"", seconds=60.0):
        end = time.monotonic() + seconds
        while words not in (said := session.read(handle, "log.txt", 0)[0]):
            assert time.monotonic() < end, f"{handle.key} did not say {words!r}"
            time.sleep(0.02)
        return said

    return wait


@pytest.fixture
def host_options(dockerd, image):
    """What stands in ``[hosts.box.options]``; a test may change it before it asks for ``cosmos``."""
    return {"docker_host": dockerd.address, "image": image}


@pytest.fixture
def host_table():
    """What else stands in ``[hosts.box]``."""
    return {"transport": "docker"}


@pytest.fixture
def cosmos(cosmos, host_table, host_options, tmp_path, monkeypatch):
    """A workspace whose one host has containers, with the boxed model on offer here and in programs."""
    site = tmp_path / "site"
    facts = site / "cosmos_core_boxed-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: cosmos-core-boxed\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[cosmos_core]\nboxed = boxed\n")
    for name in ("boxed.py", "model.py"):
        shutil.copy(HERE / name, site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    for name in ("boxed", "model"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    root = cosmos.workspace.root
    cosmos.close()
    with (root / "cosmos.toml").open("a") as out:
        for name, table in {"local": {"slots": 0}, "box": host_table, "box.options": host_options}.items():
            out.write(f"\n[hosts.{name}]\n" + "".join(f"{key} = {json.dumps(table[key])}\n" for key in table))
    with Cosmos(root) as opened:
        yield opened


@pytest.fixture
def submit(cosmos):
    """``submit("a street", "a crash")``: runs of the boxed model, accepted together."""

    def submitted(*prompts):
        specs = [
            Spec(backend="boxed", prompt=Prompt(text), frames=6, fps=24, width=64, height=48, seed=seed)
            for seed, text in enumerate(prompts)
        ]
        return cosmos.store.accept(
            [NewRun(id=new_id("r"), name="test", spec=spec, load_key="boxed", seconds=1.0) for spec in specs]
        )

    return submitted


@pytest.fixture
def worker_program():
    """Kills itself at any verb of the docker session, and at any word said to docker."""
    return HERE / "worker.py"


@pytest.fixture
def log_of(cosmos):
    """``log_of(run)``: what is home of the log of a run's batch."""

    def read(run):
        path = cosmos.workspace.log(cosmos.store.run(run.id).batch or "none")
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    return read


@pytest.fixture
def containers(dockerd):
    """``containers()``: the names of all containers of the engine that are ours, dead or alive."""

    def names():
        wanted = ("ps", "--all", "--filter", "label=cosmos.workspace", "--format", "{{.Names}}")
        return dockerd.docker(*wanted).decode().split()

    return names
