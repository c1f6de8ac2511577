"""Plugins that raise, print, end the program, hang or answer nonsense: named, survived, and their runs not lost."""

from __future__ import annotations

import json
import re

import pytest

from cosmos_core.errors import Level, RefusedError
from cosmos_core.run import State
from cosmos_core.submission import Ask

HOOKS = (
    "cosmos_generators",
    "cosmos_backends",
    "cosmos_transports",
    "cosmos_steps",
    "cosmos_checks",
    "cosmos_enhancers",
    "cosmos_exporters",
    "cosmos_commands",
)
TELLS = ("cosmos_run_moved(run)", "cosmos_artifact_sealed(artifact)")

HEAD = "import sys\nfrom cosmos_core import hookimpl\n"
EACH = "\n@hookimpl\ndef {hook}:\n    print('noise of {name}')\n    {does}\n"

BACKEND = (
    HEAD
    + """
import attrs
from cosmos_core.testing import double

(real,) = double.cosmos_backends()

def sour(*_):
    raise ZeroDivisionError("sour grapes")

def outside(folder, request, ended):
    from pathlib import Path
    from cosmos_core.extend import Outcome, Outcomes
    return Outcomes(outcome=Outcome.DONE, file=Path(__file__))

def leave(*_):
    sys.exit(0)

@hookimpl
def cosmos_backends():
    yield attrs.evolve(real, name="sour-review", review=sour)
    yield attrs.evolve(real, name="none-review", review=lambda spec, clip: [None])
    yield attrs.evolve(real, name="sour-key", load_key=sour)
    yield attrs.evolve(real, name="sour-compile", compile=sour)
    yield attrs.evolve(real, name="none-compile", compile=lambda batch, slot: None)
    yield attrs.evolve(real, name="sour-progress", progress=sour)
    yield attrs.evolve(real, name="text-progress", progress=lambda line: "half")
    yield attrs.evolve(real, name="sour-outcome", outcome=sour)
    yield attrs.evolve(real, name="none-outcome", outcome=lambda *_: None)
    yield attrs.evolve(real, name="outside", outcome=outside)
    yield attrs.evolve(real, name="sour-expect", expect=sour)
    yield attrs.evolve(real, name="leaves", outcome=leave)
"""
)


def listener(name, does):
    return HEAD + "".join(
        EACH.format(hook=hook, name=name, does=does)
        for hook in (*(f"{hook}()" for hook in HOOKS), *TELLS, "cosmos_review(spec)", "cosmos_plan(runs)")
    )


@pytest.mark.parametrize(
    "does",
    ["raise ZeroDivisionError('sour')", "sys.exit(3)", "return [None, 7, 'x']", "return 42"],
    ids=["raises", "exits", "nonsense", "a-number"],
)
def test_a_plugin_that_misbehaves_in_every_hook_stops_no_queue(cosmos, submit, plugin, work, caplog, does):
    """
    Its offers are quarantined, its reviews are a finding, the built-in planner stands in: the run is sealed.
    """
    from cosmos_core import plugins as layer

    plugin("bad", listener("bad", does))
    object.__setattr__(cosmos, "plugins", layer.load())
    (run,) = submit("a street")
    work()

    assert State.SEALED == cosmos.store.run(run.id).state
    assert "bad" in caplog.text
    with pytest.raises(RefusedError) as caught:
        cosmos.submit("a street", backend="double", frames=2)
    assert any("plugin bad" in finding.message for finding in caught.value.findings)
    (found,) = [each for each in cosmos.plugins.listed() if each.name == "bad"]
    assert "quarantined" == found.state


def test_a_plugin_that_ends_the_program_when_imported_is_quarantined(cosmos, plugin):
    """
    Even ``sys.exit`` at import costs the plugin, not the command.
    """
    from cosmos_core import plugins as layer

    plugin("quits", "import sys\nsys.exit('bye')\n")
    (found,) = [each for each in layer.load().listed() if each.name == "quits"]

    assert ("quarantined", "SystemExit: bye") == (found.state, found.reason)


def test_what_a_plugin_prints_is_not_mixed_into_json(cosmos, street, submit, plugin, program):
    """
    stdout of ``--json`` is JSON and nothing else; the noise is on stderr.
    """
    plugin("noisy", listener("noisy", "return None").replace("'noise of", "'}{ noise of"))
    submit("a street")
    for words in (["plugins"], ["submit", "a street", "--backend", "double", "--clip", "street"]):
        told = program(*words, "--json")
        assert 0 == told.code, told.err
        assert isinstance(told.facts, dict)
        assert "noise of noisy" in told.err
    told = program("work", "--until-idle", "--json")

    assert all(isinstance(json.loads(line), dict) for line in told.out.splitlines())
    assert 1 <= told.out.count('"to":"sealed"')


@pytest.fixture
def sour(street, cosmos, plugin, queue):
    """Backends that go wrong, one way each."""
    from cosmos_core import plugins as layer

    plugin("sour", BACKEND)
    object.__setattr__(cosmos, "plugins", layer.load())
    queue(attempts=2)


@pytest.mark.parametrize("backend", ["sour-review", "none-review", "sour-key"])
def test_a_backend_that_fails_at_the_door_is_named_in_the_refusal(cosmos, sour, backend):
    """
    What it raises, or gives instead of findings, is a finding that names its package.
    """
    with pytest.raises(RefusedError) as caught:
        cosmos.submit("a street", backend=backend, clip="street")

    (found,) = [finding for finding in caught.value.findings if finding.level is Level.FAIL]
    assert f"backend {backend} of cosmos-core-sour 1.0" in found.message


SOUR = {
    "sour-compile": "sour grapes",
    "none-compile": "NoneType",
    "sour-outcome": "sour grapes",
    "none-outcome": "NoneType",
    "outside": "outside the job's folder",
    "leaves": "SystemExit",
}


def test_a_backend_that_fails_at_work_costs_its_own_runs_their_attempts(cosmos, sour, work):
    """
    Its runs fail with the reason after their attempts, no job is left behind, and what waits behind is sealed.
    """
    asks = [Ask(prompt="a street", backend=name, priority=9, clip="street") for name in SOUR]
    *bad, good = cosmos.submit_many([*asks, Ask(prompt="a street", backend="double", clip="street")])
    work()
    *bad, good = (cosmos.store.run(run.id) for run in (*bad, good))

    assert {(State.FAILED, 2)} == {(run.state, run.attempt) for run in bad}
    for run in bad:
        assert SOUR[run.spec.backend] in run.reason
    assert State.SEALED == good.state
    assert [] == list(cosmos.workspace.host("local").glob("jobs/*"))


def test_a_backend_that_cannot_read_its_own_log_costs_nothing(cosmos, sour, work, caplog):
    """
    Progress is a hint: the runs are sealed at their first attempt, and the fault is said once a job.
    """
    names = ("sour-progress", "text-progress")
    runs = cosmos.submit_many([Ask(prompt="a street", backend=name, clip="street") for name in names])
    work()

    assert {(State.SEALED, 1)} == {
        (run.state, run.attempt) for run in (cosmos.store.run(each.id) for each in runs)
    }
    assert {1} == {caplog.text.count(f"{name} cannot read its own log") for name in names}


STEPS = (
    HEAD
    + """
from cosmos_core.extend import Followed, Step

def sour(*_):
    raise ZeroDivisionError("sour step")

def stranger(artifact, run, folder, options):
    import attrs
    return Followed(spec=attrs.evolve(run.spec, backend="nobody"))

def leave(*_):
    sys.exit(1)

@hookimpl
def cosmos_steps():
    for name, follow in {
        "sour": sour, "nothing": lambda *_: None, "stranger": stranger, "leaves": leave,
    }.items():
        yield Step(name=name, summary="Goes wrong.", follow=follow)
"""
)


def test_steps_that_go_wrong_unseal_nothing_and_end(cosmos, submit, plugin, work, caplog):
    """
    A step that raises, answers nothing, asks for an unknown backend or ends the program: the batch is finished.
    """
    import attrs

    from cosmos_core import plugins as layer

    plugin("steps", STEPS)
    object.__setattr__(cosmos, "plugins", layer.load())
    names = ("sour", "nothing", "stranger", "leaves", "absent", "contact")
    object.__setattr__(cosmos, "settings", attrs.evolve(cosmos.settings, steps=names))
    (run,) = submit("a street")
    work()

    assert State.SEALED == cosmos.store.run(run.id).state
    assert () == cosmos.store.leases()
    assert set(names) - {"contact"} == set(re.findall(r"step (\w+) failed after run", caplog.text))
    assert (cosmos.store.run(run.id).artifact.path.parent / "contact.jpg").is_file()


CHECKS = (
    HEAD
    + """
from cosmos_core.extend import Check

def leave(output, spec):
    sys.exit(0)

@hookimpl
def cosmos_checks():
    yield Check(name="acme.leaves", summary="Ends the program.", look=leave, level="content", required=True)
"""
)


def test_an_output_that_a_required_check_did_not_judge_waits_and_can_be_cancelled(
    cosmos, submit, plugin, wait_for
):
    """
    It is never sealed and never lost; the queue's other work goes on, and a person may give it up.
    """
    import threading

    from cosmos_core import plugins as layer
    from cosmos_core.work import Worker

    plugin("leaves", CHECKS)
    object.__setattr__(cosmos, "plugins", layer.load())
    (run,) = submit("a street")
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
    thread.start()
    wait_for(lambda: cosmos.store.run(run.id).state is State.RETURNED)
    cosmos.store.cancel(run.id)
    thread.join(timeout=60)

    assert not thread.is_alive()
    assert State.CANCELLED == cosmos.store.run(run.id).state


def test_runs_whose_backend_is_gone_wait_and_hold_nobody_up(street, cosmos, submit, plugin, work, caplog):
    """
    A plugin that was removed after its runs were queued: they stay queued, the others are sealed, the worker ends.
    """
    from cosmos_core import plugins as layer

    plugin("sour", BACKEND)
    object.__setattr__(cosmos, "plugins", layer.load())
    (orphan,) = cosmos.submit_many(
        [Ask(prompt="a street", backend="sour-progress", clip="street", priority=9)]
    )
    (good,) = submit("a street")
    object.__setattr__(cosmos, "plugins", layer.load({"COSMOS_BLOCK_PLUGINS": "sour"}))
    work()

    assert State.QUEUED == cosmos.store.run(orphan.id).state
    assert State.SEALED == cosmos.store.run(good.id).state
    assert "runs wait for sour-progress" in caplog.text


HANGS = """
import threading
from cosmos_core import hookimpl

told = []

@hookimpl
def cosmos_run_moved(run, after):
    told.append(str(after))
    threading.Event().wait()

@hookimpl
def cosmos_artifact_sealed(artifact):
    told.append("heard")
"""


def test_a_listener_that_hangs_is_left_behind(cosmos, submit, plugin, work, caplog, monkeypatch):
    """
    Its worker waits for it once and names it; it is not told again, and its other hooks and other plugins are.
    """
    from cosmos_core import plugins as layer

    monkeypatch.setattr(layer, "PATIENCE", 0.5)
    plugin("hangs", HANGS)
    object.__setattr__(cosmos, "plugins", layer.load())
    runs = submit("a street", "a square")
    work()
    import hardening_hangs

    assert {State.SEALED} == {cosmos.store.run(run.id).state for run in runs}
    assert ["placed", "heard", "heard"] == hardening_hangs.told
    assert 1 == caplog.text.count("plugin hangs hangs in cosmos_run_moved")
