"""What shells and systems do to a command: closed and full streams, readers that leave, folders that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="streams of POSIX")

COSMOS = f"{sys.executable} -m cosmos_core.cli"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("list >&-", 0, ""),
        ("list --json >&-", 0, ""),
        ("show r0000000 --json >&-", 3, ""),
        ("plugins --json >/dev/full", 1, "No space left"),
        ("show r0000000 --json >/dev/full", 3, "there is no run"),
        ("plugins --json | head -1", 0, ""),
        ("plugins | head -1", 0, ""),
        ("init /proc/workspace", 2, "cannot be a workspace"),
        ("init /etc/passwd/workspace", 2, "cannot be a workspace"),
    ],
)
def test_a_command_survives_its_streams(cosmos, line, code, said):
    """
    The exit code is that of what happened, the sentence is said where it can be, and there is no report of a bug.
    """
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    done = subprocess.run(["sh", "-c", f"{COSMOS} {line}"], capture_output=True, text=True, check=False)

    assert code == done.returncode, done
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert not cosmos.workspace.crashes.exists()
