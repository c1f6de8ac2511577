"""What is asked. Pure: names, variables and files' texts go in, questions come out.

Published forms and sampling values, each at its place:

- plausibility: NVIDIA's cosmos-cookbook, ``…/reason2/physical-plausibility-check/assets/video_reward.yaml``: four criteria, one
  digit from 1 to 5; sampling of Cosmos 3 Reasoner and Qwen3-VL.
- anomaly: nvidia-cosmos/cosmos-reason1, ``prompts/video_critic.yaml`` and ``examples/video_critic``: components in the thinking, Yes
  or No in the answer; the score is the share of clean trials.
- must-pass questions: nvidia-cosmos/cosmos-transfer2.5, ``packages/cosmos-oss/vqa``: ``must_pass_checks`` and ``vqa_checks``.

The words of the prompts are our own; ``plausibility=FILE.yaml`` takes NVIDIA's, or yours, from ``system_prompt`` and ``user_prompt``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import attrs

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cosmos_core.extend import Run

Kind = Literal["scale", "critic", "match", "choice", "yes"]

PLAIN = "You are a helpful assistant."


@attrs.frozen(kw_only=True)
class Sampling:
    """How a model draws its words."""

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    seed: int
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    fps: float = 4.0
    """Frames of the video that the model sees a second."""


# NVIDIA/cosmos, cookbooks/cosmos3/reasoner: what is used without thinking.
REASONER = Sampling(temperature=0.7, top_p=0.8, top_k=20, max_tokens=4096, seed=0, presence_penalty=1.5)
# nvidia-cosmos/cosmos-reason1, examples/video_critic.
CRITIC = Sampling(
    temperature=0.6, top_p=0.95, top_k=50, max_tokens=4096, seed=1, repetition_penalty=1.05, fps=16.0
)
# nvidia-cosmos/cosmos-transfer2.5, packages/cosmos-oss/vqa.
ACCEPTANCE = Sampling(temperature=0.01, top_p=0.95, top_k=50, max_tokens=1024, seed=42)
# Ours: one letter about one picture, as little drawn as can be.
LETTER = Sampling(temperature=0.01, top_p=0.95, top_k=20, max_tokens=256, seed=42)

PLAUSIBILITY = """\
Watch the video and judge how well it keeps to the physics of everyday life.

Look at:
1. Objects: do solid things keep their shape, do liquids, smoke and cloth move as they do?
2. Motion and forces: are gravity, inertia and momentum as they should be?
3. Contact: do things that meet touch, push and stop each other, and never pass through?
4. Time: does everything stay what and where it is from frame to frame, unless something moves it?

Scores:
1: no adherence to physics, violations everywhere
2: poor, with major violations
3: moderate, with violations that are easily seen
4: good, with minor flaws only
5: perfect, without any violation

Answer with the one digit of the score and nothing else, such as:
2

Does this video adhere to the physical laws?"""

ANOMALY_SYSTEM = """\
You look for artifacts and anomalies in videos. Go through the video component by component, and answer in this form:

<think>
<overview>
What the video shows.
</overview>
<component name="Name of the component">
<analysis>
What is seen of it, and whether anything about it is wrong.
</analysis>
<anomaly>Yes | No</anomaly>
</component>
</think>

<answer>
Whether the video contains anomalies or artifacts: "Yes" or "No".
</answer>"""
ANOMALY = "Does the video contain any anomalies or artifacts?"

MOMENTS = {"first": 0.0, "middle": 0.5, "last": 1.0}
"""The frames that attributes are asked about."""
MOST_OPTIONS = 12
NEEDED = 2
"""How many of them must agree."""

VOCABULARY: dict[str, tuple[str, ...]] = {
    "weather": ("clear", "cloudy", "rain", "snow", "fog", "storm", "sandstorm"),
    "time": ("day", "night", "dawn", "dusk"),
    "season": ("spring", "summer", "autumn", "winter"),
}
"""What else a variable could have been. Of one that is not here a picture is asked whether it shows the value."""


@attrs.frozen(kw_only=True)
class Question:
    """One question, with all that decides its answer but the video and the model."""

    id: str
    """``plausibility``, ``anomaly``, ``must-pass.1``, ``check.1``, ``attribute.weather``."""
    kind: Kind
    text: str
    system: str = ""
    sampling: Sampling
    trials: int = 1
    moment: str = ""
    """Which frame it is about; empty for the whole video."""
    expected: str = ""
    """The answer that is right: a sentence, yes or no, or the letter of an option."""
    keywords: tuple[str, ...] = ()
    options: dict[str, str] = attrs.field(factory=dict)
    required: bool = False
    """A must-pass question."""
    about: str = ""
    """What it asks, in a few words for people."""


def plausibility(trials: int, words: Mapping[str, str] | None = None) -> Question:
    """The 1 to 5 question."""
    said = words or {}
    return Question(
        id="plausibility",
        kind="scale",
        system=said.get("system_prompt", PLAIN),
        text=said.get("user_prompt", PLAUSIBILITY),
        sampling=REASONER,
        trials=trials,
    )


def anomaly(trials: int, words: Mapping[str, str] | None = None) -> Question:
    """The critic's question."""
    said = words or {}
    return Question(
        id="anomaly",
        kind="critic",
        system=said.get("system_prompt", ANOMALY_SYSTEM),
        text=said.get("user_prompt", ANOMALY),
        sampling=CRITIC,
        trials=trials,
    )


def attributes(expected: Mapping[str, str], others: Mapping[str, tuple[str, ...]]) -> Iterator[Question]:
    """A question for each variable and frame, made without a model.

    Args:
        expected: what the video should show, by variable.
        others: values that the variable has elsewhere, such as in other runs of the campaign.
    """
    for name, value in expected.items():
        for moment in MOMENTS:
            yield _attribute(name, value, _alternatives(name, value, others.get(name, ())), moment)


def _alternatives(name: str, value: str, others: tuple[str, ...]) -> tuple[str, ...]:
    known = VOCABULARY.get(name, ())
    # A word that says the same in other words would make two right answers.
    if value not in known and not others:
        return ()
    return tuple(dict.fromkeys((*others, *(known if value in known else ()), value)))


def _attribute(name: str, value: str, values: tuple[str, ...], moment: str) -> Question:
    subject = name.replace("_", " ").replace("-", " ")
    about = f"{subject} is {value}"
    if len(values) < 2:
        return Question(
            id=f"attribute.{name}",
            kind="yes",
            text=f"Does this picture fit this description? {subject}: {value}\nAnswer with Yes or No and nothing else.",
            sampling=LETTER,
            moment=moment,
            expected="yes",
            about=about,
        )
    # In an order of its own for each question, so that a model which likes one letter gains nothing.
    mixed = sorted(
        (*[each for each in values if each != value][: MOST_OPTIONS - 1], value),
        key=lambda each: hashlib.sha256(f"{name}/{moment}/{each}".encode()).hexdigest(),
    )
    options = {chr(ord("A") + place): each for place, each in enumerate(mixed)}
    lines = "\n".join(f"({letter}) {each}" for letter, each in options.items())
    return Question(
        id=f"attribute.{name}",
        kind="choice",
        text=f"Which of these fits this picture best? {subject}:\n{lines}\nAnswer with one letter and nothing else.",
        sampling=LETTER,
        moment=moment,
        expected=next(letter for letter, each in options.items() if each == value),
        options=options,
        about=about,
    )


def variables(run: Run, expect: tuple[str, ...], source: Mapping[str, Any]) -> dict[str, str]:
    """What a video should show, by variable.

    That is the clip's scene and subject, what whoever asked for its run said, the run's tags, and what is expected beside.

    A tag is a variable where it is ``name=value``; the later of these is heard.
    """
    found = {
        name: said
        for name in ("scene", "subject")
        if isinstance(said := source.get(name), str) and said.strip()
    }
    found |= {each.name: each.value for each in run.shows}
    for each in (*run.tags, *expect):
        name, mark, said = each.partition("=")
        if mark and name.strip() and said.strip():
            found[name.strip()] = said.strip()
    return found


def beside(run: Run, others: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What variables are in other videos: as *others* say, or as whoever asked for *run* said.

    The latter come first, since they stay the same whichever runs are judged together, and so do its questions.
    """
    return grouped(others) | {each.name: (*each.others, each.value) for each in run.shows if each.others}


def grouped(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``("weather=rain", "weather=snow")`` as values by variable, each once."""
    found: dict[str, tuple[str, ...]] = {}
    for each in pairs:
        name, mark, said = (part.strip() for part in each.partition("="))
        if mark and name and said and said not in found.get(name, ()):
            found[name] = (*found.get(name, ()), said)
    return found


def read_file(text: str, where: str) -> tuple[Question, ...]:
    """The questions of a file in NVIDIA's form.

    Raises:
        InputError: naming every item that is not understood.
    """
    content = _yaml(text, where)
    lists = {"must_pass_checks": "must-pass", "vqa_checks": "check"}
    problems = [f"it has {key!r}" for key in content if key not in lists]
    found: list[Question] = []
    for key, prefix in lists.items():
        items = content.get(key) or []
        if not isinstance(items, list):
            problems.append(f"{key} is no list")
            continue
        for number, item in enumerate(items, start=1):
            try:
                found.append(_acceptance(item, f"{prefix}.{number}", required=prefix == "must-pass"))
            except InputError as error:
                problems.append(f"{key}, item {number}: {error}")
    if problems or not found:
        raise InputError(
            f"{where} is no file of questions: {'; '.join(problems) or 'it has none'}",
            hint="must_pass_checks and vqa_checks are lists of {question, answer, contains}",
        )
    return tuple(found)


def read_words(text: str, where: str) -> dict[str, str]:
    """The prompts of a file in NVIDIA's form: ``user_prompt``, and perhaps ``system_prompt``.

    Raises:
        InputError: it has something else.
    """
    content = _yaml(text, where)
    if not content.get("user_prompt") or not set(content) <= {"user_prompt", "system_prompt"}:
        raise InputError(f"{where} has no prompts", hint="user_prompt, and perhaps system_prompt")
    return {name: str(said).strip() for name, said in content.items()}


def _acceptance(item: Any, name: str, *, required: bool) -> Question:
    if not isinstance(item, dict):
        raise InputError("it is no question with an answer")
    if strange := sorted(set(map(str, item)) - {"question", "answer", "contains"}):
        raise InputError(f"it has {', '.join(strange)}")
    answer, keywords = item.get("answer"), item.get("contains") or []
    # YAML reads a bare yes or no as a truth.
    said = {True: "yes", False: "no", None: ""}.get(answer, answer) if not isinstance(answer, str) else answer
    listed = [keywords] if isinstance(keywords, str) else keywords
    if not isinstance(item.get("question"), str) or not item["question"].strip():
        raise InputError("it asks nothing")
    if not isinstance(listed, list) or not (str(said).strip() or listed):
        raise InputError("it expects neither an answer nor keywords")
    return Question(
        id=name,
        kind="match",
        text=item["question"].strip(),
        system=PLAIN,
        sampling=ACCEPTANCE,
        expected=str(said).strip(),
        keywords=tuple(str(each) for each in listed),
        required=required,
        about=item["question"].strip(),
    )


def _yaml(text: str, where: str) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        raise InputError(
            f"{where}{at}: {getattr(error, 'problem', error)}", hint="it must be YAML"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{where} holds no table", hint="must_pass_checks: and vqa_checks:")
    return content
