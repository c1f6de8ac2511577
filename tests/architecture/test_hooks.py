"""Every hook has an implementation of ours that uses it, a test named for it, and does what its docstring says."""

from __future__ import annotations

import ast
import inspect
import logging
import re
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from cosmos_core import hookimpl, hookspecs, plugins
from cosmos_core.errors import Level, PluginError, UnknownError, fail, warn
from cosmos_core.extend import (
    Backend,
    Check,
    Command,
    Enhancer,
    Exporter,
    Generator,
    Needs,
    Plan,
    Prompt,
    Queued,
    Slot,
    Spec,
    Step,
    Transport,
)
from cosmos_core.run import Artifact, Run, State

ROOT = Path(__file__).parents[2]
HOOKS = {
    name: spec
    for name, spec in vars(hookspecs).items()
    if name.startswith("cosmos_") and inspect.isfunction(spec)
}
SOURCES = sorted([*ROOT.glob("cosmos_core/**/*.py"), *ROOT.glob("plugins/*/cosmos_core_*/**/*.py")])


def _implementations():
    """Hook implementations in our own code, by name."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                "hookimpl" in ast.unparse(one) for one in node.decorator_list
            ):
                yield node.name, path


def _nothing(*_args, **_kwargs):
    return None


BACKEND = Backend(
    name="echo",
    summary="Gives the clip back.",
    load_key=_nothing,
    needs=_nothing,
    seconds=_nothing,
    expect=_nothing,
    compile=_nothing,
    progress=_nothing,
    outcome=_nothing,
)
SPEC = Spec(backend="echo", prompt=Prompt("a street"), frames=4, fps=24, width=64, height=48)
RUN = Run(
    id="r0000001",
    seq=1,
    name="street",
    spec=SPEC,
    state=State.QUEUED,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    changed=datetime(2026, 1, 1, tzinfo=UTC),
)
ARTIFACT = Artifact(
    run=RUN.id,
    attempt=1,
    digest="0" * 64,
    path=Path("a.mp4"),
    bytes=1,
    frames=4,
    fps=Fraction(24),
    width=64,
    height=48,
)
QUEUED = Queued(id=RUN.id, seq=1, backend="echo", load_key="echo", needs=Needs(), seconds=1.0)


class Fixture:
    """A plugin object made of functions, each marked as an implementation."""

    def __init__(self, **functions):
        for name, function in functions.items():
            setattr(self, name, hookimpl(function))


@pytest.fixture
def loaded():
    return plugins.load({})


def test_there_are_twelve_hooks():
    """The table of hooks in the design is the module's."""
    assert 12 == len(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_used_by_a_plugin_of_ours(hook):
    """No hook exists for others only: the core or a plugin of this repository implements it."""
    assert hook in {name for name, _ in _implementations()}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test_named_for_it(hook):
    """A test function in tests/ carries the hook's name."""
    tests = [
        path.read_text("utf-8")
        for path in [*ROOT.glob("tests/**/*.py"), *ROOT.glob("plugins/*/tests/**/*.py")]
    ]

    assert any(
        re.search(rf"^\s*def test_{hook}\b|^\s*def test_{hook}_", text, re.MULTILINE) for text in tests
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_tells_its_story(hook):
    """Its docstring says when it is called and holds an example that is Python."""
    story = inspect.getdoc(HOOKS[hook])
    example = story.partition("Example::")[2]

    assert re.search(r"\b(Called|Asked)\b|rules as for", story)
    assert f"def {hook}(" in example
    compile(inspect.cleandoc(example), hook, "exec")


OFFERS = {
    "cosmos_generators": Generator(name="echo", summary="Stripes.", generate=_nothing),
    "cosmos_backends": BACKEND,
    "cosmos_transports": Transport(name="echo", summary="A wire.", connect=_nothing),
    "cosmos_steps": Step(name="echo", summary="A poster.", follow=_nothing),
    "cosmos_checks": Check(name="echo", summary="A question.", look=_nothing),
    "cosmos_enhancers": Enhancer(name="echo", summary="A word.", enhance=_nothing),
    "cosmos_exporters": Exporter(name="echo", summary="A folder.", export=_nothing),
    "cosmos_commands": Command(name="echo", summary="Says it.", load="echo:command"),
}


def _offered(loaded, hook):
    offer = OFFERS[hook]
    loaded.register("fixture", Fixture(**{hook: lambda: iter([offer])}), source="fixture 1")
    return loaded.find(type(offer), "echo"), offer


def test_cosmos_generators_offers_a_generator(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_generators")

    assert offer is found


def test_cosmos_backends_offers_a_backend(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_backends")

    assert offer is found


def test_cosmos_transports_offers_a_transport(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_transports")

    assert offer is found


def test_cosmos_steps_offers_a_step(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_steps")

    assert offer is found


def test_cosmos_checks_offers_a_check(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_checks")

    assert offer is found


def test_cosmos_enhancers_offers_an_enhancer(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_enhancers")

    assert offer is found


def test_cosmos_exporters_offers_an_exporter(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_exporters")

    assert offer is found


def test_cosmos_commands_offers_a_command(loaded):
    """What a generator function yields can be found by name."""
    found, offer = _offered(loaded, "cosmos_commands")

    assert offer is found


@pytest.mark.parametrize("hook", OFFERS)
def test_a_late_error_of_an_offer_quarantines_its_plugin(loaded, hook):
    """A generator function that raises after its first yield takes back nothing of others and names itself."""

    def late():
        yield OFFERS[hook]
        raise RuntimeError("late")

    loaded.register("fixture", Fixture(**{hook: late}), source="fixture 1")

    with pytest.raises(UnknownError) as caught:
        loaded.find(type(OFFERS[hook]), "echo")

    assert f"fixture is quarantined: {hook} raised RuntimeError: late" in caught.value.hint


@pytest.mark.parametrize("hook", OFFERS)
def test_a_name_that_two_plugins_claim_names_both(loaded, hook):
    """Neither wins silently."""
    for name in ("one", "two"):
        loaded.register(name, Fixture(**{hook: lambda: [OFFERS[hook]]}), source=f"dist-{name}")

    with pytest.raises(PluginError, match=r"dist-one.* and .*dist-two|dist-two.* and .*dist-one"):
        loaded.find(type(OFFERS[hook]), "echo")


def test_cosmos_review_collects_every_answer(loaded):
    """Findings of all plugins come together; one that raises is a finding of level fail with its name."""

    def raises(spec):
        raise RuntimeError(spec.backend)

    loaded.register("a", Fixture(cosmos_review=lambda: [warn("first")]))
    loaded.register("b", Fixture(cosmos_review=lambda spec, clip: [fail(f"{spec.backend} {clip}")]))
    loaded.register("c", Fixture(cosmos_review=raises))

    findings = loaded.review(SPEC, None)

    said = {finding.message: finding.level for finding in findings}
    assert Level.WARN == said["first"]
    assert Level.FAIL == said["echo None"]
    assert [Level.FAIL] == [
        level for message, level in said.items() if "failed in cosmos_review: echo" in message
    ]


def test_cosmos_plan_takes_the_first_answer(loaded):
    """None passes the question on, and the built-in planner answers when nobody else does."""
    slots = [Slot(host="local", index=0)]
    built_in = loaded.plan([QUEUED], slots)
    loaded.register("shy", Fixture(cosmos_plan=lambda runs: None))
    assert built_in == loaded.plan([QUEUED], slots)

    mine = Plan(unplaced=((RUN.id, "not today"),))
    loaded.register("bold", Fixture(cosmos_plan=lambda runs, slots: mine))

    assert (RUN.id,) == built_in.batches[0].runs
    assert mine is loaded.plan([QUEUED], slots)


@pytest.mark.parametrize(
    ("hook", "facts"),
    [
        ("cosmos_run_moved", {"run": RUN, "before": State.QUEUED, "after": State.PLACED}),
        ("cosmos_artifact_sealed", {"artifact": ARTIFACT, "run": RUN}),
    ],
)
def test_a_listener_that_raises_stops_nobody(loaded, caplog, hook, facts):
    """The others hear all the same, and the log says who it was."""
    heard = []

    def raises():
        raise RuntimeError("no")

    loaded.register("a", Fixture(**{hook: lambda run: heard.append(run.id)}))
    loaded.register("b", Fixture(**{hook: raises}))
    loaded.register("c", Fixture(**{hook: lambda run: heard.append(run.name)}))

    with caplog.at_level(logging.ERROR):
        loaded.tell(hook, **facts)

    assert ["r0000001", "street"] == sorted(heard)
    assert [f"plugin b failed in {hook}"] == [record.getMessage() for record in caplog.records]


def test_cosmos_run_moved_is_told_from_where_to_where(loaded):
    """A listener gets the run and both states."""
    heard = []
    listener = Fixture(cosmos_run_moved=lambda run, before, after: heard.append((run, before, after)))
    loaded.register("a", listener)

    loaded.tell("cosmos_run_moved", run=RUN, before=State.QUEUED, after=State.PLACED)

    assert [(RUN, State.QUEUED, State.PLACED)] == heard


def test_cosmos_artifact_sealed_is_told_with_its_run(loaded):
    """A listener gets the artifact and the run it came from."""
    heard = []
    loaded.register("a", Fixture(cosmos_artifact_sealed=lambda artifact, run: heard.append((artifact, run))))

    loaded.tell("cosmos_artifact_sealed", artifact=ARTIFACT, run=RUN)

    assert [(ARTIFACT, RUN)] == heard
