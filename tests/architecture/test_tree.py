"""What must never be in the repository, and what must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 200_000

# Written so that this file does not hold what it looks for.
FORBIDDEN = {
    "a machine's path": re.compile(r"(?<![\w.])/(work|farm|root|home)/[a-z]"),
    "a registry's address": re.compile(r'index-ur[l]|"resolved": "http[s:]|pypi\.or[g]'),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE KE[Y]"),
    "a conflict": re.compile("^(<{7}|>{7}) ", re.MULTILINE),
}


def _tracked():
    """Every file of the repository that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def _text(path):
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    """Paths of somebody's machine, addresses of registries, keys and conflict marks stay outside."""
    pattern = FORBIDDEN[what]

    assert [] == [path.relative_to(ROOT).as_posix() for path in _tracked() if pattern.search(_text(path))]


def test_no_large_file_and_no_lock_file():
    """Media and recorded download addresses do not belong in the history."""
    wrong = [
        path
        for path in _tracked()
        if path.stat().st_size > LARGEST or path.name in {"uv.lock", "poetry.lock"}
    ]

    assert [] == [path.relative_to(ROOT).as_posix() for path in wrong]


@pytest.mark.parametrize("target", ["demo", "test", "check", "docs", "bench", "format", "clean"])
def test_the_readme_gives_each_target_for_powershell_too(target):
    """Who has no make finds each target's commands in the README."""
    readme = (ROOT / "README.md").read_text("utf-8")
    powershell = readme.partition("PowerShell")[2]

    assert f"`make {target}`" in powershell
