"""What ``cosmos hosts check`` says of a host for the two backends."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from cosmos_core_cosmos3 import preflight

from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.errors import Level
from cosmos_core.extend import Host

HOST = Host(name="gpu", transport="sftp", gpu="h200")
FACTS = {
    "python": "python",
    "places": ["cosmos-framework"],
    "checkpoints": [f"models--nvidia--{name}" for name in preflight.REPOSITORIES],
    "free_gb": 900,
}


def shell(code=0, **facts):
    ran = SimpleNamespace(code=code, out=json.dumps(facts).encode(), err=b"")
    return SimpleNamespace(run=lambda *_, **__: ran)


@pytest.mark.parametrize(
    ("facts", "level", "said"),
    [
        ({}, Level.OK, "Python is python"),
        ({"python": ""}, Level.WARN, "no framework in cosmos-framework"),
        ({"checkpoints": []}, Level.WARN, "not fetched yet"),
        ({"checkpoints": [], "free_gb": 20}, Level.WARN, "20 GB are free"),
        ({"code": 1}, Level.FAIL, "cannot look around"),
    ],
)
def test_what_the_framework_lacks_is_named(facts, level, said):
    """
    Each with its own sentence.
    """
    found = list(preflight.check_framework(shell(**{**FACTS, **facts}), HOST))

    assert any(one.level is level and said in one.message for one in found), found


def test_a_server_is_asked_what_it_serves(tmp_path, server):
    """
    By a program that runs on the host itself, beside the server.
    """
    session = LocalSession.open(Host(name="local", transport="local"), tmp_path / "state")
    (found,) = preflight.check_server(session, HOST)
    server.stop()
    (gone,) = preflight.check_server(session, HOST)
    server.start()

    assert (Level.OK, f"{server.url} serves nvidia/Cosmos3-Nano") == (found.level, found.message)
    assert (Level.WARN, True) == (gone.level, "does not answer" in gone.message)


def test_the_framework_probe_runs_on_a_real_machine(tmp_path, framework):
    """
    It changes nothing and finds the Python that the environment names.
    """
    session = LocalSession.open(Host(name="local", transport="local"), tmp_path / "state")
    found = list(preflight.check_framework(session, HOST))

    assert any("the framework's Python is" in one.message for one in found)
