"""From replies to an opinion, and from opinions to a judgement. Pure."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import Finding, ok, warn
from cosmos_core_reason import replies
from cosmos_core_reason.questions import NEEDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cosmos_core_reason.questions import Question

PLAUSIBLE = 4.0
"""Mean score from which a video passes. The models agree with people in four of ten cases, so it is a hint for people:
fine-tuned Reason 2 reaches 0.40 exact matches on VideoPhy-2 (cosmos-cookbook, physical-plausibility-check)."""
SPREAD = 2
"""How far trials may lie apart before they count as disagreeing."""
ACCEPTED = 0.8
"""Share of the questions that are no must-pass ones that must be answered as expected: NVIDIA's --threshold 80."""
LEVELS = {
    "scale": "plausibility",
    "critic": "anomaly",
    "match": "questions",
    "choice": "attributes",
    "yes": "attributes",
}

DOUBTFUL, UNANSWERED = "reason:doubtful", "reason:unanswered"


@attrs.frozen(kw_only=True)
class Trial:
    """One question asked once."""

    question: str
    moment: str = ""
    seed: int
    model: str = ""
    """Which model answered, by the endpoint's own name for it."""
    said: str = ""
    thinking: str = ""
    value: int | bool | None = None
    """A score of 1 to 5; whether the video is clean; whether the answer is the expected one. None for no answer."""
    error: str = ""
    notes: tuple[str, ...] = ()
    """What a critic found wrong, by the names that it gave."""
    seconds: float = 0.0


@attrs.frozen(kw_only=True)
class Judged:
    """What all trials say together."""

    scores: dict[str, float]
    """0 to 1 by plausibility, anomaly, questions and attributes; what was not answered is not there."""
    findings: tuple[Finding, ...]
    tags: tuple[str, ...]

    @property
    def score(self) -> float | None:
        """The worst of the scores: a video that moves well and shows the wrong thing is no good."""
        return min(self.scores.values(), default=None)


def tried(question: Question, seed: int, text: str, thinking: str, seconds: float) -> Trial:
    """What a reply means."""
    trial = Trial(
        question=question.id,
        moment=question.moment,
        seed=seed,
        said=text[:4000],
        thinking=thinking[:4000],
        seconds=round(seconds, 3),
    )
    try:
        return attrs.evolve(trial, value=_value(question, text), notes=replies.anomalies(thinking + text))
    except replies.UnclearError as error:
        return attrs.evolve(trial, error=str(error))


def _value(question: Question, text: str) -> int | bool:
    match question.kind:
        case "scale":
            return replies.scale(text)
        case "critic":
            return not replies.yes(text)
        case "choice":
            return replies.choice(text, question.options) == question.expected
        case "yes":
            return replies.yes(text) == (question.expected == "yes")
        case _:
            return replies.matches(text, question.expected, question.keywords)


def judged(questions: Sequence[Question], trials: Iterable[Trial], *, unanswered: str = "") -> Judged:
    """The judgement: findings by question, a score by kind, and tags. Nothing in it is a ``fail``: a judge ranks.

    *unanswered* is why the judge did not say all, where it did not.
    """
    by_id: dict[str, list[Trial]] = {}
    for trial in trials:
        by_id.setdefault(trial.question, []).append(trial)
    first = {question.id: question for question in reversed(questions)}
    findings: list[Finding] = []
    scores: dict[str, list[float]] = {}
    tags: set[str] = set()
    for name in dict.fromkeys(question.id for question in questions):
        asked, found = first[name], by_id.get(name, [])
        if not found:
            continue
        score, finding, wrong = _opinion(asked, found)
        findings.append(attrs.evolve(finding, check=f"reason.{name}"))
        if score is None:
            tags.add(UNANSWERED)
        else:
            scores.setdefault(LEVELS[asked.kind], []).append(score)
        tags |= wrong
    if any(finding.level.rank for finding in findings):
        tags.add(DOUBTFUL)
    if unanswered:
        findings.append(warn(f"the judge did not answer: {unanswered}", check="reason"))
        tags.add(UNANSWERED)
    together = {kind: fmean(each) for kind, each in scores.items()}
    if any(score == 0 and first[name].required for name, score in _required(first, by_id).items()):
        together["questions"] = 0.0
    return Judged(scores=together, findings=tuple(findings), tags=tuple(sorted(tags)))


def _required(first: Mapping[str, Question], by_id: Mapping[str, list[Trial]]) -> dict[str, float]:
    return {
        name: float(any(trial.value for trial in found))
        for name, found in by_id.items()
        if first[name].required and any(trial.value is not None for trial in found)
    }


def _opinion(question: Question, trials: Sequence[Trial]) -> tuple[float | None, Finding, set[str]]:
    answers = [trial.value for trial in trials if trial.value is not None]
    silent = [trial.error for trial in trials if trial.value is None]
    lost = f"; {len(silent)} of {len(trials)} gave no answer ({silent[0]})" if silent else ""
    # With half of the trials gone the rest says little.
    if len(answers) * 2 < len(trials) or not answers:
        return None, warn(f"no answer about {question.id}: {silent[0]}"), set()
    match question.kind:
        case "scale":
            return _plausible([int(each) for each in answers], lost)
        case "critic":
            return _clean([bool(each) for each in answers], trials, lost)
        case "choice" | "yes":
            return _fitting(question, trials, lost)
        case _:
            return _accepted(question, trials, bool(answers[0]))


def _plausible(scores: list[int], lost: str) -> tuple[float, Finding, set[str]]:
    mean, apart = fmean(scores), max(scores) - min(scores)
    said = f"plausibility {mean:.2f} of 5 ({' '.join(map(str, scores))}){lost}"
    if apart > SPREAD:
        finding = warn(f"{said}; the trials disagree by {apart}", hint="look at it yourself: cosmos show")
    elif mean < PLAUSIBLE:
        finding = warn(said, hint="a judge agrees with people in four of ten cases: look at it")
    else:
        finding = ok(said)
    return (mean - 1) / 4, finding, set()


def _clean(answers: list[bool], trials: Sequence[Trial], lost: str) -> tuple[float, Finding, set[str]]:
    share = fmean(answers)
    named = Counter(note for trial in trials for note in trial.notes)
    seen = f": {', '.join(name for name, _ in named.most_common(4))}" if named else ""
    said = f"{sum(answers)} of {len(answers)} trials find no anomaly{lost}"
    finding = ok(said) if share == 1 and not lost else warn(f"{said}{seen}", hint="look at these first")
    return share, finding, set()


def _fitting(question: Question, trials: Sequence[Trial], lost: str) -> tuple[float, Finding, set[str]]:
    right = [trial.moment for trial in trials if trial.value]
    wrong = [trial.moment for trial in trials if trial.value is False]
    said = f"{question.about}: {len(right)} of {len(trials)} frames say so{lost}"
    if len(right) >= NEEDED:
        return len(right) / len(trials), ok(said), set()
    elsewhere = f", not in the {' and the '.join(wrong)}" if wrong else ""
    name = question.id.partition(".")[2]
    finding = warn(said + elsewhere, hint="the picture may be good and the wrong one: look at it")
    return 0.0, finding, {f"reason:wrong-{name}"}


def _accepted(question: Question, trials: Sequence[Trial], passed: bool) -> tuple[float, Finding, set[str]]:
    if passed:
        return 1.0, ok(f"as expected: {question.about}"), set()
    wanted = " and ".join(filter(None, [question.expected, ", ".join(question.keywords)]))
    kind = "must-pass question failed" if question.required else "not as expected"
    said = replies.shown(trials[0].said)
    return (
        0.0,
        warn(f"{kind}: {question.about} It said {said}", hint=f"expected: {wanted}"),
        {"reason:must-pass"} if question.required else set(),
    )
