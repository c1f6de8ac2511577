"""The command line, called in this process for speed and as a program where that is what is tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOUBLE = {"double": "cosmos_core.testing.double"}


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def facts(self):
        """The one JSON object on stdout."""
        return json.loads(self.out)

    @property
    def lines(self):
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


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
def plugin(tmp_path, monkeypatch):
    """``plugin("name", "name = 'module'", {"module.py": source})``: install a distribution, for children too."""
    site = tmp_path / "site"

    def install(name, entries, files=()):
        folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        points = "".join(f"{key} = {value}\n" for key, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[cosmos_core]\n{points}")
        for file, source in dict(files).items():
            (site / file).write_text(source)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        )

    return install


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


def started(*words, **settings):
    """A ``cosmos`` that runs beside the test."""
    return subprocess.Popen(
        [sys.executable, "-m", "cosmos_core.cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **settings,
    )


@pytest.fixture
def begin():
    """``begin("work")``: a ``cosmos`` beside the test; what still runs at its end is ended."""
    begun = []

    def start(*words, **settings):
        begun.append(started(*words, **settings))
        return begun[-1]

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def program(begin):
    """``program("run", …)``: type a command as a program and wait for its end."""

    def run(*words, timeout=120, **settings):
        process = begin(*words, **settings)
        out, err = process.communicate(timeout=timeout)
        return Said(process.returncode, out, err)

    return run


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A current folder that lies in no workspace."""
    monkeypatch.delenv("COSMOS_WORKSPACE", raising=False)
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Path(folder)
