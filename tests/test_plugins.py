"""Finding, quarantining, asking and telling plugins, with real distributions on the path."""

from __future__ import annotations

import logging
import sys
import textwrap

import pytest

from cosmos_core import hookimpl, hookspecs, plugins
from cosmos_core.errors import Level, PluginError, UnknownError
from cosmos_core.extend import Backend, Check, Command, Generator, Plan, Step
from cosmos_core.hosts import Slot
from cosmos_core.run import State
from cosmos_core.spec import Prompt, Spec

SPEC = Spec(backend="preview", prompt=Prompt("a tram"), frames=1, fps=24, width=64, height=48)

STRIPES = """
    from cosmos_core import hookimpl
    from cosmos_core.extend import Generator

    @hookimpl
    def cosmos_generators():
        yield Generator(name="stripes", summary="Stripes.", generate=lambda options, folder, report: {})
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution with one plugin module on the path, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def _install(name, source, version="1.0"):
        module = f"third_party_{name}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"cosmos_core_{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: cosmos-core-{name}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(f"[cosmos_core]\n{name} = {module}\n")
        made.append(module)

    yield _install
    for module in made:
        sys.modules.pop(module, None)


def listed(loaded, name):
    return next(plugin for plugin in loaded.listed() if plugin.name == name)


def test_an_installed_distribution_offers_through_its_entry_point(install):
    """
    Nothing but an entry point is needed.
    """
    install("stripes", STRIPES)
    loaded = plugins.load({})

    assert "Stripes." == loaded.find(Generator, "stripes").summary
    assert ("cosmos-core-stripes", "1.0", ("cosmos_generators",)) == (
        listed(loaded, "stripes").distribution,
        listed(loaded, "stripes").version,
        listed(loaded, "stripes").hooks,
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("raise RuntimeError('boom')", "boom"),
        ("raise SystemError('out')", "out"),
        ("def broken(:", "invalid syntax"),
        (
            "from cosmos_core import hookimpl\n@hookimpl\ndef cosmos_generator():\n    return ()\n",
            "cosmos_generator",
        ),
        (
            "from cosmos_core import hookimpl\n@hookimpl\ndef cosmos_review(spec, colour):\n    return ()\n",
            "colour",
        ),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_quarantined_with_the_reason(install, source, said):
    """
    The rest goes on, and the listing says what is wrong.
    """
    install("broken", source)
    loaded = plugins.load({})
    broken = listed(loaded, "broken")

    assert "quarantined" == broken.state
    assert said in broken.reason
    assert "preview" in loaded.offers(Backend)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('late')", "late"),
        ("yield 3", "int"),
        ("return 7", "int"),
    ],
)
def test_an_error_while_offering_has_an_owner(install, body, said):
    """
    What a generator raises after its first yield is still its plugin's fault, and nobody else's.
    """
    install(
        "late",
        f"from cosmos_core import hookimpl\n@hookimpl\ndef cosmos_backends():\n    {body}\n    yield\n"
        if "return" not in body
        else f"from cosmos_core import hookimpl\n@hookimpl\ndef cosmos_backends():\n    {body}\n",
    )
    loaded = plugins.load({})

    assert "preview" in loaded.offers(Backend)
    assert "quarantined" == listed(loaded, "late").state
    assert said in listed(loaded, "late").reason


def test_asking_for_what_a_broken_plugin_would_offer_names_it(install):
    """
    The hint says which plugin is quarantined, and why.
    """
    install("broken", "raise RuntimeError('no licence')")

    with pytest.raises(UnknownError) as caught:
        plugins.load({}).find(Generator, "stripes")

    assert "no licence" in caught.value.hint


def test_a_name_has_one_owner_and_a_clash_names_both(install):
    """
    Two plugins that claim a name lose it, and asking for it says who they are.
    """
    install("one", STRIPES)
    install("two", STRIPES, version="2.5")
    loaded = plugins.load({})

    assert "stripes" not in loaded.offers(Generator)
    with pytest.raises(PluginError, match=r"one \(cosmos-core-one 1\.0\) and two \(cosmos-core-two 2\.5\)"):
        loaded.find(Generator, "stripes")


def test_a_clash_with_our_own_is_no_privilege_of_ours(install):
    """
    A third party that claims the name of a built-in backend makes the name unusable, not ours replaced.
    """
    install(
        "preview2",
        STRIPES.replace("generators", "backends")
        .replace("Generator(", "Backend(")
        .replace("import Generator", "import Backend")
        .replace(
            "generate=lambda options, folder, report: {}",
            "load_key=str, needs=str, seconds=str, expect=str, compile=str, progress=str, outcome=str",
        )
        .replace('"stripes"', '"preview"'),
    )
    loaded = plugins.load({})

    with pytest.raises(PluginError, match=r"preview \(cosmos-core .*preview2"):
        loaded.find(Backend, "preview")


def test_a_plugin_can_be_blocked_by_name(install):
    """
    COSMOS_BLOCK_PLUGINS leaves a plugin out without importing it.
    """
    install("stripes", "raise AssertionError('imported')")
    loaded = plugins.load({"COSMOS_BLOCK_PLUGINS": "stripes, preview"})

    assert ("blocked", "blocked") == (listed(loaded, "stripes").state, listed(loaded, "preview").state)
    assert "preview" not in loaded.offers(Backend)


def test_tracing_prints_calls_and_answers(capsys):
    """
    COSMOS_TRACE_PLUGINS=1 shows who was asked and what came back.
    """
    plugins.load({"COSMOS_TRACE_PLUGINS": "1"}).review(SPEC, None)

    assert "cosmos_review -> review" in capsys.readouterr().err


def test_what_a_listener_raises_stops_nobody(caplog):
    """
    A failing listener is logged with its name, and the next one hears the same.
    """
    heard = []

    class Bad:
        @hookimpl
        def cosmos_run_moved(self, run):
            raise RuntimeError("bell is broken")

    class Good:
        @hookimpl
        def cosmos_run_moved(self, run, after):
            heard.append((run, after))

    loaded = plugins.load({})
    loaded.register("good", Good())
    loaded.register("bad", Bad())
    with caplog.at_level(logging.ERROR):
        loaded.tell("cosmos_run_moved", run="r1", before=State.QUEUED, after=State.PLACED)

    assert [("r1", State.PLACED)] == heard
    assert "plugin bad failed in cosmos_run_moved" in caplog.text


def test_a_reviewer_that_raises_stops_the_submission_and_is_named(caplog):
    """
    A request that could not be judged is not let through.
    """

    class Bad:
        @hookimpl
        def cosmos_review(self, spec):
            raise RuntimeError("bad review")

    loaded = plugins.load({})
    loaded.register("bad", Bad())
    with caplog.at_level(logging.CRITICAL):
        findings = loaded.review(SPEC, None)

    (found,) = [finding for finding in findings if finding.level is Level.FAIL]
    assert "plugin bad" in found.message
    assert "COSMOS_BLOCK_PLUGINS=bad" in found.hint


def test_the_first_planner_that_answers_decides():
    """
    A plugin's plan comes before the built-in one; None leaves it to the next.
    """
    mine = Plan(unplaced=(("r1", "not today"),))

    class Planner:
        def __init__(self, answer):
            self.answer = answer

        @hookimpl
        def cosmos_plan(self, runs, slots):
            return self.answer

    loaded = plugins.load({})
    loaded.register("silent", Planner(None))
    assert Plan() == loaded.plan([], [Slot(host="local", index=0)])

    loaded.register("mine", Planner(mine))
    assert mine == loaded.plan([], [])


def test_every_hook_has_an_implementation_of_our_own():
    """
    No hook stands without a first-party plugin that uses it.
    """
    loaded = plugins.load({})
    from cosmos_core.builtin.journal import Journal

    loaded.register("journal", Journal(None))
    used = {hook for plugin in loaded.listed() for hook in plugin.hooks}
    wanted = {name for name in vars(hookspecs) if name.startswith("cosmos_")}

    assert wanted == used
    assert 12 == len(wanted)


@pytest.mark.parametrize(
    ("kind", "name"), [(Backend, "preview"), (Step, "contact"), (Check, "video.decode"), (Command, "run")]
)
def test_our_own_features_come_through_the_hooks(kind, name):
    """
    There is no second, privileged way in.
    """
    assert name in plugins.load({}).offers(kind)


def test_every_backend_says_how_long_its_model_loads():
    """
    Else the planner takes four minutes on a GPU for granted, for a program without a model too.
    """
    offered = plugins.load({}).offers(Backend)

    assert "preview" in offered
    assert [] == [name for name, backend in offered.items() if backend.load_seconds is None]
