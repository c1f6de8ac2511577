"""Fail unless the tests that need an SSH server ran: ``sshd_ran.py JUNIT.xml``.

On a contributor's machine without one they are skipped with a sentence. In CI a skip would hide that nobody looked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

PLACES = ("plugins.sftp.tests", "tests.system.test_sftp")
EXCUSED = "root may write everywhere"


def main(report: Path) -> int:
    """0 when tests of the SSH transport ran, and none was skipped for want of a server."""
    tree = ET.parse(report)  # noqa: S314  our own pytest wrote it
    cases = [case for case in tree.iter("testcase") if (case.get("classname") or "").startswith(PLACES)]
    skipped = {
        f"{case.get('name')}: {found.get('message')}"
        for case in cases
        for found in case.iter("skipped")
        if found.get("message") != EXCUSED
    }
    print(f"sshd: {len(cases) - len(skipped)} tests ran, {len(skipped)} were skipped")
    for each in sorted(skipped):
        print(f"  skipped: {each}")
    return 0 if len(cases) > len(skipped) == 0 else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
