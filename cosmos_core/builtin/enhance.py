"""Makes a prompt say what world models want to hear, without a model: camera, light and motion.

Cosmos prompts read best as a few sentences of prose under 300 words. What a text already says about a slot is left
alone, so enhancing twice changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from cosmos_core import hookimpl
from cosmos_core.errors import InputError
from cosmos_core.extend import Enhancer, Prompt
from cosmos_core.spec import LONGEST_PROMPT_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.extend import Clip


@attrs.frozen(kw_only=True)
class TemplateOptions:
    """Own words for a slot; empty for ours."""

    camera: str = attrs.field(default="", metadata={"help": "sentence about the camera"})
    light: str = attrs.field(default="", metadata={"help": "sentence about the light"})
    motion: str = attrs.field(default="", metadata={"help": "sentence about what moves"})


DEFAULTS = TemplateOptions()

_CAMERA = (
    r"camera|cameras|shot|shots|footage|filmed|lens|dolly|drone|aerial|handheld|tracking|panning|pans|zoom\w*|"
    r"close-?up|wide-?angle|bird'?s-?eye|dash-?cam|cctv|viewpoint|perspective|point of view|pov|static view"
)
_LIGHT = (
    r"light\w*|lit|sun\w*|moon\w*|star(?:light|lit)|night\w*|midnight|nocturnal|dusk|dawn|twilight|"
    r"(?:golden|blue) hour|noon|midday|morning|afternoon|evening|day(?:light|time)|shad(?:ow|ows|y)|dark\w*|"
    r"bright\w*|neon|glow\w*|backlit|silhouette\w*|overcast|gloomy|illuminat\w*"
)
_VEILED = (
    r"fog\w*|mist\w*|haz[ey]\w*|cloud\w*|rain\w*|drizzle|storm\w*|snow\w*|blizzard|smoke|smoky|dust\w*|smog"
)
_MOTION = (
    r"mov(?:es?|ed|ing|ement)|motion|motionless|still|slow(?:ly)?|fast|quickly|driv(?:es?|ing)|walk(?:s|ing)?|"
    r"runs|running|fall(?:s|ing)?|collaps\w+|crumbl\w+|explod\w+|drift(?:s|ing)?|swirl\w*|flow(?:s|ing)?|sway\w*|"
    r"pass(?:es|ing)|fl(?:y|ies|ying)|ris(?:es|ing)|spin\w*|roll(?:s|ing)?|turn(?:s|ing)?|blow(?:s|ing)|"
    r"cross(?:es|ing)|rush\w*|speed\w*|billow\w*|flicker\w*|sprint\w*|dances?|dancing"
)
_PEOPLE = r"people|person|man|woman|men|women|crowd\w*|pedestrian\w*|child|children"
_VEHICLES = (
    r"car|cars|truck\w*|bus|buses|tram\w*|train\w*|traffic|vehicle\w*|bike\w*|bicycle\w*|motorcycle\w*"
)

# A slot, the words that fill it, and sentences for an empty one: the first whose words the text holds.
_SLOTS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("camera", _CAMERA, (("", "Filmed with a steady camera in sharp focus."),)),
    (
        "light",
        _LIGHT,
        ((_VEILED, "The light is soft and even."), ("", "Natural light, with true colors and soft shadows.")),
    ),
    (
        "motion",
        _MOTION,
        (
            (_PEOPLE, "People move at a natural pace."),
            (_VEHICLES, "Vehicles move at a steady, natural speed."),
            ("", "Everything moves smoothly and at a natural speed."),
        ),
    ),
)


@hookimpl
def cosmos_enhancers() -> Iterable[Enhancer]:
    """Offer the template."""
    yield Enhancer(
        name="template",
        summary="Adds camera, light and motion where the text lacks them; offline and always the same.",
        options=TemplateOptions,
        enhance=enhance,
    )


def enhance(prompt: Prompt, _clip: Clip | None = None, options: TemplateOptions | None = None) -> Prompt:
    """The prompt with a sentence for each slot its text lacks, under 300 words; the negative text stays as it is.

    Raises:
        InputError: when there is no text to start from.
    """
    text = " ".join(prompt.text.split())
    if not text:
        raise InputError("the prompt is empty", hint="say in a few words what the video should show")
    chosen = options or DEFAULTS
    missing = [
        getattr(chosen, slot) or _sentence(text, sentences)
        for slot, filled_by, sentences in _SLOTS
        if not _holds(text, filled_by)
    ]
    return attrs.evolve(prompt, text=_joined(prompt.text, missing))


def _holds(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE) is not None


def _sentence(text: str, sentences: tuple[tuple[str, str], ...]) -> str:
    return next(sentence for words, sentence in sentences if not words or _holds(text, words))


def _joined(text: str, sentences: list[str]) -> str:
    """*text* and as many of *sentences* as fit, each once."""
    joined = text.rstrip()
    for sentence in sentences:
        longer = f"{joined if joined[-1] in '.!?…' else joined + '.'} {sentence.strip()}"
        if sentence.strip().lower() not in joined.lower() and len(longer.split()) < LONGEST_PROMPT_WORDS:
            joined = longer
    return joined if joined != text.rstrip() else text
