"""Doubles in the places of NVIDIA's framework and of a vLLM-Omni server, and runs of them through the whole path."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cosmos_core import Cosmos
from cosmos_core import clip as clips
from cosmos_core.testing import media

HERE = Path(__file__).parent


@pytest.fixture
def cosmos(cosmos):
    """The test's workspace, on a machine that says it has one H200."""
    settings = cosmos.workspace.root / "cosmos.toml"
    settings.write_text(settings.read_text() + '\n[hosts.local]\ngpus = 1\ngpu = "h200"\n')
    with Cosmos(cosmos.workspace.root) as opened:
        yield opened


@pytest.fixture
def work(cosmos):
    """``work(run, …)``: work until the queue is idle, and give the runs as they are then."""
    from cosmos_core.work import Worker

    def _work(*runs):
        Worker(cosmos.site).work(until_idle=True)
        return [cosmos.store.run(run.id) for run in runs]

    return _work


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A small sealed clip with every control, made once."""
    folder = tmp_path_factory.mktemp("clips") / "street"
    media.make_clip(folder, frames=25, width=64, height=36)
    return clips.seal(folder)


@pytest.fixture
def framework(tmp_path, monkeypatch):
    """Modules that a Python finds under the framework's names, and a torchrun that runs a module and no more."""
    site = tmp_path / "site"
    for name in ("cosmos_framework/scripts", "torch/distributed"):
        (site / name).mkdir(parents=True)
    for package in ("cosmos_framework", "cosmos_framework/scripts", "torch", "torch/distributed"):
        (site / package / "__init__.py").touch()
    double = (HERE / "framework_double.py").read_text().replace("@VIDEO@", str(HERE / "video.py"))
    (site / "cosmos_framework/scripts/inference.py").write_text(double)
    shutil.copy(HERE / "torchrun_double.py", site / "torch/distributed/run.py")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("COSMOS_FRAMEWORK_PYTHON", sys.executable)
    return site


class Server:
    """A vLLM-Omni double in a process of its own."""

    def __init__(self, state):
        self.state = state
        self.port = 0
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        words = [sys.executable, str(HERE / "omni_double.py"), str(self.port), str(self.state)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.communicate()

    def count(self, what):
        """How often something happened, over all lives of the server."""
        path = self.state / what
        return len(path.read_text().splitlines()) if path.exists() else 0

    def wait_for(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not self.count(what):
            assert time.monotonic() < end, f"no {what}"
            time.sleep(0.02)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as found:
            return found.read()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server that runs, and that the host's environment names."""
    state = tmp_path / "server"
    state.mkdir()
    made = Server(state)
    made.start()
    monkeypatch.setenv("COSMOS_OMNI_SERVER", made.url)
    monkeypatch.setenv("COSMOS_OMNI_POLL", "0.05")
    monkeypatch.setenv("COSMOS_OMNI_PATIENCE", "15")
    yield made
    made.stop()
