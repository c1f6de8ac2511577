"""What ``cosmos hosts check`` says of a host, from what a small program found there."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from cosmos_core_predict import preflight

from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.errors import Level
from cosmos_core.extend import Host

FACTS = {
    "repo": "cosmos-predict2.5",
    "places": ["cosmos-predict2.5"],
    "config": "inference_type enable_autoregressive",
    "checkpoints": [f"models--nvidia--{name}" for name in preflight.REPOSITORIES],
    "driver": "570.124.06",
}


def findings(host=None, code=0, **facts):
    ran = SimpleNamespace(code=code, out=json.dumps({**FACTS, **facts}).encode(), err=b"python3: not found")
    shell = SimpleNamespace(run=lambda *_, **__: ran)
    return list(preflight.check(shell, host or Host(name="gpu", transport="sftp", gpu="h200")))


def test_a_host_that_has_everything_is_well():
    """
    A checkout of the right generation, checkpoints and a driver.
    """
    assert {Level.OK} == {one.level for one in findings()}


@pytest.mark.parametrize(
    ("facts", "level", "said"),
    [
        ({"repo": ""}, Level.FAIL, "no checkout in"),
        ({"config": "class InferenceSample inference_type"}, Level.FAIL, "October 2025"),
        ({"config": "inference_type"}, Level.WARN, "older than 1.3.1"),
        ({"config": ""}, Level.FAIL, "is not Predict 2.5"),
        ({"checkpoints": []}, Level.WARN, "54 GB"),
        ({"driver": "550.54"}, Level.FAIL, "too old"),
        ({"driver": ""}, Level.FAIL, "names no driver"),
        ({"code": 127}, Level.FAIL, "cannot look around"),
        (
            {"host": Host(name="b", transport="sftp", gpu="b300")},
            Level.FAIL,
            "only the image of docker/nightly.Dockerfile has kernels",
        ),
        (
            {"host": Host(name="b", transport="docker", gpu="b300", options={"image": "predict:cu128"})},
            Level.FAIL,
            "no run is sent there",
        ),
    ],
)
def test_what_is_missing_is_named(facts, level, said):
    """
    Each with its own sentence, before a run finds out the slow way.
    """
    assert any(one.level is level and said in one.message for one in findings(**facts))


@pytest.mark.parametrize("said", [{"build": "nightly"}, {"options": {"image": "ours/predict25-nightly:1.5"}}])
def test_a_host_that_says_it_has_the_kernels_is_well(said):
    """
    In so many words, or by the name of its image.
    """
    host = Host(name="b", transport="docker", gpu="b300", **said)

    assert {Level.OK} == {one.level for one in findings(host=host)}


def test_the_probe_runs_on_a_real_machine(tmp_path, checkout):
    """
    It changes nothing and finds the checkout that the environment names.
    """
    session = LocalSession.open(Host(name="local", transport="local"), tmp_path / "state")
    said = [one.message for one in preflight.check(session, Host(name="local"))]

    assert any(str(checkout) in sentence for sentence in said)
