"""Requests out of a campaign's material. Pure: it reads no file, knows no backend and no store."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.campaign.form import (
    ANYTHING,
    DEFAULTS,
    ENTRY,
    FILE,
    NUMBER,
    PARTS,
    TEXT,
    TOTALS,
    Report,
    near,
)
from cosmos_core.campaign.marked import Node
from cosmos_core.campaign.render import Renderer
from cosmos_core.errors import Finding, Level, worst
from cosmos_core.spec import LONGEST_VALUE, VARIABLE, Variable, variables_review
from cosmos_core.submission import Ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cosmos_core.campaign.folder import Material
    from cosmos_core.campaign.form import Key

MOST_RUNS = 100_000

MOST_OTHERS = 9
"""What else a variable could be, in a question about it."""

_WORD = re.compile(r"[^\W\d_]{3}")
_UNSHOWN = re.compile(r"[\d_]|[^\w ,.;'’()-]")
"""What stands in ids, numbers, paths and programs, and in no few words about a picture."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID_HINT = "letters, digits, . _ and -, at most 100 of them, the first a letter or a digit"
_JOINED = ("set", "vars", "shows", "options", "weights")
_NEVER_EXPANDED = {"id", "matrix", "zip"}

Said = dict[str, Node]
"""What an entry says, by key; under the empty key the entry itself."""


@attrs.frozen(kw_only=True)
class Item:
    """One video that a campaign asks for."""

    id: str
    """Of its definition."""
    seconds: float | None
    """None when it is as long as its clip, or as its model makes them."""
    name: str
    """Of its run, its file and its place in a dataset."""
    ask: Ask
    entry: str
    """``file:line`` of its entry."""
    lines: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)
    """``file:line`` of what it says, by key; of options as ``options.name``."""

    def line_of(self, what: str) -> str:
        """Where to look when something is wrong with *what*: a key, an option's name, or a word of a spec."""
        key = {"controls": "weights", "frames": "frames", "fps": "clip", "width": "clip", "height": "clip"}
        for known in (f"options.{what}", what, key.get(what, "")):
            if known in self.lines:
                return self.lines[known]
        if "frames" in what or "seconds" in what:
            return self.lines.get("durations", self.entry)
        return self.entry


@attrs.frozen(kw_only=True)
class Expansion:
    """What a campaign file asks for. Nothing may be queued while a finding says ``fail``."""

    name: str
    items: tuple[Item, ...]
    totals: Mapping[str, Node]
    """What the author says must come out."""
    findings: tuple[Finding, ...]

    @property
    def definitions(self) -> int:
        """How many ids there are."""
        return len({item.id for item in self.items})

    @property
    def durations(self) -> tuple[float, ...]:
        """The seconds that are asked for, the shortest first."""
        return tuple(sorted({item.seconds for item in self.items if item.seconds is not None}))


def expand(material: Material) -> Expansion:
    """Every request of a campaign, and everything that is wrong with any of them."""
    return _Expander(material).expansion()


def compare(totals: Mapping[str, Node], counted: Mapping[str, int], report: Report) -> None:
    """Report every stated total that is another than what was *counted*."""
    for key, node in totals.items():
        if key in counted and node.value != counted[key]:
            report.fail(
                node.where,
                f"totals says {node.value:,} {key}, and the entries make {counted[key]:,}",
                "mend the number or the entries; what the file says twice must agree",
            )


class _Expander:
    def __init__(self, material: Material) -> None:
        self._material = material
        self._report = Report()
        self._render = Renderer(material.templates, self._report)
        self._parts = {at: node.plain for at, node in material.parts.items()}
        self._names: dict[str, tuple[str, ...]] = {}
        for kind, name in material.parts:
            self._names[kind] = (*self._names.get(kind, ()), name)

    def expansion(self) -> Expansion:
        main = self._material.main
        said = self._mapping(main, FILE, "a campaign file") if main is not None else {}
        name = self._campaign(said, main)
        defaults = self._mapping(said["defaults"], DEFAULTS, "defaults") if "defaults" in said else {}
        pattern = said.get("name")
        items: list[Item] = []
        for entry in self._entries(said):
            items += self._items(entry, defaults, name, pattern)
            if len(items) > MOST_RUNS:
                self._report.fail(
                    entry[""].where, f"the campaign has more than {MOST_RUNS:,} videos by this line"
                )
                break
        if main is not None and not items and not self._failed:
            self._report.fail(main.where, "there is no entry", "write at least one under entries")
        self._refuse_equal_names(items)
        totals = self._mapping(said["totals"], TOTALS, "totals") if "totals" in said else {}
        totals.pop("", None)
        if not self._failed:
            counted = {"definitions": len({item.id for item in items}), "runs": len(items)}
            compare(totals, counted, self._report)
        findings = (*self._material.findings, *self._report.findings)
        return Expansion(name=name, items=_beside(items), totals=totals, findings=gathered(findings))

    @property
    def _failed(self) -> bool:
        return worst((*self._material.findings, *self._report.findings)) is Level.FAIL

    def _campaign(self, said: Said, main: Node | None) -> str:
        if main is None:
            return ""
        if (node := said.get("campaign")) is None:
            if "campaign" not in (main.value if isinstance(main.value, dict) else {}):
                self._report.fail(main.where, "the campaign has no name", "campaign: a-name")
            return ""
        if not _ID.fullmatch(node.value):
            self._report.fail(node.where, f"{node.value!r:.120} is not a campaign's name", _ID_HINT)
            return ""
        return str(node.value)

    def _entries(self, said: Said) -> Iterator[Said]:
        lists = [said["entries"]] if "entries" in said else []
        for node in self._material.included:
            inside = node.value if isinstance(node.value, dict) else {}
            for key in sorted(inside.keys() - {"entries"}):
                self._report.fail(inside[key].where, f"an included file holds entries, not {key!r}")
            if "entries" not in inside:
                self._report.fail(
                    node.where, "there are no entries in this file", "entries:, and the list below it"
                )
            elif not isinstance(inside["entries"].value, list):
                self._report.fail(inside["entries"].where, "entries must be a list of entries")
            else:
                lists.append(inside["entries"])
        for node in lists:
            yield from (made for each in node.value if (made := self._mapping(each, ENTRY, "an entry")))

    def _mapping(self, node: Node, form: Mapping[str, Key], what: str) -> Said:
        """The keys of *node* that *form* has and whose values are of their kind; a finding for each other one."""
        if not isinstance(node.value, dict):
            self._report.fail(node.where, f"{what} must be a mapping of keys to values")
            return {}
        kept: Said = {"": node}
        for key, value in node.value.items():
            if key not in form:
                self._report.fail(value.where, f"{what} has no key {key!r}", near(key, form))
            elif value.value is None:
                self._report.fail(value.where, f"{key} is empty", "leave it out, or give a value")
            elif self._report.refuse_unless(value, form[key].kind, key):
                kept[key] = value
        return kept

    def _items(self, entry: Said, defaults: Said, campaign: str, pattern: Node | None) -> Iterator[Item]:
        where = entry[""].where
        if "id" not in entry:
            if "id" not in entry[""].value:
                self._report.fail(where, "an entry has no id", "id: C01")
            return
        for chosen in self._combinations(entry):
            said = _over(defaults, entry, chosen)
            for seconds in self._durations(said):
                if (item := self._item(said, chosen, seconds, campaign, pattern, where)) is not None:
                    yield item

    def _combinations(self, entry: Said) -> Iterator[dict[str, Node]]:
        """What `matrix` and `zip` choose, a dict of nodes by key for each definition."""
        matrix, zipped = self._lists(entry, "matrix"), self._lists(entry, "zip")
        if matrix is None or zipped is None:
            return
        if twice := sorted(set(matrix) & set(zipped)):
            self._report.fail(
                entry["zip"].where, f"{twice[0]} is expanded by matrix and by zip", "expand it once"
            )
            return
        if len({len(values) for values in zipped.values()}) > 1:
            sizes = ", ".join(f"{key} has {len(values)}" for key, values in zipped.items())
            self._report.fail(entry["zip"].where, f"the lists of zip are not of one length: {sizes}")
            return
        count = len(next(iter(zipped.values()), [1]))
        for values in matrix.values():
            count *= len(values)
        if count > MOST_RUNS:
            self._report.fail(
                entry[""].where, f"the entry stands for {count:,} definitions, more than {MOST_RUNS:,}"
            )
            return
        rows = [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
        for row, combination in itertools.product(rows, itertools.product(*matrix.values())):
            yield row | dict(zip(matrix, combination, strict=True))

    def _lists(self, entry: Said, how: str) -> dict[str, list[Node]] | None:
        """The lists under `matrix` or `zip`; None, and findings, when one of them cannot be expanded."""
        found: dict[str, list[Node]] = {}
        good = True
        for key, node in (entry[how].value if how in entry else {}).items():
            head, _, tail = key.partition(".")
            kind = ENTRY[head].kind if head in ENTRY and head not in _NEVER_EXPANDED else None
            if tail:
                kind = {"weights": NUMBER, "shows": TEXT}.get(head, ANYTHING)
            if kind is None or bool(tail) != (head in _JOINED):
                others = ", ".join(f"{each}.NAME" for each in _JOINED)
                self._report.fail(
                    node.where, f"{how} cannot expand {key!r}", f"a key of an entry, or {others}"
                )
                good = False
            else:
                wrong = [each for each in node.value if not self._report.refuse_unless(each, kind, key)]
                good &= not wrong
                found[key] = node.value
        return found if good else None

    def _durations(self, said: Said) -> list[float | None]:
        node = said.get("durations")
        if node is None or not node.value:
            return [None]
        if "frames" in said:
            self._report.fail(
                said["frames"].where, "both frames and durations say how long it is", "keep one of them"
            )
            return []
        found: list[float | None] = []
        for each in node.value:
            if each.value in found:
                self._report.fail(each.where, f"{each.value:g} s stands here twice")
            else:
                found.append(each.value)
        return found

    def _item(
        self,
        said: Said,
        chosen: Mapping[str, Node],
        seconds: float | None,
        campaign: str,
        pattern: Node | None,
        where: str,
    ) -> Item | None:
        parts = self._named_parts(said)
        if parts is None:
            return None
        own = said["vars"].plain if "vars" in said else {}
        named = {f"{kind}_name": str(said[kind].value) for kind in parts}
        words = {**parts, **named, "vars": own, "seconds": _number(seconds), "campaign": campaign}
        name = self._id(said["id"], chosen, words, where)
        if name is None:
            return None
        words["id"] = name
        prompt, negative = self._prompt(said, words, where), self._text(said.get("negative"), words, where)
        called = self._called(pattern, words, seconds, where)
        shows = self._shows(said, words, where)
        if prompt is None or negative is None or called is None or shows is None:
            return None
        plain = {key: node.plain for key, node in said.items() if key}
        ask = Ask(
            prompt=prompt,
            negative=negative,
            clip=plain.get("clip", ""),
            backend=plain.get("backend", ""),
            weights=plain.get("weights", {}),
            seed=plain.get("seed"),
            frames=plain.get("frames"),
            seconds=seconds,
            options=plain.get("options", {}),
            name=called,
            tags=tuple(plain.get("tags", ())),
            shows=shows,
            priority=plain.get("priority", 0),
            campaign=campaign,
        )
        return Item(id=name, seconds=seconds, name=called, ask=ask, entry=where, lines=_lines(said))

    def _named_parts(self, said: Said) -> dict[str, Any] | None:
        """The parts that are named, with what `set` puts into them; None, and a finding, when one is missing."""
        found: dict[str, Any] = {}
        good = True
        for kind, folder in PARTS.items():
            if (node := said.get(kind)) is None:
                continue
            if (kind, str(node.value)) in self._parts:
                found[kind] = self._parts[kind, str(node.value)]
                continue
            there = self._names.get(kind, ())
            hint = near(str(node.value), there) if there else f"{folder}/ holds no YAML file"
            self._report.fail(node.where, f"there is no {kind} {node.plain!r} in {folder}/", hint)
            good = False
        for path, node in (said["set"].value if "set" in said else {}).items():
            kind, _, key = path.partition(".")
            part = found.get(kind)
            if isinstance(part, dict) and key in part:
                found[kind] = part | {key: node.plain}
            elif kind not in said or kind in found:
                self._refuse_set(path, node, found)
                good = False
        return found if good else None

    def _refuse_set(self, path: str, node: Node, parts: Mapping[str, Any]) -> None:
        values = [f"{kind}.{key}" for kind, part in parts.items() if isinstance(part, dict) for key in part]
        hint = near(path, values) if values else "kind.key, such as subject.description"
        self._report.fail(node.where, f"set has {path!r}, and no part of this entry has that", hint)

    def _id(self, node: Node, chosen: Mapping[str, Node], words: Mapping[str, Any], where: str) -> str | None:
        text = str(node.value)
        if "{{" in text or "{%" in text:
            rendered = self._render.text(text, words, node.where, where)
            if rendered is None:
                return None
            text = rendered
        elif chosen:
            text = "-".join([text, *(_slug(each.plain) for each in chosen.values())])
        if _ID.fullmatch(text):
            return text
        self._report.fail(node.where, f"{text!r:.120} is not an id", _ID_HINT)
        return None

    def _called(
        self, pattern: Node | None, words: Mapping[str, Any], seconds: float | None, where: str
    ) -> str | None:
        if pattern is None:
            return f"{words['id']}_{_number(seconds)}s" if seconds is not None else str(words["id"])
        called = self._text(pattern, words, where)
        if called is None or _ID.fullmatch(called):
            return called
        self._report.fail(
            pattern.where, f"{called!r:.120} cannot be the name of a file, for the entry at {where}", _ID_HINT
        )
        return None

    def _prompt(self, said: Said, words: Mapping[str, Any], where: str) -> str | None:
        if "prompt" in said:
            node = said["prompt"]
            return node.value if node.value.startswith("@") else self._text(node, words, where)
        if "template" in said:
            return self._render.template(said["template"].value, words, said["template"].where, where)
        self._report.fail(
            where, "the entry has neither a prompt nor a template", "prompt: …, here or in defaults"
        )
        return None

    def _text(self, node: Node | None, words: Mapping[str, Any], where: str) -> str | None:
        return "" if node is None else self._render.text(str(node.value), words, node.where, where)

    def _shows(self, said: Said, words: Mapping[str, Any], where: str) -> tuple[Variable, ...] | None:
        """What the video should show; None, and a finding, when a text cannot be rendered or no picture could show it."""
        if "shows" not in said:
            own = {name: value for name, value in words["vars"].items() if VARIABLE.fullmatch(name)}
            parts = {kind: str(said[kind].value) for kind in PARTS if kind in said}
            found = ((name, _in_words(value)) for name, value in {**own, **parts}.items())
            return tuple(Variable(name=name, value=value) for name, value in found if value)
        made: list[Variable] = []
        good = True
        for name, node in said["shows"].value.items():
            text = self._text(node, words, where)
            good &= text is not None
            if not text:
                continue
            made.append(Variable(name=name, value=" ".join(text.split())))
            for finding in variables_review(made[-1:]):
                self._report.fail(node.where, finding.message, finding.hint)
                good = False
        return tuple(made) if good else None

    def _refuse_equal_names(self, items: Iterable[Item]) -> None:
        """No id twice, and no two videos under one name: the second would take the place of the first."""
        ids: dict[str, Item] = {}
        names: dict[str, Item] = {}
        for item in items:
            # Files that differ in case alone are one file on Windows and on macOS.
            first = ids.setdefault(item.id.lower(), item)
            if (first.entry, first.id) != (item.entry, item.id):
                self._report.fail(
                    item.entry, f"the id {item.id} is taken by the entry at {first.entry}", "another id"
                )
                continue
            other = names.setdefault(item.name.lower(), item)
            if other is item:
                continue
            if other.seconds == item.seconds and other.id == item.id:
                message = f"the entry makes the id {item.id} more than once"
                self._report.fail(
                    item.entry, message, "name in id what matrix and zip choose, or leave {{ … }} out"
                )
            else:
                message = f"{item.id} and {other.id} (at {other.entry}) would both be written to {item.name}"
                self._report.fail(
                    item.entry, message, 'name: must tell them apart: "{{ id }}_{{ seconds }}s"'
                )


def _beside(items: Sequence[Item]) -> tuple[Item, ...]:
    """The *items*, each variable of which knows what it is in others."""
    values: dict[str, dict[str, None]] = {}
    for item in items:
        for each in item.ask.shows:
            values.setdefault(each.name, {})[each.value] = None
    known = {
        (name, value): Variable(name=name, value=value, others=others)
        for name, found in values.items()
        for value, others in _drawn(name, list(found))
    }
    return tuple(
        attrs.evolve(
            item,
            ask=attrs.evolve(item.ask, shows=tuple(known[each.name, each.value] for each in item.ask.shows)),
        )
        for item in items
    )


def _drawn(name: str, values: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each of *values* with some of the others, the same whenever they are drawn, in the order in which they were said.

    They are those that come next in a shuffled ring, so that a hundred thousand values cost no more than their sorting.
    """
    said = {value: at for at, value in enumerate(values)}
    ring = sorted(values, key=lambda value: hashlib.sha256(f"{name}/{value}".encode()).digest())
    for at, value in enumerate(ring):
        after = (ring[(at + step) % len(ring)] for step in range(1, len(ring)))
        others = (other for other in after if other.casefold() != value.casefold())
        yield value, tuple(sorted(itertools.islice(others, MOST_OTHERS), key=said.__getitem__))


def _in_words(value: object) -> str:
    """*value* as a picture may show it; empty for ids, numbers, paths, and all else that no picture shows."""
    if not isinstance(value, str):
        return ""
    words = value.split()
    text = re.sub("[_-]+", " ", words[0]).strip() if len(words) == 1 else " ".join(words)
    return text if len(text) <= LONGEST_VALUE and _WORD.search(text) and not _UNSHOWN.search(text) else ""


def gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with the same sentence about the same line as one, which says how many there were."""
    groups: dict[tuple[Level, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.level, finding.message, finding.where), []).append(finding)
    return tuple(_one_of(group) for group in groups.values())


def _one_of(group: Sequence[Finding]) -> Finding:
    if len(group) == 1:
        return group[0]
    more = "the same once more" if len(group) == 2 else f"the same {len(group) - 1:,} times more"
    return attrs.evolve(group[0], hint=f"{group[0].hint} ({more})" if group[0].hint else more)


def _over(defaults: Said, entry: Said, chosen: Mapping[str, Node]) -> Said:
    """The entry over the defaults, and what is chosen over both; mappings are joined key by key."""
    said = defaults | entry
    for key in _JOINED:
        if key in defaults and key in entry:
            said[key] = attrs.evolve(entry[key], value=defaults[key].value | entry[key].value)
    _stand_in(said, entry, defaults)
    for path, node in chosen.items():
        head, _, tail = path.partition(".")
        before = said[head].value if tail and head in said else {}
        said[head] = Node(before | {tail: node}, node.file, node.line) if tail else node
    _stand_in(said, chosen, defaults.keys() | entry.keys())
    return said


def _stand_in(said: Said, nearer: Iterable[str], farther: Iterable[str]) -> None:
    """What says the same in another way, and is said nearer, takes the place of what is said farther off."""
    for one, other in (("prompt", "template"), ("frames", "durations")):
        for new, old in ((one, other), (other, one)):
            if new in nearer and old in farther and old not in nearer:
                said.pop(old, None)


def _lines(said: Said) -> dict[str, str]:
    lines = {key: node.where for key, node in said.items() if key}
    options = said["options"].value if "options" in said else {}
    return lines | {f"options.{name}": node.where for name, node in options.items()}


def _number(seconds: float | None) -> int | float | None:
    """*seconds* as people write them: 5, not 5.0."""
    return int(seconds) if seconds is not None and float(seconds).is_integer() else seconds


def _slug(value: Any) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", str(value)).strip("_.")[:40] or "empty"
