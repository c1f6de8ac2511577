"""Imports point one way; the table below is the architecture."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "cosmos_core"

ORDER = (
    {"errors", "launcher"},
    {"jobs"},
    {"canonical"},
    {"media", "controls"},
    {"spec", "clip", "hosts", "run", "submission"},
    {"gpus"},
    {"extend", "settings", "workspace", "options"},
    {"roster"},
    {"hookspecs"},
    {"plugins", "store"},
    {"plan", "checks", "builtin", "accept"},
    {"record", "reach", "foresee", "retry", "traffic"},
    {"lineage"},
    {"examine"},
    {"feed"},
    {"audit", "dispatch", "verify", "dataset"},
    {"served"},
    {"work", "campaign"},
    {"enhance"},
    {"api"},
    {"doctor"},
    {"cli", "testing"},
)
"""Units of cosmos_core, lowest first. A unit may import its own row and those above it in this table."""

RANK = {unit: rank for rank, row in enumerate(ORDER) for unit in row}

OPEN_TO_PLUGINS = {"", "extend", "errors", "spec", "clip", "media", "controls", "jobs", "launcher", "testing"}
"""What a plugin may import of the core; the empty name is the package itself, for ``hookimpl``."""

STORE_ONLY = {"sqlalchemy", "alembic", "psycopg"}


def _name(path, base):
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _sources(base, pattern):
    return {_name(path, base): path for path in sorted(base.glob(pattern))}


MODULES = _sources(ROOT, "cosmos_core/**/*.py")
PLUGIN_MODULES = {
    name: path
    for plugin in sorted((ROOT / "plugins").iterdir())
    for name, path in _sources(plugin, "cosmos_core_*/**/*.py").items()
}


def _imported(node):
    """The modules that one import statement names, ``from package import module`` resolved against our own tree."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert 0 == node.level, f"line {node.lineno}: relative imports hide who is imported"
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES or name in PLUGIN_MODULES else node.module for name in full]
    return []


def _all_imports(path):
    tree = ast.parse(path.read_text("utf-8"))
    return [(name, node.lineno) for node in ast.walk(tree) for name in _imported(node)]


def _is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _imports_at_start(body):
    """Imports that run when the module is imported: not inside functions, not for the type checker alone."""
    for node in body:
        yield from _imported(node)
        if isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef) and not _is_type_checking(node):
            yield from _imports_at_start(ast.iter_child_nodes(node))


def _unit(module):
    return module.split(".")[1] if "." in module else ""


def test_every_unit_of_the_core_has_its_place_in_the_order():
    """A new module is placed in the table before anything imports it, and the table names nothing twice."""
    units = {_unit(name) for name in MODULES} - {""}

    assert set() == units - RANK.keys()
    assert len(RANK) == sum(len(row) for row in ORDER)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "cosmos_core"])
def test_a_module_imports_only_its_own_row_and_lower_ones(module):
    """Neither a lazy import nor one for the type checker points upwards."""
    upward = [
        f"line {line}: {name}"
        for name, line in _all_imports(MODULES[module])
        if name.startswith("cosmos_core.") and RANK.get(_unit(name), 0) > RANK.get(_unit(module), 0)
    ]

    assert [] == upward


@pytest.mark.parametrize("module", PLUGIN_MODULES)
def test_a_plugin_imports_only_what_the_core_opens_to_plugins(module):
    """A plugin knows the public surface, its own package and nobody else's."""
    own = module.split(".")[0]
    closed = [
        f"line {line}: {name}"
        for name, line in _all_imports(PLUGIN_MODULES[module])
        if name.split(".")[0].startswith("cosmos_core")
        and name.split(".")[0] != own
        and not (name.split(".")[0] == "cosmos_core" and _unit(name) in OPEN_TO_PLUGINS)
    ]

    assert [] == closed


@pytest.mark.parametrize("module", [name for name in MODULES if _unit(name) != "store"])
def test_only_the_store_knows_the_database(module):
    """Nothing but ``cosmos_core.store`` imports SQLAlchemy, Alembic or a driver."""
    assert [] == [name for name, _ in _all_imports(MODULES[module]) if name.split(".")[0] in STORE_ONLY]


def test_no_import_of_the_core_goes_round_in_a_circle():
    """The modules can be put in an order in which each one finds all it imports ready."""
    graph = {
        name: {
            target for target in _imports_at_start(ast.parse(path.read_text("utf-8")).body) if target != name
        }
        for name, path in MODULES.items()
        if name != "cosmos_core"
    }
    graph = {name: {target for target in targets if target in graph} for name, targets in graph.items()}

    assert len(graph) == len(list(graphlib.TopologicalSorter(graph).static_order()))
