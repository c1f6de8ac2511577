"""``doctor``, ``plugins``, ``completion`` and ``demo``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from cosmos_core import doctor
from cosmos_core.errors import Level
from cosmos_core.store import Server

BROKEN = "raise RuntimeError('no licence for this machine')\n"


def test_all_is_well_in_a_new_workspace(say, here):
    """Every question has an answer, and the exit code is 0."""
    told = say("doctor", "--json")
    asked = {finding["where"] for finding in told.facts["findings"]}

    assert 0 == told.code
    assert {
        "python",
        "versions",
        "codecs",
        "workspace",
        "disk",
        "store",
        "plugins",
        "host local",
        "clock",
    } <= asked
    assert 0 == told.facts["counts"]["fail"]
    assert "WAL" in say("doctor").out


def test_outside_of_a_workspace_the_machine_is_examined(say, outside):
    """That there is none is a warning with what to type, unless one was named."""
    said = say("doctor")

    assert 0 == said.code
    assert "hint: make one here: cosmos init" in said.out
    assert 1 == say("-C", "nowhere", "doctor").code


def test_what_must_be_mended_gives_exit_code_1(say, here):
    """A host over a transport that nobody offers, and a store that cannot be reached."""
    here.settings.write_text('[hosts.box]\ntransport = "pigeon"\n')
    said = say("doctor")
    assert 1 == said.code
    assert "there is no transport 'pigeon'" in said.out

    here.settings.write_text(f'[store]\nurl = "sqlite:///{here.settings}/store.sqlite"\n')
    assert 1 == say("doctor").code


def test_what_a_person_should_know_is_a_warning(say, here, plugin):
    """A paused queue, a refused submission, a report of a bug, a broken plugin: each with what to do."""
    plugin("cosmos-core-broken", {"broken": "broken_plugin"}, {"broken_plugin.py": BROKEN})
    say("queue", "pause", "lunch")
    (here.inbox / "shot").mkdir()
    (here.inbox / "shot" / "refused.json").write_text("{}")
    here.crashes.mkdir()
    (here.crashes / "1.txt").write_text("")
    told = say("doctor", "--json")
    warned = {each["where"]: each for each in told.facts["findings"] if each["level"] == "warn"}

    assert 0 == told.code
    assert {"queue", "inbox", "crashes", "plugins"} <= set(warned)
    assert "no licence for this machine" in warned["plugins"]["message"]
    assert all(each["hint"] for each in warned.values())


def test_a_server_is_named_with_its_distance_and_its_clock(say, here, bare_url, engine):
    """PostgreSQL's version, the time to it and back, whose clock is ahead; and that the queue is paused, on both."""
    here.settings.write_text(f'[store]\nurl = "{bare_url}"\n')
    say("queue", "pause", "lunch")
    found = {each["where"]: each for each in say("doctor", "--json").facts["findings"]}

    assert "the queue is paused: lunch" == found["queue"]["message"]
    assert "ok" == found["store"]["level"]
    if engine == "postgresql":
        told = re.search(
            r"PostgreSQL \d+\.\d+, .* round trip \d+\.\d ms, its clock is 0\.\d\d s (ahead of|behind) this machine's",
            found["store"]["message"],
        )
        assert told, found["store"]["message"]


def test_a_server_with_another_clock_or_far_away_is_noticed():
    """A minute and a tenth of a second are forgiven."""
    near = {"version": "15.3", "round_trip": 0.002, "ahead": 0.1}

    assert Level.OK is doctor.server(Server(**near), "db", 3).level
    assert "3600.00 s behind" in doctor.server(Server(**near | {"ahead": -3600.0}), "db", 3).message
    assert Level.WARN is doctor.server(Server(**near | {"ahead": -3600.0}), "db", 3).level
    assert Level.WARN is doctor.server(Server(**near | {"round_trip": 0.3}), "db", 3).level


def test_an_old_python_fails():
    """3.11 is the least."""
    assert Level.FAIL is doctor.python((3, 10, 4)).level
    assert Level.OK is doctor.python((3, 11, 0)).level


def test_a_clock_behind_the_store_is_noticed():
    """A minute is forgiven, an hour is not."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert Level.OK is doctor.clock(now + timedelta(seconds=30), now=now).level
    assert Level.WARN is doctor.clock(now + timedelta(hours=1), now=now).level


def test_a_full_disk_fails(tmp_path, monkeypatch):
    """Little room is a warning, none is a failure."""
    for free, level in ((1_000_000, Level.FAIL), (1_000_000_000, Level.WARN), (10**12, Level.OK)):
        monkeypatch.setattr(
            shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(2 * free, free, free)
        )
        assert level is doctor.space(tmp_path).level


def test_plugins_are_listed_with_where_they_come_from(say, plugin):
    """A broken one is quarantined with its reason, a blocked one says who blocks it."""
    plugin("cosmos-core-broken", {"broken": "broken_plugin"}, {"broken_plugin.py": BROKEN})
    found = {each["name"]: each for each in say("plugins", "--json").facts["plugins"]}

    assert ("quarantined", "cosmos-core-broken", "1.0") == tuple(
        found["broken"][key] for key in ("state", "distribution", "version")
    )
    assert "no licence for this machine" in say("plugins").out
    assert ["cosmos_commands"] == found["commands"]["hooks"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("preview", "backend preview"),
        ("content.black", "check content.black"),
        ("checks", "check file.exists"),
    ],
)
def test_a_plugin_or_what_it_offers_is_shown_with_its_options(say, name, shown):
    """Name, type, default and what it means."""
    said = say("plugins", "show", name)

    assert 0 == said.code
    assert shown in said.out
    assert say("plugins", "show", name, "--json").facts["offers"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_each_shell_gets_a_script_of_its_own(say, shell):
    """The script calls back with the shell's name; how to install it is said beside it."""
    said = say("completion", shell)

    assert 0 == said.code
    assert f"{shell}_complete" in said.out
    assert said.err.strip()


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_the_script_for_bash_is_bash(say):
    """Bash itself parses it."""
    said = say("completion", "bash")
    parsed = subprocess.run(
        ["bash", "-n"], input=said.out, text=True, capture_output=True, check=False, timeout=30
    )

    assert (0, "") == (parsed.returncode, parsed.stderr)


def test_the_script_for_powershell_is_whole(say):
    """It registers for ``cosmos``, hands over all words, and cleans up after itself."""
    script = say("completion", "powershell").out

    assert script.startswith("Register-ArgumentCompleter -Native -CommandName cosmos")
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")
    for part in ("$env:_COSMOS_COMPLETE", "$env:COMP_WORDS", "CompletionResult]::new", "Remove-Item"):
        assert part in script


def _completed(shell, words, at, separator):
    typed = '["' + '","'.join(words) + '"]' if shell == "powershell" else " ".join(words)
    environ = {"_COSMOS_COMPLETE": f"{shell}_complete", "COMP_WORDS": typed, "COMP_CWORD": str(at)}
    done = subprocess.run(
        [sys.executable, "-c", "from cosmos_core.cli import main; main()"],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [line.split(separator)[1] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(("shell", "separator"), [("bash", ","), ("powershell", "\t")])
def test_commands_options_and_names_are_completed(here, say, shell, separator):
    """The words before the one that is typed decide what is offered."""
    say("prompt", "new", "fog over the harbour", "--name", "harbour-fog")

    assert ["status"] == _completed(shell, ["cosmos", "statu"], 1, separator)
    assert "--clip" in _completed(shell, ["cosmos", "run", "--cl"], 2, separator)
    assert ["@harbour-fog"] == _completed(shell, ["cosmos", "run", "@h"], 2, separator)
    assert ["preview"] == _completed(shell, ["cosmos", "run", "--backend", "prev"], 3, separator)


def test_runs_are_completed_by_id(here, say, double):
    """Where there is no workspace, there is nothing to offer and no complaint."""
    (run,) = say("submit", "a street", "--backend", "double", "--json").facts["runs"]

    assert [run["id"]] == _completed("bash", ["cosmos", "show", run["id"][:3]], 2, ",")


def test_completion_without_a_workspace_offers_nothing(outside):
    """And says nothing either."""
    assert [] == _completed("bash", ["cosmos", "show", "r"], 2, ",")


def test_the_demo_walks_the_whole_way_and_goes_on_where_it_was(program, outside, monkeypatch):
    """
    Without the city plugin it takes moving boxes and says so. It ends with a verdict, an artifact and its contact sheet;
    typed again it makes nothing twice.
    """
    monkeypatch.setenv("COSMOS_BLOCK_PLUGINS", "city")
    said = program("demo")

    assert 0 == said.code, said.err
    assert "the city plugin (cosmos-core-city) is not installed" in said.err
    assert "sealed  r" in said.out
    assert "contact  " in said.out
    assert "not a Cosmos model" in said.err
    again = program("demo", "--json")
    assert 0 == again.code
    assert again.facts["run"]["id"] in said.out
    assert again.facts["seconds"] < 15
    assert 1 == len(list((outside / "demo" / "outputs").iterdir()))
