"""Fail unless the tests that need a package from a dev extra ran: ``packages_ran.py JUNIT.xml``.

Elsewhere they may be skipped with a sentence. Here ``requirements/dev.txt`` was installed, so a skip would hide that nobody looked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

NEEDED = {
    "Qt": ("tests.houdini.test_panel", "tests.houdini.test_dialog"),
    "ONNX": ("plugins.adherence.tests.test_truth",),
}


def main(report: Path) -> int:
    """0 when every place has tests that ran, and none that was skipped."""
    tree = ET.parse(report)  # noqa: S314  our own pytest wrote it
    return max([_looked(tree, package, place) for package, places in NEEDED.items() for place in places])


def _looked(tree: ET.ElementTree[ET.Element], package: str, place: str) -> int:
    # A module that is skipped as a whole is one case, with the module for a name.
    cases = [case for case in tree.iter("testcase") if place in (case.get("classname"), case.get("name"))]
    skipped = [
        f"{case.get('name')}: {found.get('message')}" for case in cases for found in case.iter("skipped")
    ]
    print(f"{package}: {len(cases) - len(skipped)} tests of {place} ran, {len(skipped)} were skipped")
    for each in skipped:
        print(f"  skipped: {each}")
    return 0 if len(cases) > len(skipped) == 0 else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
