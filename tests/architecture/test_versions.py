"""One version number, one licence and one range of Pythons for the core and every plugin."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cosmos_core import __version__

ROOT = Path(__file__).parents[2]
PROJECTS = {
    path.parent.name: tomllib.loads(path.read_text("utf-8"))["project"]
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))
}
CORE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_core_says_the_version_it_is_built_with():
    """``cosmos_core.__version__`` and pyproject.toml agree."""
    assert CORE["version"] == __version__


@pytest.mark.parametrize("plugin", PROJECTS)
def test_a_plugin_has_the_version_of_the_core_and_asks_for_exactly_it(plugin):
    """A plugin of this repository is released with the core, never beside another one."""
    assert __version__ == PROJECTS[plugin]["version"]
    assert f"cosmos-core=={__version__}" in PROJECTS[plugin]["dependencies"]


@pytest.mark.parametrize("plugin", PROJECTS)
def test_a_plugin_has_the_shape_of_the_others(plugin):
    """Name, package, entry point, Python and licence follow one pattern, so that any plugin can be copied."""
    project = PROJECTS[plugin]

    assert f"cosmos-core-{plugin}" == project["name"]
    assert {plugin: f"cosmos_core_{plugin}"} == project["entry-points"]["cosmos_core"]
    assert CORE["requires-python"] == project["requires-python"]
    assert CORE["license"] == project["license"]
    assert (ROOT / "plugins" / plugin / f"cosmos_core_{plugin}" / "py.typed").is_file()


def test_contributors_install_every_plugin():
    """A plugin that requirements/dev.txt forgets would never be tested."""
    wanted = (ROOT / "requirements" / "dev.txt").read_text("utf-8")

    assert [] == [plugin for plugin in PROJECTS if f"-e ./plugins/{plugin}" not in wanted]
