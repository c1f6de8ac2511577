"""A line that is lost, cut, silent or garbled is an error once, soon; the next verb connects again and nothing is lost."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cosmos_core_sftp import line as lines

from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Job, JobState

HTML = b"HTTP/1.1 302 Found\r\nContent-Type: text/html\r\n\r\n<html><body>Please log in</body></html>"
COUNT = """
import sys, time
for number in range(4000):
    print(number)
    if number % 100 == 0: sys.stdout.flush(); time.sleep(0.02)
"""


def job(*inputs, argv=("true",), **fields):
    return Job(argv=argv, inputs=inputs, **fields)


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def begin(session, program, key="b/1/1"):
    made = job(argv=(sys.executable, "-c", program))
    handle = session.put(made, key)
    session.start(handle, made)
    return handle


def test_a_server_that_was_restarted_is_found_again(session, sshd):
    """The job goes on meanwhile; at most one verb fails."""
    handle = begin(session, "import time; print('on', flush=True); time.sleep(60)")
    sshd.restart()
    try:
        status = session.poll([handle])
    except HostError:
        status = session.poll([handle])

    assert JobState.ACTIVE == status[handle.key].state
    session.stop(handle, grace=0.0)


def test_a_server_that_is_down_fails_verbs_and_harms_no_job(session, sshd):
    """Twenty-five polls fail; there is no relaunch and no kill, and the job's end is seen when the server is back."""
    handle = begin(session, "import time; open('ran', 'a').write('x'); time.sleep(2); raise SystemExit(7)")
    sshd.stop()
    try:
        for _ in range(25):
            with pytest.raises(HostError):
                session.poll([handle])
    finally:
        sshd.start()
    while session.poll([handle])[handle.key].state is JobState.ACTIVE:
        time.sleep(0.05)

    assert 7 == session.poll([handle])[handle.key].exit.code
    assert (b"x", 1) == session.read(handle, "ran", 0)


def test_a_log_is_neither_lost_nor_repeated_when_its_line_is_cut(session, sshd):
    """A reader that asks again from its cursor gets every line once."""
    handle = begin(session, COUNT)
    found, cursor, lost, cuts = b"", 0, 0, iter(range(5_000, 15_000, 3_000))
    due = next(cuts)
    while True:
        try:
            status = session.poll([handle])[handle.key]
            more, cursor = session.read(handle, "log.txt", cursor, 997)
        except HostError:
            lost += 1
            continue
        found += more
        if cursor > due:
            due = next(cuts, 10**9)
            threading.Thread(target=sshd.cut).start()
        if not more and status.state is not JobState.ACTIVE:
            break

    assert list(range(4000)) == [int(each) for each in found.split()]
    assert lost or due == 10**9


@pytest.mark.parametrize("large", [False, True])
def test_a_silent_network_is_an_error_within_seconds(
    behind, proxy, open_session, make_input, monkeypatch, large
):
    """Nothing moves, nobody hangs up: the watchdog on bytes ends it, in a question and in a transfer."""
    monkeypatch.setattr(lines, "SILENCE", 1.5)
    session = open_session(behind)
    session.find("b/1/1")
    clip = make_input(size=60_000_000)
    if large:
        proxy.mistreat = lambda chunk, count, down: (proxy.hole.set() if count > 5_000_000 else None) or chunk
    else:
        proxy.hole.set()
    began = time.monotonic()
    with pytest.raises(HostError, match="nothing moved for 2 s"):
        session.put(job(clip), "b/1/1")
    took = time.monotonic() - began
    proxy.mistreat = None
    proxy.hole.clear()

    assert took < 15.0
    assert session.find("b/1/1") is None


def test_a_slow_answer_is_not_silence(session, monkeypatch):
    """While the host works on it, it says so: a long command outlives the watchdog."""
    monkeypatch.setattr(lines, "SILENCE", 4.0)
    session.close()

    assert 0 == session.run([sys.executable, "-c", "import time; time.sleep(6)"]).code


def test_nobody_waits_longer_than_promised():
    """A silent hole is an error within 15 s, by the system's word or by ours."""
    from cosmos_core_sftp import far, reach

    assert far.BEAT * 3 < lines.SILENCE + 0.5 <= 15.0
    assert reach.DEAD_AFTER <= 15_000


def flip(chunk, count, down):
    return bytes([chunk[0] ^ 1]) + chunk[1:] if count > 1_000_000 else chunk


def cut(chunk, count, down):
    return None if count > 1_000_000 else chunk


def empty(chunk, count, down):
    return b"" if count > 1_000_000 else chunk


def html(chunk, count, down):
    return HTML if count > 1_000_000 else chunk


@pytest.mark.parametrize("fault", [flip, cut, empty, html])
@pytest.mark.parametrize("way", ["up", "down"])
def test_what_is_spoilt_on_its_way_never_arrives(
    behind, proxy, open_session, make_input, monkeypatch, tmp_path, root, fault, way
):
    """Flipped, cut, emptied or replaced by a page: an error, no file under its name, and whole bytes the next time."""
    monkeypatch.setattr(lines, "SILENCE", 1.5)
    session = open_session(behind)
    clip = make_input(size=4_000_000)
    handle = session.put(job(clip), "b/1/1") if way == "down" else None
    session.close()

    def transfer(key):
        if handle is None:
            return sha(session.put(job(clip), key).folder + "/in/color.mp4")
        (placed,) = session.get(handle, ["in"], tmp_path / "home")
        return placed.digest

    proxy.mistreat = fault
    with pytest.raises(HostError):
        transfer("b/2/1")
    if handle is None:
        assert [] == [path for path in (root / "cas").rglob("*") if path.is_file()]
        assert not (root / "jobs/b-2-1").exists()
    else:
        assert not (tmp_path / "home/in/color.mp4").exists()
    proxy.mistreat = None
    session.close()

    assert clip.digest == transfer("b/2/1")


def test_a_page_in_the_place_of_a_server_is_an_error(behind, proxy, open_session):
    """A captive portal is no host."""
    proxy.mistreat = lambda chunk, count, down: HTML if down else chunk
    with pytest.raises(HostError, match="does not answer"):
        open_session(behind)


def test_a_host_without_python_is_told(make_host, open_session):
    """With what its shell said, and the option that names another."""
    with pytest.raises(HostError, match="no-such-python") as caught:
        open_session(make_host(python="no-such-python"))

    assert "options.python" in caught.value.hint


@pytest.mark.parametrize("word", ["python3;id", "$(id)", "python 3", "", "-c'"])
def test_the_name_of_a_python_is_one_word(make_host, word):
    """It is part of a command line, so no shell may find anything in it."""
    with pytest.raises(InputError):
        make_host(python=word)


def other_python(version):
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    return str(found[0]) if found else shutil.which(f"python{version}")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_python_that_is_too_old_is_told(make_host, open_session, version):
    """With its version, and what is needed."""
    old = other_python(version) or pytest.skip(f"there is no Python {version} here")
    with pytest.raises(HostError, match="cannot run") as caught:
        open_session(make_host(python=old))

    assert "3.8 or newer" in caught.value.hint
    # Python 2 does not get as far as to tell its version.
    assert version == "2.7" or f"this is {version}" in str(caught.value)


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.13"])
def test_other_pythons_do(make_host, open_session, make_input, tmp_path, version):
    """The program runs on the oldest Python that is promised, and on new ones."""
    other = other_python(version) or pytest.skip(f"there is no Python {version} here")
    session = open_session(make_host(python=other))
    made = job(make_input(size=9_000_000), argv=("cat", "in/color.mp4"), log="log.txt")
    handle = session.put(made, "b/1/1")
    session.start(handle, made)
    while session.poll([handle])[handle.key].state is JobState.ACTIVE:
        time.sleep(0.02)
    names = [file.name for file in session.list(handle, ["in", "log.txt"])]
    placed = session.get(handle, names, tmp_path / "home")
    session.stop(handle)
    session.remove(handle)

    assert version in session.ask("facts")["python"]
    assert {made.inputs[0].digest} == {each.digest for each in placed}
    assert 1 == session.free().files
    assert () == session.sweep((), age=0.0)
    with pytest.raises(InputError):
        session.read(handle, "../outside", 0)


@pytest.mark.parametrize("noise", ["echo Welcome to the farm", "printf 'no newline'; echo complaint >&2"])
def test_what_a_login_shell_prints_is_passed_over(session, sshd, host, open_session, noise):
    """Start-up files of shells greet; the line begins after that."""
    start = sshd.folder / "home" / ".bashrc"
    start.write_text(noise + "\n")
    try:
        assert open_session(host).find("b/1/1") is None
        said = subprocess.run(
            ["ssh", "-F", str(sshd.config), "gpu", "true"],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    finally:
        start.unlink()
    if not said.stdout:
        pytest.skip("this user's shell reads no start-up file for a command")


def test_a_line_that_hangs_up_tells_why(session, monkeypatch):
    """The last complaint of the host's program is part of the error."""
    with pytest.raises(HostError, match="KeyError"):
        session.ask("no such verb")

    assert session.find("b/1/1") is None
