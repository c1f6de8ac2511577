"""What ``cosmos hosts check`` finds of a host with containers, each with what to do."""

from __future__ import annotations

import attrs
import pytest
from cosmos_core_docker import cosmos_transports
from cosmos_core_docker.session import DockerSession

from cosmos_core.errors import Level, PluginError
from cosmos_core.extend import Host


@pytest.fixture
def look(lay):
    """``look(gpus=8, image="x:1")``: findings by level, as sentences with their hints."""
    (transport,) = cosmos_transports()

    def looked(gpus=0, **options):
        session = lay(**options)
        host = Host(name="gpu1", gpus=gpus, options=session._options)
        found = list(transport.check(session, host))
        return {
            level: [f"{each.message} -> {each.hint}" for each in found if each.level is level]
            for level in Level
        }

    return looked


def test_a_host_in_order_is_said_to_be(look, image):
    """The engine's version, and the image with its Python."""
    found = look()

    assert [] == found[Level.FAIL]
    assert any(f"the image {image} is there, with Python 3." in each for each in found[Level.OK])
    assert any("live-restore" in each for each in found[Level.WARN])


def test_what_is_missing_is_named_with_a_way_out(look, dockerd):
    """All of it at once: image, Python, folder, variable, toolkit."""
    dockerd.docker("import", "-", "bare:1", stdin=b"\0" * 10240)
    found = look(
        gpus=2,
        image="absent:1",
        images={"model:1": "bare:1"},
        mounts=("/nonexistent:/x",),
        env=("NOT_SET_ANYWHERE",),
        env_file="/nonexistent.env",
    )
    failed = "\n".join(found[Level.FAIL])

    assert "the image absent:1 is not there -> on the host: docker pull absent:1" in failed
    assert "the image bare:1 has no python3 of 3.8 or newer" in failed
    assert "there is no /nonexistent to mount" in failed
    assert "there is no /nonexistent.env to mount" in failed
    assert "2 GPUs, and no NVIDIA container toolkit" in failed
    assert any("NOT_SET_ANYWHERE" in each for each in found[Level.WARN])


def test_a_runtime_that_the_engine_has_not_is_named(look):
    """With those that it has."""
    assert any("no runtime 'nvidia': it has " in each for each in look(gpus=1, runtime="nvidia")[Level.FAIL])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"docker_host": "unix:///nonexistent/sock"}, "systemctl start docker"),
        ({"docker": ("no-such-docker",)}, "install Docker Engine"),
        (
            {"docker": ("sh", "-c", "echo permission denied while trying to connect >&2; exit 1")},
            "group docker",
        ),
    ],
)
def test_an_engine_that_does_not_answer_is_one_finding(look, options, said):
    """Whatever is the matter with it; the line works."""
    found = look(**options)

    assert [] == found[Level.OK]
    assert 1 == len(found[Level.FAIL])
    assert said in found[Level.FAIL][0]


def test_an_old_engine_is_refused(lay):
    """Its command line lacks words that we say."""
    from cosmos_core_docker.doctor import _engine

    (found,) = _engine({"ServerVersion": "19.03.15"})
    (ok, *_) = _engine({"ServerVersion": "29.0.1-rc.1+azure", "LiveRestoreEnabled": True})

    assert Level.FAIL == found.level
    assert Level.OK == ok.level


def test_a_mapped_engine_is_warned_of():
    """Root inside is nobody outside there."""
    from cosmos_core_docker.doctor import _engine

    found = list(_engine({"ServerVersion": "27.1", "SecurityOptions": ["name=seccomp", "name=userns"]}))

    assert any("--userns" in each.hint for each in found if each.level is Level.WARN)


def test_another_transport_s_session_is_refused():
    """A fault of whoever calls, said at once."""
    (transport,) = cosmos_transports()
    with pytest.raises(PluginError):
        list(transport.check(attrs.make_class("Line", [])(), Host(name="x")))


def test_a_host_with_an_address_is_reached_over_a_line():
    """And one without is this machine."""
    (transport,) = cosmos_transports()

    assert "sftp" == transport.over(Host(name="x", address="user@x"))
    assert "local" == transport.over(Host(name="x"))
    assert transport.lay is not None
    assert DockerSession.__name__
