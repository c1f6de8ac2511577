"""A page on which a person looks at many videos and says what they think: one HTML file, without a server.

It holds its pictures; the videos stay where they are and are played from there. What is said on it is kept by the browser and
saved as ``review.json``, which ``cosmos review apply`` reads. Imports OpenCV: import it late.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
import cv2

from cosmos_core import canonical, media
from cosmos_core.clip import Clip
from cosmos_core.errors import CosmosError, Finding, InputError, Level, worst
from cosmos_core.run import Approval, Artifact, Judgement, Review, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cosmos_core.extend import Report

SCHEMA = 1
SHEET = "contact.jpg"
"""What the step ``contact`` leaves beside an artifact."""
LARGEST = 18_000_000
"""Bytes of all pictures of a page; what is more makes each of them smaller."""
LARGEST_PICTURE = 150_000
QUALITIES = (76, 58)
"""Of JPEG; what is larger still is drawn smaller."""
SMALLEST = 160
"""Pixels of a picture's width."""


@attrs.frozen(kw_only=True)
class Entry:
    """A video of the page, and everything that was said about it."""

    run: Run
    made: Artifact
    clip: Clip | None
    findings: tuple[Finding, ...]
    judgements: tuple[Judgement, ...]
    reviews: tuple[Review, ...]

    @property
    def score(self) -> float | None:
        """The worst that a step gave."""
        return min((each.score for each in self.judgements if each.score is not None), default=None)

    @property
    def level(self) -> Level:
        """The worst that was found."""
        return worst([*self.findings, *(finding for each in self.judgements for finding in each.findings)])


@attrs.frozen(kw_only=True)
class Word:
    """What a person said about one video on a page."""

    run: str
    digest: str
    """Of the video that was looked at."""
    approval: Approval | None = None
    rating: int | None = None
    note: str = ""


@attrs.frozen(kw_only=True)
class Words:
    """What ``review.json`` holds."""

    schema: int
    reviews: tuple[Word, ...]


def read(path: Path) -> tuple[Word, ...]:
    """What was said on a page, as it was saved.

    Raises:
        InputError: there is no such file, or it is not understood.
    """
    import json

    try:
        raw = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", hint="the page saves it: Save review.json"
        ) from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise InputError(
            f"{path} is no review.json of this version", hint="the page saves it: Save review.json"
        )
    return canonical.parse(Words, raw, where=str(path)).reviews


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The worst first: by score, then by what was found; what has no score comes after what has."""
    return sorted(
        entries, key=lambda each: (each.score is None, each.score or 0.0, -each.level.rank, each.run.seq)
    )


def write(path: Path, entries: Sequence[Entry], title: str, *, left: int, report: Report) -> int:
    """Write the page of *entries*, in their order, and give its size. *left* videos are not on it.

    Raises:
        InputError: a video cannot be decoded.
    """
    allowed = min(LARGEST_PICTURE, LARGEST // max(1, len(entries)))
    width = 960 if len(entries) <= 50 else 800 if len(entries) <= 200 else 640
    articles: list[str] = []
    for number, each in enumerate(entries, 1):
        articles.append(_article(each, _picture(each, width, allowed), path.parent.resolve()))
        report(number, len(entries), each.run.name)
    note = f"{left:,} more are not on this page (--limit)." if left else ""
    known = hashlib.sha256(" ".join(each.made.digest for each in entries).encode()).hexdigest()[:16]
    page = files("cosmos_core.cli").joinpath("review_page.html").read_text("utf-8")
    # The articles come last: what people wrote may hold any of these words.
    for name, text in {
        "title": escape(title),
        "note": note,
        "page": known,
        "articles": "\n".join(articles),
    }.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    content = page.encode("utf-8", "replace")
    media.write_bytes(path, content)
    return len(content)


def _article(each: Entry, picture: bytes, base: Path) -> str:
    run, made = each.run, each.made
    source = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    shown = {variable.name: variable.value for variable in run.shows}
    said = [*each.findings, *(finding for judged in each.judgements for finding in judged.findings)]
    facts = {
        "run": run.id,
        "digest": made.digest,
        "level": str(each.level),
        "approval": str(run.approval),
        "video": _address(made.path, base),
        "input": _address(each.clip.path("color"), base) if _has_input(each.clip) and each.clip else "",
        "words": " ".join(
            [
                *(run.id, run.name, run.campaign, *run.tags, run.spec.prompt.text),
                *(f"{name}: {value}" for name, value in shown.items()),
                *(finding.message for finding in said),
            ]
        ).lower(),
    }
    attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in facts.items())
    return f"""<article {attributes}>
<div class="picture"><div class="pair"></div><button title="play"><img loading="lazy" alt="{escape(run.name)}" src="{source}"></button></div>
<div><h2>{escape(run.name)}</h2>
{_facts(each)}
{"".join(_paragraphs(each, shown))}
{_findings(each)}
<div class="say"><button class="approve" data-approval="approved">Approve</button><button class="reject" data-approval="rejected">Reject</button>
{"".join(f'<button data-rating="{rating}" title="rate {rating} of 5">{rating}</button>' for rating in range(1, 6))}
<input placeholder="why" aria-label="note"></div></div>
</article>"""


def _facts(each: Entry) -> str:
    run, made = each.run, each.made
    score = "" if each.score is None else f"score {each.score:.2f}"
    size = f"{made.frames} frames, {made.width}x{made.height}, {float(made.fps):g} fps"
    seed = f"seed {run.spec.seed if run.seed is None else run.seed}"
    words = [score, run.id, run.campaign, run.spec.backend, size, seed, *run.tags]
    return f'<p class="soft">{escape(" · ".join(filter(None, words)))}</p>'


def _paragraphs(each: Entry, shown: dict[str, str]) -> Iterator[str]:
    if shown:
        yield f"<p>{escape(' · '.join(f'{name}: {value}' for name, value in shown.items()))}</p>"
    for review in each.reviews:
        words = [
            review.who,
            str(review.approval or ""),
            f"rated {review.rating} of 5" if review.rating else "",
            review.note,
        ]
        yield f"<p><b>{escape(' · '.join(filter(None, words)))}</b></p>"
    yield f"<details><summary>prompt</summary><p>{escape(each.run.spec.prompt.text)}</p></details>"


def _findings(each: Entry) -> str:
    """What steps said, and what checks did not like; that the rest was good is one line."""
    judged = [
        finding
        for judgement in each.judgements
        for finding in judgement.findings
        if judgement.score is not None
    ]
    bad = [finding for finding in each.findings if finding.level is not Level.OK]
    silent = [
        finding
        for judgement in each.judgements
        for finding in judgement.findings
        if judgement.score is None and finding.level is not Level.OK
    ]
    good = len(each.findings) - len(bad)
    lines = [*_lines([*bad, *judged, *silent])]
    if good:
        lines.append('<li data-level="ok" class="soft">what else the checks found is good</li>')
    return f"<ul>{''.join(lines)}</ul>"


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f'<li data-level="{finding.level}" title="{escape(finding.hint)}">{escape(finding.message)}</li>'


def _has_input(clip: Clip | None) -> bool:
    return clip is not None and "color" in clip.modalities


def _address(path: Path, base: Path) -> str:
    """*path* as the page in *base* leads to it, so that both can move together."""
    try:
        return quote(Path(os.path.relpath(path.resolve(), base)).as_posix())
    except ValueError:  # another drive of Windows
        return path.resolve().as_uri()


def _picture(each: Entry, width: int, allowed: int) -> bytes:
    """The video's moments over those of its input and controls, as a JPEG of at most *allowed* bytes if that can be."""
    sheet = each.made.path.with_name(SHEET)
    found = cv2.imread(str(sheet)) if sheet.is_file() else None
    if found is None:
        found = _drawn(each)
    while True:
        height = max(1, round(found.shape[0] * width / found.shape[1]))
        smaller = cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA)
        for quality in QUALITIES:
            content = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            if len(content) <= allowed:
                return content.tobytes()
        if width <= SMALLEST:
            return content.tobytes()
        width = max(SMALLEST, round(width * 0.8))


def _drawn(each: Entry) -> Any:
    """The contact sheet of a video beside which none lies."""
    streams: dict[str, Path] = {"output": each.made.path}
    if each.clip is not None:
        controls = {control.kind for control in each.run.spec.controls if control.weight}
        wanted = [name for name in ("color", *sorted(controls)) if name in each.clip.modalities]
        streams |= {("input" if name == "color" else name): each.clip.path(name) for name in wanted}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / SHEET
        try:
            media.contact_sheet(streams, made, columns=3, width=960)
        except CosmosError:
            # A clip whose pass is gone does not hide the video that was made of it.
            media.contact_sheet({"output": each.made.path}, made, columns=3, width=960)
        return cv2.imread(str(made))
