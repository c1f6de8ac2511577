"""What ``cosmos hosts check`` is told of a host that was reached."""

from __future__ import annotations

import os
import stat

import cosmos_core_sftp
import pytest
from cosmos_core_sftp import check as checks

from cosmos_core.errors import Level

SMI = """#!/bin/sh
echo '0, NVIDIA H200 NVL, 142000, 143771, 570.86'
echo '1, NVIDIA H200 NVL, 20000, 143771, 570.86'
"""


@pytest.fixture
def findings(session, host):
    """``findings(gpus=2)``: levels and words by check, through the hook."""
    import attrs

    (transport,) = cosmos_core_sftp.cosmos_transports()

    def ask(**fields):
        found = list(transport.check(session, attrs.evolve(host, **fields)))
        return {each.check: each for each in found} | {"all": found}

    return ask


@pytest.fixture
def smi(sshd, session):
    """``smi(script)``: what the host has for an nvidia-smi, on its PATH."""
    folder = sshd.folder / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / "nvidia-smi"
    real = type(session).run

    def install(script):
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        type(session).run = lambda self, argv, **more: real(self, [str(path), *argv[1:]], **more)

    yield install
    type(session).run = real


def test_a_host_that_has_all_is_ok(findings, root):
    """Line, Python, clock, root and disk, each a sentence."""
    found = findings()

    assert {"host.reach", "host.python", "host.clock", "host.root", "host.disk", "host.gpu"} == {
        each.check for each in found["all"]
    }
    assert Level.FAIL not in {each.level for each in found["all"]}
    assert str(root) in found["host.root"].message
    assert "3." in found["host.python"].message


def test_gpus_are_told_with_memory_and_driver(findings, smi):
    """A busy one is a warning; fewer than were promised are a failure with the setting to mend."""
    smi(SMI)
    found = findings(gpus=8)["all"]
    gpus = [each for each in found if each.check == "host.gpu"]

    assert [Level.OK, Level.WARN, Level.FAIL] == [each.level for each in gpus]
    assert "GPU 0 is a NVIDIA H200 NVL with 139 of 140 GiB free, driver 570.86" == gpus[0].message
    assert "set gpus under [hosts.gpu]" in gpus[2].hint


@pytest.mark.parametrize(
    "script", ["#!/bin/sh\necho 'driver/library version mismatch'; exit 18", "#!/bin/sh\necho 'No devices'"]
)
def test_a_driver_that_fails_is_told(findings, smi, script):
    """In its own words."""
    smi(script)
    found = findings(gpus=1)["host.gpu"]

    assert found.level is not Level.OK
    assert found.hint


def test_a_host_without_the_gpus_it_should_have_fails(findings):
    """No nvidia-smi is fine for a host without GPUs only."""
    assert (Level.OK, Level.FAIL) == (findings()["host.gpu"].level, findings(gpus=1)["host.gpu"].level)


@pytest.mark.parametrize(("ahead", "word"), [(90.0, "ahead of"), (-90.0, "behind")])
def test_a_clock_that_is_off_is_a_warning(ahead, word):
    """With the side and the seconds."""
    found = checks._clock(ahead)

    assert Level.WARN == found.level
    assert f"90 s {word}" in found.message


@pytest.mark.parametrize(("free", "level"), [(1e8, Level.FAIL), (2e10, Level.WARN), (1e12, Level.OK)])
def test_a_disk_is_judged_by_what_is_free(free, level):
    """Too little for anything fails, too little for a batch warns."""
    *_, found = checks._root({"root": "/data", "free": free, "denied": ""})

    assert level == found.level


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_cannot_be_written_fails(session, root, findings):
    """With the system's reason."""
    (root / "tmp").chmod(0o500)
    found = findings()["host.root"]
    (root / "tmp").chmod(0o700)

    assert Level.FAIL == found.level
