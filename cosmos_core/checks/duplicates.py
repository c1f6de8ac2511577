"""Is this another video than those we have? Equal requests may give equal bytes; different ones may not."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Artifact, Check, Finding, Output, fail, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


NEAREST = 32
"""How many sealed videos of any age are looked at closely, as wholes and as beginnings."""

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
    # The others of a campaign have a few lengths, and hashing eight frames takes longer than comparing them.
    mine = cache(partial(_hashes_of_beginning, small))
    for other in _strangers(output):
        if other.frames == len(small) or not _starts_alike(small, other, options, mine):
            continue
        longer, shorter = (output.name, _names([other]))
        if other.frames > len(small):
            longer, shorter = shorter, longer
        yield warn(
            f"{longer} starts with {shorter}, frame for frame",
            hint="the longer one is the shorter one continued: look at both, keep one",
        )
        return


def nearest(
    output: Output,
    runs: Sequence[str],
    frames: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    *,
    most: int = NEAREST,
) -> list[str]:
    """Those of *runs* whose hashes are most like the output's: as a whole, and as the beginning of one another.

    Args:
        output: What was made now; it is decoded.
        runs: Ids of sealed runs.
        frames: How many frames each has.
        hashes: Its eight hashes: shape (runs, 8).
        most: How many of either kind.
    """
    import numpy as np

    small = output.survey.small
    if not len(small) or not runs:
        return []
    whole = _apart(hashes ^ output.survey.phashes).sum(axis=1, dtype=np.float64)
    begins = np.where(frames == len(small), np.inf, _apart_at_the_beginning(small, frames, hashes))
    found = {int(row) for apart in (whole, begins) for row in _smallest(apart, most) if apart[row] < np.inf}
    return [runs[row] for row in sorted(found)]


def _smallest(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    import numpy as np

    return np.argpartition(values, most)[:most] if len(values) > most else np.arange(len(values))


def _apart_at_the_beginning(
    small: Pixels, frames: NDArray[np.int64], hashes: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Mean distance of the hashes at those moments of each other video that *small* has as well."""
    import numpy as np

    lengths, which = np.unique(frames, return_inverse=True)
    moments = _moments(lengths)
    shared = moments < len(small)
    mine = _hashes_at(small, np.minimum(moments, len(small) - 1))
    apart = _apart(hashes ^ mine[which]) * shared[which]
    return np.asarray(apart.sum(axis=1, dtype=np.float64) / shared.sum(axis=1)[which])


def _moments(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The frames that videos of these *lengths* are hashed at: shape (lengths, 8)."""
    import numpy as np

    from cosmos_core.media import HASHES

    return np.linspace(0, np.maximum(lengths - 1, 0), HASHES, axis=1).round().astype(np.int64)


def _hashes_at(small: Pixels, moments: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hashes of *small* at *moments*, in their shape; each frame is hashed once."""
    import numpy as np

    from cosmos_core.media import HASHES, phashes_of

    once, which = np.unique(moments, return_inverse=True)
    padded = np.pad(once, (0, -len(once) % HASHES), mode="edge")
    made = np.concatenate([phashes_of(small[eight]) for eight in padded.reshape(-1, HASHES)])
    return made[which].reshape(moments.shape)


def _apart(differing: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits of each number are set."""
    import numpy as np

    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(differing)
    # Before numpy 2.0, in ten times the time.
    bits = np.unpackbits(np.ascontiguousarray(differing).view(np.uint8).reshape(*differing.shape, 8), axis=-1)
    return np.asarray(bits.sum(axis=-1, dtype=np.uint8))


def _asked(output: Output, other: Artifact) -> str:
    theirs = output.recipes.get(other.run, "")
    if not (output.recipe and theirs):
        return "unknown"
    return "alike" if output.recipe == theirs else "differently"


def _strangers(output: Output) -> Iterator[Artifact]:
    """Give others with hashes, other bytes, and no word that the same was asked for.

    An enlargement looks like what it was made of, and what it was made of like its enlargements: neither is compared.
    """
    if output.expected is not None and output.expected.keeps_input:
        return
    for other in output.others:
        known = not other.phashes or other.digest == output.digest or _asked(output, other) == "alike"
        if not known and not _differ_in_size(output, other):
            yield other


def _differ_in_size(output: Output, other: Artifact) -> bool:
    facts = output.survey.facts
    known = facts is not None and other.width > 0
    return known and facts is not None and (facts.width, facts.height) != (other.width, other.height)


def _names(others: list[Artifact]) -> str:
    first = (
        f"{others[0].path.name} ({others[0].run})" if others[0].run != others[0].path.name else others[0].run
    )
    return first if len(others) == 1 else f"{first} and {len(others) - 1} more"


def _hashes(artifact: Artifact) -> NDArray[np.uint64]:
    import numpy as np

    return np.array(artifact.phashes, np.uint64)


def _starts_alike(
    small: Pixels, other: Artifact, options: Prefix, mine: Callable[[int], NDArray[np.uint64]]
) -> bool:
    """Compare hashes first, and decode the other video only when they agree."""
    if not len(small) or _distance(mine(other.frames), other) >= options.distance:
        return False
    if not other.path.is_file():
        return True
    import cv2

    from cosmos_core.media import survey

    return all(
        cv2.norm(one, two, cv2.NORM_L1) / one.size < options.difference
        for one, two in zip(small, survey(other.path).small, strict=False)
    )


def _distance(mine: NDArray[np.uint64], other: Artifact) -> float:
    """Mean distance of the hashes at those moments of *other* that ours has as well."""
    from cosmos_core.media import phash_distance

    return phash_distance(mine, _hashes(other)[: len(mine)])


def _hashes_of_beginning(small: Pixels, frames: int) -> NDArray[np.uint64]:
    """The hashes of *small* at the moments that a video of so many *frames* is hashed at, as far as *small* goes."""
    import numpy as np

    from cosmos_core.media import HASHES, phashes_of

    moments = np.linspace(0, frames - 1, HASHES).round().astype(int)
    shared = int((moments < len(small)).sum())
    return phashes_of(small[np.minimum(moments, len(small) - 1)])[:shared]


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
