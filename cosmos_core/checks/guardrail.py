"""Did a safety model really run? A log line that says so counts; having asked for one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from cosmos_core.extend import Check, Finding, Output, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.spec import Spec


@attrs.frozen(kw_only=True)
class Guardrail:
    """What an output without a safety model is worth."""

    off: Literal["warn", "fail"] = attrs.field(
        default="warn",
        validator=attrs.validators.in_(("warn", "fail")),
        metadata={"help": "warn: a person decides; fail: reject what no safety model has seen"},
    )


DEFAULTS = Guardrail()


def effective(output: Output, _spec: Spec | None, *, options: Guardrail = DEFAULTS) -> Iterator[Finding]:
    """Mark an output whose model should have had a safety model and ran without; never pass it silently.

    ``none`` means that the backend has no safety model at all, which is no finding.
    """
    if output.guardrail == "on":
        yield ok("the job's log proves that a safety model ran")
    elif output.guardrail == "off":
        say = {"warn": warn, "fail": fail}[options.off]
        yield say(
            f"{output.name} was made without an effective guardrail: no safety model was loaded",
            hint="install the guardrail's checkpoints on the host, or have a person look before it is published",
        )


CHECKS = (
    Check(
        name="guardrail.effective",
        summary="The job's log proves that a safety model ran, where the backend has one.",
        look=effective,
        options=Guardrail,
        level="policy",
        order=10,
    ),
)
