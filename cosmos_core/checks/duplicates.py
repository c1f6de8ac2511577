"""Is this another video than those we have? Equal requests may give equal bytes; different ones may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Artifact, Check, Finding, Output, fail, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from cosmos_core.media import Pixels
    from cosmos_core.spec import Spec

_HOLD = "hold both: the model ignored what differs between the requests, or one file was saved twice"


@attrs.frozen(kw_only=True)
class Prefix:
    """When one video counts as the beginning of another."""

    distance: float = attrs.field(
        default=1.0,
        metadata={"help": "mean distance of perceptual hashes, 0 to 64, that is looked at closely"},
    )
    difference: float = attrs.field(
        default=1.5,
        metadata={"help": "mean absolute difference of luma, 0 to 255, that every frame must stay below"},
    )


@attrs.frozen(kw_only=True)
class Perceptual:
    """When two videos count as near duplicates."""

    distance: float = attrs.field(
        default=1.0,
        metadata={
            "help": "mean distance of perceptual hashes, 0 to 64, below which two videos look the same"
        },
    )


PREFIX = Prefix()
PERCEPTUAL = Perceptual()


def exact(output: Output, _spec: Spec | None) -> Iterator[Finding]:
    """Refuse the bytes of a video that was asked for differently; where the requests are unknown, say so."""
    twins = [other for other in output.others if other.digest == output.digest]
    different = [other for other in twins if _asked(output, other) == "differently"]
    unknown = [other for other in twins if _asked(output, other) == "unknown"]
    if different:
        yield fail(
            f"{output.name} holds the same bytes as {_names(different)}, asked for differently", hint=_HOLD
        )
    elif unknown:
        yield warn(
            f"{output.name} holds the same bytes as {_names(unknown)}; how each was asked for is not known",
            hint=_HOLD,
        )


def perceptual(output: Output, _spec: Spec | None, *, options: Perceptual = PERCEPTUAL) -> Iterator[Finding]:
    """Ask a person to look at a video that looks like one which was asked for differently."""
    from cosmos_core.media import phash_distance

    mine = output.survey.phashes
    for other in _strangers(output):
        distance = phash_distance(mine, _hashes(other))
        if distance < options.distance:
            yield warn(
                f"{output.name} looks like {_names([other])}: distance {distance:.2f}, "
                f"different videos have {options.distance:g} and more",
                hint="look at both; keep one if they show the same",
            )
            return


def prefix(output: Output, _spec: Spec | None, *, options: Prefix = PREFIX) -> Iterator[Finding]:
    """Ask a person to look at a video of another length that starts, frame for frame, as this one does."""
    small = output.survey.small
    for other in _strangers(output):
        if other.frames == len(small) or not _starts_alike(small, other, options):
            continue
        longer, shorter = (output.name, _names([other]))
        if other.frames > len(small):
            longer, shorter = shorter, longer
        yield warn(
            f"{longer} starts with {shorter}, frame for frame",
            hint="the longer one is the shorter one continued: look at both, keep one",
        )
        return


def _asked(output: Output, other: Artifact) -> str:
    theirs = output.recipes.get(other.run, "")
    if not (output.recipe and theirs):
        return "unknown"
    return "alike" if output.recipe == theirs else "differently"


def _strangers(output: Output) -> Iterator[Artifact]:
    """Give others with hashes, other bytes, and no word that the same was asked for."""
    for other in output.others:
        if other.phashes and other.digest != output.digest and _asked(output, other) != "alike":
            yield other


def _names(others: list[Artifact]) -> str:
    first = (
        f"{others[0].path.name} ({others[0].run})" if others[0].run != others[0].path.name else others[0].run
    )
    return first if len(others) == 1 else f"{first} and {len(others) - 1} more"


def _hashes(artifact: Artifact) -> NDArray[np.uint64]:
    import numpy as np

    return np.array(artifact.phashes, np.uint64)


def _starts_alike(small: Pixels, other: Artifact, options: Prefix) -> bool:
    """Compare hashes first, and decode the other video only when they agree."""
    if not len(small) or _distance(small, other) >= options.distance:
        return False
    if not other.path.is_file():
        return True
    import cv2

    from cosmos_core.media import survey

    return all(
        cv2.norm(one, two, cv2.NORM_L1) / one.size < options.difference
        for one, two in zip(small, survey(other.path).small, strict=False)
    )


def _distance(small: Pixels, other: Artifact) -> float:
    """Mean distance of the hashes at those moments of *other* that *small* has as well."""
    import numpy as np

    from cosmos_core.media import HASHES, phash_distance, phashes_of

    moments = np.linspace(0, other.frames - 1, HASHES).round().astype(int)
    shared = int((moments < len(small)).sum())
    mine = phashes_of(small[np.minimum(moments, len(small) - 1)])
    return phash_distance(mine[:shared], _hashes(other)[:shared])


CHECKS = (
    Check(
        name="dup.exact",
        summary="No other request gave the same bytes.",
        look=exact,
        level="campaign",
        order=10,
    ),
    Check(
        name="dup.prefix",
        summary="It does not start with another, shorter video frame for frame.",
        look=prefix,
        options=Prefix,
        level="campaign",
        required=False,
        order=20,
    ),
    Check(
        name="dup.perceptual",
        summary="No other request gave a video that looks the same.",
        look=perceptual,
        options=Perceptual,
        level="campaign",
        required=False,
        order=30,
    ),
)
