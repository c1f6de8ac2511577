"""What is sent to other machines must run there. What it does is tested by the contracts of ``local`` and of others."""

from __future__ import annotations

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosmos_core import jobs, launcher

NEWER = {
    "removeprefix",
    "removesuffix",
    "file_digest",
    "is_relative_to",
    "with_stem",
    "hardlink_to",
    "readlink",
    "walk",
    "batched",
    "pairwise",
    "bit_count",
}
"""Names that Python learned after 3.8, of the modules used here; ``os.walk`` is old, ``Path.walk`` is not."""


@pytest.mark.parametrize("module", [jobs, launcher])
def test_it_needs_the_standard_library_the_launcher_and_python_3_8_only(module):
    """A host need have nothing of ours installed, and may have an old Python."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"), feature_version=(3, 8))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) != "os.walk"
    }

    assert {"cosmos_core"} >= {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert set() == used & NEWER


def test_whose_jobs_ours_are_is_drawn_once(tmp_path):
    """Every process of a workspace says the same, also after the workspace was moved."""
    state = tmp_path / "state"
    with ThreadPoolExecutor(8) as pool:
        first = set(pool.map(lambda _: jobs.owner(state), range(16)))
    moved = state.rename(tmp_path / "moved")

    assert 1 == len({*first, jobs.owner(moved)})
    assert 1 == len(list(moved.iterdir()))


@pytest.mark.parametrize("by", [["cp", "-r"], ["cp", "-a"]])
def test_a_copied_workspace_is_somebody_else(tmp_path, by):
    """The copy draws a word of its own and keeps it; the first is who it was."""
    state, copy = tmp_path / "state", tmp_path / "copy"
    before = jobs.owner(state)
    subprocess.run([*by, str(state), str(copy)], check=True)
    renewed = jobs.owner(copy)

    assert before != renewed
    assert (renewed, before) == (jobs.owner(copy), jobs.owner(state))
    assert 1 == len(list(copy.iterdir()))


def test_a_file_system_without_steady_numbers_holds_nobody_up(tmp_path, monkeypatch):
    """Where a folder is another one each time, so is everybody: too little is swept then, and nothing is littered."""
    numbers = iter(range(1000))
    monkeypatch.setattr(jobs, "_identity", lambda _: str(next(numbers)))

    assert jobs.owner(tmp_path) != jobs.owner(tmp_path)
    assert 1 == len(list(tmp_path.iterdir()))
