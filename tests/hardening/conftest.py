"""A workspace with the double installed, for this process and for programs; commands typed and programs begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import attrs
import pytest

from cosmos_core.run import new_id
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun
from cosmos_core.testing.media import make_clip

POINT = "[cosmos_core]\n{} = {}\n"


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def facts(self):
        """The one JSON object on stdout."""
        return json.loads(self.out)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """``plugin("bad", source)``: install a distribution of one module, for children too."""
    site = tmp_path / "site"

    def install(name, source="", *, module=""):
        folder = site / f"cosmos_core_{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: cosmos-core-{name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(POINT.format(name, module or f"hardening_{name}"))
        if source:
            (site / f"hardening_{name}.py").write_text(source, "utf-8")
            monkeypatch.delitem(sys.modules, f"hardening_{name}", raising=False)
        monkeypatch.syspath_prepend(str(site))
        path = os.pathsep.join(
            dict.fromkeys(filter(None, [str(site), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
        )
        monkeypatch.setenv("PYTHONPATH", path)

    return install


@pytest.fixture
def cosmos(plugin, cosmos):
    """The workspace, with the double on offer here and in programs."""
    plugin("double", module="cosmos_core.testing.double")
    return cosmos


@pytest.fixture
def street(cosmos):
    """A small sealed clip that the workspace knows by the name ``street``."""
    return cosmos.clip(make_clip(cosmos.workspace.clips / "street", frames=4))


@pytest.fixture
def specs():
    """``specs("a street", frames=6)``: requests to the double, small and quick."""

    def make(*prompts, frames=6):
        return [
            Spec(backend="double", prompt=Prompt(text), frames=frames, fps=24, width=64, height=48, seed=seed)
            for seed, text in enumerate(prompts)
        ]

    return make


@pytest.fixture
def submit(cosmos, specs):
    """``submit("a street", "a crash")``: runs of the double, accepted together."""

    def submitted(*prompts, frames=6, **more):
        new = [
            NewRun(id=new_id("r"), spec=spec, load_key="double", seconds=1.0, **({"name": "test"} | more))
            for spec in specs(*prompts, frames=frames)
        ]
        return cosmos.store.accept(new)

    return submitted


@pytest.fixture
def work(cosmos):
    """``work()``: what `cosmos work --until-idle` does, in this process."""
    from cosmos_core.work import Worker

    def worked(**more):
        Worker(cosmos.site).work(until_idle=True, **more)

    return worked


@pytest.fixture
def queue(cosmos):
    """``queue(batch=1)``: other settings of the queue, for this process."""

    def changed(**values):
        settings = attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, **values))
        object.__setattr__(cosmos, "settings", settings)

    return changed


@pytest.fixture
def say(capsys):
    """``say("list", "--json")``: type a command in this process."""
    from cosmos_core.cli.root import root

    def typed(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            root.main([str(word) for word in words])
        return Said(ended.value.code, *capsys.readouterr())

    return typed


@pytest.fixture
def begin():
    """``begin("work")``: a ``cosmos`` beside the test; what still runs at its end is ended."""
    begun = []

    def start(*words, code="", **settings):
        what = ["-c", code] if code else ["-m", "cosmos_core.cli"]
        process = subprocess.Popen(
            [sys.executable, *what, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **settings,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            if hasattr(signal, "SIGCONT"):
                process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture
def program(begin):
    """``program("run", …)``: type a command as a program and wait for its end."""

    def run(*words, timeout=60, **settings):
        process = begin(*words, **settings)
        out, err = process.communicate(timeout=timeout)
        return Said(process.returncode, out, err)

    return run


@pytest.fixture
def wait_for():
    """``wait_for(lambda: …)``: until it is true; fails when it never is."""

    def waited(condition, seconds=20.0):
        until = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < until, "it never came"
            time.sleep(0.02)
        return found

    return waited


@pytest.fixture
def published(cosmos):
    """``published()``: every video under ``outputs/``, also those that nobody knows of."""
    return lambda: sorted(Path(cosmos.workspace.outputs).rglob("*.mp4"))
