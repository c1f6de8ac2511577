"""Hosts whose containers are real, on an engine of our own."""

from __future__ import annotations

import secrets
import time

import pytest
from cosmos_core_docker.options import DockerOptions
from cosmos_core_docker.session import DockerSession

from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.extend import Host, Job, JobState


@pytest.fixture
def image(dockerd):
    """An image with Python 3 and nothing else."""
    return dockerd.python_image()


@pytest.fixture
def lay(dockerd, image, tmp_path):
    """``lay(memory="64m")``: a session on this machine's containers, as another process would open it."""

    def laid(**options):
        options = DockerOptions(**{"docker_host": dockerd.address, "image": image} | options)
        below = LocalSession.open(Host(name="here", root=str(tmp_path / "host")), tmp_path / "state")
        return DockerSession.lay(below, Host(name="here", options=options), tmp_path / "state")

    return laid


@pytest.fixture
def session(lay):
    """A session on this machine's containers."""
    return lay()


@pytest.fixture
def begin(session):
    """``begin("print(1)")``: put and start a Python program in a container; what is left is removed after the test."""
    begun = []

    def start(program, *arguments, by=None, **fields):
        by = by or session
        job = Job(argv=("python3", "-c", program, *arguments), **fields)
        handle = by.put(job, f"{secrets.token_hex(6)}/1/1")
        begun.append((by, handle))
        by.start(handle, job)
        return handle

    yield start
    for by, handle in begun:
        by.stop(handle, grace=0.0)
        by.remove(handle)


@pytest.fixture
def end_of():
    """``end_of(session, handle)``: the status of a job once it is not active any more."""

    def wait(session, handle, seconds=20.0):
        end = time.monotonic() + seconds
        while (status := session.poll([handle])[handle.key]).state is JobState.ACTIVE:
            assert time.monotonic() < end, f"{handle.key} is still active"
            time.sleep(0.02)
        return status

    return wait


@pytest.fixture
def says():
    """``says(session, handle, b"on")``: wait until a job has said it, and give its whole log."""

    def wait(session, handle, words=b"", seconds=20.0):
        end = time.monotonic() + seconds
        while words not in (said := session.read(handle, "log.txt", 0)[0]):
            assert time.monotonic() < end, f"{handle.key} did not say {words!r}"
            time.sleep(0.02)
        return said

    return wait
