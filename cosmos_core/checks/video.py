"""Does all of it decode, and is it what was asked for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Expectation, Finding, Output, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.media import MediaFacts
    from cosmos_core.spec import Spec

_AGAIN = (
    "fetch it again from the host that made it; if it was made like this, make it again with the same seed"
)


@attrs.frozen(kw_only=True)
class Requested:
    """How far a video may be from the request."""

    fps: float = attrs.field(
        default=0.01, metadata={"help": "difference in frames a second that is accepted"}
    )


DEFAULTS = Requested()


def decodes(output: Output, _spec: Spec | None) -> Iterator[Finding]:
    """Refuse what does not decode whole: an error, a damaged frame, or fewer frames than the header promises.

    No single question finds all damage: a file cut in half decodes without an error, and rotten bytes keep the count.
    """
    survey = output.survey
    promised = survey.facts.frames if survey.facts else 0
    if survey.facts is None or not survey.decoded:
        yield fail(f"{output.name} cannot be decoded: {survey.error or 'it holds no frame'}", hint=_AGAIN)
    elif promised and survey.decoded != promised:
        yield fail(
            f"only {survey.decoded} of the {promised} frames that the header of {output.name} promises can be decoded",
            hint=_AGAIN,
        )
    elif survey.corrupt:
        yield fail(f"{survey.corrupt} of {survey.decoded} frames of {output.name} are damaged", hint=_AGAIN)
    elif survey.error:
        yield fail(f"the decoder complains about {output.name}: {survey.error}", hint=_AGAIN)


def as_requested(output: Output, spec: Spec | None, *, options: Requested = DEFAULTS) -> Iterator[Finding]:
    """Compare frames, size and rate with what the backend planned, or with the spec where there is no plan.

    The plan counts, not the user's seconds: models make frames in chunks of their own length.
    """
    wanted = output.expected or spec
    survey = output.survey
    if wanted is None or survey.facts is None:
        return
    for difference in differences(survey.facts, survey.decoded, wanted, fps=options.fps):
        yield fail(
            f"{output.name} has {difference}",
            hint="the backend did something else than it planned; trying again will not help",
        )


def differences(facts: MediaFacts, decoded: int, wanted: Expectation | Spec, *, fps: float) -> Iterator[str]:
    """Each way in which a video is not what was *wanted*: the value it has, and the value it should have.

    *fps* is the accepted difference in frames a second.
    """
    if decoded != wanted.frames:
        yield f"{decoded} frames, not the {wanted.frames} that were planned"
    if (facts.width, facts.height) != (wanted.width, wanted.height):
        yield f"{facts.width}x{facts.height} pixels, not {wanted.width}x{wanted.height}"
    # A still picture has no rate; the one its reader makes up is nobody's wish.
    if wanted.frames > 1 and abs(facts.fps - wanted.fps) > fps:
        yield f"{float(facts.fps):g} frames a second, not {float(wanted.fps):g}"


CHECKS = (
    Check(
        name="video.decode",
        summary="Every frame that the header promises decodes without damage.",
        look=decodes,
        level="integrity",
        order=50,
    ),
    Check(
        name="video.request",
        summary="Frames, size and rate are those that were planned.",
        look=as_requested,
        options=Requested,
        level="request",
        order=10,
    ),
)
