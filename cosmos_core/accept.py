"""Asks into queued runs: every finding of every ask at once, and all of them stored or none."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

import attrs

from cosmos_core import canonical
from cosmos_core import clip as clips
from cosmos_core.clip import Clip
from cosmos_core.errors import CosmosError, Finding, InputError, Level, RefusedError, StoreError, fail, worst
from cosmos_core.extend import Backend
from cosmos_core.plugins import options
from cosmos_core.run import new_id
from cosmos_core.spec import (
    LARGEST_SEED,
    MOST_SECONDS,
    Prompt,
    Spec,
    controls,
    suggest_name,
    variables_review,
)
from cosmos_core.store.records import NewRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path

    from cosmos_core.plugins import Plugins
    from cosmos_core.run import Run
    from cosmos_core.settings import Settings
    from cosmos_core.store import Store
    from cosmos_core.submission import Ask

# What a request gets when neither it nor its clip says: the models' own first choice.
DEFAULT_FRAMES = 93
DEFAULT_FPS = 24
DEFAULT_SIZE = (1280, 704)

HIGHEST_PRIORITY = 1_000_000


class Open(Protocol):
    """An open workspace, as far as accepting needs one."""

    @property
    def store(self) -> Store:
        """Where runs are kept."""

    @property
    def plugins(self) -> Plugins:
        """Who reviews."""

    @property
    def settings(self) -> Settings:
        """Defaults."""


@attrs.frozen(kw_only=True)
class Prepared:
    """One ask made precise: the run it would become, and everything there is to say about it."""

    run: NewRun | None
    clip: Clip | None
    findings: tuple[Finding, ...]


def accept(
    site: Open,
    asks: Sequence[Ask],
    *,
    base: Path,
    token: str = "",
    on_warning: Callable[[Finding], None] = lambda _: None,
) -> tuple[Run, ...]:
    """Queue a run for each ask, or none at all. The runs are on disk when this returns.

    Args:
        site: The open workspace.
        asks: What is wanted. Clip folders are relative to *base*.
        base: The submission's folder, or the current one.
        token: The same token twice gives the first call's runs.
        on_warning: Hears each finding that does not stop the submission, before it is stored.

    Raises:
        RefusedError: with every finding of every ask, when any is ``fail``. Nothing was stored.
    """
    if not asks:
        raise InputError("there is nothing to submit")
    # What the token brought is queued or done, whatever became of its clips since.
    if token and (known := site.store.submitted(token)) is not None:
        return known
    sealed: dict[str, Clip] = {}
    prepared = [prepare(site, ask, base=base, sealed=sealed) for ask in asks]
    findings = [
        attrs.evolve(finding, where=f"{_label(index, ask, len(asks))}{finding.where}")
        for index, (ask, each) in enumerate(zip(asks, prepared, strict=True))
        for finding in each.findings
    ]
    if worst(findings) is Level.FAIL:
        raise RefusedError(f"{_count(findings)} stopped the submission; nothing was queued", findings)
    for finding in findings:
        if finding.level is Level.WARN:
            on_warning(finding)
    for each in prepared:
        if each.clip is not None:
            site.store.remember_clip(each.clip)
    return site.store.accept([each.run for each in prepared if each.run is not None], token=token)


def accept_child(site: Open, parent: Run, spec: Spec, *, token: str) -> Run:
    """Queue what a step made of *parent*'s artifact."""
    backend = site.plugins.find(Backend, spec.backend)
    with site.plugins.blame(backend, "looking at a request"):
        new = _new_run(
            backend,
            spec,
            name=parent.name,
            shows=parent.shows,
            parent=parent.id,
            campaign=parent.campaign,
        )
    return site.store.accept([new], token=token)[0]


def prepare(site: Open, ask: Ask, *, base: Path, sealed: dict[str, Clip] | None = None) -> Prepared:
    """Make one ask precise. Changes nothing but that its clip folder is sealed."""
    try:
        backend = site.plugins.find(Backend, ask.backend or site.settings.backend)
        prompt, ref, written_for = _prompt(site.store, ask)
        clip = _clip(site.store, ask.clip or written_for, base, {} if sealed is None else sealed)
        spec = _spec(site, ask, backend, prompt, clip)
        name = ask.name or ref.partition("@")[0] or suggest_name(prompt.text)
        with site.plugins.blame(backend, "looking at a request"):
            findings = (
                *_ask_review(ask),
                *site.plugins.review(spec, clip),
                *_backend_review(backend, spec, clip),
            )
            run = None if worst(findings) is Level.FAIL else _run_of(ask, backend, spec, name, ref)
    except RefusedError as error:
        return Prepared(run=None, clip=None, findings=error.findings)
    except StoreError:
        # Nothing is wrong with the ask; it can be asked again.
        raise
    except CosmosError as error:
        return Prepared(run=None, clip=None, findings=(fail(str(error), hint=error.hint),))
    return Prepared(run=run, clip=clip, findings=findings)


def _run_of(ask: Ask, backend: Backend, spec: Spec, name: str, ref: str) -> NewRun:
    return _new_run(
        backend,
        spec,
        name=name,
        prompt_ref=ref,
        tags=ask.tags,
        shows=ask.shows,
        priority=ask.priority,
        parent=ask.parent,
        campaign=ask.campaign,
    )


def _prompt(store: Store, ask: Ask) -> tuple[Prompt, str, str]:
    """The prompt, its name in the library, and the digest of the clip it was written for."""
    if ask.prompt.startswith("@"):
        saved = store.prompt(ask.prompt[1:])
        prompt = saved.prompt
        if ask.negative:
            prompt = attrs.evolve(prompt, negative=ask.negative)
        return prompt, saved.ref, saved.clip
    return Prompt(ask.prompt, ask.negative), "", ""


def _clip(store: Store, ref: str, base: Path, sealed: dict[str, Clip]) -> Clip | None:
    """The clip that *ref* names: a folder, which is sealed if it is not yet, or a digest or name we know."""
    if not ref:
        return None
    if ref not in sealed:
        folder = base / ref
        is_folder = _is_folder(folder)
        known = None if is_folder else store.clip_folder(ref)
        if known is None and not is_folder:
            raise InputError(
                f"there is no clip {ref!r}: no such folder, and no sealed clip of that name or digest",
                hint="see what there is: cosmos clip list",
            )
        sealed[ref] = clips.seal(known or folder)
    return sealed[ref]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _spec(site: Open, ask: Ask, backend: Backend, prompt: Prompt, clip: Clip | None) -> Spec:
    width, height = (clip.width, clip.height) if clip else DEFAULT_SIZE
    fps: Fraction | int = clip.fps if clip else DEFAULT_FPS
    chosen = options(backend, site.settings.plugins.get(backend.name, {}), ask.options)
    draft = Spec(
        backend=backend.name,
        prompt=prompt,
        clip=clip.digest if clip else "",
        controls=controls(ask.weights or _equal_weights(backend, clip)),
        frames=ask.frames if ask.frames is not None else (clip.frames if clip else DEFAULT_FRAMES),
        fps=fps,
        width=width,
        height=height,
        options=canonical.plain(chosen) if chosen is not None else {},
    )
    if ask.seconds is not None:
        draft = _lasting(backend, draft, ask.seconds)
    return attrs.evolve(draft, seed=ask.seed if ask.seed is not None else _seed(draft))


def _lasting(backend: Backend, spec: Spec, seconds: float) -> Spec:
    """*spec* for a video of *seconds*, by the backend's own arithmetic where it has one.

    Raises:
        InputError: no video is that long.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise InputError(
            f"{seconds:g} s are no length of a video", hint=f"more than 0, at most {MOST_SECONDS}"
        )
    if backend.lasting is not None:
        return backend.lasting(spec, seconds)
    return attrs.evolve(spec, frames=round(seconds * spec.fps))


def _equal_weights(backend: Backend, clip: Clip | None) -> dict[str, float]:
    usable = sorted({file.modality for file in clip.files} & backend.controls) if clip else []
    return {kind: round(1 / len(usable), 4) for kind in usable}


def _seed(spec: Spec) -> int:
    """A seed of the request's own: the same request has the same seed, different ones hardly ever share one."""
    return random.Random(spec.digest).randint(0, LARGEST_SEED)  # noqa: S311 (not a secret)


def _ask_review(ask: Ask) -> Iterator[Finding]:
    if abs(ask.priority) > HIGHEST_PRIORITY:
        yield fail(
            f"priority {ask.priority!s:.20} is outside -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}",
            where="priority",
        )
    if ask.seconds is not None and ask.frames is not None:
        yield fail("both frames and seconds say how long it is", hint="keep one of them", where="frames")
    yield from variables_review(ask.shows)


def _backend_review(backend: Backend, spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    for control in spec.controls:
        if control.kind not in backend.controls:
            takes = ", ".join(sorted(backend.controls)) or "none"
            yield fail(
                f"backend {backend.name} takes no control {control.kind}",
                hint=f"it takes {takes}",
                where="controls",
            )
    if backend.needs_clip and clip is None:
        yield fail(f"backend {backend.name} starts from a clip", hint="give --clip FOLDER", where="clip")
    elif backend.review is not None:
        yield from backend.review(spec, clip)


def _new_run(backend: Backend, spec: Spec, *, name: str, **more: object) -> NewRun:
    return NewRun(
        id=new_id("r"),
        name=name,
        spec=spec,
        load_key=backend.load_key(spec),
        needs=backend.needs(spec),
        seconds=backend.seconds(spec, ""),
        **more,  # type: ignore[arg-type]
    )


def _label(index: int, ask: Ask, many: int) -> str:
    return "" if many == 1 else f"{ask.name or f'request {index + 1}'}: "


def _count(findings: Sequence[Finding]) -> str:
    failed = sum(finding.level is Level.FAIL for finding in findings)
    return f"{failed} finding{'s' if failed != 1 else ''}"
