"""The tools are set as strict as they go, and every exception says why."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "pyproject.toml").read_text("utf-8")
TOOLS = tomllib.loads(TEXT)["tool"]


def test_the_tools_are_strict():
    """Ruff starts from all rules, mypy from strict, pytest from every warning being an error."""
    assert ["ALL"] == TOOLS["ruff"]["lint"]["select"]
    assert TOOLS["mypy"]["strict"] is True
    assert ["error"] == TOOLS["pytest"]["ini_options"]["filterwarnings"]


def test_every_rule_that_is_off_has_a_reason():
    """A line of ruff's ignore list without a comment is a rule that somebody was tired of."""
    block = TEXT[TEXT.index("\nignore = [") :].partition("\n]")[0]
    lines = [line for line in block.splitlines() if line.strip().startswith('"')]

    assert len(TOOLS["ruff"]["lint"]["ignore"]) == len(lines)
    assert [] == [line for line in lines if not re.search(r'",\s+# \S', line)]


def test_dependencies_carry_a_lower_bound():
    """A dependency without one installs, on somebody's machine, a version nobody tried."""
    wanted = [
        line
        for path in [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
        for line in _needs(path)
    ]

    assert [] == [line for line in wanted if not re.search(r"[>=]=", line)]


def _needs(path):
    project = tomllib.loads(path.read_text("utf-8"))["project"]
    return [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]


def test_every_target_is_listed_by_make_help():
    """Whoever types ``make`` sees all there is."""
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)[1].split()) - {"help"}

    assert targets == set(re.findall(r'@echo "make (\w+) ', text))


def test_every_benchmark_is_run_by_make_bench_and_explained():
    """A benchmark that nobody runs measures nothing."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    table = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    programs = {path.name for path in (ROOT / "benchmarks").glob("[!_]*.py")}

    assert programs == set(re.findall(r"benchmarks/(\w+\.py)", makefile))
    assert programs == set(re.findall(r"^\| `(\w+\.py)`", table, re.MULTILINE))
