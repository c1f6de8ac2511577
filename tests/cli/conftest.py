"""The command line, called in this process for speed and as a program where that is what is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

DOUBLE = {"double": "cosmos_core.testing.double"}


@pytest.fixture
def plugin(distribution):
    """``plugin("name", {"name": "module"}, {"module.py": source})``: install a distribution, for children too."""
    return distribution


@pytest.fixture
def double(plugin):
    """The backend ``double``, whose prompts say how it misbehaves, installed as a plugin."""
    plugin("cosmos-core-double", DOUBLE)


@pytest.fixture
def here(cosmos):
    """The test's workspace, which the current folder is; its store is closed, so that commands open their own."""
    cosmos.close()
    return cosmos.workspace


@pytest.fixture
def street(here):
    """A small sealed clip that the workspace knows."""
    from cosmos_core.api import Cosmos
    from cosmos_core.testing.media import make_clip

    with Cosmos(here.root) as cosmos:
        return cosmos.clip(make_clip(here.clips / "street"))


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A current folder that lies in no workspace."""
    monkeypatch.delenv("COSMOS_WORKSPACE", raising=False)
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Path(folder)
