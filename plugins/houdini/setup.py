"""Puts the Houdini package, which lies beside the plugins in the repository, into the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("toolbar", "python_panels", "scripts", "MainMenuCommon.xml", "OPmenu.xml")
"""What of ``houdini/`` is the package; a test compares it with the list in cosmos_core_houdini.package."""


def copy_package(target: Path) -> None:
    """Fill *target* with the package and its assets."""
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / "houdini" / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__", "py.typed"))
        else:
            shutil.copy2(source, target / part)
    for library in sorted((ROOT / "hda").glob("*.hda")):
        shutil.copytree(library, target / "otls" / library.name)


class WithPackage(build_py):
    """Copies the package as data; an editable installation finds it where it lies."""

    def run(self) -> None:
        """Build as always, then copy."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "cosmos_core_houdini" / "package"
            shutil.rmtree(target, ignore_errors=True)
            copy_package(target)


if __name__ == "__main__":
    setup(cmdclass={"build_py": WithPackage})
