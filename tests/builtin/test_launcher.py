"""The launcher, run as whatever carries a job runs it: a script and a folder."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosmos_core import launcher

SCRIPT = Path(launcher.__file__)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals of this kind")

FOREVER = "import time; print('on', flush=True); time.sleep(60)"
FAMILY = """
import os, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
child.stdout.read(1)
open("child", "w").write(str(child.pid))
print("on", flush=True)
time.sleep(float(sys.argv[1]))
os._exit(0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a job's folder"
    made.mkdir()
    return made


def order(folder: Path, *argv: str, **fields) -> None:
    (folder / launcher.JOB).write_text(json.dumps({"key": "b/1/1", "argv": argv, **fields}))


def carry(folder: Path, program: str, *arguments: str, **fields) -> dict:
    """Run the launcher on a Python program to its end, and give the exit it wrote."""
    order(folder, sys.executable, "-c", program, *arguments, **fields)
    subprocess.run([sys.executable, "-I", SCRIPT, folder], check=True, timeout=60)
    return json.loads((folder / launcher.EXIT).read_bytes())


@contextlib.contextmanager
def carried(folder: Path, program: str, *arguments: str, **fields):
    """A launcher at work on a Python program that says ``on``."""
    order(folder, sys.executable, "-c", program, *arguments, **fields)
    with subprocess.Popen([sys.executable, "-I", SCRIPT, folder]) as process:
        try:
            eventually(lambda: b"on" in read(folder / launcher.LOG))
            yield process
        finally:
            process.kill()


def events(folder: Path) -> list[dict]:
    return [json.loads(line) for line in read(folder / launcher.EVENTS).splitlines()]


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def eventually(true, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def ask_stop(folder: Path, words: str) -> None:
    """As sessions do it: in one go, for the launcher may look between opening a file and writing to it."""
    asked = folder / "asked"
    asked.write_text(words)
    asked.replace(folder / launcher.STOP)


def test_it_needs_the_standard_library_and_python_3_8_only():
    """The script runs inside model containers, whatever Python they have."""
    tree = ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 8))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert set() == {name.split(".")[0] for name in names} - sys.stdlib_module_names


def test_it_writes_what_happened_in_order(folder: Path):
    """Events are numbered from one, and the exit says when the job ended."""
    before = time.time()
    facts = carry(folder, "print('hello'); raise SystemExit(3)")

    assert [(1, "started"), (2, "exited")] == [(event["n"], event["event"]) for event in events(folder)]
    assert {"code": 3, "stopped": "", "oom": False} == {
        name: facts[name] for name in ("code", "stopped", "oom")
    }
    assert before <= facts["ended"] <= time.time()
    assert b"hello\n" == read(folder / launcher.LOG).replace(b"\r", b"")
    assert (folder / launcher.ALIVE).exists()


def test_a_second_launcher_starts_nothing(folder: Path):
    """Whoever comes second leaves at once, without an error."""
    with carried(folder, FOREVER) as first:
        lock = read(folder / launcher.LOCK)
        again = subprocess.run(
            [sys.executable, "-I", SCRIPT, folder], capture_output=True, text=True, check=False, timeout=60
        )

        assert (0, "b/1/1 was started before\n") == (again.returncode, again.stderr)
        assert first.poll() is None
        assert lock == read(folder / launcher.LOCK)
    assert 1 == [event["event"] for event in events(folder)].count("started")


def test_started_tells_the_process_from_its_namesakes(folder: Path):
    """Pid, birth and boot of the launcher are written before the command runs."""
    with carried(folder, FOREVER) as process:
        facts = json.loads(read(folder / launcher.STARTED))

        assert process.pid == facts["pid"]
        assert launcher.alive(facts)
        assert not launcher.alive({**facts, "birth": "0"})
        assert not launcher.alive({**facts, "boot": "another"})


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_launcher_is_a_stop(folder: Path, number: signal.Signals):
    """TERM, as a container engine or a batch scheduler sends it, ends the job in good order."""
    with carried(folder, FOREVER) as process:
        process.send_signal(number)
        process.wait(60)
    facts = json.loads(read(folder / launcher.EXIT))

    assert ("cancelled", 143) == (facts["stopped"], facts["code"])
    assert ["started", "stop-asked", "exited"] == [event["event"] for event in events(folder)]


@posix
def test_the_file_stop_is_a_stop_with_its_own_reason_and_grace(folder: Path):
    """The first line says why, the second how long; a shorter grace may come later, another reason may not."""
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + FAMILY
    with carried(folder, program, "60") as process:
        ask_stop(folder, "timeout\n60\n")
        eventually(lambda: len(events(folder)) == 2)
        ask_stop(folder, "cancelled\n0\n")
        process.wait(60)
    facts = json.loads(read(folder / launcher.EXIT))

    assert ("timeout", 137, False) == (facts["stopped"], facts["code"], facts["oom"])
    assert ["started", "stop-asked", "killed", "exited"] == [event["event"] for event in events(folder)]


@posix
@pytest.mark.parametrize("words", ["", "\n", "why not\nsoon"])
def test_a_stop_of_any_shape_is_a_stop(folder: Path, words: str):
    """An empty or odd stop file ends the job as well."""
    with carried(folder, FOREVER) as process:
        ask_stop(folder, words)
        process.wait(60)

    assert (words.split("\n", maxsplit=1)[0] or "cancelled") == json.loads(read(folder / launcher.EXIT))[
        "stopped"
    ]


@posix
def test_what_a_command_leaves_running_is_ended(folder: Path, monkeypatch):
    """A child that outlives its parent in the group, and ignores TERM, is killed before the exit is written."""
    facts = carry(folder, FAMILY, "0")

    assert 0 == facts["code"]
    assert "" == launcher.birth(int(read(folder / "child")))
    assert ["started", "leftovers", "exited"] == [event["event"] for event in events(folder)]


@posix
def test_the_whole_group_ends_with_a_killed_launcher(folder: Path):
    """kill -9 of the launcher takes the command and its children along, and leaves no exit."""
    with carried(folder, FAMILY, "60") as process:
        command = events(folder)[0]["pid"]
        process.kill()
        process.wait()
        pids = (command, int(read(folder / "child")))
        eventually(lambda: not any(map(launcher.birth, pids)))

    assert not (folder / launcher.EXIT).exists()


@posix
def test_a_command_killed_by_a_signal_exits_as_in_a_shell(folder: Path):
    """Death by signal n is 128 + n."""
    facts = carry(folder, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    assert 128 + signal.SIGSEGV == facts["code"]


@posix
@pytest.mark.parametrize(("content", "code"), [("#!/bin/sh\nexit 0\n", 126), (None, 127)])
def test_a_command_that_cannot_run_exits_as_in_a_shell(folder: Path, content: str | None, code: int):
    """Not executable is 126, not there is 127, and the log says which."""
    if content:
        (folder / "tool").write_text(content)
    order(folder, "./tool")
    subprocess.run([sys.executable, "-I", SCRIPT, folder], check=True, timeout=60)

    assert code == json.loads(read(folder / launcher.EXIT))["code"]
    assert read(folder / launcher.LOG).startswith(b"cannot run './tool': ")


@posix
def test_the_command_gets_ordinary_signals(folder: Path):
    """What the launcher does about signals for itself is not handed down to the command."""
    program = "import signal; print([signal.getsignal(n) == signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP)])"
    carry(folder, program)

    assert b"[True, True]\n" == read(folder / launcher.LOG)


@posix
def test_the_command_inherits_no_open_file(folder: Path):
    """A command has its three streams and nothing of ours."""
    carry(folder, "import os; print(sorted(os.listdir('/dev/fd')))")

    assert b"['0', '1', '2', '3']\n" == read(folder / launcher.LOG)


def test_a_folder_without_an_order_is_an_error_with_words(folder: Path):
    """Nothing is started, and nothing locked, for a folder that says nothing."""
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, folder], capture_output=True, text=True, check=False, timeout=60
    )

    assert 1 == done.returncode
    assert "job.json" in done.stderr
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("arguments", [[], ["--detach"], ["a", "b"]])
def test_it_tells_how_it_is_used(arguments: list[str]):
    """Wrong arguments get the usage and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, *arguments], capture_output=True, text=True, check=False, timeout=60
    )

    assert (2, "usage: launcher.py [--detach] FOLDER\n") == (done.returncode, done.stderr)


def test_a_job_may_bring_a_module_that_hides_ours(folder: Path):
    """A ``json.py`` in the job's folder is the job's business."""
    (folder / "json.py").write_text("raise SystemExit('taken in')")

    assert 0 == carry(folder, "pass")["code"]


@posix
def test_a_file_system_that_takes_nothing_starts_nothing(folder: Path):
    """When the launcher cannot write its own state the job does not run, and may be started later."""
    order(folder, sys.executable, "-c", "open('ran', 'w')")
    limited = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)); os.execv(sys.executable, [sys.executable, '-I', {str(SCRIPT)!r}, {str(folder)!r}])"
    done = subprocess.run(
        [sys.executable, "-c", limited], capture_output=True, text=True, check=False, timeout=60
    )

    assert 1 == done.returncode
    assert "File too large" in done.stderr
    assert not (folder / launcher.LOCK).exists()
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("before", "after", "code", "blamed"),
    [
        ((1, 1), (2, 2), 1, True),
        ((1, 1), (2, 2), 0, False),
        ((1, 1), (1, 2), 137, False),
        ((None, 1), (None, 2), 137, True),
        ((None, 1), (None, 2), 1, False),
        ((None, 1), (None, 1), 137, False),
        ((None, None), (None, None), 137, True),
        ((None, None), (None, None), 1, False),
    ],
)
def test_who_ran_out_of_memory(before, after, code: int, blamed: bool):
    """The group's own counter decides where there is one; else a death by KILL while the machine killed."""
    assert blamed == launcher.Kills(*after).blame(launcher.Kills(*before), code)


@posix
def test_running_out_of_memory_is_noticed(folder: Path):
    """A command that the kernel kills for memory says so in its exit."""
    group = _small_group()
    if group is None:
        pytest.skip("a control group with little memory cannot be made here")
    order(folder, sys.executable, "-c", "x = bytearray(10**6)\nwhile True: x += bytes(10**6)")
    join = f"import os; open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid())); "
    run = f"import sys; os.execv(sys.executable, [sys.executable, '-I', {str(SCRIPT)!r}, {str(folder)!r}])"
    try:
        subprocess.run([sys.executable, "-c", join + run], check=True, timeout=60)
    finally:
        group.rmdir()
    facts = json.loads(read(folder / launcher.EXIT))

    assert (137, True, "") == (facts["code"], facts["oom"], facts["stopped"])


def _small_group() -> Path | None:
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(root) / f"cosmos-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(64 << 20))
        except OSError:
            group.rmdir()
            continue
        return group
    return None


@posix
@pytest.mark.parametrize("deaf", [False, True], ids=["hears", "deaf"])
def test_a_deleted_folder_ends_the_command_and_the_launcher(folder: Path, tmp_path: Path, deaf: bool):
    """Nobody can stop such a job or will ever read what it makes: both are gone within seconds."""
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" if deaf else ""
    program = f"{ignore or 'pass;'} import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); {FOREVER}"
    with carried(folder, program, str(tmp_path / "pid")) as process:
        command = int((tmp_path / "pid").read_text())
        shutil.rmtree(folder)

        process.wait(timeout=60)
    assert not Path(f"/proc/{command}").exists() or sys.platform != "linux"
    assert not folder.exists()
