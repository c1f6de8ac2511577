"""One change to several runs: what cannot be done to one stops none of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core.cli import facts, failure, say
from cosmos_core.cli.asked import leave
from cosmos_core.errors import CosmosError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run


def each(asked: Asked, refs: Sequence[str], change: Callable[[str], tuple[Run, str]]) -> None:
    """Do *change* to each run and say what became of it; leave with the worst error's exit code."""
    answers: list[dict[str, Any]] = []
    rows: list[tuple[str, ...]] = []
    errors: list[CosmosError] = []
    for ref in dict.fromkeys(refs):
        try:
            run, said = change(ref)
        except CosmosError as error:
            errors.append(error)
            state = "unknown" if isinstance(error, UnknownError) else "refused"
            answers.append({"id": ref, "state": state, "error": failure.facts(error)})
            rows.append((ref, say.word(state) if state == "unknown" else state, "", str(error)))
        else:
            answers.append(facts.of_run(run))
            rows.append((run.id, say.word(run.state), run.name, said))
    worst = max(errors, key=lambda error: error.exit_code, default=None)
    asked.answer({"runs": answers} | ({"error": failure.facts(worst)} if worst else {}))
    asked.tell(say.table(rows))
    if worst is not None:
        if not asked.json:
            failure.tell(asked, _of_all(errors, worst, len(rows)))
        leave(worst.exit_code)


def _of_all(errors: Sequence[CosmosError], worst: CosmosError, count: int) -> CosmosError:
    if len(errors) == 1:
        return worst
    return CosmosError(f"{len(errors)} of {count} could not be changed", hint=worst.hint)
