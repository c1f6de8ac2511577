"""What is asked for: a prompt, controls with weights, and the complete request for one video.

Pure values. Nothing here touches a disk, a host or a plugin.
"""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical
from cosmos_core.errors import Finding, fail, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CONTROLS = ("depth", "edge", "seg", "vis", "hdmap", "lidar", "keypoint", "wsm")
"""Every modality that can steer some Cosmos model. A backend says which of them it takes."""

LARGEST_SEED = 2**31 - 1
LONGEST_PROMPT_WORDS = 300
LONGEST_VALUE = 200
"""Characters of what a video should show."""
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")
"""A variable's name."""
MOST_FRAMES = 1_000_000
MOST_SECONDS = 86_400
"""A day: nobody means more, and no sum of frames overflows."""

# Words that carry no scene, in the prompts people write for these models.
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by camera clip for from high highly in into is it its of on or photorealistic "
        "quality realistic render scene shot shows so some that the their there this through to very video view "
        "was while with",
    )
)


@attrs.frozen
class Prompt:
    """A text and a negative text: what a model is told, and nothing else."""

    text: str
    negative: str = ""


@attrs.frozen(kw_only=True)
class SavedPrompt:
    """One version of a prompt in the library. Editing makes a new version; runs keep the one they used."""

    name: str
    version: int
    prompt: Prompt
    clip: str = ""
    """Digest of the clip it was written for; empty when for none in particular."""
    parent: str = ""
    """``name@version`` of the prompt it was edited or enhanced from."""
    made_by: str = "user"
    """``user``, or the name of the enhancer."""
    created: str = ""

    @property
    def ref(self) -> str:
        """``name@version``, which names exactly this text for ever."""
        return f"{self.name}@{self.version}"


@attrs.frozen(kw_only=True)
class Control:
    """One modality that steers the model, and how strongly."""

    kind: str
    weight: float = attrs.field(default=1.0, converter=float)


@attrs.frozen(kw_only=True)
class Variable:
    """What a video should show of one kind, so that it can be asked about. It changes no pixel."""

    name: str
    """``weather``, ``scene``: letters, digits, ``.``, ``_`` and ``-``."""
    value: str
    """``heavy rain``: a few words that a picture can show."""
    others: tuple[str, ...] = ()
    """What it is in other videos that were asked for beside this one: the wrong answers of a question about it."""


def variables_review(variables: Iterable[Variable]) -> Iterator[Finding]:
    """What is wrong with *variables*, each finding at its name."""
    seen: set[str] = set()
    for each in variables:
        if not VARIABLE.fullmatch(each.name):
            hint = "letters, digits, . _ and -, at most 40 of them, the first a letter"
            yield fail(f"{each.name!r:.60} cannot be the name of a variable", hint=hint, where="shows")
        if each.name in seen:
            yield fail(f"the variable {each.name} is there twice", where=f"shows.{each.name}")
        if not each.value.strip() or len(each.value) > LONGEST_VALUE:
            hint = f"a few words that a picture can show, at most {LONGEST_VALUE} characters"
            yield fail(
                f"what a video should show as {each.name} is {each.value!r:.60}",
                hint=hint,
                where=f"shows.{each.name}",
            )
        seen.add(each.name)


def _by_kind(controls: Iterable[Control]) -> tuple[Control, ...]:
    return tuple(sorted(controls, key=lambda control: control.kind))


@attrs.frozen(kw_only=True)
class Spec:
    """The complete request for one video.

    Two specs with one digest ask for the same pixels, so nothing that does not change the pixels (a label, a
    priority, a host) belongs here. Inputs are named by digest.
    """

    backend: str
    prompt: Prompt
    clip: str = ""
    """Digest of the sealed clip that is the input; empty for a backend that needs none."""
    controls: tuple[Control, ...] = attrs.field(default=(), converter=_by_kind)
    frames: int
    fps: Fraction = attrs.field(converter=Fraction)
    width: int
    height: int
    seed: int = 0
    options: dict[str, Any] = attrs.field(factory=dict)
    """The backend's own options, all of them, defaults filled in."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the request."""
        return canonical.digest(self)

    @property
    def seconds(self) -> float:
        """How long the video lasts when played."""
        return float(self.frames / self.fps)

    @property
    def weights(self) -> dict[str, float]:
        """Weight by kind of control."""
        return {control.kind: control.weight for control in self.controls}


def controls(weights: Mapping[str, float]) -> tuple[Control, ...]:
    """Controls from ``{"depth": 0.5, "edge": 1.0}``."""
    return tuple(Control(kind=kind, weight=weight) for kind, weight in weights.items())


def review(spec: Spec) -> Iterator[Finding]:
    """Everything that is wrong with *spec* by itself, without its clip, its backend or a host."""
    yield from _review_prompt(spec.prompt)
    yield from _review_controls(spec.controls)
    yield from _review_numbers(spec)


def _review_prompt(prompt: Prompt) -> Iterator[Finding]:
    words = len(prompt.text.split())
    if not words:
        yield fail("the prompt is empty", hint="say what the video should show", where="prompt")
    elif words > LONGEST_PROMPT_WORDS:
        yield warn(
            f"the prompt has {words} words; these models read about {LONGEST_PROMPT_WORDS} well",
            hint="shorten it, or split the scene",
            where="prompt",
        )
    if "\x00" in prompt.text + prompt.negative:
        yield fail("the prompt holds a NUL character", where="prompt")


def _review_controls(chosen: tuple[Control, ...]) -> Iterator[Finding]:
    kinds = [control.kind for control in chosen]
    for kind in sorted(set(kinds)):
        if kind not in CONTROLS:
            yield fail(
                f"there is no control {kind!r}", hint=f"one of {', '.join(CONTROLS)}", where="controls"
            )
        if kinds.count(kind) > 1:
            yield fail(f"control {kind!r} is given {kinds.count(kind)} times", where="controls")
    for control in chosen:
        if not (math.isfinite(control.weight) and 0 <= control.weight <= 1):
            yield fail(
                f"weight {control.weight:g} of control {control.kind!r} is outside 0 to 1", where="controls"
            )
    if chosen and all(control.weight == 0 for control in chosen):
        yield warn("every control has weight 0, so none will steer the model", where="controls")


def _review_numbers(spec: Spec) -> Iterator[Finding]:
    if not 1 <= spec.frames <= MOST_FRAMES:
        yield fail(f"{spec.frames!s:.20} frames cannot be made", hint=f"1 to {MOST_FRAMES}", where="frames")
    if not 1 <= spec.fps <= 240:
        yield fail(f"{spec.fps} frames a second is outside 1 to 240", where="fps")
    if not 0 <= spec.seed <= LARGEST_SEED:
        yield fail(f"seed {spec.seed} is outside 0 to {LARGEST_SEED}", where="seed")
    for side, value in (("width", spec.width), ("height", spec.height)):
        if value < 16 or value > 8192 or value % 2:
            yield fail(f"{side} {value} is not an even number from 16 to 8192", where=side)


def suggest_name(text: str, *, words: int = 3) -> str:
    """A slug from the first telling words of *text*, such as ``burning-tram-night``; ``prompt`` if none tells."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    telling = [word for word in re.findall(r"[a-z0-9]+", plain) if word not in _STOP_WORDS]
    return "-".join(list(dict.fromkeys(telling))[:words])[:40].strip("-") or "prompt"
