"""The code in the documentation is run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _unpack(page, folder):
    """Write every block that a page gives a file name, and give the names."""
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text("utf-8"))
    for name, text in blocks:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return [name for name, _ in blocks]


@pytest.mark.parametrize(
    ("page", "package"),
    [("tutorial/first-plugin.md", "cosmos_core_stripes"), ("how-to/write-a-check.md", "cosmos_core_grain")],
)
def test_the_plugin_of_a_page_passes_its_own_tests(tmp_path, page, package):
    """A reader who types the page gets a plugin that the contracts accept."""
    names = _unpack(page, tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--rootdir",
        str(tmp_path),
        "tests",
    ]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert f"{package}/__init__.py" in names
    assert 0 == done.returncode, done.stdout + done.stderr
