"""``cosmos upscale``: a run's video, or any other, made larger as a child run."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import attrs
import click

from cosmos_core.errors import InputError, Level, RefusedError, fail, warn, worst
from cosmos_core.extend import Ask, Backend, Spec
from cosmos_core_upscale.backend import NAME
from cosmos_core_upscale.delivery import UHD, WAYS, Delivery, deliver
from cosmos_core_upscale.delivery import review as review_delivery
from cosmos_core_upscale.source import find, judge, take

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core import Cosmos
    from cosmos_core.errors import Finding
    from cosmos_core.extend import Asked, Run
    from cosmos_core_upscale.source import Source

MODEL = "transfer1-upscale"
FACTOR = 3.0
"""What the model does, and no other."""


@attrs.frozen(kw_only=True)
class Wanted:
    """What a command line asks for."""

    backend: str
    prompt: str = ""
    weight: float | None = None
    factor: float | None = None
    sharpen: float | None = None
    seed: int | None = None
    deliver: str = ""
    size: str = UHD
    options: tuple[str, ...] = ()

    @property
    def by_model(self) -> bool:
        """Whether a model makes it."""
        return self.backend == MODEL

    def chosen(self) -> dict[str, Any]:
        """The backend's options, as far as they were named."""
        own = (
            {"control_weight": self.weight}
            if self.by_model
            else {"factor": self.factor, "sharpen": self.sharpen}
        )
        named = {name: value for name, value in own.items() if value is not None}
        return named | dict(_pair(each) for each in self.options)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"-o {text} names no value", hint="-o NAME=VALUE")
    return name.strip(), value.strip()


@click.command()
@click.argument("source", metavar="RUN|VIDEO")
@click.option(
    "--backend",
    type=click.Choice([NAME, MODEL]),
    default=None,
    help=f"{MODEL} is NVIDIA's model, {NAME} a filter. Default: the model where a slot has a GPU for it.",
)
@click.option(
    "--prompt", default="", metavar="TEXT", help="What the video shows. Default: the run's own prompt."
)
@click.option(
    "--weight", type=float, help="How closely the model keeps to the picture, 0 to 1.  [default: 0.5]"
)
@click.option("--factor", type=float, help="Times as wide and as high, for the filter.  [default: 3]")
@click.option("--sharpen", type=float, help="How much the filter sharpens, 0 to 2.  [default: 0]")
@click.option("--seed", type=int, help="Default: one that follows from the request.")
@click.option(
    "--deliver",
    type=click.Choice(WAYS),
    default=None,
    help="Also write a copy at a delivery size: black added, sides cut off, or stretched.",
)
@click.option("--size", default=UHD, show_default=True, metavar="WxH", help="The delivery size.")
@click.option(
    "-o", "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the backend."
)
@click.option("--name", default="", help="Default: that of what is enlarged.")
@click.option("--tag", multiple=True, help="Several may be given.")
@click.option("--queue", is_flag=True, help="Queue it and come back at once.")
@click.pass_obj
def upscale(
    asked: Asked,
    /,
    source: str,
    backend: str | None,
    deliver: str | None,
    name: str,
    tag: tuple[str, ...],
    queue: bool,
    **words: Any,
) -> None:
    """Enlarge the sealed video of a run, or any video, as a run of its own that knows its parent.

    Where a slot of this workspace has a GPU for Cosmos Transfer 1, its 4K upscaler makes 3840x2112 of 1280x704. Elsewhere a
    Lanczos filter does it on the CPU: it adds no detail, and its artifact says so. Either is checked against what it was made of.

    Asking for the same again gives the same run. Ctrl-C stops the waiting, not the work.

    \b
    Examples:
      cosmos upscale r4k2m9xq
      cosmos upscale r4k2m9xq --backend transfer1-upscale --weight 0.5
      cosmos upscale holiday.mp4 --factor 2 --sharpen 0.4
      cosmos upscale r4k2m9xq --deliver pad                # 3840x2160, beside the artifact
      cosmos upscale r4k2m9xq --queue --json
    """  # noqa: D301  (click reads the letter)
    with asked.open() as cosmos:
        found = find(cosmos, source)
        wanted = Wanted(
            backend=backend or choose(cosmos, found),
            deliver=deliver or "",
            **{**words, "options": words["options"]},
        )
        warnings = refuse(cosmos, found, wanted, queue=queue)
        for each in warnings:
            asked.note(f"{each.level}  {each.message}")
        run = request(cosmos, found, wanted, name=name, tags=tag)
        asked.note(_said(run, found, wanted))
        if queue:
            asked.answer({"runs": [run]})
            asked.tell(f"{run.state}  {run.id}  {run.name}")
            return
        (finished,) = asked.finish(cosmos, [run])
        copies = _deliver(asked, finished, wanted)
        asked.conclude(cosmos, [finished], delivered=copies)


def choose(cosmos: Cosmos, source: Source) -> str:
    """The model where a slot has a GPU that can run it, else the filter."""
    offered = cosmos.plugins.offers(Backend).get(MODEL)
    if offered is None:
        return NAME
    needs = offered.needs(_spec(offered, source, {}))
    able = [slot for slot in cosmos.able(needs) if slot.gpus]
    return MODEL if able else NAME


def _spec(backend: Backend, source: Source, options: dict[str, Any], prompt: str = "") -> Spec:
    """The request as it would be, to be judged before anything is copied or queued."""
    kind = backend.options or dict
    known = {field.name for field in attrs.fields(kind)} if attrs.has(kind) else set()
    return Spec(
        backend=backend.name,
        prompt=attrs.evolve(source.prompt, text=prompt or source.prompt.text or source.name),
        clip=source.digest,
        frames=source.facts.frames,
        fps=source.facts.fps or 1,
        width=source.facts.width,
        height=source.facts.height,
        options=attrs.asdict(kind(**{key: value for key, value in options.items() if key in known})),
    )


def refuse(cosmos: Cosmos, source: Source, wanted: Wanted, *, queue: bool = False) -> list[Finding]:
    """Raise if anything stands against a request, with all that does; give what a person should hear of it.

    Raises:
        RefusedError: with every finding. Nothing was copied, sealed or queued.
        UnknownError: no installed plugin offers the backend.
    """
    backend = cosmos.plugins.find(Backend, wanted.backend)
    findings = [*judge(source), *judge_wanted(source, wanted, queue=queue)]
    # Options in words are the core's to read; the draft is judged by those that were named here.
    options = {key: value for key, value in wanted.chosen().items() if not isinstance(value, str)}
    try:
        spec = _spec(backend, source, options, wanted.prompt)
    except (ValueError, TypeError):
        # Said by judge_wanted already, in words that fit the command line.
        spec = _spec(backend, source, {}, wanted.prompt)
    draft = source.draft()
    findings += cosmos.plugins.review(spec, draft)
    findings += backend.review(spec, draft) if backend.review else ()
    distinct = list({each.message: each for each in findings}.values())
    if worst(distinct) is Level.FAIL:
        failed = sum(each.level is Level.FAIL for each in distinct)
        raise RefusedError(
            f"{source.path.name} cannot be enlarged so: {failed} finding{'s' if failed > 1 else ''}", distinct
        )
    return [each for each in distinct if each.level is Level.WARN]


def judge_wanted(source: Source, wanted: Wanted, *, queue: bool) -> Iterator[Finding]:
    """What stands against the words of a command line themselves."""
    if wanted.by_model:
        if wanted.weight is not None and not 0 <= wanted.weight <= 1:
            yield fail(
                f"a weight of {wanted.weight:g} is outside 0 to 1", hint="--weight 0.5", where="weight"
            )
        if wanted.factor not in {None, FACTOR}:
            yield fail(
                f"the model enlarges {FACTOR:g} times, not {wanted.factor:g}",
                hint=f"leave --factor out, or --backend {NAME}",
                where="factor",
            )
        if wanted.sharpen is not None:
            yield fail("the model does not sharpen", hint="leave --sharpen out", where="sharpen")
        if not (wanted.prompt or source.prompt.text):
            yield fail(
                f"nobody said what {source.path.name} shows, and the model works from a prompt",
                hint='--prompt "a street in the rain"',
                where="prompt",
            )
    else:
        if wanted.weight is not None:
            yield fail(
                "the filter keeps to the picture always, so --weight would have no effect",
                hint=f"leave it out, or --backend {MODEL}",
                where="weight",
            )
        if wanted.prompt and source.run is not None:
            yield warn("the filter reads no prompt; it is only kept", where="prompt")
    if wanted.deliver:
        yield from review_delivery(Delivery(how=wanted.deliver, size=wanted.size))
        if queue:
            yield fail(
                "a delivery is written when the video is sealed, and --queue does not wait for that",
                hint='leave one of them out, or let a worker do it: steps = ["contact", "deliver"] in cosmos.toml',
                where="deliver",
            )


def request(
    cosmos: Cosmos, source: Source, wanted: Wanted, *, name: str = "", tags: Sequence[str] = ()
) -> Run:
    """Queue the run, or give the one that the same words queued before, unless it ended badly."""
    parent = source.run
    ask = Ask(
        prompt=wanted.prompt or source.prompt.text or source.name,
        negative=source.prompt.negative,
        backend=wanted.backend,
        seed=wanted.seed,
        options=wanted.chosen(),
        name=name or source.name,
        tags=tuple(tags),
        parent=parent.id if parent else "",
        campaign=parent.campaign if parent else "",
    )
    table = cosmos.settings.plugins.get(wanted.backend, {})
    said = json.dumps([source.digest, attrs.asdict(ask), dict(table)], default=str, sort_keys=True)
    token = _free(cosmos, f"upscale-{hashlib.sha256(said.encode()).hexdigest()[:24]}")
    if (known := cosmos.store.submitted(token)) is not None:
        return known[0]
    clip = take(cosmos, source)
    return cosmos.submit_many([attrs.evolve(ask, clip=str(clip.folder))], token=token)[0]


def _free(cosmos: Cosmos, base: str) -> str:
    """The token of a run that waits, runs or is sealed; a fresh one when the last ended badly or was removed."""
    token, number = base, 1
    while (known := cosmos.store.submitted(token)) is not None and not any(map(_stands, known)):
        number += 1
        token = f"{base}-{number}"
    return token


def _stands(run: Run) -> bool:
    return run.artifact is not None or not run.state.is_final


def _said(run: Run, source: Source, wanted: Wanted) -> str:
    """Who enlarges what, in a sentence that leaves no doubt whether a model does."""
    who = "by Cosmos Transfer 1's upscaler" if wanted.by_model else "by a Lanczos filter, no model"
    of = f"run {source.run.id}" if source.run else source.path.name
    return f"{run.state}: {run.id} enlarges {of} {who}"


def _deliver(asked: Asked, run: Run, wanted: Wanted) -> list[Any]:
    """Write the delivery copy that was asked for, and say what it is."""
    if not wanted.deliver or run.artifact is None:
        return []
    chosen = Delivery(how=wanted.deliver, size=wanted.size)
    copy = deliver(run.artifact, run, run.artifact.path.parent, chosen)
    if copy is None:
        asked.note(f"the video is {wanted.size} already, so there is nothing to deliver")
        return []
    asked.note(f"delivered: {run.artifact.path.parent / copy.file}, {copy.size}, {copy.what}")
    return [copy]
