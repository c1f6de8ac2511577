"""A plugin's command answers as the core's own do, through what the core opens to plugins."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
import click
from cosmos_core import hookimpl
from cosmos_core.extend import Command

@hookimpl
def cosmos_commands():
    yield Command(name="count", summary="Count.", load="counting:count")

@click.group()
def count():
    "Count."

@count.command()
@click.option("--yes", is_flag=True)
@click.pass_obj
def runs(asked, yes):
    "Count the runs."
    asked.confirm("Count?", yes=yes, again="cosmos count runs --yes")
    with asked.open() as cosmos, asked.progress("count") as report:
        report(0, 1, "begin")
        number = sum(cosmos.store.counts().values())
        report(1, 1, "")
    asked.answer({"runs": number})
    asked.table([("sealed", str(number))], ("state", "runs"))
    asked.note("that is all")

@count.command()
@click.pass_obj
def wrong(asked):
    "Go wrong after half of the work."
    from cosmos_core.errors import ModelError
    asked.fail({"half": 1}, ModelError("the model left", hint="wait"))

@count.command()
@click.option("--json", "own", is_flag=True)
def own(own):
    "Has an option of its own."
    click.echo(f"own {own}")
"""


@pytest.fixture(autouse=True)
def counting(distribution):
    """The plugin, installed."""
    distribution("counting-plugin", {"counting": "counting"}, {"counting.py": PLUGIN})


def test_a_plugins_command_answers_people_and_programs(say, cosmos):
    """
    The options of every command stand before or after it.
    """
    told = say("count", "runs", "--yes")
    facts = say("count", "runs", "--yes", "--json")
    elsewhere = say("-C", str(cosmos.workspace.root / "nowhere"), "count", "runs", "--yes")

    assert (0, "state   runs\nsealed  0\n") == (told.code, told.out)
    assert "that is all" in told.err
    assert {"runs": 0} == json.loads(facts.out)
    assert (2, True) == (elsewhere.code, "not a workspace" in elsewhere.err)


def test_a_plugins_command_asks_before_it_changes(say, cosmos):
    """
    Where nobody can answer it refuses, and says what to type.
    """
    said = say("count", "runs")

    assert 2 == said.code
    assert "cosmos count runs --yes" in said.err


def test_a_command_that_fails_says_what_it_has_in_one_object(say):
    """
    A program gets its facts and the error together; a person gets the error.
    """
    told = say("count", "wrong", "--json")
    said = say("count", "wrong")

    assert 8 == told.code == said.code == told.facts["error"]["exit_code"]
    assert (1, "the model left") == (told.facts["half"], told.facts["error"]["message"])
    assert ("", True) == (said.out, "the model left" in said.err)


def test_an_option_of_its_own_stays_its_own(say):
    """
    A command that has ``--json`` already keeps it, also when it is loaded twice.
    """
    assert "own True" in say("count", "own", "--json").out
    assert 1 == say("count", "own", "--help").out.count("--json")
