"""Asking for help, and loading every plugin, imports nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {
    "sqlalchemy",
    "jinja2",
    "yaml",
    "alembic",
    "numpy",
    "av",
    "cv2",
    "numba",
    "paramiko",
    "rich",
    "OpenEXR",
    "psycopg",
}

_PROLOGUE = f"""
import json, sys

def heavy():
    return sorted({HEAVY!r} & {{name.partition(".")[0] for name in sys.modules}})
"""


def _in_a_fresh_python(source):
    """What *source* prints as JSON, from an interpreter that has imported nothing yet."""
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("COSMOS_", "COV_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROLOGUE + source],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        timeout=60,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "module", ["cosmos_core", "cosmos_core.extend", "cosmos_core.hookspecs", "cosmos_core.cli"]
)
def test_importing_what_plugins_and_the_command_import_is_light(module):
    """Neither a plugin's author nor the shell pays for the store or the arrays."""
    assert [] == _in_a_fresh_python(f"import {module}; print(json.dumps(heavy()))")


def test_loading_every_plugin_is_light():
    """All plugins are imported and asked what they offer, and still nothing heavy is there."""
    offered = _in_a_fresh_python(
        """
from cosmos_core import plugins
loaded = plugins.load()
blame = {}
for kind in plugins.KINDS:
    before = heavy()
    loaded.owned(kind)
    if heavy() != before:
        blame[plugins.KINDS[kind]] = heavy()
print(json.dumps({"heavy": heavy(), "blame": blame}))
"""
    )

    assert {"heavy": [], "blame": {}} == offered


def test_no_plugin_of_ours_is_quarantined():
    """Everything in this repository imports and registers."""
    broken = _in_a_fresh_python(
        """
from cosmos_core import plugins
loaded = plugins.load()
for kind in plugins.KINDS:
    loaded.owned(kind)
print(json.dumps([f"{one.name}: {one.reason}" for one in loaded.listed() if one.state != "active"]))
"""
    )

    assert [] == broken


_HELP = """
import contextlib, io
from cosmos_core.cli import main

def ask(*words):
    said = io.StringIO()
    sys.argv = ["cosmos", *words, "--help"]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main() or 0
        except SystemExit as end:
            code = end.code or 0
    return code, said.getvalue()

def walk(command, words):
    import click
    code, said = ask(*words)
    usage = said.lower().startswith("usage: " + " ".join(["cosmos", *words]))
    answers[" ".join(words)] = {"code": code, "usage": usage, "heavy": heavy()}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            walk(command.get_command(context, name), [*words, name])

answers = {}
from cosmos_core.cli.root import root
walk(root, [])
print(json.dumps(answers))
"""


def test_every_command_answers_help_and_stays_light():
    """
    ``--help`` of the program, of each command and of each subcommand gives a usage line and exit code 0 without
    importing anything heavy. Commands load late, so only asking every one of them shows a broken one.
    """
    answers = _in_a_fresh_python(_HELP)

    assert {} == {
        words: answer
        for words, answer in answers.items()
        if answer != {"code": 0, "usage": True, "heavy": []}
    }
    assert len(answers) > 25
