"""What the shell offers when a person presses Tab: run ids, prompts, clips, names of plugins.

Completion must be quick and never complain: where there is no workspace there is nothing to offer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cosmos_core.cli.asked import Asked
from cosmos_core.errors import CosmosError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import click
    from click.shell_completion import CompletionItem

RECENT = 100


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of recent runs, each with its state and name."""
    from cosmos_core.store import Query

    found: list[tuple[str, str]] = []
    with suppress(CosmosError), _asked(ctx).open() as cosmos:
        found = [(run.id, f"{run.state} {run.name}") for run in cosmos.store.page(Query(limit=RECENT)).runs]
    return list(_items(found, incomplete))


def prompts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of prompts."""
    return list(_items(_prompts(ctx), incomplete))


def prompt_or_text(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of prompts as ``run`` takes them, after an ``@``."""
    if not incomplete.startswith("@"):
        return []
    return list(_items([(f"@{name}", text) for name, text in _prompts(ctx)], incomplete))


def hosts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of hosts, each with its transport."""
    found: list[tuple[str, str]] = []
    with suppress(CosmosError), _asked(ctx).open() as cosmos:
        found = [(each.name, each.transport) for each in cosmos.settings.each_host()]
    return list(_items(found, incomplete))


def backends(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of backends."""
    from cosmos_core.extend import Backend
    from cosmos_core.plugins import load

    return list(_items([(each.name, each.summary) for each in load().offers(Backend).values()], incomplete))


def generators(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of generators."""
    from cosmos_core.extend import Generator
    from cosmos_core.plugins import load

    return list(_items([(each.name, each.summary) for each in load().offers(Generator).values()], incomplete))


def exporters(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of dataset formats."""
    from cosmos_core.extend import Exporter
    from cosmos_core.plugins import load

    return list(_items([(each.name, each.summary) for each in load().offers(Exporter).values()], incomplete))


def plugin_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of plugins."""
    from cosmos_core.plugins import load

    return list(_items([(each.name, each.source) for each in load().listed()], incomplete))


def _prompts(ctx: click.Context) -> list[tuple[str, str]]:
    with suppress(CosmosError), _asked(ctx).open() as cosmos:
        return [(saved.name, saved.prompt.text) for saved in cosmos.store.prompts(limit=RECENT)]
    return []


def _asked(ctx: click.Context) -> Asked:
    return ctx.find_object(Asked) or Asked()


def _items(found: Iterable[tuple[str, str]], incomplete: str) -> Iterator[CompletionItem]:
    from click.shell_completion import CompletionItem

    for value, text in found:
        if value.startswith(incomplete):
            yield CompletionItem(value, help=" ".join(text.split()))
