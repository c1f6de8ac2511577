"""What a judge's words mean. Strict: words that do not say one thing plainly are no answer, and never a middling one.

Pure: a text goes in, a value or :class:`UnclearError` comes out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOWEST, HIGHEST = 1, 5

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_NUMBER = r"-?\d+(?:[.,]\d+)?"
_ALONE = re.compile(rf"^[*_#>(\s]*({_NUMBER})[.)\s*_]*$")
_ANY = re.compile(rf"(?<![\w.])({_NUMBER})(?![\w])")
_OF_FIVE = re.compile(rf"({_NUMBER})\s*(?:/|out of|of)\s*{HIGHEST}\b", re.IGNORECASE)
_SCORED = re.compile(
    rf"\b(?:score|rating|rate|rated|grade|answer|verdict)\b[^\d\n]{{0,40}}?({_NUMBER})", re.IGNORECASE
)
_SCALE = re.compile(
    rf"\b(?:from\s+|between\s+)?{LOWEST}\s*(?:-|–|to|and)\s*{HIGHEST}\b|\bout of {HIGHEST}\b", re.IGNORECASE
)
_COMPONENT = re.compile(
    r"<component\s+name=[\"'](?P<name>[^\"'>]*)[\"']\s*>.*?<anomaly>\s*(?P<said>yes|no)\b.*?</component>",
    re.DOTALL | re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\b(?:no|not|never|without|neither|nor|none|isn't|aren't|doesn't|don't|cannot|can't|lacks?)\b)"
    r"(?:\W+\w+){0,3}\W+$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;:!?,\n]|\b(?:but|however|although|instead)\b", re.IGNORECASE)


class UnclearError(ValueError):
    """A reply that does not answer the question."""


def shown(text: str, longest: int = 80) -> str:
    """The beginning of *text* on one line, in quotes."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= longest else f"{flat[: longest - 1]}…")


def plain(text: str) -> str:
    """A reply without its thinking, and what stands in ``<answer>`` where it has that.

    Raises:
        UnclearError: when nothing is left, or it ended while it thought.
    """
    said = _THINKING.sub(" ", text)
    if re.search(r"<think>", said, re.IGNORECASE):
        raise UnclearError("it ended while it was still thinking")
    # Some servers keep the opening tag to themselves.
    said = re.split(r"</think>", said, flags=re.IGNORECASE)[-1]
    if found := _ANSWER.findall(said):
        said = found[-1]
    if not said.strip():
        raise UnclearError("the reply is empty")
    return str(said.strip())


def scale(text: str) -> int:
    """The score 1 to 5 that *text* gives.

    A line that holds nothing but a number says it; else the last "4/5" or "score: 4"; else the number that the text
    begins or ends with, if it is the only one.

    Raises:
        UnclearError: it gives none, several that are as good, one outside 1 to 5, or one that is no whole number.
    """
    said = plain(text)
    alone = [found[1] for line in said.splitlines() if (found := _ALONE.match(line.strip()))]
    named = _OF_FIVE.findall(said) or _SCORED.findall(_SCALE.sub(" ", said))
    numbers = alone or named[-1:] or _at_an_end(said)
    if not numbers:
        raise UnclearError(f"it gives no score: {shown(said)}")
    if len(set(numbers)) > 1:
        raise UnclearError(f"it gives several numbers: {shown(said)}")
    last = numbers[-1]
    if not last.isdecimal() or not LOWEST <= int(last) <= HIGHEST:
        raise UnclearError(f"{last} is not a score from {LOWEST} to {HIGHEST}: {shown(said)}")
    return int(last)


def _at_an_end(said: str) -> list[str]:
    """Every number in a text that begins or ends with one; "4. Consistency: …" counts the criteria and is none."""
    words = re.sub(r"[*_`]", "", _SCALE.sub(" ", said)).split()
    first = len(words) > 1 and re.fullmatch(rf"({_NUMBER})[,:]?", words[0])
    last = words and re.fullmatch(rf"({_NUMBER})[.!]?", words[-1])
    return _ANY.findall(" ".join(words)) if first or last else []


def yes(text: str) -> bool:
    """Whether *text* says yes.

    Raises:
        UnclearError: its first word is neither yes nor no, or both stand alone in it.
    """
    said = plain(text)
    # The form itself, given back, is "Yes | No".
    found = re.match(r"\W*(yes|no)\b(?!\s*(?:[|/]|or\b)\s*\W*(?:yes|no)\b)", said, re.IGNORECASE)
    if found is None:
        raise UnclearError(f"it says neither yes nor no: {shown(said)}")
    alone = {line.strip(" .*_").lower() for line in said.splitlines()} & {"yes", "no"}
    if len(alone) > 1:
        raise UnclearError(f"it says both yes and no: {shown(said)}")
    return found[1].lower() == "yes"


def anomalies(text: str) -> tuple[str, ...]:
    """The components that a critic's thinking calls anomalous, by the names it gives them."""
    return tuple(
        " ".join(found["name"].split())
        for found in _COMPONENT.finditer(text)
        if found["said"].lower() == "yes"
    )


def choice(text: str, options: Mapping[str, str]) -> str:
    """The letter of the option that *text* chooses; *options* are texts by letter.

    Raises:
        UnclearError: it chooses none, or several.
    """
    said = plain(text)
    letters = "".join(options)
    marked = {each.upper() for each in re.findall(rf"\(([{letters}])\)", said, re.IGNORECASE)}
    # A letter alone or before a mark: an "A" before a word is an article.
    first = re.match(
        rf"\W*(?:answer\s*(?:is)?\s*:?\s*)?([{letters}])(?=[).:,]|\s*(?:\n|$))", said, re.IGNORECASE
    )
    if first and marked <= {first[1].upper()}:
        return first[1].upper()
    named = {letter for letter, words in options.items() if holds(said, words)}
    for candidates in (marked, named):
        if len(candidates) == 1:
            return candidates.pop()
    raise UnclearError(f"it chooses {'several' if marked or named else 'none'} of the options: {shown(said)}")


def holds(text: str, phrase: str) -> bool:
    """Whether *text* says *phrase* as whole words, somewhere without a negation before it in the same clause."""
    wanted = r"\W+".join(re.escape(word) for word in re.findall(r"\w+", phrase.lower()))
    if not wanted:
        return False
    lower = text.lower().replace("’", "'")
    for found in re.finditer(rf"(?<!\w){wanted}(?!\w)", lower):
        clause = _CLAUSE.split(lower[: found.start()])[-1]
        if not _NEGATED.search(f"{clause} " if clause else ""):
            return True
    return False


def matches(text: str, answer: str, keywords: Sequence[str]) -> bool:
    """Whether a reply gives the expected answer: it says the answer, or each of the keywords.

    An expected yes or no is compared with what the reply begins with. Case and punctuation do not matter.

    Raises:
        UnclearError: there is nothing to expect, or the reply is empty.
    """
    said = plain(text)
    expected = " ".join(re.findall(r"\w+", answer.lower()))
    if not expected and not keywords:
        raise UnclearError("the question names neither an answer nor keywords")
    if expected in {"yes", "no"} and not keywords:
        return yes(said) == (expected == "yes")
    if expected and holds(said, answer):
        return True
    return bool(keywords) and all(holds(said, word) for word in keywords)
