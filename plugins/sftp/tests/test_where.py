"""OpenSSH's configuration decides where a host is, how it is reached and with which keys."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cosmos_core_sftp import reach, where

from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Job
from cosmos_core.testing.sshd import Sshd, make_key


@pytest.fixture(params=["ssh", "no ssh"])
def with_or_without_ssh(request, monkeypatch):
    """Once with OpenSSH's own word, once by paramiko's parser alone."""
    if request.param == "no ssh":
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    elif shutil.which("ssh") is None:
        pytest.skip("there is no ssh here")
    return request.param


CONFIG = """\
Host far
  HostName far.example
  Port 2222
  User render
  IdentityFile ~/.ssh/render
  IdentitiesOnly yes
  HostKeyAlias farm
Host *.lab !odd.lab
  User labuser
Host behind
  ProxyJump first@one:2201,two
Match host matched
  User matcher
Host *
  UserKnownHostsFile /tmp/one /tmp/two
"""


def test_an_alias_is_looked_up(tmp_path, with_or_without_ssh):
    """Name, port, user, keys and files of known hosts come from the configuration."""
    (tmp_path / "config").write_text(CONFIG)
    found = where.look_up("far", str(tmp_path / "config"))

    assert ("far.example", 2222, "render", "farm") == (found.host, found.port, found.user, found.known_as)
    assert "~" not in str(found.keys[0])
    assert found.keys[0].parts[-2:] == (".ssh", "render")
    assert found.only_keys
    assert ["/tmp/one", "/tmp/two"] == [str(file) for file in found.known[:2]]


def test_what_an_address_says_outweighs_the_configuration(tmp_path, with_or_without_ssh):
    """As on ssh's own command line."""
    (tmp_path / "config").write_text(CONFIG)
    found = where.look_up("me@far:22", str(tmp_path / "config"))

    assert ("far.example", 22, "me") == (found.host, found.port, found.user)


def test_patterns_matches_and_jumps_are_honoured(tmp_path, with_or_without_ssh):
    """Wildcards, exclusions, Match and ProxyJump."""
    (tmp_path / "config").write_text(CONFIG)
    users = [where.look_up(name, str(tmp_path / "config")).user for name in ("a.lab", "matched")]

    assert ["labuser", "matcher"] == users
    assert where.look_up("odd.lab", str(tmp_path / "config")).user != "labuser"
    assert ("first@one:2201", "two") == where.look_up("behind", str(tmp_path / "config")).jump


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh here")
def test_an_include_is_followed(tmp_path):
    """ssh reads it for us."""
    (tmp_path / "more").write_text("Host far\n  HostName included.example\n")
    (tmp_path / "config").write_text(f"Include {tmp_path / 'more'}\n")

    assert "included.example" == where.look_up("far", str(tmp_path / "config")).host


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "-oProxyCommand=id",
        "a b",
        "host:0",
        "host:99999",
        "host:port",
        "u@",
        "host;id",
        "$(id)",
        "u ser@host",
        "a\nb",
    ],
)
def test_what_is_no_address_is_refused(address):
    """No option and no command can hide in one."""
    with pytest.raises(InputError):
        where.look_up(address)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("gpu1", ("", "gpu1", "")),
        ("me@gpu1:2222", ("me", "gpu1", "2222")),
        ("ssh://me@gpu1:2222", ("me", "gpu1", "2222")),
        ("me@[::1]:22", ("me", "::1", "22")),
        ("10.0.0.1", ("", "10.0.0.1", "")),
    ],
)
def test_the_parts_of_an_address(address, parts):
    """User and port may be left out."""
    assert parts == where.split(address)


def test_a_proxy_command_is_refused_in_words(tmp_path):
    """It would be a shell command of ours."""
    (tmp_path / "config").write_text("Host far\n  ProxyCommand nc %h %p\n")
    with pytest.raises(InputError, match="ProxyCommand"):
        where.look_up("far", str(tmp_path / "config"))


def test_a_host_that_nobody_answers_at_is_an_error(tmp_path, make_host, open_session, sshd):
    """With the address that was tried and what to try by hand."""
    config = tmp_path / "config"
    config.write_text(sshd.config.read_text().replace(f"Port {sshd.port}", "Port 1"))
    with pytest.raises(HostError, match=r"127\.0\.0\.1:1: Connection refused") as caught:
        open_session(make_host(config=str(config)))

    assert "ssh -p 1 " in caught.value.hint


@pytest.fixture(scope="module")
def jumped(tmp_path_factory, sshd):
    """A configuration in which ``gpu`` is reached through a second server."""
    server = Sshd(tmp_path_factory.mktemp("jump"))
    server.start()
    config = tmp_path_factory.mktemp("jumped") / "config"
    first = re.sub("^Host gpu", "Host first", server.config.read_text())
    config.write_text(first + sshd.config.read_text() + "  ProxyJump first\n")
    yield config, server
    server.stop()


def test_a_jump_is_taken(jumped, make_host, open_session, with_or_without_ssh, make_input, tmp_path):
    """By ``ssh -W`` where there is an ssh, else through a channel of our own; bytes and digests arrive."""
    config, server = jumped
    session = open_session(make_host(config=str(config)))
    handle = session.put(Job(argv=("true",), inputs=(make_input(size=3_000_000),)), "b/1/1")
    (placed,) = session.get(handle, ["in"], tmp_path / "home")

    assert server.connections() > 0
    assert placed.digest == placed.remote_digest
    session.remove(handle)


def test_a_jump_that_refuses_is_named(jumped, make_host, open_session):
    """What ssh complained about is in the error."""
    config, server = jumped
    server.known_hosts.write_text("")
    try:
        with pytest.raises(HostError, match=r"Host key verification failed|not known"):
            open_session(make_host(config=str(config)))
    finally:
        server.make_known()


@pytest.fixture
def locked(sshd, tmp_path):
    """A key with a passphrase, which the server lets in, and a configuration that names it."""
    make_key(tmp_path / "locked", passphrase="canary-passphrase")
    allowed = sshd.folder / "authorized_keys"
    before = allowed.read_text()
    allowed.write_text(before + (tmp_path / "locked.pub").read_text())
    config = tmp_path / "config"
    config.write_text(sshd.config.read_text().replace(str(sshd.folder / "client"), str(tmp_path / "locked")))
    yield config
    allowed.write_text(before)


def test_a_passphrase_comes_from_the_environment_alone(locked, make_host, open_session, monkeypatch):
    """Without it the error names the variable; with it the key opens; it is written nowhere."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    host = make_host(config=str(locked), passphrase="OUR_PASSPHRASE")
    with pytest.raises(HostError, match="does not let") as caught:
        open_session(host)
    assert "$OUR_PASSPHRASE" in caught.value.hint
    monkeypatch.setenv("OUR_PASSPHRASE", "wrong")
    with pytest.raises(HostError, match="does not let"):
        open_session(host)
    monkeypatch.setenv("OUR_PASSPHRASE", "canary-passphrase")

    assert open_session(host).find("b/1/1") is None


@pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="there is no ssh-agent here")
def test_an_agent_opens_what_has_a_passphrase(locked, make_host, open_session, monkeypatch, tmp_path):
    """The agent's key is taken before files are opened."""
    (tmp_path / "ask").write_text("#!/bin/sh\necho canary-passphrase\n")
    (tmp_path / "ask").chmod(0o700)
    sock = str(tmp_path / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL) as agent:
        try:
            while not Path(sock).exists():
                assert agent.poll() is None
            words = {
                "SSH_AUTH_SOCK": sock,
                "SSH_ASKPASS": str(tmp_path / "ask"),
                "SSH_ASKPASS_REQUIRE": "force",
            }
            subprocess.run(
                ["ssh-add", str(tmp_path / "locked")],
                env=os.environ | words | {"DISPLAY": "x"},
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
            monkeypatch.setenv("SSH_AUTH_SOCK", sock)

            assert open_session(make_host(config=str(locked))).find("b/1/1") is None
        finally:
            agent.kill()


def test_quick_ciphers_come_first_and_small_words_do_not_wait(session):
    """What was measured to matter is set on the socket."""
    import socket

    with session.lines(1) as (line,):
        transport = line._connection.transport
        assert transport.remote_cipher == transport.local_cipher == reach.CIPHERS[0]
        assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert reach.DEAD_AFTER == transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
