"""The files of a campaign, as they lie in its folder. Nothing outside of it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from cosmos_core.campaign.form import PARTS, Report
from cosmos_core.campaign.marked import Node, load
from cosmos_core.errors import Finding, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TEMPLATES = "templates"
"""The folder below the campaign's in which templates are looked for, beside the campaign's own."""
SUFFIXES = (".jinja2", ".jinja", ".j2")
POINTER = "version https://git-lfs.github.com/spec/"
LARGEST = 20_000_000


@attrs.frozen(kw_only=True)
class Material:
    """Everything that was read, and what could not be."""

    main: Node | None
    included: tuple[Node, ...]
    parts: Mapping[tuple[str, str], Node]
    """Parts by kind and name."""
    templates: Mapping[str, str]
    """Texts by path relative to the folder."""
    findings: tuple[Finding, ...]


def read(path: Path) -> Material:
    """Everything that the campaign file at *path* may use.

    Raises:
        InputError: there is no file at *path*.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise InputError(
            f"{path} {what}: a campaign is a YAML file", hint="make one: cosmos campaign new FOLDER"
        )
    return _Folder(path).material()


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._root = path.parent.resolve()
        self._report = Report()

    def material(self) -> Material:
        main = self._yaml(self._path, self._path.name)
        plain: dict[str, Node] = main.value if main is not None and isinstance(main.value, dict) else {}
        included = tuple(self._included(plain["include"])) if "include" in plain else ()
        parts = self._parts(plain.get("parts"))
        return Material(
            main=main,
            included=included,
            parts=parts,
            templates=dict(self._templates()),
            findings=tuple(self._report.findings),
        )

    def _included(self, asked: Node) -> Iterator[Node]:
        for each in asked.value if isinstance(asked.value, list) else ():
            if (path := self._inside(str(each.value), each.where)) is None:
                continue
            if not path.is_file():
                self._report.fail(each.where, f"there is no file {each.value!s} to include")
            elif (node := self._yaml(path, str(each.value))) is not None:
                yield node

    def _parts(self, asked: Node | None) -> dict[tuple[str, str], Node]:
        said = str(asked.value) if asked else "."
        base = self._inside(said, asked.where if asked else f"{self._path.name}:1")
        if base is None:
            return {}
        if not base.is_dir():
            self._report.fail(asked.where if asked else "", f"there is no folder {said} that holds parts")
        found: dict[tuple[str, str], Node] = {}
        for kind, folder in PARTS.items():
            for path in sorted((base / folder).glob("*.y*ml")):
                name = (
                    path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else path.name
                )
                if self._inside(name, f"{name}:1") is None:
                    continue
                if (kind, path.stem) in found:
                    other = found[kind, path.stem].file
                    self._report.fail(
                        f"{name}:1", f"{other} is the {kind} {path.stem!r} already", "keep one of them"
                    )
                elif (node := self._yaml(path, name)) is not None:
                    found[kind, path.stem] = node
        return found

    def _templates(self) -> Iterator[tuple[str, str]]:
        # No deeper: a campaign file may lie in somebody's home.
        for path in sorted([*self._root.iterdir(), *(self._root / TEMPLATES).rglob("*")]):
            if path.suffix not in SUFFIXES or not path.is_file():
                continue
            name = path.relative_to(self._root).as_posix()
            if self._inside(name, f"{name}:1") is not None and (text := self._text(path, name)) is not None:
                yield name, text

    def _inside(self, name: str, where: str) -> Path | None:
        """The path of *name* in the folder; None, and a finding, when it leads out of it, by a link too."""
        try:
            path = (self._root / name).resolve()
        except (OSError, ValueError):
            path = self._root.parent
        if path.is_relative_to(self._root):
            return path
        self._report.fail(
            where,
            f"{name!r} leads out of the campaign's folder",
            "keep everything a campaign uses in one folder",
        )
        return None

    def _yaml(self, path: Path, name: str) -> Node | None:
        text = self._text(path, name)
        return load(text, name, self._report) if text is not None else None

    def _text(self, path: Path, name: str) -> str | None:
        try:
            if path.stat().st_size > LARGEST:
                self._report.fail(f"{name}:1", f"the file has more than {LARGEST / 1e6:.0f} MB")
                return None
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self._report.fail(f"{name}:1", f"the file cannot be read: {error}")
            return None
        if text.startswith(POINTER):
            self._report.fail(f"{name}:1", "the file is a Git LFS pointer, not its content", "git lfs pull")
            return None
        return text
