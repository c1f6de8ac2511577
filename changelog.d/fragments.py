"""Changelog fragments: one file a change, named ``<slug>.<kind>.md``, one sentence or a few inside.

``python changelog.d/fragments.py check`` says what is wrong with them;
``python changelog.d/fragments.py release 0.2.0`` moves them into CHANGELOG.md.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
KINDS = {"breaking": "Breaking", "added": "Added", "changed": "Changed", "fixed": "Fixed"}
"""Heading by kind, in the order a reader needs them."""

_NAME = re.compile(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md")
_NOT_FRAGMENTS = {"README.md", Path(__file__).name, "__pycache__"}


def fragments(folder: Path = FOLDER) -> list[Path]:
    """Every file in *folder* that should be a fragment, by name."""
    return sorted(path for path in folder.iterdir() if path.name not in _NOT_FRAGMENTS)


def problems(folder: Path = FOLDER) -> Iterator[str]:
    """What is wrong with the fragments in *folder*, a sentence each."""
    for path in fragments(folder):
        if not _NAME.fullmatch(path.name):
            yield f"{path.name} is not named <slug>.<kind>.md, with a kind of {', '.join(KINDS)}"
            continue
        text = path.read_text("utf-8").strip()
        if not text:
            yield f"{path.name} is empty"
        elif not text.endswith((".", "!", "`")):
            yield f"{path.name} does not end as a sentence does"
        elif text.startswith(("-", "*", "#")):
            yield f"{path.name} starts with {text[0]!r}; write the sentence alone"


def section(version: str, day: str, folder: Path = FOLDER) -> str:
    """The fragments of *folder* as a section of the changelog."""
    lines = [f"## {version} ({day})", ""]
    for kind, heading in KINDS.items():
        texts = [
            path.read_text("utf-8").strip() for path in fragments(folder) if path.name.split(".")[1] == kind
        ]
        if texts:
            lines += [f"### {heading}", "", *(f"- {text}".replace("\n", "\n  ") for text in texts), ""]
    return "\n".join(lines)


def release(version: str, changelog: Path, folder: Path = FOLDER) -> None:
    """Put the fragments at the top of *changelog* as *version* and remove them."""
    day = datetime.now(UTC).date().isoformat()
    head, mark, tail = changelog.read_text("utf-8").partition("\n## ")
    part = changelog.with_suffix(".part")
    part.write_text(f"{head.rstrip()}\n\n{section(version, day, folder)}{mark}{tail}", "utf-8")
    part.replace(changelog)
    for path in fragments(folder):
        path.unlink()


def main(words: list[str]) -> int:
    """Run the command in *words*; 0 when all is well."""
    found = list(problems())
    for problem in found:
        print(f"changelog.d: {problem}", file=sys.stderr)
    match words:
        case ["check"]:
            return 1 if found else 0
        case ["release", version] if not found:
            release(version, FOLDER.parent / "CHANGELOG.md")
            return 0
        case ["release", _]:
            return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
