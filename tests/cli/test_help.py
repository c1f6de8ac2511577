"""Help: every command has it, with examples, and asking for it costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from cosmos_core.builtin.commands import THEMES, cosmos_commands, place
from cosmos_core.cli.root import OWN, root


def _every_command():
    for name in OWN:
        found = root.get_command(click.Context(root), name)
        yield (name,), found
        for sub, below in getattr(found, "commands", {}).items():
            yield (name, sub), below


COMMANDS = dict(_every_command())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_examples_and_the_options_of_all(say, words):
    """Help starts with usage and a sentence, and has examples that begin with the command itself."""
    said = say(*words, "--help")

    assert 0 == said.code
    assert said.out.startswith(f"Usage: cosmos {' '.join(words)}")
    assert f"cosmos {' '.join(words)}" in said.out.partition("Examples:")[2]
    assert "--json" in said.out.partition("Everywhere:")[2]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_is_understood(words):
    """Each example's words are options and arguments that the command has."""
    for line in COMMANDS[words].examples:
        typed = line.partition("  #")[0].partition("   #")[0]
        for part in (typed.partition("$(")[2].partition(")")[0] or typed).split("&&"):
            _parse(part.partition(" > ")[0].partition(" | ")[0])


def _parse(line):
    import shlex

    typed = shlex.split(line, comments=True)
    typed = typed[typed.index("cosmos") + 1 :]
    context = root.make_context("cosmos", typed, resilient_parsing=False)
    _, command, rest = root.resolve_command(context, [*context._protected_args, *context.args])
    while isinstance(command, click.Group) and rest:
        _, command, rest = command.resolve_command(context, rest)
    command.make_context(command.name, rest, parent=context)


def test_a_command_says_in_the_list_what_its_own_help_says():
    """The summary in ``cosmos --help`` is the first sentence of the command's help."""
    first = {words[0]: found.help.splitlines()[0] for words, found in COMMANDS.items() if len(words) == 1}

    assert OWN == first


def test_the_list_is_by_theme_and_has_plugins_last(say):
    """``cosmos`` alone shows every command under its theme."""
    said = say()
    headings = [
        line[:-1] for line in said.out.splitlines() if line.endswith(":") and not line.startswith(" ")
    ]

    assert 0 == said.code
    assert list(THEMES) == [heading for heading in headings if heading in THEMES]
    assert all(f"\n  {name} " in said.out for name in OWN)


def test_the_hook_offers_what_the_list_shows():
    """Core's commands go through the plugin hook, and each is a click command of that name."""
    offered = {offer.name: offer for offer in cosmos_commands()}

    assert OWN == {name: offer.summary for name, offer in offered.items()}
    assert {name: place(name) for name in OWN} == {name: offer.load for name, offer in offered.items()}
    assert list(OWN) == [root.get_command(click.Context(root), name).name for name in OWN]


def test_a_command_of_core_is_found_without_loading_a_plugin():
    """Asking for help about ``run`` imports neither plugins nor anything that takes long."""
    source = """
import sys
from cosmos_core.cli.root import root
try:
    root.main(["run", "--help"])
except SystemExit:
    heavy = {"sqlalchemy", "alembic", "numpy", "av", "cv2", "numba", "rich", "cattrs", "cosmos_core.plugins"}
    print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )

    assert "[]" == done.stdout.splitlines()[-1]


def test_a_command_of_a_plugin_is_listed_and_called(say, plugin):
    """A plugin's command stands in the list under its own heading, and runs."""
    source = """
import click
from cosmos_core import hookimpl
from cosmos_core.extend import Command

@hookimpl
def cosmos_commands():
    yield Command(name="hello", summary="Says hello.", load="hello_plugin:hello")

@click.command()
def hello():
    click.echo("hello from a plugin")
"""
    plugin("cosmos-core-hello", {"hello": "hello_plugin"}, {"hello_plugin.py": source})

    assert "Says hello." in say("--help").out.partition("From plugins:")[2]
    assert (0, "hello from a plugin\n", "") == say("hello")


def test_a_command_that_cannot_be_loaded_names_where_it_should_be(say, plugin):
    """The plugin is to blame, with exit code 5, and no traceback is shown."""
    source = """
from cosmos_core import hookimpl
from cosmos_core.extend import Command

@hookimpl
def cosmos_commands():
    yield Command(name="gone", summary="Is not there.", load="gone_plugin:nothing")
"""
    plugin("cosmos-core-gone", {"gone": "gone_plugin"}, {"gone_plugin.py": source})
    said = say("gone")

    assert 5 == said.code
    assert "error: the command 'gone' cannot be loaded from gone_plugin:nothing" in said.err


@pytest.mark.parametrize(("typed", "near"), [("statsu", "status"), ("lst", "list"), ("genrate", "generate")])
def test_a_mistyped_command_is_guessed(say, typed, near):
    """The nearest command is named, and the exit code is that of wrong usage."""
    said = say(typed)

    assert 2 == said.code
    assert f"did you mean {near}" in said.err


def test_the_version_is_given_in_both_forms(say):
    """``--version`` needs no workspace."""
    from cosmos_core import __version__

    assert (0, f"cosmos {__version__}\n", "") == say("--version")
    assert {"version": __version__} == say("--version", "--json").facts


def test_a_group_alone_shows_its_help_to_people_and_an_error_to_programs(say):
    """``cosmos prompt`` is a question; ``cosmos prompt --json`` is a mistake."""
    assert "enhance" in say("prompt").out
    assert "usage" == say("prompt", "--json").facts["error"]["kind"]
