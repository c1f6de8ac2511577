"""A prompt rewritten by a model that sees the clip it is for.

Sampling values are those that NVIDIA publishes for Cosmos 3's upsampler (NVIDIA/cosmos, ``README.md``): 20,000 tokens,
temperature 0.7, top_p 0.8, top_k 20, presence penalty 1.5, seed 3407; and prompts read best under 300 words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import InputError, ModelError
from cosmos_core_reason.asking import picture, words
from cosmos_core_reason.chat import Chat
from cosmos_core_reason.options import EnhanceOptions
from cosmos_core_reason.questions import Sampling
from cosmos_core_reason.replies import UnclearError, plain, shown

if TYPE_CHECKING:
    from cosmos_core.extend import Clip, Prompt

LONGEST = 300
"""Words from which these models read a prompt less well."""

SYSTEM = """\
You rewrite short descriptions of videos into prompts for a video model that keeps the shapes and the motion of a given clip and gives
it a new look. Keep everything that the description says, above all weather, time of day, season, damage and what is seen; where the
pictures say otherwise, the description holds. Take from the pictures what the description leaves open: the place, the layout, what stands
and moves where, how the camera moves. Write plain English prose in the present tense, concrete and without praise: no lists, no titles,
no quotation marks, nothing about the task."""

REQUEST = """\
Rewrite this description in at most {words} words. Answer with the new text and nothing else.

Description: {text}"""

_REFUSED = re.compile(
    r"(?:i'?m sorry|i am sorry|sorry,|i cannot|i can'?t|as an ai|i'?m unable)\b", re.IGNORECASE
)
_LABEL = re.compile(
    r"^(?:\W*(?:the )?(?:rewritten|new|enhanced|final)?\s*(?:prompt|text|description)\W*:)[*_\s]*",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^```\w*\s*|\s*```$")


def enhance(prompt: Prompt, clip: Clip | None, options: EnhanceOptions | None = None) -> Prompt:
    """The prompt in the model's words; the negative text stays as it is.

    Raises:
        InputError: there is no text to start from, or the endpoint does not understand us.
        HostError: the endpoint does not answer.
        ModelError: what came is no prompt.
    """
    chosen = options or EnhanceOptions()
    if not prompt.text.strip():
        raise InputError("the prompt is empty", hint="say in a few words what the video should show")
    how = Sampling(
        temperature=0.7, top_p=0.8, top_k=20, max_tokens=20_000, seed=chosen.seed, presence_penalty=1.5
    )
    text = REQUEST.format(words=chosen.words, text=" ".join(prompt.text.split()))
    content = [*_pictures(clip, chosen.frames), {"type": "text", "text": text}]
    with Chat(chosen) as chat:
        reply = chat.ask(
            {
                "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}],
                **words(how, chosen.server, chosen.seed, is_video=False),
            }
        )
    return attrs.evolve(prompt, text=rewritten(reply.text))


def rewritten(reply: str) -> str:
    """The prompt that a reply holds, as one paragraph.

    Raises:
        ModelError: it is empty, refuses, or is longer than such models read.
    """
    try:
        said = _FENCE.sub("", plain(reply))
    except UnclearError as error:
        raise ModelError(f"the model wrote no prompt: {error}") from error
    said = " ".join(_LABEL.sub("", said).split())
    if len(said) > 1 and said[0] == said[-1] == '"':
        said = said[1:-1].strip()
    if not said or _REFUSED.match(said):
        raise ModelError(
            f"the model wrote no prompt: {shown(said)}", hint="another model, or: --with template"
        )
    if (count := len(said.split())) >= LONGEST:
        raise ModelError(
            f"the model wrote {count} words; fewer than {LONGEST} are read well", hint="-o words=120"
        )
    return said


def _pictures(clip: Clip | None, count: int) -> list[dict[str, Any]]:
    """Evenly spaced pictures of the clip's colour video; none where there is no clip."""
    if clip is None or not count or "color" not in clip.modalities:
        return []
    places = [place / (count - 1) for place in range(count)] if count > 1 else [0.5]
    return [picture(clip.path("color"), place) for place in places]
