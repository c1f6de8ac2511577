"""Asks every question about one video and keeps the replies beside it, so that no question is paid for twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from cosmos_core import media
from cosmos_core.errors import HostError, InputError, ModelError
from cosmos_core_reason import questions as ask
from cosmos_core_reason.asking import data_url, picture, words
from cosmos_core_reason.chat import Chat
from cosmos_core_reason.opinions import Judged, Trial, judged, tried

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cosmos_core_reason.options import ReasonOptions
    from cosmos_core_reason.questions import Question

FILE = "reason.json"
SCHEMA = 1
MOST_PICTURES = 5
"""Cosmos 3's NIM answers 422 to a sixth."""


def questions_of(
    options: ReasonOptions, expected: Mapping[str, str], others: Mapping[str, tuple[str, ...]]
) -> tuple[Question, ...]:
    """Everything that is asked about one video.

    Raises:
        InputError: a set is neither ours nor a file, or a file is not understood.
    """
    found: list[Question] = []
    for each in options.questions:
        name, mark, file = each.partition("=")
        words = ask.read_words(_read(file), file) if mark else None
        match name:
            case "plausibility":
                found.append(ask.plausibility(options.trials, words))
            case "anomaly":
                found.append(ask.anomaly(options.trials, words))
            case "attributes" if not mark:
                found += ask.attributes(expected, others)
            case _:
                found += ask.read_file(_read(each), each)
    return tuple(found)


def _read(file: str) -> str:
    try:
        return Path(file).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"there are no questions {file!r}: {getattr(error, 'strerror', None) or error}",
            hint="plausibility, anomaly, attributes, or a YAML file with must_pass_checks",
        ) from error


class Judge:
    """An endpoint that is asked about videos. Used as a context; the endpoint is reached when the first question needs it."""

    def __init__(self, options: ReasonOptions) -> None:
        self._options = options
        self._chat = Chat(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._chat.close()

    def judge(
        self,
        video: Path,
        digest: str,
        questions: Sequence[Question],
        *,
        keep: Path | None = None,
    ) -> Judged:
        """What the model says about *video*, whose SHA-256 is *digest*.

        Replies are kept in *keep*, a folder, and those that are there are not asked for again unless the options say so.
        An endpoint that does not answer is a finding, and what it said before that counts.
        """
        kept = {} if keep is None else _load(keep / FILE, digest)
        known = {} if self._options.again else self._of_this_model(kept)
        asked = [(question, seed) for question in questions for seed in _seeds(question)]
        trials: list[Trial] = []
        why = ""
        for question, seed in asked:
            if (found := known.get(self._key(question, seed))) is not None:
                trials.append(found)
                continue
            if why:
                continue
            try:
                trial = self._try(video, question, seed)
            except (HostError, InputError) as error:
                why = f"{error}{f' ({error.hint})' if error.hint else ''}"
                continue
            trials.append(trial)
            # What is asked again takes the old reply's place only once it is answered.
            known[self._key(question, seed)] = kept[self._key(question, seed)] = trial
            if keep is not None:
                _save(keep / FILE, digest, self._facts(), kept)
        return judged(questions, trials, unanswered=why)

    def _of_this_model(self, kept: Mapping[str, Trial]) -> dict[str, Trial]:
        """The replies in *kept* of the model that would answer now: where none is named, the endpoint's may be another one.

        All of them where the endpoint cannot say: what was said still stands.
        """
        if self._options.model or not kept:
            return dict(kept)
        try:
            model = self._chat.model()
        except (HostError, InputError):
            return dict(kept)
        return {key: trial for key, trial in kept.items() if trial.model == model}

    def _try(self, video: Path, question: Question, seed: int) -> Trial:
        try:
            request = self._request(video, question, seed)
            model = self._chat.model()
            reply = self._chat.ask(request)
        except ModelError as error:
            return Trial(question=question.id, moment=question.moment, seed=seed, error=str(error))
        return attrs.evolve(tried(question, seed, reply.text, reply.thinking, reply.seconds), model=model)

    def _request(self, video: Path, question: Question, seed: int) -> dict[str, Any]:
        shown = self._shown(video, question)
        system = [{"role": "system", "content": question.system}] if question.system else []
        # The media stand before the text, as in NVIDIA's examples.
        content = [*shown, {"type": "text", "text": question.text}]
        return {
            "messages": [*system, {"role": "user", "content": content}],
            **words(
                question.sampling,
                self._options.server,
                seed,
                is_video=any(part["type"] == "video_url" for part in shown),
            ),
        }

    def _shown(self, video: Path, question: Question) -> list[dict[str, Any]]:
        if question.moment:
            return [picture(video, ask.MOMENTS[question.moment])]
        if self._options.server == "openai":
            return [picture(video, place / (MOST_PICTURES - 1)) for place in range(MOST_PICTURES)]
        size = video.stat().st_size
        if size > self._options.largest_mb * 1e6:
            # Of this question alone: pictures of the same video can be asked about.
            raise ModelError(
                f"{video.name} has {size / 1e6:.0f} MB and at most {self._options.largest_mb:g} are sent (largest_mb; "
                "server = openai sends pictures)"
            )
        return [{"type": "video_url", "video_url": {"url": data_url("video/mp4", video.read_bytes())}}]

    def _key(self, question: Question, seed: int) -> str:
        # What a question is about by its words only changes sentences; all else changes answers.
        plain = attrs.asdict(attrs.evolve(question, about="", trials=1))
        said = json.dumps([plain, seed, self._facts()], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:24]

    def _facts(self) -> dict[str, str]:
        # By the name that is asked for; which one an empty name means is noted with each reply.
        return {"url": self._chat.url, "model": self._options.model, "server": self._options.server}


def _seeds(question: Question) -> Iterable[int]:
    return range(question.sampling.seed, question.sampling.seed + question.trials)


def _load(path: Path, digest: str) -> dict[str, Trial]:
    """The trials of before that were answered; none when they are about other bytes or not understood."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["schema"] != SCHEMA or content["digest"] != digest:
            return {}
        found = {
            key: Trial(**{**each, "notes": tuple(each["notes"])}) for key, each in content["trials"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    # A reply that was not understood is a reply; where none came, one may come now.
    return {key: trial for key, trial in found.items() if trial.said or not trial.error}


def _save(path: Path, digest: str, facts: Mapping[str, str], trials: Mapping[str, Trial]) -> None:
    content = {
        "schema": SCHEMA,
        "digest": digest,
        "judge": dict(facts),
        "trials": {key: attrs.asdict(trial) for key, trial in trials.items()},
    }
    media.write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
