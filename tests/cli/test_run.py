"""``run``, ``submit``, ``work``, ``logs -f`` and ``status --watch``, as programs that meet real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cosmos_core.submission import Ask, write

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and terminals of POSIX")


def _wait_for(say, run, *states, seconds=60):
    """The run once it is in one of *states*."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = say("show", run, "--json").facts["run"]
        if found["state"] in states:
            return found
        time.sleep(0.1)
    raise AssertionError(f"run {run} is {found['state']} after {seconds} s: {found['reason']}")


def _submitted(say, prompt, *words):
    (run,) = say("submit", prompt, "--backend", "double", "--frames", "3", *words, "--json").facts["runs"]
    return run["id"]


def test_a_run_goes_from_a_prompt_to_a_sealed_video(program, street, say):
    """The preview on this machine: exit code 0, the verdict, the artifact and its pictures; then it verifies."""
    said = program(
        "run", "heavy fog at dusk", "--clip", "clips/street", "-w", "vis=0.3,edge=0.4", "--seed", "7"
    )

    assert 0 == said.code, said.err
    assert said.out.startswith("sealed  r")
    assert "contact " in said.out
    assert "poster " in said.out
    assert "queued r" in said.err
    (run,) = say("list", "--json").facts["runs"]
    assert {"edge": 0.4, "vis": 0.3} == {each["kind"]: each["weight"] for each in run["spec"]["controls"]}
    assert 7 == run["spec"]["seed"]
    assert run["artifact"]["path"].endswith("heavy-fog-dusk.mp4")
    assert 0 == say("verify", run["artifact"]["path"]).code


def test_a_token_is_one_request_however_often_it_is_typed(program, double, here):
    """The second time gives the first one's verdict at once, and queues nothing."""
    words = ("run", "a street", "--backend", "double", "--frames", "4", "--token", "order-17", "--json")
    first, second = program(*words), program(*words)

    assert 0 == first.code == second.code, first.out
    assert first.facts["runs"][0]["id"] == second.facts["runs"][0]["id"]
    assert "sealed" == second.facts["runs"][0]["state"]


@pytest.mark.parametrize(
    ("prompt", "code", "state", "kind"),
    [
        ("a cut street", 9, "rejected", "verify"),
        ("a crash in the street", 8, "failed", "model"),
        ("block-prompt", 8, "blocked", "model"),
    ],
)
def test_what_is_not_sealed_has_an_exit_code_of_its_own(program, double, here, prompt, code, state, kind):
    """9 when the checks rejected it, 8 when the model failed or refused; the run and the reason are told together."""
    told = program("run", prompt, "--backend", "double", "--frames", "8", "--json")

    assert code == told.code
    assert state == told.facts["runs"][0]["state"]
    assert kind == told.facts["error"]["kind"]
    assert told.facts["runs"][0]["reason"] in told.facts["error"]["message"]


def test_several_seeds_are_several_runs_and_the_worst_decides(program, double, here):
    """Each has its verdict; one that is not sealed gives the exit code."""
    told = program("run", "a cut street", "--backend", "double", "--frames", "8", "--seeds", "1..2", "--json")

    assert 9 == told.code
    assert [1, 2] == [run["spec"]["seed"] for run in told.facts["runs"]]
    assert "2 of 2 runs are not sealed" == told.facts["error"]["message"]


@POSIX
def test_ctrl_c_leaves_a_run_that_the_next_worker_brings_home(begin, program, double, here, say):
    """Exit code 130, one line that says what goes on and how to pick it up; the job is adopted, not begun again."""
    process = begin("run", "a slow street", "--backend", "double", "--frames", "4", "--name", "slow")
    while not (runs := say("list", "--json").facts["runs"]):
        time.sleep(0.1)
    _wait_for(say, runs[0]["id"], "running")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert f"{runs[0]['id']} goes on without you" in err
    assert "cosmos work --until-idle" in err
    assert "Traceback" not in err
    assert 0 == program("work", "--until-idle").code
    found = say("show", runs[0]["id"], "--json").facts["run"]
    assert ("sealed", 1) == (found["state"], found["attempt"])


@POSIX
def test_a_worker_lets_go_on_sigterm(begin, double, here, say):
    """As service managers end a program: exit code 130, and what it held is not lost."""
    run = _submitted(say, "a slow street")
    process = begin("work")
    _wait_for(say, run, "running")
    process.terminate()
    _, err = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert "let go; 1 run on the way" in err
    assert 0 == say("work", "--until-idle").code
    assert "sealed" == _wait_for(say, run, "sealed")["state"]


def test_work_tells_every_move_as_a_line(program, double, here, say):
    """For programs a JSON object a line, with what ended at the end; for people a clock and the state."""
    run = _submitted(say, "a street")
    told = program("work", "--until-idle", "--json")

    assert ["running", "returned", "sealed"] == [
        line["to"] for line in told.lines[:-1] if line["run"] == run and line["to"] != "placed"
    ]
    assert {"sealed": 1} == told.lines[-1]["ended"]


def test_work_accepts_what_lies_in_the_inbox(program, double, here, say):
    """A submission folder is queued and worked; the answer lies beside it."""
    folder = write([Ask(prompt="a street", backend="double", frames=4)], into=here.inbox, name="shot")
    said = program("work", "--until-idle")
    if not (folder / "accepted.json").exists():
        said = program("work", "--until-idle")

    assert 0 == said.code
    (run,) = json.loads((folder / "accepted.json").read_text())["runs"]
    assert run == say("list", "--json").facts["runs"][0]["id"]


def test_a_submission_folder_is_submitted_once(say, double, here):
    """The folder carries a token, so handing it over twice queues it once; options beside it are refused."""
    folder = write([Ask(prompt="a street", backend="double", frames=4)] * 2, into=here.inbox, name="shot")
    first, second = say("submit", folder, "--json"), say("submit", folder, "--json")

    assert 2 == len(first.facts["runs"])
    assert [run["id"] for run in first.facts["runs"]] == [run["id"] for run in second.facts["runs"]]
    refused = say("submit", folder, "--seed", "3")
    assert 2 == refused.code
    assert "--seed cannot be added" in refused.err


def test_logs_are_followed_until_the_run_has_ended(begin, double, here, say):
    """A follower that comes before the worker gets every line, then the verdict, and ends by itself."""
    run = _submitted(say, "a slow street")
    follower = begin("logs", run, "-f")
    worker = begin("work", "--until-idle")
    out, err = follower.communicate(timeout=60)
    worker.communicate(timeout=60)

    assert 0 == follower.returncode
    assert out.startswith(f"Processing sample {run}\n")
    assert f"frame {run} 3/3" in out
    assert f"sealed  {run}" in err
    assert out.rstrip("\n") == say("logs", run).out.rstrip("\n")


def test_a_run_without_a_log_gives_its_reason(say, double, here):
    """Nothing is invented: a waiting run has none yet, a cancelled one says so."""
    run = _submitted(say, "a street")
    assert "there is no log yet" in say("logs", run).err
    say("cancel", run)
    said = say("logs", run)

    assert (0, "") == (said.code, said.out)
    assert f"run {run} is cancelled: cancelled" in said.err
    assert 0 == say("logs", run, "-f").code
    assert 3 == say("logs", run, "--attempt", "2").code


@POSIX
def test_status_is_watched_until_ctrl_c(begin, double, here, say):
    """Off a terminal a block comes with each change; for programs it is a line of JSON."""
    watcher = begin("status", "--watch", "--json")
    assert 0 == json.loads(watcher.stdout.readline())["counts"]["queued"]
    _submitted(say, "a street")

    assert 1 == json.loads(watcher.stdout.readline())["counts"]["queued"]
    watcher.send_signal(signal.SIGINT)
    out, _ = watcher.communicate(timeout=60)
    assert 130 == watcher.returncode
    assert "interrupted" == json.loads(out)["error"]["kind"]


def test_a_paused_queue_is_said_and_keeps_the_run(say, double, here):
    """``run`` does not wait for ever: the run stays queued and the hint says how to go on."""
    say("queue", "pause", "the", "host", "is", "rebooted")
    said = say("run", "a street", "--backend", "double", "--frames", "4")

    assert 2 == said.code
    assert "the queue is paused: the host is rebooted; the run is queued" in said.err
    assert "paused: the host is rebooted" in say("status").out
    assert "paused" in say("work", "--until-idle").out
    assert {"paused": False, "reason": "", "paused_campaigns": {}, "queued": 1} == say(
        "queue", "resume", "--json"
    ).facts


def test_a_run_that_fits_no_slot_is_said_at_once(say, double, here):
    """Without a slot nothing is waited for: exit code 7, and the plan says why."""
    here.settings.write_text("[hosts.local]\nslots = 0\n")
    said = say("run", "a street", "--backend", "double", "--frames", "4")

    assert 7 == said.code
    assert "no slot can run" in said.err
    assert "there is no slot" in say("plan").out


@POSIX
def test_a_terminal_gets_bars_and_nothing_is_left_of_them(double, here):
    """At a terminal progress is drawn in place on stderr, in colour, and the verdict stands alone in the end."""
    import pty

    ours, theirs = pty.openpty()
    words = ["run", "a slow street", "--backend", "double", "--frames", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cosmos_core.cli", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(theirs)
    seen = _read_all(ours)

    assert 0 == process.wait(60), seen
    assert "━" in seen
    assert "running" in seen
    assert "\x1b[32msealed\x1b[0m" in seen


def _read_all(terminal):
    seen = b""
    while True:
        try:
            found = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not found:
            break
        seen += found
    os.close(terminal)
    return seen.decode("utf-8", "replace")
