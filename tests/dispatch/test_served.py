"""Servers: jobs that are no runs, found again by whoever comes next, and spared by every sweep."""

from __future__ import annotations

import os
import sys
import time
from http.client import HTTPConnection

import pytest

from cosmos_core import launcher, served
from cosmos_core.errors import InputError, UnknownError
from cosmos_core.extend import Job, JobState
from cosmos_core.testing.session import SERVE
from cosmos_core.work import sweep

JOB = Job(argv=(sys.executable, "-c", SERVE), serves=True)


def port_of(server, wait_for):
    said = []
    wait_for(lambda: said.append(server.said()) or "\n" in "".join(said))
    return int("".join(said).split()[1])


def echo(port):
    line = HTTPConnection("127.0.0.1", port, timeout=20)
    line.request("POST", "/", b"abc")
    return line.getresponse().read()


def test_a_server_serves_as_long_as_it_is_wanted(cosmos, wait_for):
    """
    Nothing runs before it is begun, and nothing is left when its context ends.
    """
    with cosmos.serve("local", JOB, "echo") as server:
        assert JobState.ABSENT is server.status().state
        server.begin()
        here = server.tunnel(port_of(server, wait_for))
        assert b"cba" == echo(here)
        assert JobState.ACTIVE is server.status().state
        assert 1 == len(served.keys(cosmos.workspace))

    assert frozenset() == served.keys(cosmos.workspace)
    with pytest.raises(OSError, match="refused"):
        echo(here)


def test_a_server_that_was_left_is_found_and_no_sweep_ends_it(cosmos, wait_for):
    """
    Its process died with it running: the key that was written down first leads to it.
    """
    left = cosmos.serve("local", JOB, "echo").__enter__()
    left.begin()
    port = port_of(left, wait_for)
    (host,) = cosmos.settings.each_host()
    (job,) = cosmos.workspace.state.rglob(f"serve-*/{launcher.JOB}")
    os.utime(job, (time.time() - 3600,) * 2)
    sweep(cosmos.site, host)

    with cosmos.serve("local", JOB, "other") as other:
        assert not other.adopted
    with cosmos.serve("local", JOB, "echo") as server:
        assert server.adopted
        server.begin()
        assert b"cba" == echo(server.tunnel(port))
    with pytest.raises(OSError, match="refused"):
        echo(port)


def test_a_server_that_ended_is_begun_anew(cosmos, wait_for):
    """
    What an ended one left is removed; its note is no reason to wait for it.
    """
    dead = cosmos.serve("local", Job(argv=("false",), serves=True), "echo").__enter__()
    dead.begin()
    wait_for(lambda: dead.status().state is JobState.EXITED)
    with cosmos.serve("local", JOB, "echo") as server:
        assert not server.adopted
        server.begin()
        assert b"cba" == echo(server.tunnel(port_of(server, wait_for)))


def test_only_hosts_that_can_be_tunnelled_to_serve(cosmos, monkeypatch):
    """
    The error says which can.
    """

    class Plain:
        def close(self):
            pass

    with pytest.raises(UnknownError, match="no host 'far'"):
        cosmos.serve("far", JOB, "echo")
    monkeypatch.setattr(served, "session_to", lambda *_: Plain())
    with pytest.raises(InputError, match="cannot be tunnelled to"), cosmos.serve("local", JOB, "echo"):
        pass
