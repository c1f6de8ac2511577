"""How a container ends, and what is said of it: each end made for real on an engine of our own."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from cosmos_core.dispatch import is_full
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Exit, Handle, Job, JobState

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True: time.sleep(0.1)
"""
WAIT = "import time; print('on', flush=True); time.sleep(60)"
EAT = "print('hungry', flush=True); x = bytearray(1 << 30); print('full', flush=True)"
CHILD_EATS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {EAT!r}]); raise SystemExit(3)"
"""The memory killer takes the child; its parent lives on and says how it ended."""
OFFER_THE_LAUNCHER = f"open('/proc/1/oom_score_adj', 'w').write('1000'); {EAT}"
"""The launcher is killed for the memory that the job took."""


def name_of(handle):
    """The container's name of a key ``x/1/1``."""
    return f"cosmos-{handle.key.removesuffix('/1/1')}-a1-f1"


@pytest.fixture
def put(session):
    """Put a job, and start it with whatever session; its log and status once it has ended."""
    count = iter(range(100))

    def run(by, key="", **fields):
        job = Job(**{"argv": ("python3", "-c", "print('ran')")} | fields)
        handle = by.put(job, key or f"end{next(count)}x{id(by)}/1/1")
        by.start(handle, job)
        return handle

    return run


def test_an_image_that_is_not_there_ends_the_job_with_docker_s_words(lay, put, end_of, says):
    """Nothing is fetched unasked, the job has an exit and a log, and another process sees the same."""
    by = lay(image="no-such-image:1")
    handle = put(by)
    status = end_of(lay(), handle)

    assert Exit(code=125) == status.exit
    assert b"No such image: no-such-image:1" in says(by, handle)
    by.remove(handle)


def test_gpus_that_an_engine_cannot_give_end_the_job(session, put, end_of, says):
    """Docker leaves a container that never began, which must not block the name for ever."""
    handle = put(session, gpus=(0, 1))
    status = end_of(session, handle)
    said = says(session, handle)
    session.remove(handle)

    assert Exit(code=128) == status.exit
    assert b"could not select device driver" in said
    assert {} == session.engine.named([name_of(handle)])


def test_a_runtime_that_is_not_there_ends_the_job(lay, put, end_of, says):
    """The same for a host whose settings name one."""
    by = lay(runtime="nvidia")
    handle = put(by, gpus=(0,))

    assert Exit(code=125) == end_of(by, handle).exit
    assert b"nvidia" in says(by, handle)
    by.remove(handle)


def test_an_image_without_python_says_so(lay, dockerd, put, end_of, says):
    """The launcher needs a Python, and Docker's sentence says which one is missing."""
    dockerd.docker("import", "-", "empty:1", stdin=b"\0" * 10240)
    by = lay(image="empty:1")
    handle = put(by)

    assert Exit(code=127) == end_of(by, handle).exit
    assert b"python3" in says(by, handle)
    by.remove(handle)


def test_a_start_that_failed_is_seen_by_whoever_comes_after_a_crash(session, lay, put, end_of, says):
    """A worker that died between the refusal and its note of it leaves a container that never began."""
    job = Job(argv=("true",), gpus=(0,))
    handle = session.put(job, "crash0/1/1")
    session._create(handle, job)
    session.engine.say("start", name_of(handle))
    other = lay()

    assert Exit(code=128) == end_of(other, handle).exit
    assert b"could not select device driver" in says(other, handle)
    other.remove(handle)


def test_a_command_that_is_not_in_the_image_exits_with_127(session, put, end_of, says):
    """The launcher says it, as on any other host."""
    handle = put(session, argv=("no-such-program",))

    assert Exit(code=127) == end_of(session, handle).exit
    assert b"no-such-program" in says(session, handle)
    session.remove(handle)


def test_an_entry_point_that_runs_nothing_is_told_from_success(lay, put, end_of, says):
    """A container that ends with 0 before the launcher ran did not do the job."""
    by = lay(entrypoint="/usr/bin/python3", image_python="--version")
    handle = put(by)

    assert Exit(code=125) == end_of(by, handle).exit
    assert b"before the job began: Python 3" in says(by, handle)
    by.remove(handle)


def test_a_job_whose_folder_its_user_cannot_read_says_so(lay, put, end_of, says):
    """What a container said on its own output explains what no launcher could."""
    by = lay(run_as="12345:12345")
    handle = put(by)
    status = end_of(by, handle)

    assert status.exit is not None
    assert 0 != status.exit.code
    assert b"Permission denied" in says(by, handle)
    by.remove(handle)


def test_a_job_out_of_memory_says_so(lay, begin, end_of):
    """A process of its own over the limit is killed with 137."""
    handle = begin(EAT, by=lay(memory="64m"))

    assert Exit(code=137, oom=True) == end_of(lay(), handle).exit


def test_a_child_out_of_memory_says_so_with_its_parent_s_code(lay, begin, end_of):
    """The parent lived on; the code is its own, and the reason is known all the same."""
    handle = begin(CHILD_EATS, by=lay(memory="64m"))

    assert Exit(code=3, oom=True) == end_of(lay(), handle).exit


def test_a_launcher_out_of_memory_leaves_the_engine_s_word(lay, begin, end_of, says):
    """The first process of a container is killed: no exit of ours, but the engine knows why."""
    handle = begin(OFFER_THE_LAUNCHER, by=lay(memory="64m"))
    status = end_of(lay(), handle)

    assert Exit(code=137, oom=True) == status.exit
    assert b"hungry" in says(lay(), handle)
    assert {handle.key: status.exit} == {key: one.exit for key, one in lay().below.left([handle]).items()}


def test_a_container_killed_by_another_hand_is_lost(session, dockerd, begin, says, end_of):
    """The model did not fail; the runs get another attempt."""
    handle = begin(WAIT)
    says(session, handle, b"on")
    dockerd.docker("kill", name_of(handle))
    status = end_of(session, handle)

    assert JobState.LOST == status.state
    assert "137" in status.reason


def test_a_container_stopped_by_another_hand_is_lost_not_cancelled(session, dockerd, begin, says, end_of):
    """Nobody of ours asked for it, whatever the launcher was told by a signal."""
    handle = begin(WAIT)
    says(session, handle, b"on")
    dockerd.docker("stop", name_of(handle))

    assert JobState.LOST == end_of(session, handle).state


def test_a_job_that_ends_between_two_looks_has_its_exit(session, begin, says, monkeypatch):
    """Files say that it runs, then it ends, then the engine says that it is gone: its exit is looked for again."""
    handle = begin(
        "import os, time; print('on', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.05)\n"
        "raise SystemExit(6)"
    )
    says(session, handle, b"on")
    look = session._look

    def late(handles):
        Path(handle.folder, "go").touch()
        while any(each.lives for each in look(handles)[0].values()):
            pass
        return look(handles)

    monkeypatch.setattr(session, "_look", late)

    assert Exit(code=6) == session.poll([handle])[handle.key].exit


def test_a_container_that_vanished_is_lost(session, dockerd, begin, says, end_of):
    """Somebody pruned it; the folder alone proves nothing."""
    handle = begin(WAIT)
    says(session, handle, b"on")
    dockerd.docker("rm", "--force", name_of(handle))

    assert JobState.LOST == end_of(session, handle).state


def test_a_container_that_hears_nobody_is_killed_and_is_cancelled(session, dockerd, begin, says, monkeypatch):
    """137 after our own word is what we asked for, not a failure."""
    monkeypatch.setattr("cosmos_core_docker.session.PATIENCE", 1.0)
    handle = begin(DEAF)
    says(session, handle, b"deaf")
    dockerd.docker("pause", name_of(handle))
    session.stop(handle, grace=0.5)

    assert Exit(code=137, stopped="cancelled") == session.poll([handle])[handle.key].exit


def test_a_name_that_another_s_container_has_is_not_taken_for_ours(session, dockerd, image):
    """Same name, other key: an error that names it, and nothing of theirs is touched."""
    dockerd.docker("create", "--name", "cosmos-taken-a1-f1", image, "python3")
    job = Job(argv=("true",))
    handle = session.put(job, "taken/1/1")
    with pytest.raises(HostError, match="cosmos-taken-a1-f1"):
        session.start(handle, job)
    with pytest.raises(HostError, match="cosmos-taken-a1-f1"):
        session.remove(handle)

    assert b"cosmos-taken-a1-f1" in dockerd.docker("ps", "--all")
    dockerd.docker("rm", "cosmos-taken-a1-f1")
    session.remove(handle)


def test_a_job_without_an_image_is_refused_before_anything_is_put(lay):
    """Neither its backend nor its host names one."""
    by = lay(image="")
    with pytest.raises(InputError, match="image"):
        by.put(Job(argv=("true",)), "noimage/1/1")

    assert by.find("noimage/1/1") is None


def test_removing_a_job_removes_its_container_and_no_other(session, dockerd, image, begin, end_of):
    """Other people's containers of the same image live on."""
    theirs = dockerd.docker("run", "--detach", image, "python3", "-c", WAIT).decode().strip()
    handle = begin("print('done')")
    end_of(session, handle)
    session.remove(handle)

    assert {} == session.engine.named([name_of(handle)])
    assert b"true" == dockerd.docker("inspect", "--format", "{{.State.Running}}", theirs).strip()
    dockerd.docker("rm", "--force", theirs)


def test_a_container_whose_folder_is_gone_is_swept(session, begin, says):
    """By its label, and only when nobody knows its key."""
    handle = begin(WAIT)
    says(session, handle, b"on")
    session.below.remove(handle)
    assert () == session.sweep({handle.key}, age=0.0)
    assert () == session.sweep(())

    assert (handle.key,) == session.sweep((), age=0.0)
    assert {} == session.engine.named([name_of(handle)])


def test_another_workspace_s_containers_are_not_swept(lay, begin, says, dockerd, tmp_path):
    """One engine serves several workspaces."""
    from cosmos_core_docker.options import DockerOptions
    from cosmos_core_docker.session import DockerSession

    from cosmos_core.builtin.local.session import LocalSession
    from cosmos_core.extend import Host

    handle = begin(WAIT)
    says(lay(), handle, b"on")
    below = LocalSession.open(Host(name="there", root=str(tmp_path / "other")), tmp_path / "theirs")
    options = DockerOptions(docker_host=dockerd.address)
    other = DockerSession.lay(below, Host(name="there", options=options), tmp_path / "theirs")

    assert () == other.sweep((), age=0.0)
    assert JobState.ACTIVE == lay().poll([handle])[handle.key].state


def test_no_engine_is_an_error_of_the_host_and_an_absent_job_needs_none(lay, put):
    """Losing sight of a job is not its failure."""
    away = lay(docker_host="unix:///nonexistent/sock")
    absent = Handle(host="", key="absent/1/1", folder="")
    assert JobState.ABSENT == away.poll([absent])[absent.key].state
    with pytest.raises(HostError, match="no Docker engine"):
        put(away)


def test_a_host_without_docker_says_so(lay, put):
    """The program itself is missing."""
    with pytest.raises(HostError, match="there is no no-such-docker"):
        put(lay(docker=("no-such-docker",)))


@pytest.fixture
def cramped(dockerd):
    """Where the engine keeps its containers there is no room, until the file that is given is removed."""
    folder = dockerd.folder / "data/containers"
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if subprocess.call(words, stderr=subprocess.DEVNULL):
        pytest.skip("a small file system cannot be mounted here")
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while out.write(b"\0" * 4096):
            pass
    yield filler
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_an_engine_without_room_is_a_full_host_and_no_end_of_the_job(cramped, session, end_of):
    """The core knows it for a full disk, the job waits where it was put, and starts once there is room."""
    job = Job(argv=("python3", "-c", "print('here')"))
    handle = session.put(job, "cramped/1/1")
    with pytest.raises(HostError, match="Docker has no room on here") as caught:
        session.start(handle, job)
    assert is_full(caught.value)
    assert JobState.PUT == session.poll([handle])[handle.key].state
    cramped.unlink()
    session.start(handle, job)

    assert Exit(code=0) == end_of(session, handle).exit
    session.remove(handle)
    assert session.find(handle.key) is None


def test_many_that_start_one_job_at_once_start_it_once(lay, says, end_of):
    """A name is taken a moment before its container is listed; nobody takes that for a refusal."""
    job = Job(argv=("python3", "-c", "open('ran.txt', 'a').write('ran ')"))
    for turn in range(4):
        handle = lay().put(job, f"race{turn}/1/1")
        with ThreadPoolExecutor(6) as pool:
            assert [None] * 6 == list(
                pool.map(lambda by, handle=handle: by.start(handle, job), [lay() for _ in range(6)])
            )

        assert Exit(code=0) == end_of(lay(), handle).exit
        assert b"ran " == lay().read(handle, "ran.txt", 0)[0]
        lay().remove(handle)
