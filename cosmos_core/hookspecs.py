"""The hooks. A plural noun offers, a verb asks, a past participle tells.

Write implementations with :data:`cosmos_core.hookimpl`. One may take fewer arguments than its specification: that is
how a hook grows without breaking anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core.clip import Clip
    from cosmos_core.extend import (
        Backend,
        Check,
        Command,
        Enhancer,
        Exporter,
        Finding,
        Forecast,
        Generator,
        Plan,
        Queued,
        Slot,
        Step,
        Transport,
    )
    from cosmos_core.run import Artifact, Run, State
    from cosmos_core.spec import Spec

PROJECT = "cosmos"
ENTRY_POINTS = "cosmos_core"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def cosmos_generators() -> Iterable[Generator]:
    """Offer ways of making clips from scenes.

    Called once, when a generator is first asked for or listed. Import nothing heavy here: ``generate`` is the place
    for that. Example::

        @hookimpl
        def cosmos_generators():
            yield Generator(name="stripes", summary="Moving stripes.", options=Stripes, generate=_generate)
    """
    return ()


@hookspec
def cosmos_backends() -> Iterable[Backend]:
    """Offer models.

    Called once, when a backend is first asked for or listed: at submission, planning and dispatch, in several
    processes. The answer must not depend on which. Example::

        @hookimpl
        def cosmos_backends():
            yield Backend(
                name="echo",
                summary="Gives the clip back.",
                load_key=lambda spec: "echo",
                needs=lambda spec: Needs(),
                seconds=lambda spec, gpu: 1.0,
                expect=_expect,
                compile=_compile,
                progress=lambda line: None,
                outcome=_outcome,
            )
    """
    return ()


@hookspec
def cosmos_transports() -> Iterable[Transport]:
    """Offer ways of reaching a host.

    Called once, when the first host is opened. Import nothing heavy here: ``connect`` is the place for that.
    Example::

        @hookimpl
        def cosmos_transports():
            yield Transport(
                name="sftp", summary="SSH commands, SFTP files.", options=SftpOptions, connect=_connect
            )
    """
    return ()


@hookspec
def cosmos_steps() -> Iterable[Step]:
    """Offer what can follow a sealed artifact.

    Called once per process that verifies. Which steps run is said by ``steps`` in ``cosmos.toml``. Example::

        @hookimpl
        def cosmos_steps():
            yield Step(name="contact", summary="A poster and a contact sheet.", follow=_follow)
    """
    return ()


@hookspec
def cosmos_checks() -> Iterable[Check]:
    """Offer questions about outputs.

    Called once per process that verifies. Every check is asked about every output, one file at a time; the output
    shares one decode among them all. Example::

        @hookimpl
        def cosmos_checks():
            yield Check(name="content.black", summary="The picture is not black.", look=not_black)
    """
    return ()


@hookspec
def cosmos_enhancers() -> Iterable[Enhancer]:
    """Offer ways of making a prompt better.

    Called once, by ``cosmos prompt enhance``. One that needs a GPU says in ``job`` how it works on a host. Example::

        @hookimpl
        def cosmos_enhancers():
            yield Enhancer(name="template", summary="Adds camera and light.", enhance=_enhance)
            yield Enhancer(
                name="pixtral",
                summary="A model on a host.",
                job=EnhancerJob(needs=_needs, compile=_compile, outcome=_outcome),
            )
    """
    return ()


@hookspec
def cosmos_exporters() -> Iterable[Exporter]:
    """Offer dataset formats.

    Called once, by ``cosmos export``. Only sealed artifacts reach an exporter. Example::

        @hookimpl
        def cosmos_exporters():
            yield Exporter(name="folder", summary="Videos, metadata.jsonl and SHA256SUMS.", export=_export)
    """
    return ()


@hookspec
def cosmos_commands() -> Iterable[Command]:
    """Offer commands under ``cosmos``.

    Called for every ``cosmos --help``, so name the place to load from and import nothing. Example::

        @hookimpl
        def cosmos_commands():
            yield Command(name="city", summary="Warm up, preview.", load="cosmos_core_city.commands:city")
    """
    return ()


@hookspec
def cosmos_review(spec: Spec, clip: Clip | None) -> Iterable[Finding]:  # noqa: ARG001
    """Say what is wrong with a request, before a GPU is touched.

    Asked once for each spec of a submission, after the clip is sealed. Every plugin's findings are collected; any
    ``fail`` stops the whole submission and nothing of it is stored. No I/O beyond the clip's own folder. Example::

        @hookimpl
        def cosmos_review(spec):
            if "logo" in spec.prompt.text:
                yield warn("logos come out garbled", hint="leave the logo out")
    """
    return ()


@hookspec(firstresult=True)
def cosmos_plan(
    runs: Sequence[Queued],  # noqa: ARG001
    slots: Sequence[Slot],  # noqa: ARG001
    forecast: Forecast,  # noqa: ARG001
) -> Plan | None:
    """Arrange waiting runs into batches on slots.

    Asked by every worker each time a slot is free, and by ``cosmos plan``. A worker takes the first batch of that slot
    and asks again later. ``forecast`` says until when the other slots are busy, and how long things take on each. Pure:
    no I/O, clock or randomness. The first plugin that answers decides; None leaves it to the next, and at last to the
    built-in planner. Example::

        @hookimpl
        def cosmos_plan(runs, slots, forecast):
            return None if len(runs) < 100 else my_solver(runs, slots, forecast.pace)
    """
    return None


@hookspec
def cosmos_run_moved(run: Run, before: State, after: State) -> None:
    """Hear that a run moved, after the move was committed.

    Called in the process that moved it. What a listener raises is logged and stops nobody; a listener that is slow
    slows the worker. Example::

        @hookimpl
        def cosmos_run_moved(run, after):
            if after is State.FAILED:
                ring_a_bell(run.name, run.reason)
    """


@hookspec
def cosmos_artifact_sealed(artifact: Artifact, run: Run) -> None:
    """Hear that an artifact was sealed, after the seal was committed; rules as for ``cosmos_run_moved``.

    Example::

        @hookimpl
        def cosmos_artifact_sealed(artifact):
            print(artifact.path)
    """
