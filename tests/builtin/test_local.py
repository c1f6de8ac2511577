"""The transport ``local``: the contract, and what only a machine of our own lets us try."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from cosmos_core import jobs, launcher
from cosmos_core.builtin import local as plugin
from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Exit, Handle, Host, Input, Job, JobFile, JobState, Session
from cosmos_core.testing.session import SessionContract, ShellContract

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals of this kind")

DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("pid", "w").write(str(os.getpid()))
print("deaf", flush=True)
while True: time.sleep(0.1)
"""
LIMITED = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""

FILLING = """
import shutil, sys, time
from pathlib import Path
from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.errors import HostError
from cosmos_core.extend import Host, Job, JobFile

fill = '''
import contextlib, time
with open("fill", "wb", buffering=0) as out, contextlib.suppress(OSError):
    while True: out.write(bytes(4096))
time.sleep(60)
'''
session = LocalSession.open(Host(name="here", root={full!r}), Path({state!r}))
job = Job(argv=(sys.executable, "-c", fill))
handle = session.put(job, "b/1/1")
session.start(handle, job)
while shutil.disk_usage({full!r}).free: time.sleep(0.05)
session.stop(handle)
print(session.poll([handle])["b/1/1"])
try:
    session.put(Job(argv=("true",), files=(JobFile(name="x", content=bytes(100_000)),)), "c/1/1")
except HostError as error:
    print(error, "|", error.hint)
print(session.find("c/1/1"))
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def session(state: Path):
    opened = LocalSession.open(Host(name="here"), state)
    yield opened
    opened.sweep((), age=0.0)


class TestContract(ShellContract, SessionContract):
    @pytest.fixture
    def make_session(self, state: Path):
        return lambda: LocalSession.open(Host(name="here"), state)


def begin(session: LocalSession, program: str, key: str = "b/1/1", **fields) -> Handle:
    job = Job(argv=(sys.executable, "-c", program), **fields)
    handle = session.put(job, key)
    session.start(handle, job)
    return handle


def status(session: LocalSession, handle: Handle):
    return session.poll([handle])[handle.key]


def eventually(true, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def ended(session: LocalSession, handle: Handle):
    eventually(lambda: status(session, handle).state is not JobState.ACTIVE)
    return status(session, handle)


def deaf(session: LocalSession, key: str = "b/1/1") -> tuple[Handle, int, int]:
    """A job that ignores TERM, the pid of its launcher and its own."""
    handle = begin(session, DEAF, key)
    eventually(lambda: session.read(handle, "log.txt", 0)[0])
    carrier = json.loads((Path(handle.folder) / launcher.STARTED).read_bytes())["pid"]
    return handle, carrier, int((Path(handle.folder) / "pid").read_text())


def in_another_process(state: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run *program* where ``session`` is open and ``begin`` starts a job, in a process of its own."""
    opening = f"""
        import sys
        from pathlib import Path
        from cosmos_core.builtin.local.session import LocalSession
        from cosmos_core.errors import HostError
        from cosmos_core.extend import Handle, Host, Input, Job, JobFile
        session = LocalSession.open(Host(name="here"), Path({str(state)!r}))
    """
    code = textwrap.dedent(opening) + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_plugin_offers_the_transport(tmp_path: Path):
    """The built-in plugin yields one transport, whose session keeps to the session's contract."""
    (transport,) = plugin.cosmos_transports()

    assert "local" == transport.name
    assert isinstance(transport.connect(Host(name="local"), tmp_path), Session)


def test_a_root_of_ones_own_is_used(tmp_path: Path):
    """A host's root takes the place of the folder in the state."""
    session = LocalSession.open(Host(name="here", root=str(tmp_path / "my root")), tmp_path / "state")
    handle = session.put(Job(argv=("true",)), "b/1/1")

    assert tmp_path / "my root/jobs/b-1-1" == Path(handle.folder)
    assert not (tmp_path / "state/jobs").exists()


def test_a_root_that_cannot_be_made_is_a_sentence(tmp_path: Path):
    """A host whose root lies under a file refuses us, and says which."""
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match=r"cannot use .*file/root on here"):
        LocalSession.open(Host(name="here", root=str(tmp_path / "file/root")), tmp_path)


@posix
def test_a_job_survives_the_kill_of_who_started_it(session: LocalSession, state: Path):
    """kill -9 of the worker leaves the job running to its own end."""
    program = """
import os, time
while not os.path.exists("go"): time.sleep(0.05)
print("to the end")
raise SystemExit(4)
"""
    done = in_another_process(
        state,
        f"""
        import os, signal
        job = Job(argv=(sys.executable, "-c", {program!r}))
        session.start(session.put(job, "b/1/1"), job)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    handle = session.find("b/1/1")

    assert -signal.SIGKILL == done.returncode, done.stderr
    assert JobState.ACTIVE == status(session, handle).state
    Path(handle.folder, "go").touch()
    assert Exit(code=4) == ended(session, handle).exit
    assert (b"to the end\n", 11) == session.read(handle, "log.txt", 0)


@posix
def test_a_job_survives_the_hangup_of_its_terminal(session: LocalSession):
    """The launcher has a session of its own, and a hangup does not end it."""
    handle, carrier, _ = deaf(session)
    os.kill(carrier, signal.SIGHUP)
    time.sleep(0.3)

    assert os.getsid(0) != os.getsid(carrier)
    assert JobState.ACTIVE == status(session, handle).state
    session.stop(handle, grace=0.0)


@posix
def test_the_kill_of_a_launcher_loses_the_job_and_leaves_no_process(session: LocalSession):
    """kill -9 of the launcher is LOST, never exited; what it carried ends with it."""
    handle, carrier, pid = deaf(session)
    os.kill(carrier, signal.SIGKILL)
    eventually(lambda: status(session, handle).state is not JobState.ACTIVE)
    eventually(lambda: not launcher.birth(pid))

    assert JobState.LOST == status(session, handle).state
    assert "its launcher is gone and left no exit" == status(session, handle).reason
    session.start(handle, Job(argv=("true",)))
    assert JobState.LOST == status(session, handle).state


@posix
def test_a_launcher_that_hangs_is_killed(session: LocalSession, monkeypatch):
    """Stop ends a job even when its launcher does not answer."""
    monkeypatch.setattr(jobs, "PATIENCE", 0.3)
    handle, carrier, pid = deaf(session)
    os.kill(carrier, signal.SIGSTOP)
    session.stop(handle, grace=0.0)
    eventually(lambda: not launcher.birth(pid))

    assert JobState.LOST == status(session, handle).state


@pytest.fixture
def stranger():
    """A live process that has nothing to do with any job."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("wrong", [{"birth": "1"}, {"boot": "another boot"}, {"birth": ""}])
def test_a_pid_that_was_used_again_does_not_look_alive(
    session: LocalSession, stranger: int, wrong: dict[str, str]
):
    """A live process of the same number, born at another time or after another boot, is not the launcher."""
    handle = begin(session, "pass")
    ended(session, handle)
    folder = Path(handle.folder)
    (folder / launcher.EXIT).unlink()
    (folder / launcher.STARTED).write_text(json.dumps(launcher.identity(stranger)))
    assert JobState.ACTIVE == status(session, handle).state
    (folder / launcher.STARTED).write_text(json.dumps({**launcher.identity(stranger), **wrong}))

    assert JobState.LOST == status(session, handle).state


def test_a_copied_workspace_ends_nothing_of_the_first(state: Path, tmp_path: Path):
    """On a root that both use, it sweeps its own jobs only; of a job in its own copied folder it knows that it is not there."""
    shared = Host(name="here", root=str(tmp_path / "root"))
    own = Host(name="here")
    keys = {"shared": "b/1/1", "own": "c/1/1"}
    first = [LocalSession.open(host, state) for host in (shared, own)]
    handles = [
        begin(each, "import time; time.sleep(60)", key)
        for each, key in zip(first, keys.values(), strict=True)
    ]
    copy = Path(shutil.copytree(state, tmp_path / "copy"))
    second = [LocalSession.open(host, copy) for host in (shared, own)]
    copied = second[1].find(keys["own"])

    assert JobState.LOST == status(second[1], copied).state
    second[1].stop(copied)
    second[1].remove(copied)
    assert [(), ()] == [each.sweep((), age=0.0) for each in second]
    assert [JobState.ACTIVE] * 2 == [status(*each).state for each in zip(first, handles, strict=True)]
    assert [(key,) for key in keys.values()] == [each.sweep((), age=0.0) for each in first]


def test_a_zombie_is_not_alive():
    """A process that has ended and was not yet waited for counts as dead."""
    done = subprocess.Popen([sys.executable, "-c", "pass"])
    born = launcher.identity(done.pid)
    eventually(lambda: not launcher.birth(done.pid))

    assert not launcher.alive(born)
    done.wait()


def test_a_launcher_that_died_at_birth_is_lost(session: LocalSession):
    """A lock that never got a name in it belongs to a launcher at work for seconds, and to a dead one after."""
    handle = session.put(Job(argv=("true",)), "b/1/1")
    lock = Path(handle.folder) / launcher.LOCK
    lock.touch()
    assert JobState.ACTIVE == status(session, handle).state
    os.utime(lock, (time.time() - 60, time.time() - 60))

    assert JobState.LOST == status(session, handle).state


@pytest.mark.parametrize("forged", ["", "{}", "[]", '{"code": "x", "stopped": "", "oom": false}'])
def test_an_exit_that_is_not_understood_is_lost(session: LocalSession, forged: str):
    """An exit that a job scribbled over is never taken for success."""
    handle = begin(session, "pass")
    ended(session, handle)
    (Path(handle.folder) / launcher.EXIT).write_text(forged)

    assert JobState.LOST == status(session, handle).state


def test_starting_what_was_never_put_is_an_error(session: LocalSession):
    """There is nothing to start for a key that nobody put."""
    with pytest.raises(HostError, match="there is no job x/1/1 on here"):
        session.start(Handle(host="here", key="x/1/1", folder=""), Job(argv=("true",)))


def test_a_launcher_that_fails_tells_why(session: LocalSession):
    """An order that the launcher cannot carry is an error with the launcher's own words."""
    handle = session.put(Job(argv=()), "b/1/1")
    with pytest.raises(HostError, match=r"job b/1/1 did not start on here: .*empty argv"):
        session.start(handle, Job(argv=()))

    assert JobState.PUT == status(session, handle).state


@pytest.mark.parametrize("key", ["", "../x", "a//b", "/etc", "a/../b", ".hidden/1/1", "a b/1/1", "a\n"])
def test_a_key_that_is_no_key_is_refused(session: LocalSession, key: str):
    """A key can lead nowhere but into the folder of the jobs."""
    with pytest.raises(InputError, match="is not a job's key"):
        session.find(key)


def test_two_keys_of_one_folder_are_told_apart(session: LocalSession):
    """A key whose folder another key has is refused, not mistaken for it."""
    session.put(Job(argv=("true",)), "a-b/1/1")
    with pytest.raises(HostError, match="in the way of job a/b-1/1"):
        session.find("a/b-1/1")
    with pytest.raises(HostError, match="in the way"):
        session.remove(Handle(host="here", key="a/b-1/1", folder=""))

    assert session.find("a-b/1/1") is not None


def test_the_folder_in_a_handle_is_not_believed(session: LocalSession, tmp_path: Path):
    """A handle that names a foreign folder removes and reads nothing there."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/log.txt").write_text("mine")
    handle = Handle(host="here", key="b/1/1", folder=str(tmp_path / "precious"))
    session.remove(handle)

    assert (b"", 0) == session.read(handle, "log.txt", 0)
    assert (tmp_path / "precious/log.txt").exists()


@pytest.mark.parametrize("name", ["job.json", "exit.json", "stop", "exit.json.part", "log.txt/x"])
def test_names_of_the_launcher_are_refused(session: LocalSession, name: str):
    """A job cannot bring a file that forges its own state."""
    with pytest.raises(InputError, match="the launcher keeps for itself"):
        session.put(Job(argv=("true",), files=(JobFile(name=name, content=b""),)), "b/1/1")


def test_two_files_of_one_name_are_refused(session: LocalSession):
    """A collision of names is an error, not a silent overwrite."""
    twice = (JobFile(name="spec.json", content=b"1"), JobFile(name="spec.json", content=b"2"))
    with pytest.raises(InputError, match=r"two files named 'spec\.json'"):
        session.put(Job(argv=("true",), files=twice), "b/1/1")


def test_an_input_that_is_gone_is_named(session: LocalSession, tmp_path: Path):
    """An input without a file is the caller's error."""
    missing = Input(name="in/color.mp4", digest="0" * 64, path=tmp_path / "none.mp4", bytes=1)
    with pytest.raises(InputError, match=r"in/color\.mp4.*none\.mp4"):
        session.put(Job(argv=("true",), inputs=(missing,)), "b/1/1")


def test_progress_counts_bytes(session: LocalSession, tmp_path: Path):
    """Put and get say how many of how many bytes are done."""
    clip = tmp_path / "color.mp4"
    clip.write_bytes(b"x" * 1000)
    item = Input(
        name="in/color.mp4", digest=hashlib.sha256(clip.read_bytes()).hexdigest(), path=clip, bytes=1000
    )
    said = []
    job = Job(argv=("true",), files=(JobFile(name="spec.json", content=b"{}"),), inputs=(item,))
    handle = session.put(job, "b/1/1", lambda *words: said.append(words))
    session.get(handle, ["in", "spec.json"], tmp_path / "home", lambda *words: said.append(words))

    assert [(2, 1002, "spec.json"), (1002, 1002, "in/color.mp4")] == said[:2]
    assert [(1000, 1002, "in/color.mp4"), (1002, 1002, "spec.json")] == said[2:]


def test_a_sweep_leaves_other_workspaces_alone(session: LocalSession, tmp_path: Path):
    """Two workspaces may share a root: each sweeps its own jobs, and finds the other's."""
    root = str(tmp_path / "shared")
    ours = LocalSession.open(Host(name="here", root=root), tmp_path / "ours")
    theirs = LocalSession.open(Host(name="here", root=root), tmp_path / "theirs")
    theirs.put(Job(argv=("true",)), "t/1/1")
    ours.put(Job(argv=("true",)), "o/1/1")
    (tmp_path / "shared/jobs/foreign").mkdir()

    assert ("o/1/1",) == ours.sweep((), age=0.0)
    assert ours.find("t/1/1") is not None
    assert (tmp_path / "shared/jobs/foreign").exists()


def test_a_sweep_clears_what_a_dead_put_left(session: LocalSession, state: Path):
    """Folders that were on their way in for more than a day belong to nobody."""
    for name, age in (("old", 2 * 86400), ("new", 60)):
        (state / "tmp" / name).mkdir()
        os.utime(state / "tmp" / name, (time.time() - age,) * 2)
    session.sweep(())

    assert ["new"] == [path.name for path in (state / "tmp").iterdir()]


@posix
def test_a_running_job_is_ended_before_it_is_removed(session: LocalSession, monkeypatch):
    """Remove leaves no process behind that writes into nowhere."""
    monkeypatch.setattr(jobs, "SWEEP_GRACE", 0.0)
    handle, carrier, pid = deaf(session)
    session.remove(handle)

    assert "" == launcher.birth(pid)
    assert not Path(handle.folder).exists()
    # The launcher has written its exit by then, and leaves.
    deadline = time.monotonic() + 60
    while launcher.birth(carrier) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "" == launcher.birth(carrier)


@posix
def test_folders_that_a_job_closed_are_removed(session: LocalSession):
    """A job's modes do not keep its folder alive."""
    handle = begin(session, "import os; os.makedirs('a/b'); os.chmod('a/b', 0); os.chmod('a', 0o500)")
    ended(session, handle)
    session.remove(handle)

    assert not Path(handle.folder).exists()


@posix
def test_a_put_that_is_killed_leaves_no_job(session: LocalSession, state: Path, tmp_path: Path):
    """kill -9 in the middle of a put leaves nothing under the job's name, and the next put is whole."""
    clip = tmp_path / "color.mp4"
    clip.write_bytes(b"x" * 1000)
    done = in_another_process(
        state,
        f"""
        import os, signal
        clip = Input(name="color.mp4", digest={hashlib.sha256(clip.read_bytes()).hexdigest()!r},
                     path=Path({str(clip)!r}), bytes=1000)
        job = Job(argv=("true",), files=(JobFile(name="spec.json", content=b"{{}}"),), inputs=(clip,))
        session.put(job, "b/1/1", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        """,
    )

    assert -signal.SIGKILL == done.returncode, done.stderr
    assert session.find("b/1/1") is None
    assert [] == list((state / "jobs").iterdir())
    session.put(Job(argv=("true",)), "b/1/1")
    assert session.find("b/1/1") is not None


@posix
def test_a_put_that_does_not_fit_leaves_nothing(session: LocalSession, state: Path, tmp_path: Path):
    """A file that the system cuts short is an error, and no job and no part of one stays."""
    clip = tmp_path / "color.mp4"
    clip.write_bytes(b"x" * 200_000)
    done = in_another_process(
        state,
        LIMITED
        + f"""
clip = Input(name="color.mp4", digest={hashlib.sha256(clip.read_bytes()).hexdigest()!r},
             path=Path({str(clip)!r}), bytes=200_000)
try:
    session.put(Job(argv=("true",), inputs=(clip,)), "b/1/1")
except HostError as error:
    print(error)
""",
    )

    assert done.stdout.startswith("cannot place job b/1/1 on here: File too large"), done.stderr
    assert session.find("b/1/1") is None
    assert [[], []] == [list((state / name).iterdir()) for name in ("jobs", "tmp")]


@posix
def test_a_fetch_that_does_not_fit_leaves_nothing(session: LocalSession, state: Path, tmp_path: Path):
    """A file that cannot be written here in full does not get its name; those before it stay."""
    handle = begin(session, "open('big', 'wb').write(b'x' * 200_000); open('a', 'wb').write(b'small')")
    ended(session, handle)
    done = in_another_process(
        state,
        LIMITED
        + f"""
try:
    session.get(Handle(host="here", key="b/1/1", folder=""), ["a", "big"], Path({str(tmp_path / "home")!r}))
except HostError as error:
    print(error)
""",
    )

    assert done.stdout.startswith("cannot fetch 'big' of job b/1/1: File too large"), done.stderr
    assert [tmp_path / "home/a"] == list((tmp_path / "home").iterdir())


@posix
def test_a_full_disk_hides_no_exit(tmp_path: Path):
    """A job that fills the disk can be stopped and leaves its exit; the next one is refused with the reason."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=1m none {shlex.quote(str(full))}"
    if shutil.which("unshare") is None or subprocess.call(
        ["unshare", "-rm", "sh", "-c", mount], stderr=subprocess.DEVNULL
    ):
        pytest.skip("a small file system cannot be mounted here")
    code = FILLING.format(full=str(full), state=str(tmp_path / "state"))
    command = ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout.splitlines()

    assert 3 == len(said), done.stderr
    assert "Exit(code=143, stopped='cancelled', oom=False)" in said[0]
    assert "No space left on device" in said[1]
    assert said[1].endswith("| free some space")
    assert "None" == said[2]


@posix
def test_secrets_in_an_environment_are_for_us_alone(session: LocalSession):
    """The file that holds a job's environment cannot be read by other users."""
    handle = session.put(Job(argv=("true",), env={"HF_TOKEN": "secret"}), "b/1/1")

    assert 0o600 == (Path(handle.folder) / launcher.JOB).stat().st_mode & 0o777


@posix
def test_names_that_are_not_unicode_come_home(session: LocalSession, tmp_path: Path):
    """A file name of any bytes survives the way."""
    handle = begin(session, "import os; os.mkdir('outputs'); open(b'outputs/\\xff\\xfe', 'wb').write(b'x')")
    ended(session, handle)
    (placed,) = session.get(handle, ["outputs"], tmp_path / "home")

    assert b"outputs/\xff\xfe" == os.fsencode(placed.name)
    assert b"x" == placed.path.read_bytes()


def test_a_file_that_vanishes_is_an_error(session: LocalSession, tmp_path: Path):
    """A file that was listed and is gone when its turn comes is said to have vanished; those before it stay."""
    handle = begin(session, "open('a', 'wb').write(b'x'); open('b', 'wb').write(b'x')")
    ended(session, handle)
    with pytest.raises(HostError, match="'b' of job b/1/1 vanished"):
        session.get(handle, ["a", "b"], tmp_path / "home", lambda *_: (Path(handle.folder) / "b").unlink())

    assert [tmp_path / "home/a"] == list((tmp_path / "home").iterdir())
