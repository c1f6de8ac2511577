"""The double in the place of NVIDIA's checkout, and runs of it through the whole path."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from cosmos_core import Cosmos

DOUBLE = Path(__file__).with_name("double.py")
CONFORMANCE = Path(__file__).with_name("conformance")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that has the double where NVIDIA's repository has its program, named as a host names it."""
    folder = tmp_path / "cosmos-predict2.5"
    (folder / "examples").mkdir(parents=True)
    shutil.copy(DOUBLE, folder / "examples" / "inference.py")
    (folder / "cosmos_predict2").mkdir()
    (folder / "cosmos_predict2" / "__init__.py").touch()
    (folder / "cosmos_predict2" / "inference.py").write_text(
        "from __main__ import Inference, InferenceArguments\n"
    )
    monkeypatch.setenv("COSMOS_PREDICT25_REPO", str(folder))
    monkeypatch.setenv("COSMOS_PREDICT25_PYTHON", sys.executable)
    return folder


@pytest.fixture
def cosmos(cosmos):
    """The test's workspace, on a machine that says it has one H200."""
    settings = cosmos.workspace.root / "cosmos.toml"
    settings.write_text(settings.read_text() + '\n[hosts.local]\ngpus = 1\ngpu = "h200"\n')
    with Cosmos(cosmos.workspace.root) as opened:
        yield opened


@pytest.fixture
def work(cosmos, checkout):
    """``work(run, …)``: work until the queue is idle, and give the runs as they are then."""
    from cosmos_core.work import Worker

    def _work(*runs):
        Worker(cosmos.site).work(until_idle=True)
        return [cosmos.store.run(run.id) for run in runs]

    return _work
