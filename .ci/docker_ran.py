"""Fail unless the tests that need a Docker engine ran: ``docker_ran.py JUNIT.xml``.

Some machines cannot run an engine at all, whatever is installed: then one sentence says why, and that is all there is to do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from cosmos_core.testing.dockerd import NotInstalled, Unavailable, private_dockerd


def main(report: Path) -> int:
    """0 when tests on an engine ran and none was skipped, or when no engine can run here."""
    tree = ET.parse(report)  # noqa: S314  our own pytest wrote it
    cases = [
        case for case in tree.iter("testcase") if "plugins.docker.tests" in (case.get("classname") or "")
    ]
    skipped = [(case.get("name"), found.get("message")) for case in cases for found in case.iter("skipped")]
    print(f"Docker: {len(cases) - len(skipped)} tests ran, {len(skipped)} were skipped")
    if cases and not skipped:
        return 0
    try:
        with private_dockerd():
            pass
    except NotInstalled as reason:
        print(f"  {reason}")
        return 1
    except Unavailable as reason:
        print(f"  no engine can run on this machine: {reason}")
        return 0
    for name, why in skipped:
        print(f"  skipped: {name}: {why}")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
