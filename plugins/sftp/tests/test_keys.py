"""Host keys: what is known connects, what is not is refused with a way out, what has changed is refused for good."""

from __future__ import annotations

import subprocess
import sys

import cosmos_core_sftp
import pytest
from cosmos_core_sftp import known

from cosmos_core.errors import HostError, Level
from cosmos_core.testing.sshd import Sshd, missing

if why := missing():
    pytest.skip(why, allow_module_level=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose files of known hosts the tests may spoil."""
    made = Sshd(tmp_path_factory.mktemp("keys"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def host(server, make_host):
    """The server, known to nobody yet."""
    server.known_hosts.write_text("")
    return make_host(server)


@pytest.fixture
def trust(tmp_path):
    """``trust(host, fingerprint)``: the findings of the transport's own verb."""
    (transport,) = cosmos_core_sftp.cosmos_transports()
    return lambda host, fingerprint="": list(transport.trust(host, tmp_path / "state", fingerprint))


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def test_a_known_key_connects(server, host, open_session):
    """The user's own file is believed."""
    server.make_known()

    assert open_session(host).find("b/1/1") is None


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_command(server, host, open_session):
    """Nobody is let through by default, and the way on is one line to copy."""
    with pytest.raises(HostError, match="is not known") as caught:
        open_session(host)

    assert server.fingerprint in str(caught.value)
    assert f"cosmos hosts trust gpu --fingerprint {server.fingerprint}" in caught.value.hint


def test_trust_shows_a_fingerprint_and_accepts_only_that_one(server, host, trust, open_session, tmp_path):
    """Without a fingerprint and with a wrong one nothing is accepted; with the right one it is, in our own file."""
    (shown,) = trust(host)
    (wrong,) = trust(host, "SHA256:" + "A" * 43)
    assert (Level.WARN, Level.FAIL) == (shown.level, wrong.level)
    assert server.fingerprint in shown.message
    assert f"--fingerprint {server.fingerprint}" in shown.hint
    assert not (tmp_path / "state" / known.FILE).exists()

    (accepted,) = trust(host, server.fingerprint)
    (again,) = trust(host, server.fingerprint)

    assert (Level.OK, Level.OK) == (accepted.level, again.level)
    assert 1 == len((tmp_path / "state" / known.FILE).read_text().splitlines())
    assert "" == server.known_hosts.read_text()
    assert open_session(host).find("b/1/1") is None


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_changed_key_is_refused_and_never_replaced(server, host, trust, open_session, tmp_path, kind):
    """Of the same kind or another: connecting and trusting both say which line of which file is in the way."""
    keygen("-t", kind, "-N", "", "-f", str(tmp_path / "other"))
    other = (tmp_path / "other.pub").read_text().split()
    server.known_hosts.write_text(f"# a comment\n{server.name} {other[0]} {other[1]}\n")
    with pytest.raises(HostError, match="has changed") as caught:
        open_session(host)
    (refused,) = trust(host, server.fingerprint)

    assert f"{server.known_hosts}:2" in str(caught.value)
    assert f"remove line 2 of {server.known_hosts}" in caught.value.hint
    assert (Level.FAIL, caught.value.hint) == (refused.level, refused.hint)
    assert not (tmp_path / "state" / known.FILE).exists()


def test_a_host_that_comes_back_with_another_key_is_refused(server, host, open_session):
    """A session that reconnects looks at the key again."""
    server.make_known()
    session = open_session(host)
    session.find("b/1/1")
    try:
        server.new_key()
        server.restart()
        answers = []
        for _ in range(2):
            with pytest.raises(HostError) as caught:
                session.find("b/1/1")
            answers.append(str(caught.value))
        assert "has changed" in answers[-1]
    finally:
        server.make_known()

    assert session.find("b/1/1") is None


def test_a_hashed_entry_is_known(server, host, open_session):
    """What ``HashKnownHosts`` writes is understood."""
    server.make_known()
    keygen("-H", "-f", str(server.known_hosts))

    assert "127.0.0.1" not in server.known_hosts.read_text()
    assert open_session(host).find("b/1/1") is None


def test_a_revoked_key_is_refused_even_if_it_is_also_known(server, host, trust, open_session):
    """A line of revocation outweighs all others."""
    server.make_known()
    line = server.known_hosts.read_text()
    server.known_hosts.write_text(line + f"@revoked * {' '.join(server.public_key)}\n")
    with pytest.raises(HostError, match="was revoked"):
        open_session(host)

    assert [Level.FAIL] == [finding.level for finding in trust(host, server.fingerprint)]


def test_odd_lines_hide_no_others(server, host, open_session, tmp_path):
    """Revocations of other keys, authorities, comments and rubbish are passed over."""
    keygen("-t", "ed25519", "-N", "", "-f", str(tmp_path / "other"))
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    server.make_known()
    odd = f"@revoked * {other}\n@cert-authority *.example {other}\n# no\nx\n* ssh-ed25519 !!!\n@odd * {other}\n\n"
    server.known_hosts.write_text(odd + server.known_hosts.read_text())

    assert open_session(host).find("b/1/1") is None


@pytest.mark.parametrize(
    ("patterns", "name", "fits"),
    [
        ("gpu", "gpu", True),
        ("GPU", "gpu", True),
        ("[gpu]:22", "gpu", False),
        ("[gpu]:2222", "[gpu]:2222", True),
        ("[g*]:2222", "[gpu]:2222", True),
        ("*.lab,!evil.lab", "good.lab", True),
        ("*.lab,!evil.lab", "evil.lab", False),
        ("g?u", "gpu", True),
        ("gpu2", "gpu", False),
        ("|1|not base64|x", "gpu", False),
    ],
)
def test_patterns_of_hosts(patterns, name, fits):
    """Commas, wildcards and exclusions mean what ``sshd(8)`` says."""
    assert fits is known.matches(patterns, name)


def test_a_fingerprint_is_the_one_openssh_shows(server):
    """Both sides of the comparison look alike."""
    import base64

    assert server.fingerprint == known.fingerprint(base64.b64decode(server.public_key[1]))


def test_the_plugin_imports_no_paramiko_before_it_is_used():
    """Listing plugins costs nothing."""
    program = "import sys, cosmos_core_sftp; list(cosmos_core_sftp.cosmos_transports()); print('paramiko' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()
