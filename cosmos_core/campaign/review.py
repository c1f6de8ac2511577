"""A campaign's items against the backends and clips of a workspace: what each would become, and what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

from cosmos_core.accept import prepare
from cosmos_core.campaign.expand import Item, compare, gathered
from cosmos_core.campaign.form import Report
from cosmos_core.clip import Clip
from cosmos_core.errors import Finding, fail, warn
from cosmos_core.extend import Backend, Expectation
from cosmos_core.store.records import NewRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cosmos_core.accept import Open
    from cosmos_core.campaign.expand import Expansion


@attrs.frozen(kw_only=True)
class Wanted:
    """One video of a campaign, and the run that would make it."""

    item: Item
    new: NewRun
    expected: Expectation
    passes: int
    """How often the model runs for it."""

    @property
    def recipe(self) -> str:
        """Digest of what is asked: an artifact made from it is this video."""
        return self.new.spec.digest


@attrs.frozen(kw_only=True)
class Review:
    """Everything a campaign wants, and everything there is to say about it."""

    wanted: tuple[Wanted, ...]
    findings: tuple[Finding, ...]
    clips: tuple[Clip, ...]


def review(site: Open, expansion: Expansion, base: Path) -> Review:
    """Make every item precise. Changes nothing but that clip folders are sealed.

    What `cosmos submit` would say of each request is said here of the line that asks for it.
    """
    sealed: dict[str, Clip] = {}
    wanted: list[Wanted] = []
    findings = list(expansion.findings)
    for item in expansion.items:
        prepared = prepare(site, item.ask, base=base, sealed=sealed)
        findings += (_placed(finding, item) for finding in prepared.findings)
        if prepared.run is not None:
            wanted.append(_wanted(site, item, prepared.run))
    findings += _equal_requests(wanted)
    findings += _alike_beginnings(wanted)
    report = Report()
    if len(wanted) == len(expansion.items):
        compare(expansion.totals, {"passes": sum(each.passes for each in wanted)}, report)
    findings += report.findings
    return Review(wanted=tuple(wanted), findings=gathered(findings), clips=tuple(sealed.values()))


def _wanted(site: Open, item: Item, new: NewRun) -> Wanted:
    backend = site.plugins.find(Backend, new.spec.backend)
    with site.plugins.blame(backend, "looking at a request"):
        expected = backend.expect(new.spec)
        passes = backend.passes(new.spec) if backend.passes is not None else 1
    return Wanted(item=item, new=new, expected=expected, passes=passes)


def _placed(finding: Finding, item: Item) -> Finding:
    """*finding* at the line of the campaign that it is about."""
    line = item.line_of(finding.where) if finding.where else _blamed(finding.message, item)
    about = "" if not finding.where or line != item.entry else f"{finding.where}: "
    hint = f"{finding.hint}; for {item.name}" if finding.hint else f"for {item.name}"
    return attrs.evolve(finding, message=f"{about}{finding.message}", hint=hint, where=line)


def _blamed(message: str, item: Item) -> str:
    """The line of what *message* names, where it says no more."""
    named = [("clip", item.ask.clip), ("backend", item.ask.backend)]
    if item.ask.prompt.startswith("@"):
        named.append(("prompt", item.ask.prompt[1:].partition("@")[0]))
    for key, value in named:
        if value and repr(value) in message and key in item.lines:
            return item.lines[key]
    for name in item.ask.options:
        if name in message and f"options.{name}" in item.lines:
            return item.lines[f"options.{name}"]
    return item.entry


def _equal_requests(wanted: Iterable[Wanted]) -> Iterator[Finding]:
    """Two names for one video: one of the two entries says something else than it means."""
    first: dict[str, Item] = {}
    for each in wanted:
        other = first.setdefault(each.recipe, each.item)
        if other is not each.item:
            yield fail(
                f"{each.item.name} asks for the very video that {other.name} asks for (at {other.entry})",
                hint="say what should differ, give one of them another seed, or leave it out",
                where=each.item.entry,
            )


def _alike_beginnings(wanted: Iterable[Wanted]) -> Iterator[Finding]:
    """Lengths of one scene that share prompt and seed: the longer is likely to begin as the shorter one."""
    groups: defaultdict[tuple[object, ...], list[Wanted]] = defaultdict(list)
    for each in wanted:
        if each.item.seconds is not None and each.item.ask.seed is not None:
            spec = each.new.spec
            groups[spec.backend, spec.prompt, spec.clip, spec.controls, spec.seed].append(each)
    for group in groups.values():
        if len(group) > 1:
            yield _alike(sorted(group, key=lambda each: each.item.seconds or 0))


def _alike(group: Sequence[Wanted]) -> Finding:
    item = group[-1].item
    return warn(
        "lengths of one scene share prompt and seed: the longer ones may begin as the shorter, frame for frame",
        hint=f"leave seed out, and each request gets one of its own; for {item.name}",
        where=item.line_of("seed"),
    )
