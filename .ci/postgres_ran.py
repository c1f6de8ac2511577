"""Fail unless the tests that need a PostgreSQL server ran: ``postgres_ran.py JUNIT.xml``.

On a contributor's machine they may be skipped with a sentence. In CI a skip would hide that nobody looked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def main(report: Path) -> int:
    """0 when at least one test named for PostgreSQL ran and none was skipped."""
    tree = ET.parse(report)  # noqa: S314  our own pytest wrote it
    cases = [case for case in tree.iter("testcase") if _is_postgres(case)]
    skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
    ran = len(cases) - len(skipped)
    print(f"PostgreSQL: {ran} tests ran, {len(skipped)} were skipped")
    for name in skipped:
        print(f"  skipped: {name}")
    return 0 if ran and not skipped else 1


def _is_postgres(case: ET.Element) -> bool:
    return "postgres" in f"{case.get('classname')} {case.get('name')}".lower()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
