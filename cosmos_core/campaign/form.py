"""What can stand in a campaign file: every key, its kind, its default and what it is for.

The reader knows no other keys, editors get them as a JSON schema (:mod:`cosmos_core.campaign.schema`), and the reference
page is written from these classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import Finding, fail, warn
from cosmos_core.spec import MOST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.campaign.marked import Node

PARTS = {"scene": "scenes", "subject": "subjects", "environment": "environments", "action": "actions"}
"""Kinds of parts, and the folder that holds one YAML file for each part of the kind."""


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_duration(value: object) -> bool:
    return _is_number(value) and 0 < value <= MOST_SECONDS  # type: ignore[operator]


def _is_name(value: object) -> bool:
    return isinstance(value, str) or _is_whole(value)


def _is_list(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(is_one(node.value) for node in value)


def _is_mapping(is_one: Callable[[object], bool] = lambda _: True) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(is_one(node.value) for node in value.values())


def _is_text(value: object) -> bool:
    return isinstance(value, str)


@attrs.frozen
class Kind:
    """What a value may be: in words, as a question, and in JSON schema's words."""

    words: str
    accepts: Callable[[object], bool]
    """Asked about the value of a node, whose members are nodes in turn."""
    schema: Mapping[str, Any]


TEXT = Kind("a text", _is_text, {"type": "string"})
NAME = Kind("a name", _is_name, {"type": ["string", "integer"]})
NAMES = Kind("a list of words", _is_list(_is_text), {"type": "array", "items": {"type": "string"}})
WHOLE = Kind("a whole number", _is_whole, {"type": "integer"})
ANYTHING = Kind("a value", lambda value: value is not None, {})
NUMBER = Kind("a number", _is_number, {"type": "number"})
DURATIONS = Kind(
    "a list of seconds, such as [5, 10, 30]",
    _is_list(_is_duration),
    {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_SECONDS}},
)
MAPPING = Kind("a mapping of keys to values", _is_mapping(), {"type": "object"})
TEXTS = Kind(
    "a mapping of words to texts",
    _is_mapping(_is_text),
    {"type": "object", "additionalProperties": {"type": "string"}},
)
NUMBERS = Kind(
    "a mapping of words to numbers",
    _is_mapping(_is_number),
    {"type": "object", "additionalProperties": {"type": "number"}},
)
LISTS = Kind(
    "a mapping of keys to lists",
    _is_mapping(lambda value: isinstance(value, list) and bool(value)),
    {"type": "object", "additionalProperties": {"type": "array", "minItems": 1}},
)
ENTRIES = Kind("a list of entries", lambda value: isinstance(value, list), {"type": "array"})


@attrs.frozen
class Key:
    """What may stand under a key, and what it is for."""

    kind: Kind
    help: str
    required: bool = attrs.field(default=False, kw_only=True)
    inner: Mapping[str, Key] | None = attrs.field(default=None, kw_only=True)
    """The keys of the mapping that stands there, or of each mapping in the list."""


DEFAULTS: Mapping[str, Key] = {
    "prompt": Key(
        TEXT, "the prompt: a text with `{{ … }}`, or `@name` of the library; it stands in for a template"
    ),
    "template": Key(TEXT, "a template file in the campaign's folder that makes the prompt"),
    "negative": Key(TEXT, "what the videos should not show; a text with `{{ … }}`"),
    "scene": Key(NAME, "name of a part in `scenes/`"),
    "subject": Key(NAME, "name of a part in `subjects/`"),
    "environment": Key(NAME, "name of a part in `environments/`"),
    "action": Key(NAME, "name of a part in `actions/`"),
    "set": Key(MAPPING, "values put in the place of a part's, by `kind.key`, such as `subject.description`"),
    "vars": Key(MAPPING, "values of your own for the templates, as `vars.name`"),
    "shows": Key(
        TEXTS,
        "what a picture of the video shows, by name, in texts with `{{ … }}`: a judge asks about each. Without it the "
        "names of the parts and the texts among `vars`, as far as they are words",
    ),
    "durations": Key(
        DURATIONS,
        "seconds; one video for each. Without them a video is as long as its clip, or as its model makes it",
    ),
    "frames": Key(WHOLE, "the length in frames, instead of durations"),
    "seed": Key(WHOLE, "one seed; without it each request gets one of its own, and keeps it"),
    "clip": Key(TEXT, "a clip's folder, relative to the campaign's, or the name or digest of a sealed one"),
    "backend": Key(TEXT, "which model; without it the workspace's default"),
    "weights": Key(NUMBERS, "weight by control; without them all the clip has, in equal parts"),
    "options": Key(MAPPING, "options of the backend, as `cosmos plugins show BACKEND` lists them"),
    "tags": Key(NAMES, "tags of the runs"),
    "priority": Key(WHOLE, "higher goes first"),
}
"""What every entry has unless it says otherwise. ``set``, ``vars``, ``shows``, ``options`` and ``weights`` are joined key by key."""

ENTRY: Mapping[str, Key] = {
    "id": Key(
        NAME,
        "its name: letters, digits, `.`, `_`, `-`; when it is expanded with `{{ … }}`, or else the values are added to it",
        required=True,
    ),
    **DEFAULTS,
    "matrix": Key(LISTS, "lists by key: one definition for each combination"),
    "zip": Key(LISTS, "lists of one length by key: one definition for each place in them"),
}
"""One definition, or several that ``matrix`` and ``zip`` make of it. What it says wins over the defaults."""

TOTALS: Mapping[str, Key] = {
    "definitions": Key(WHOLE, "how many ids"),
    "runs": Key(WHOLE, "how many videos"),
    "passes": Key(WHOLE, "how often the model runs for all of them"),
}
"""What must come out, so that a slip is seen before it costs a GPU."""

FILE: Mapping[str, Key] = {
    "campaign": Key(TEXT, "the campaign's name, by which its runs are found again", required=True),
    "defaults": Key(MAPPING, "what every entry has unless it says otherwise", inner=DEFAULTS),
    "entries": Key(ENTRIES, "the definitions", inner=ENTRY),
    "include": Key(NAMES, "more files with `entries`, inside the campaign's folder"),
    "parts": Key(
        TEXT,
        "the folder that holds `scenes/`, `subjects/`, `environments/` and `actions/`; without it the campaign's",
    ),
    "name": Key(
        TEXT,
        "how a run, its video and its place in a dataset are called; without it "
        "`{{ id }}_{{ seconds }}s`, or `{{ id }}` where there are no durations",
    ),
    "totals": Key(MAPPING, "what must come out: a slip is seen before it costs a GPU", inner=TOTALS),
}
"""A campaign file."""


def near(word: str, known: Iterable[str]) -> str:
    """A hint for a *word* that is none of those that are *known*."""
    from difflib import get_close_matches

    there = sorted(known)
    found = get_close_matches(word, there, n=1)
    shown = ", ".join(there[:30]) + (f" and {len(there) - 30} more" if len(there) > 30 else "")
    return f"did you mean {found[0]}?" if found else f"one of {shown}"


class Report:
    """Collects findings, so that all are shown together."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def fail(self, where: str, message: str, hint: str = "") -> None:
        """Note what stops the campaign."""
        self.findings.append(fail(message, hint=hint, where=where))

    def warn(self, where: str, message: str, hint: str = "") -> None:
        """Note what a person should look at."""
        self.findings.append(warn(message, hint=hint, where=where))

    def refuse_unless(self, node: Node, kind: Kind, what: str) -> bool:
        """Whether *node* is of that kind; a finding when it is not."""
        if kind.accepts(node.value):
            return True
        self.fail(_first_wrong(node, kind).where, f"{what} must be {kind.words}, not {_shown(node)}")
        return False


def _first_wrong(node: Node, kind: Kind) -> Node:
    """The member of *node* that is to blame, where one is: the line to look at."""
    alone: list[tuple[Node, object]] = []
    if isinstance(node.value, list):
        alone = [(each, [each]) for each in node.value]
    elif isinstance(node.value, dict):
        alone = [(each, {key: each}) for key, each in node.value.items()]
    return next((each for each, value in alone if not kind.accepts(value)), node)


def _shown(node: Node) -> str:
    if node.value is None:
        return "empty"
    text = repr(node.plain)
    return text if len(text) <= 60 else f"{text[:60]}…"
