"""What is sent to other machines must run there. What it does is tested by the contracts of ``local`` and of others."""

from __future__ import annotations

import ast
import sys
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
