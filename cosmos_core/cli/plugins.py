"""``cosmos plugins``: what is installed, and what one offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, say
from cosmos_core.cli.asked import group, subcommand
from cosmos_core.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.cli.asked import Asked
    from cosmos_core.extend import Named
    from cosmos_core.plugins import Plugin, Plugins


@group(
    "plugins",
    examples="""
        cosmos plugins
        cosmos plugins show preview          # a plugin, or anything one offers
        COSMOS_BLOCK_PLUGINS=city cosmos plugins
    """,
)
def command(asked: Asked) -> None:
    """List plugins, and show what one offers.

    A plugin that cannot be loaded is quarantined: it is listed with the reason, and everything else works.
    """
    loaded = _asked_for_everything()
    found = loaded.listed()
    asked.answer({"plugins": found})
    rows = [
        (
            each.name,
            each.distribution,
            each.version,
            say.word(each.state),
            say.words(map(_hook, each.hooks)),
            each.reason,
        )
        for each in found
    ]
    asked.tell(say.table(rows, ("name", "from", "version", "state", "offers", "why")))


@subcommand(
    command,
    "show",
    examples="""
        cosmos plugins show city
        cosmos plugins show content.black --json
    """,
)
@click.argument("name", shell_complete=complete.plugin_names)
def show(asked: Asked, name: str) -> None:
    """Show what a plugin offers, with every option.

    NAME is a plugin, or something that one offers: a backend, a generator, a check.
    """
    loaded = _asked_for_everything()
    plugins = [each for each in loaded.listed() if each.name == name]
    offers = _offers(loaded, name, plugins)
    if not plugins and not offers:
        raise UnknownError(
            f"no plugin is called {name!r}, and none offers it", hint="see what there is: cosmos plugins"
        )
    asked.answer({"plugins": plugins, "offers": [_facts(kind, offer) for kind, offer in offers]})
    blocks = [_plugin(each) for each in plugins]
    asked.tell(say.paragraphs(*blocks, *(_offer(kind, offer) for kind, offer in offers)))


def _asked_for_everything() -> Plugins:
    """Every plugin, asked for all it offers, so that one which fails there is quarantined by now."""
    from cosmos_core.plugins import KINDS, load

    loaded = load()
    for kind in KINDS:
        loaded.owned(kind)
    return loaded


def _offers(loaded: Plugins, name: str, plugins: Sequence[Plugin]) -> list[tuple[str, Named]]:
    from cosmos_core.plugins import KINDS, providers

    if plugins:
        return list(providers(loaded, name))
    return [
        (kind.__name__.lower(), owned.offer)
        for kind in KINDS
        for owned in loaded.owned(kind)
        if owned.offer.name == name
    ]


def _hook(name: str) -> str:
    return name.removeprefix("cosmos_")


def _plugin(each: Plugin) -> str:
    rows = [
        ("from", each.source),
        ("state", say.word(each.state)),
        ("why", each.reason),
        ("hooks", say.words(each.hooks)),
    ]
    return f"plugin {say.strong(each.name)}\n{say.pairs(rows, indent='  ')}"


def _offer(kind: str, offer: Named) -> str:
    title = f"{kind} {say.strong(offer.name)}: {offer.summary}"
    facts = [(name, value) for name, value in _more(offer).items() if value]
    described = _options(offer)
    rows = [(each["name"], each["type"], each["default"], each["help"]) for each in described]
    return "\n".join(
        filter(
            None,
            [
                title,
                say.pairs([(name, str(value)) for name, value in facts], indent="  "),
                say.table(rows, ("option", "type", "default", ""), indent="  "),
            ],
        )
    )


def _facts(kind: str, offer: Named) -> dict[str, Any]:
    about = {"kind": kind, "name": offer.name, "summary": offer.summary}
    return about | _more(offer) | {"options": _options(offer)}


def _more(offer: Named) -> dict[str, Any]:
    """What else is worth knowing, by kind of offer."""
    found: dict[str, Any] = {}
    if controls := getattr(offer, "controls", None):
        found["controls"] = say.words(sorted(controls))
    if level := getattr(offer, "level", ""):
        found["level"] = (
            f"{level}, {'required' if getattr(offer, 'required', False) else 'a warning at most'}"
        )
    if load := getattr(offer, "load", ""):
        found["load"] = load
    return found


def _options(offer: Named) -> list[dict[str, str]]:
    options = getattr(offer, "options", None)
    if options is None:
        return []
    import attrs

    from cosmos_core.options import describe

    return [attrs.asdict(each) for each in describe(options)]
