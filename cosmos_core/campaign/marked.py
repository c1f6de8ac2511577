"""YAML with the line of every value: ``no`` is a word, as in YAML 1.2; no alias, no tag, and no key twice.

Unlike there, 007 is a word too, because it is more likely an id than seven. Aliases are refused because nine lines of them can stand for a billion values.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.campaign.form import Report

DEEPEST = 40
MOST_VALUES = 1_000_000

# The core schema of YAML 1.2, https://yaml.org/spec/1.2.2/#1032-tag-resolution
_WORDS: dict[str, Any] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NEVER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 40


@attrs.frozen
class Node:
    """A value as it was written: a dict of nodes by key, a list of nodes, or a text, number, truth value or None."""

    value: Any
    file: str
    line: int

    @property
    def where(self) -> str:
        """``file:line``, as editors open it."""
        return f"{self.file}:{self.line}"

    @property
    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return self.value


class _Refused(Exception):
    """Ends the reading of one file; its finding is written already."""


def load(text: str, file: str, report: Report) -> Node | None:
    """The one document in *text*; None, and a finding for *report*, when it is none."""
    import yaml

    try:
        return _Reader(text, file, report).document()
    except _Refused:
        return None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        report.fail(
            f"{file}:{line}", f"this is not YAML: {error.problem or error.context}", _hint(text, line)
        )
    except (yaml.YAMLError, ValueError) as error:
        report.fail(f"{file}:1", f"this is not YAML: {str(error).splitlines()[0]}")
    return None


def _hint(text: str, line: int) -> str:
    written = text.splitlines()[line - 1] if line <= text.count("\n") + 1 and text.strip() else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "YAML is indented with spaces, and this line begins with a tab"
    if "{{" in written or "{%" in written:
        return "put quotes around a text that holds {{ … }}"
    return "a text with ': ' or ' #' in it needs quotes" if ": " in written.partition(": ")[2] else ""


class _Reader:
    """Builds nodes from YAML's events, which carry their place."""

    def __init__(self, text: str, file: str, report: Report) -> None:
        import yaml

        self._kinds = yaml.events
        self._events: Iterator[Any] = iter(
            yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        )
        self._file = file
        self._report = report
        self._count = 0

    def document(self) -> Node | None:
        found = [
            self._node(next(self._events), 0)
            for event in self._events
            if isinstance(event, self._kinds.DocumentStartEvent)
        ]
        if len(found) == 1 and found[0].value is not None:
            return found[0]
        what = "is empty" if len(found) < 2 else f"holds {len(found)} YAML documents instead of one"
        self._report.fail(f"{self._file}:1", f"the file {what}")
        return None

    def _node(self, event: Any, depth: int) -> Node:
        line = event.start_mark.line + 1
        self._count += 1
        if isinstance(event, self._kinds.AliasEvent):
            self._refuse(
                line,
                f"*{event.anchor} is an alias, and a campaign has none",
                "repeat the value, or use defaults",
            )
        if depth > DEEPEST or self._count > MOST_VALUES:
            self._refuse(
                line, f"the file is nested deeper than {DEEPEST} or holds more than {MOST_VALUES:,} values"
            )
        if event.tag not in {None, "!"}:
            self._refuse(line, f"{event.tag} is a tag, and a campaign has none", "write the plain value")
        if isinstance(event, self._kinds.MappingStartEvent):
            return Node(self._mapping(depth), self._file, line)
        if isinstance(event, self._kinds.SequenceStartEvent):
            return Node(self._sequence(depth), self._file, line)
        return Node(
            event.value if event.style or event.tag else self._scalar(event.value, line), self._file, line
        )

    def _mapping(self, depth: int) -> dict[str, Node]:
        made: dict[str, Node] = {}
        while not isinstance(event := next(self._events), self._kinds.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key.value, str | int | float) or isinstance(key.value, bool):
                self._report.fail(
                    key.where, f"{key.plain!r:.60} cannot be a key: a key is a word", "put it in quotes"
                )
            elif (name := str(key.value)) in made:
                self._report.fail(
                    key.where, f"the key {name!r} stands here twice, first in line {made[name].line}"
                )
            else:
                made[name] = (
                    attrs.evolve(value, line=key.line) if isinstance(value.value, dict | list) else value
                )
        return made

    def _sequence(self, depth: int) -> list[Node]:
        made = []
        while not isinstance(event := next(self._events), self._kinds.SequenceEndEvent):
            made.append(self._node(event, depth + 1))
        return made

    def _scalar(self, text: str, line: int) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _NEVER.fullmatch(text):
            self._report.fail(f"{self._file}:{line}", f"{text} is no number that a request can hold")
            return 0.0
        if len(text) > _LONGEST_NUMBER:
            return text
        if _WHOLE.fullmatch(text):
            return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
            return number
        return text

    def _refuse(self, line: int, message: str, hint: str = "") -> None:
        self._report.fail(f"{self._file}:{line}", message, hint)
        raise _Refused
