"""What can be said to the generator, and in ``[plugins.houdini]`` of ``cosmos.toml``."""

from __future__ import annotations

import json
from typing import Any

import attrs

RENDERERS = ("karma", "opengl", "city")


def city_parameters(text: str) -> dict[str, Any]:
    """What the option ``city`` says: words such as ``seed=3 light=dusk``, or a JSON object.

    Raises:
        ValueError: it is neither.
    """
    if text.lstrip().startswith("{"):
        return dict(json.loads(text))
    found: dict[str, Any] = {}
    for word in text.split():
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise ValueError(f"{word!r} is not name=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _between(low: float, high: float) -> Any:
    return attrs.validators.and_(attrs.validators.ge(low), attrs.validators.le(high))


def _option(default: Any, words: str, *checks: Any) -> Any:
    return attrs.field(default=default, validator=list(checks) or None, metadata={"help": words})


@attrs.frozen(kw_only=True)
class HoudiniOptions:
    """One clip of one scene, and the programs that make it."""

    hip: str = _option("", "the scene, a .hip file; empty to build the city asset")
    city: str = _option(
        "", "the city's parameters, such as 'seed=3 damage=0.8', or a JSON object; instead of a hip"
    )
    camera: str = _option("", "path of the camera, such as /obj/cam1; the city has its own")
    start: int = _option(1, "first frame", _between(-100_000, 1_000_000))
    end: int = _option(93, "last frame", _between(-100_000, 1_000_000))
    fps: int = _option(24, "frames a second of the clip", _between(1, 120))
    width: int = _option(1280, "pixels, even", _between(64, 4096))
    height: int = _option(704, "pixels, even", _between(64, 4096))
    renderer: str = _option(
        "karma",
        "karma for exact passes; opengl for a draft; city for the city's own renderer, which films what Houdini simulated",
        attrs.validators.in_(RENDERERS),
    )
    hython: str = _option("", "the program hython; empty to look where Houdini usually is")
    husk: str = _option("", "the program husk; empty for the one beside hython")
    hello: float = _option(
        120.0, "seconds until hython must have said which Houdini it is", _between(1, 3600)
    )
    quiet: float = _option(
        1800.0, "seconds without a sign of life after which a program is stopped", _between(1, 86400)
    )
    limit: float = _option(
        0.0, "seconds after which a program is stopped whatever it says; 0 for never", _between(0, 864000)
    )
    licence_tries: int = _option(
        3, "how often a program is started again when no licence was free", _between(0, 100)
    )
    licence_pause: float = _option(
        30.0, "seconds before the first of these, twice as many before each next", _between(0, 3600)
    )
