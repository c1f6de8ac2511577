"""Names, prompts, reasons and logs from anywhere, shown at a real terminal: none of them steers it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cosmos_core.run import State

pty = pytest.importorskip("pty", reason="Windows has no pseudo terminals")

NASTY = "\x1b]0;owned\x07\x1b[2Jfog\rrain\u202etxt\x9b31m"


@pytest.fixture
def terminal():
    """``terminal("list")``: type a command at a terminal of its own, and give all that reaches it."""

    def typed(*words):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "cosmos_core.cli", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"},
        )
        os.close(theirs)
        said = b""
        try:
            # Linux ends a terminal whose last writer is gone with an error.
            while block := os.read(ours, 65536):
                said += block
        except OSError:
            pass
        finally:
            os.close(ours)
        process.wait(timeout=60)
        return said.decode("utf-8", "replace").replace("\r\n", "\n")

    return typed


def _is_tame(said):
    import re

    plain = re.sub(r"\x1b\[\d+(;\d+)*m", "", said)
    return not set(plain) & set("\x1b\x07\r\x9b\u202e")


def test_no_word_of_a_run_steers_a_terminal(cosmos, submit, terminal, program):
    """
    List, show, status and search show a name, prompt and reason with escapes as letters; JSON has them exactly.
    """
    (run,) = submit(NASTY, name=NASTY)
    lease = cosmos.store.claim(owner="w", load_key="double", host="h", slot=0, limit=1)
    cosmos.store.move(lease, run.id, State.RUNNING)
    cosmos.store.requeue(lease, [run.id], reason=NASTY)
    cosmos.store.pause(NASTY)
    for words in (
        ["list"],
        ["show", run.id],
        ["status"],
        ["search", "rain"],
        ["rm", run.id],
        ["cancel", NASTY],
    ):
        said = terminal(*words)
        assert _is_tame(said), words
        assert "\\x1b]0;owned\\x07" in said, words

    assert NASTY == program("list", "--json").facts["runs"][0]["name"]
    assert NASTY == program("show", run.id, "--json").facts["run"]["spec"]["prompt"]["text"]


def test_a_log_steers_no_terminal_and_a_pipe_gets_its_bytes(cosmos, submit, terminal, program):
    """
    Colours are dropped and the rest is written out at a terminal; a pipe gets the log as the job wrote it.
    """
    (run,) = submit("a street")
    lease = cosmos.store.claim(owner="w", load_key="double", host="h", slot=0, limit=1)
    log = cosmos.workspace.log(lease.batch.id)
    log.parent.mkdir(exist_ok=True)
    log.write_text(f"\x1b[32m50%\x1b[0m\r100%\n{NASTY}\n", "utf-8")
    said = terminal("logs", run.id)

    assert _is_tame(said)
    assert "50%\n100%\n\\x1b]0;owned\\x07" in said
    assert f"\x1b[32m50%\x1b[0m\r100%\n{NASTY}\n" == subprocess.run(
        [sys.executable, "-m", "cosmos_core.cli", "logs", run.id], capture_output=True, check=True
    ).stdout.decode("utf-8")


def test_no_error_steers_a_terminal(cosmos, terminal):
    """
    What was typed comes back in an error's sentence, as letters.
    """
    said = terminal("show", NASTY)

    assert _is_tame(said)
    assert "owned" in said
