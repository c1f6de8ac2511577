"""Whoever reaches a host need not be root, and a container mostly is: its files come home, and go, all the same."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from cosmos_core.extend import Exit, Job, JobState
from cosmos_core.testing.sshd import Sshd, missing

SECRETIVE = """
import os
os.umask(0o077)
os.makedirs("outputs/deep")
with open("outputs/deep/video.mp4", "w") as out: out.write("frames")
os.symlink("/etc", "outputs/link")
os.chmod("outputs/deep", 0o500)
"""
STAY = "import time; print('on', flush=True); time.sleep(60)"


def _able():
    """A user that is not root and may log in: with a shell, and not locked."""
    shadow = (line.split(":") for line in Path("/etc/shadow").read_text().splitlines())
    locked = {name for name, password, *_ in shadow if password.startswith("!")}
    found = [one for one in pwd.getpwall() if one.pw_uid and one.pw_shell in {"/bin/sh", "/bin/bash"}]
    return next((one for one in found if one.pw_name not in locked), None)


@pytest.fixture(scope="module")
def account(dockerd):
    """Such a user; in CI one is made if there is none."""
    if (found := _able()) is not None:
        yield found
        return
    if not os.environ.get("CI"):
        pytest.skip("there is no account but root that may log in here, and none is made outside of CI")
    name = f"cosmos-{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/sh", "--password", "*", name], check=True)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "--force", name], capture_output=True, check=True)


@pytest.fixture
def other(dockerd, far, account):
    """A session whose line logs in as another user, who may use the engine."""
    if why := missing():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="cosmos-other-"))
    folder.chmod(0o755)
    server = Sshd(folder)
    server.config.write_text(
        server.config.read_text().replace(f"User {server.user}", f"User {account.pw_name}")
    )
    for path in (folder / "root", folder / "home"):
        path.mkdir(exist_ok=True)
        os.chown(path, account.pw_uid, account.pw_gid)
    dockerd.folder.chmod(0o755)
    (dockerd.folder / "sock").chmod(0o666)
    server.start()
    try:
        yield far(server, folder / "root")
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_files_of_root_are_fetched_and_removed_by_another_account(other, end_of, tmp_path):
    """Read-only folders and private files of the container's root, and a link that nobody follows."""
    job = Job(argv=("python3", "-c", SECRETIVE), outputs=("outputs",))
    handle = other.put(job, "private/1/1")
    other.start(handle, job)
    assert Exit(code=0) == end_of(other, handle).exit
    written = Path(handle.folder) / "outputs" / "deep" / "video.mp4"
    assert 0 == written.stat().st_uid
    placed = other.get(handle, ["outputs"], tmp_path / "home")
    other.remove(handle)

    assert ["frames"] == [each.path.read_text() for each in placed]
    assert not Path(handle.folder).exists()
    assert 0 == Path("/etc").stat().st_uid


def test_files_of_a_running_job_are_read_and_stay_its_own(other, says, tmp_path):
    """What is whole may come home early; the job is not done with the rest."""
    job = Job(argv=("python3", "-c", SECRETIVE + STAY))
    handle = other.put(job, "early/1/1")
    other.start(handle, job)
    says(other, handle, b"on")
    placed = other.get(handle, ["outputs"], tmp_path / "home")

    assert ["frames"] == [each.path.read_text() for each in placed]
    assert 0 == (Path(handle.folder) / "outputs" / "deep").stat().st_uid
    assert JobState.ACTIVE == other.poll([handle])[handle.key].state
    other.remove(handle)
    assert other.find("early/1/1") is None


def test_what_docker_refuses_is_written_down_by_another_account_too(other, far, says, end_of):
    """The folder is its own, whoever the containers run as."""
    job = Job(argv=("true",), image="absent:1")
    handle = other.put(job, "refused/1/1")
    other.start(handle, job)

    assert Exit(code=125) == end_of(other, handle).exit
    assert b"No such image" in says(other, handle)
    other.remove(handle)
