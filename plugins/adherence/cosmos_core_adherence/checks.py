"""Whether edges, blurred light and motion are those of the input. On a CPU, from the one decode that all checks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Finding, Output, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Spec
    from cosmos_core.media import Pixels

SIZE = (640, 360)
"""Width and height at which videos are compared. Every threshold here was found at this size."""

SMALLEST = SIZE[0] * SIZE[1] // 4
"""Pixels of an input below which nothing is compared: enlarged so far, a picture has no sharp edge left."""


@attrs.frozen(kw_only=True)
class Edges:
    """When edges count as followed."""

    good: float = attrs.field(default=0.75, metadata={"help": "F1 of the edges, 0 to 1, that is close"})
    poor: float = attrs.field(default=0.5, metadata={"help": "F1 below which it is another picture"})
    weight: float = attrs.field(
        default=0.3, metadata={"help": "weight of edge from which on it is asked at all"}
    )


@attrs.frozen(kw_only=True)
class Blur:
    """When light and dark count as followed."""

    good: float = attrs.field(
        default=0.45, metadata={"help": "structure of the blurred pictures, 0 to 1, that is close"}
    )
    poor: float = attrs.field(default=0.25, metadata={"help": "structure below which it is another picture"})
    weight: float = attrs.field(
        default=0.3, metadata={"help": "weight of vis from which on it is asked at all"}
    )


@attrs.frozen(kw_only=True)
class Moves:
    """When motion counts as followed."""

    score: float = attrs.field(
        default=0.682, metadata={"help": "share of motion near the input's; the bound of cosmos-evaluator"}
    )
    beyond_chance: float = attrs.field(
        default=0.65, metadata={"help": "the same beyond what any video would reach, 0 to 1"}
    )
    held: float = attrs.field(
        default=0.1, metadata={"help": "share of steps that may stand still where the input moves"}
    )


@attrs.frozen(kw_only=True)
class Kept:
    """When an enlargement counts as the picture it was made of. Edges and structure must both be."""

    good: float = attrs.field(
        default=0.85, metadata={"help": "F1 of the edges, and structure, 0 to 1, that are close"}
    )
    poor: float = attrs.field(default=0.6, metadata={"help": "below which it is another picture"})


EDGES, BLUR, MOVES, KEPT = Edges(), Blur(), Moves(), Kept()


SHARP = SIZE[0] * SIZE[1] * 9 // 10
"""As many for enlargements: a picture that is enlarged twice, by different filters, differs by those alone."""


def pictures_of(output: Output, *, least: int = SMALLEST) -> tuple[Pixels, Pixels] | None:
    """Grey pictures of the output and of its input; None where there is no input, or one of fewer pixels."""
    clip = output.clip
    return None if clip is None or clip.width * clip.height < least else output.pictures(SIZE)


def weight_of(spec: Spec | None, kind: str) -> float:
    """How strongly a control steers *spec*; 0 when it is none of its own."""
    return 0.0 if spec is None else spec.weights.get(kind, 0.0)


def verdict(
    score: float, options: Edges | Blur | Kept, *, close: str, far: str, said: str, more: str
) -> Finding:
    """What a *score* means by the bounds of *options*: *said* with the sentence that fits, and what could help."""
    said = f"{said} ({options.good:g} and more is close, below {options.poor:g} another picture)"
    if score >= options.good:
        return ok(f"{close}: {said}")
    say = fail if score < options.poor else warn
    return say(f"{far}: {said}", hint=f"look at both side by side; try another seed, or {more}")


def follows_edges(output: Output, spec: Spec | None, *, options: Edges = EDGES) -> Iterator[Finding]:
    """Compare edges with those of the input, where edge steers with some weight."""
    if weight_of(spec, "edge") < options.weight or (pair := pictures_of(output)) is None:
        return
    from cosmos_core_adherence.measures import edge_f1

    f1 = edge_f1(*pair)
    yield verdict(
        f1,
        options,
        close=f"the edges of {output.name} are its input's",
        far=f"the edges of {output.name} are hardly its input's",
        said=f"F1 {f1:.3f}",
        more="more weight for edge",
    )


def follows_light(output: Output, spec: Spec | None, *, options: Blur = BLUR) -> Iterator[Finding]:
    """Compare where it is light and dark with the input, where vis steers with some weight."""
    if weight_of(spec, "vis") < options.weight or (pair := pictures_of(output)) is None:
        return
    from cosmos_core_adherence.measures import blur_likeness

    found = blur_likeness(*pair)
    yield verdict(
        found.structure,
        options,
        close=f"{output.name} is light and dark where its input is",
        far=f"{output.name} is hardly light and dark where its input is",
        said=f"structure {found.structure:.3f}, SSIM {found.ssim:.3f}",
        more="more weight for vis",
    )


def follows_motion(output: Output, spec: Spec | None, *, options: Moves = MOVES) -> Iterator[Finding]:
    """Compare where it moves with the input, for what any control steers.

    A video that stands still invents no motion, so it would score 1: it is told apart first.
    """
    if spec is None or not any(spec.weights.values()) or (pair := pictures_of(output)) is None:
        return
    from cosmos_core_adherence.measures import motion

    found = motion(*pair)
    if found.held > options.held:
        yield warn(
            f"{output.name} stands still at {found.held:.0%} of the steps at which its input moves, so where it moves "
            f"says nothing; at most {options.held:.0%} may be",
            hint="try another seed",
        )
        return
    said = (
        f"{found.score:.3f} of its motion is near its input's ({options.score:g} and more is close), "
        f"{found.beyond_chance:.3f} beyond chance ({options.beyond_chance:g} and more)"
    )
    if found.score >= options.score and found.beyond_chance >= options.beyond_chance:
        yield ok(f"{output.name} moves where its input does: {said}")
        return
    yield warn(
        f"{output.name} moves where its input does not: {said}",
        hint="rain, snow and smoke that were asked for do that too; else try another seed",
    )


def keeps_picture(output: Output, _spec: Spec | None, *, options: Kept = KEPT) -> Iterator[Finding]:
    """Compare an enlargement with what it was made of, both at 640x360: a model may add detail, and nothing else."""
    expected = output.expected
    if expected is None or not expected.keeps_input or (pair := pictures_of(output, least=SHARP)) is None:
        return
    from cosmos_core_adherence.measures import blur_likeness, edge_f1

    edges, structure = edge_f1(*pair), blur_likeness(*pair).structure
    yield verdict(
        min(edges, structure),
        options,
        close=f"{output.name} shows what it was made of",
        far=f"{output.name} hardly shows what it was made of",
        said=f"edges {edges:.3f}, structure {structure:.3f}",
        more="more weight",
    )


CHECKS = (
    Check(
        name="control.edge-f1",
        summary="Edges are those of the input, within two pixels.",
        look=follows_edges,
        options=Edges,
        level="control",
        pictures=SIZE,
        order=10,
    ),
    Check(
        name="control.blur-ssim",
        summary="It is light and dark where the input is.",
        look=follows_light,
        options=Blur,
        level="control",
        pictures=SIZE,
        order=20,
    ),
    Check(
        name="control.motion",
        summary="It moves where the input moves.",
        look=follows_motion,
        options=Moves,
        level="control",
        pictures=SIZE,
        required=False,
        order=30,
    ),
    Check(
        name="control.kept",
        summary="An enlargement shows what it was made of.",
        look=keeps_picture,
        options=Kept,
        level="control",
        pictures=SIZE,
        order=35,
    ),
)
