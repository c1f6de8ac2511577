"""What goes wrong: the sentence, the hint, the exit code, in words and in JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cosmos_core.cli import failure

BUG = """
import click
from cosmos_core import hookimpl
from cosmos_core.extend import Command

@hookimpl
def cosmos_commands():
    yield Command(name="bug", summary="Has a bug.", load="bug_plugin:bug")

@click.command()
def bug():
    raise ZeroDivisionError("at postgresql://me:hunter2@db/cosmos with sesame-open")
"""

NEEDS_A_WORKSPACE = (
    ["generate", "city"],
    ["clip", "list"],
    ["prompt", "list"],
    ["run", "fog"],
    ["submit", "fog"],
    ["work", "--until-idle"],
    ["plan"],
    ["status"],
    ["logs", "r4k2m9xq"],
    ["cancel", "r4k2m9xq"],
    ["retry", "r4k2m9xq"],
    ["queue", "status"],
    ["list"],
    ["show", "r4k2m9xq"],
    ["search", "fog"],
    ["rate", "r4k2m9xq", "5"],
    ["tag", "r4k2m9xq", "+a"],
    ["export", "dataset"],
    ["rm", "r4k2m9xq", "--yes"],
)


@pytest.mark.parametrize("words", NEEDS_A_WORKSPACE, ids=" ".join)
def test_without_a_workspace_a_command_says_how_to_make_one(say, outside, words):
    """Exit code 2, one sentence, what to type; the same facts in JSON; nothing is made."""
    said = say(*words)
    told = say(*words, "--json")

    assert 2 == said.code == told.code
    assert not said.out
    assert said.err.startswith(f"error: no workspace in {outside}")
    assert said.err.endswith("hint: make one here: cosmos init\n")
    assert "input" == told.facts["error"]["kind"]
    assert not told.err
    assert [] == list(outside.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["logs"],
        ["logs", "-f"],
        ["cancel"],
        ["retry"],
        ["rm", "--yes"],
        ["rate", "5"],
        ["tag", "+a"],
    ],
    ids=" ".join,
)
def test_an_unknown_run_is_unknown_and_nothing_else(say, here, words):
    """Exit code 3 and the kind ``unknown``: never to be mistaken for done."""
    typed = [words[0], "r0000000", *words[1:]]
    said, told = say(*typed), say(*typed, "--json")

    assert 3 == said.code == told.code
    assert "there is no run 'r0000000'" in said.err
    assert "unknown" == told.facts["error"]["kind"]
    assert "done" not in told.out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["run", "fog", "--clip", "nowhere"], 4, "there is no clip 'nowhere'"),
        (["run", "fog", "--clip", "street", "-w", "edge=much"], 2, "'edge=much' is not control=number"),
        (
            ["run", "fog", "--clip", "street", "-w", "edge=7"],
            4,
            "weight 7 of control 'edge' is outside 0 to 1",
        ),
        (["run", "fog", "--clip", "street", "-w", "sound=1"], 4, "there is no control 'sound'"),
        (
            ["run", "fog", "--clip", "street", "--backend", "crystal-ball"],
            4,
            "there is no backend 'crystal-ball'",
        ),
        (["run", "fog", "--clip", "street", "--seed", "1", "--seeds", "1..2"], 2, "both --seed and --seeds"),
        (["run", "fog", "--clip", "street", "--seeds", "a..b"], 2, "'a..b' are not seeds"),
        (["run", "fog", "--clip", "street", "-o", "depth"], 2, "'depth' is not name=value"),
        (
            ["run", "fog", "--clip", "street", "--frames", "999"],
            4,
            "999 frames are asked for and clip street has 12",
        ),
        (["run", "", "--clip", "street"], 4, "the prompt is empty"),
        (["run", "@nobody", "--clip", "street"], 4, "there is no prompt 'nobody'"),
        (["run", "fog"], 4, "starts from a clip"),
        (["submit", "inbox/nothing"], 2, "is neither a folder nor a prompt"),
        (["submit", "clips"], 2, "holds no submission.json"),
        (["generate", "mountains"], 3, "there is no generator 'mountains'"),
        (["export", "dataset"], 2, "there is nothing to export"),
        (["export", "dataset", "--format", "scroll"], 3, "there is no exporter 'scroll'"),
        (["verify", "nowhere"], 2, "there is nothing at nowhere"),
        (["verify", "clips/street/clip.json/.."], 2, "there is nothing"),
        (["plugins", "show", "nobody"], 3, "no plugin is called 'nobody'"),
        (["prompt", "show", "nobody"], 3, "there is no prompt 'nobody'"),
        (["prompt", "new", "  "], 2, "the prompt is empty"),
        (["clip", "show", "nothing"], 2, "there is no clip 'nothing'"),
        (["-C", "elsewhere", "status"], 2, "elsewhere is not a workspace"),
        (["list", "--state", "done"], 2, "'done' is not one of"),
        (["rate", "r4k2m9xq", "6"], 2, "'6' is not one of"),
        (["run"], 2, "missing argument"),
        (["run", "fog", "--colour"], 2, "no such option"),
    ],
)
def test_wrong_words_are_answered_exactly(say, street, words, code, sentence):
    """The wrong value is named, what to type next is said, and the exit code is that of the class."""
    said, told = say(*words), say(*words, "--json")

    assert code == said.code == told.code
    assert sentence in said.err
    assert "error: " in said.err
    assert "Traceback" not in said.err
    error = told.facts["error"]
    assert code == error["exit_code"]
    assert sentence in error["message"] + "".join(each["message"] for each in error.get("findings", ()))
    assert error["hint"] or any(each["hint"] for each in error.get("findings", ())) or code == 4


def test_a_wrong_request_queues_nothing(say, street):
    """All findings of a request come at once, and the queue is as it was."""
    said = say("run", "fog", "--clip", "street", "-w", "edge=7", "-w", "sound=1", "--frames", "999", "--json")

    assert len(said.facts["error"]["findings"]) >= 3
    assert [] == say("list", "--json").facts["runs"]


def test_settings_that_are_wrong_are_told_all_at_once(say, here):
    """Every unknown key and wrong value of cosmos.toml is a finding, and the exit code is 4."""
    here.settings.write_text("[queue]\nlease = 1\npoll = -1\n[hosts.a]\nslots = -1\n")
    told = say("status", "--json")

    assert 4 == told.code
    assert "refused" == told.facts["error"]["kind"]
    assert len(told.facts["error"]["findings"]) >= 2


def test_a_bug_is_one_sentence_and_a_report(say, here, plugin, monkeypatch):
    """Exit code 70, where the report lies, versions in it, and no secret of the environment or of a URL."""
    monkeypatch.setenv("DOOR_PASSWORD", "sesame-open")
    plugin("cosmos-core-bug", {"bug": "bug_plugin"}, {"bug_plugin.py": BUG})
    said = say("bug")
    (report,) = here.crashes.glob("*.txt")
    text = report.read_text()

    assert 70 == said.code
    assert said.err.startswith(
        "error: this is a bug in cosmos, not yours: ZeroDivisionError; a report is in "
    )
    assert str(report) in said.err
    assert "Traceback" not in said.err
    for known in ("ZeroDivisionError", "cosmos-core ", "sqlalchemy ", "python ", "bug_plugin.py"):
        assert known in text
    assert "hunter2" not in text
    assert "sesame-open" not in text


def test_a_bug_outside_of_a_workspace_is_reported_with_the_users_logs(
    say, outside, plugin, monkeypatch, tmp_path
):
    """There is always a place for the report; a program hears of it in JSON."""
    monkeypatch.setattr("platformdirs.user_log_path", lambda _: tmp_path / "logs")
    plugin("cosmos-core-bug", {"bug": "bug_plugin"}, {"bug_plugin.py": BUG})
    told = say("--json", "bug")

    assert "bug" == told.facts["error"]["kind"]
    assert 1 == len(list((tmp_path / "logs" / "crashes").glob("*.txt")))


def test_passwords_of_the_settings_are_kept_out_of_reports(here, monkeypatch):
    """The store's password is looked up, and blotted out wherever it stands alone."""
    here.settings.write_text('[store]\nurl = "postgresql://me:correct-horse@db/cosmos"\n')
    text = failure.report(
        ValueError("password=correct-horse"), ["cosmos", "x"], secrets=failure._secrets(here.root)
    )

    assert "correct-horse" not in text


def test_a_disk_that_is_full_is_no_bug(here):
    """What the machine refuses is a sentence with the path, and leaves no report."""

    def work():
        raise OSError(28, "No space left on device", "outputs/x.mp4")

    assert 1 == failure.guarded(work, failure.Asked())
    assert not list(here.crashes.glob("*"))


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_those_who_want_it(say, here, monkeypatch, environ, is_coloured):
    """Off a terminal there is none; NO_COLOR always wins."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = say("doctor")
    wrong = say("show", "r0000000")

    assert is_coloured == ("\x1b[" in said.out)
    assert is_coloured == ("\x1b[" in wrong.err)
    assert "doctor" not in click.unstyle(wrong.err)


def test_a_reader_that_leaves_is_no_error(here, begin):
    """``cosmos list | head`` ends in silence."""
    process = begin("doctor", "--json")
    process.stdout.close()
    process.wait(60)
    complaint = process.stderr.read()

    assert not complaint


def test_letters_that_the_console_lacks_end_nothing(here):
    """On a console of another age an unknown letter is a question mark."""
    done = subprocess.run(
        [sys.executable, "-m", "cosmos_core.cli", "prompt", "new", "Straße 東京", "--name", "far"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        check=False,
        timeout=60,
    )

    assert 0 == done.returncode, done.stderr
    assert b"Stra\xdfe ??" in done.stdout


def test_verbose_is_understood_after_the_command(say, here):
    """``-vv`` shows what plugins and store do, on stderr."""
    said = say("plugins", "-vv")

    assert 0 == said.code
    assert Path(here.root).is_dir()
