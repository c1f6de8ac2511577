"""Work on runs in this process until each is final, with bars; then say how each ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.cli import facts, failure, say
from cosmos_core.cli.asked import leave
from cosmos_core.cli.look import looking
from cosmos_core.cli.progress import progress
from cosmos_core.errors import CosmosError, Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run


def finish(cosmos: Cosmos, asked: Asked, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Work on *runs* until each is final.

    Raises:
        Stopped: on Ctrl-C. Their jobs go on, and the next worker follows them.
        HostError: when no slot of this workspace can run one of them.
        InputError: when the queue is paused.
    """
    if all(run.state.is_final for run in runs):
        return tuple(runs)
    with progress(asked) as bars:

        def show(run: Run) -> None:
            label = f"{run.id} {say.one_line(run.name, 24)}"
            done = 1.0 if run.state.is_final else run.progress
            bars.show(run.id, label, done, 1.0, str(run.state))

        for run in runs:
            show(run)
        try:
            with looking(cosmos, bars, lambda _: None):
                return cosmos.finish(runs, on_change=show)
        except KeyboardInterrupt:
            raise _stopped(cosmos, runs) from None


def conclude(cosmos: Cosmos, asked: Asked, runs: Sequence[Run], **more: object) -> None:
    """Say how each run ended, and leave with an error's exit code when one of them is not sealed.

    A program gets *more* beside the runs.
    """
    judged = {run.id: facts.judged(cosmos, run) for run in runs}
    errors = [error for run in runs if (error := not_sealed(run)) is not None]
    answer = [facts.of_run(run) | {"findings": list(judged[run.id])} for run in runs]
    wrong = {"error": failure.facts(_of_all(errors, len(runs)))} if errors else {}
    asked.answer({"runs": answer} | more | wrong)
    for run in runs:
        asked.tell(facts.verdict(run, [each for each in judged[run.id] if each.level is not Level.OK]))
    if errors:
        if not asked.json:
            failure.tell(asked, _of_all(errors, len(runs)))
        leave(max(error.exit_code for error in errors))


def not_sealed(run: Run) -> CosmosError | None:
    """Why *run* is no success; None when it is."""
    from cosmos_core.api import raise_unless_sealed

    try:
        raise_unless_sealed(run)
    except CosmosError as error:
        return error
    return None


def _of_all(errors: Sequence[CosmosError], count: int) -> CosmosError:
    if len(errors) == 1:
        return errors[0]
    worst = max(errors, key=lambda error: error.exit_code)
    return type(worst)(f"{len(errors)} of {count} runs are not sealed", hint=worst.hint)


def _stopped(cosmos: Cosmos, runs: Sequence[Run]) -> failure.Stopped:
    now = [cosmos.store.run(run.id) for run in runs]
    begun = [run.id for run in now if run.state.is_held]
    waiting = [run.id for run in now if not run.state.is_held and not run.state.is_final]
    parts = [f"{say.words(begun)} goes on without you"] if len(begun) == 1 else []
    parts += [f"{say.many(len(begun), 'run')} go on without you"] if len(begun) > 1 else []
    parts += [f"{say.words(waiting[:3])}{', …' if len(waiting) > 3 else ''} stays queued"] if waiting else []
    return failure.Stopped(
        "stopped waiting; " + ("; ".join(parts) or "everything had ended"),
        hint="finish what was begun: cosmos work --until-idle   (or look: cosmos status)",
    )
