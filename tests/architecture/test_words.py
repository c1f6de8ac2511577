"""One word, one meaning: some words mean everything, so no class and no module is called by them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("cosmos_core/**/*.py"), *ROOT.glob("plugins/*/cosmos_core_*/**/*.py")])

NOT_USED = {
    "manager",
    "handler",
    "helper",
    "helpers",
    "utils",
    "util",
    "utilities",
    "service",
    "processor",
    "orchestrator",
    "workflow",
    "smart",
    "simple",
    "data",
    "info",
    "common",
    "base",
    "misc",
}


def _words(name):
    """The words of ``snake_case`` or ``CamelCase``, in small letters."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_or_class_has_a_name_that_says_nothing(path):
    """A name of this project says what a thing is."""
    classes = [
        node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)
    ]
    names = [*path.relative_to(ROOT).with_suffix("").parts, *classes]

    assert [] == [name for name in names if _words(name) & NOT_USED]


def test_the_words_of_a_name_are_found():
    """The rule sees through both ways of joining words."""
    assert {"run", "manager"} == _words("RunManager")
    assert {"file", "utils"} == _words("file_utils")
    assert {"lfs", "data"} == _words("LFSData")
