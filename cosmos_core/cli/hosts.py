"""``cosmos hosts``: add, list, show, check, trust, gc, rm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, read, say
from cosmos_core.cli.asked import group, leave, subcommand
from cosmos_core.errors import InputError, Level, UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.errors import Finding
    from cosmos_core.extend import Transport
    from cosmos_core.hosts import Host
    from cosmos_core.retry import Rest
    from cosmos_core.store import Holding


@group(
    "hosts",
    examples="""
        cosmos hosts
        cosmos hosts add gpu1 ssh://user@host:22/data/cosmos --gpus 8 --gpu h200
        cosmos hosts check gpu1
    """,
)
def command(asked: Asked) -> None:
    """Name the machines that jobs run on, and examine them.

    Without a subcommand it lists them. They stand in cosmos.toml, as [hosts.NAME].
    """
    _list(asked)


@subcommand(
    command,
    "add",
    examples="""
        cosmos hosts add gpu1 ssh://user@host:22/data/cosmos --gpus 8 --gpu h200
        cosmos hosts add gpu1 ssh://gpu1 --transport docker --gpus 8 -o image=cosmos-transfer2.5
        cosmos hosts add local . --slots 2 --replace
    """,
)
@click.argument("name")
@click.argument("url", metavar="URL")
@click.option("--gpus", type=click.IntRange(min=0), default=0, help="How many GPUs it has.")
@click.option("--gpu", default="", help="Kind of its GPUs, such as h200.")
@click.option("--slots", type=click.IntRange(min=0), help="Jobs at a time; by default one for each GPU.")
@click.option("--transport", default="", help="Reach it by this one, such as docker, over what the URL says.")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the transport; repeatable.",
)
@click.option("--replace", is_flag=True, help="Put it in the place of a host of that name.")
def add(
    asked: Asked,
    name: str,
    url: str,
    gpus: int,
    gpu: str,
    slots: int | None,
    transport: str,
    options: tuple[str, ...],
    replace: bool,
) -> None:
    """Write a host into cosmos.toml. Nothing is asked of it yet.

    URL is ssh://user@host:port/folder for a machine at the other end of a line, where host may be a name of your
    ~/.ssh/config, or a folder on this machine. The folder is the only place there that is ever written to.
    """
    import attrs

    from cosmos_core import reach, roster
    from cosmos_core.extend import Transport
    from cosmos_core.hosts import Host

    with asked.open() as cosmos:
        table: dict[str, Any] = roster.from_url(url, cosmos.plugins.offers(Transport).values())
        table |= {"transport": transport} if transport else {}
        table |= {"slots": (gpus or 1) if slots is None else slots, "gpus": gpus, "gpu": gpu}
        table = {key: value for key, value in table.items() if value not in ("", 0) or key == "slots"}
        host = Host(name=name, **table)
        host = attrs.evolve(host, options=_read(options, reach.layers(cosmos.plugins, host)))
        seen = reach.layers_with_hosts(cosmos.plugins, host)
        table["options"] = _typed(host.options, [each.options for _, each in seen])
        roster.add(cosmos.workspace.settings, name, table, replace=replace)
        asked.answer({"host": host})
        asked.tell(f"{say.strong(name)} is in {say.short(cosmos.workspace.settings)}")
        asked.tell(say.steps(f"cosmos hosts check {name}", "cosmos work"))


def _read(words: Sequence[str], layers: Iterable[Transport]) -> dict[str, str]:
    """Options as they were typed; one that holds several values may be given more than once."""
    from cosmos_core.options import lists

    if wrong := [repr(word) for word in words if not word.partition("=")[1] or word.startswith("=")]:
        raise InputError(f"{say.words(wrong)} is not an option", hint="write it as -o name=value")
    several = {name for transport in layers for name in lists(transport.options)}
    return read.options(words, lists=several)


def _typed(words: Iterable[str], classes: Sequence[object]) -> dict[str, Any]:
    """The options that were named, as their classes read them, for a file in which numbers are numbers."""
    from cosmos_core import canonical

    return {
        name: canonical.plain(next(getattr(options, name) for options in classes if hasattr(options, name)))
        for name in words
    }


@subcommand(command, "list", examples="cosmos hosts list --json")
def each(asked: Asked) -> None:
    """List hosts, with their slots and what is busy."""
    _list(asked)


def _list(asked: Asked) -> None:
    with asked.open() as cosmos:
        hosts, open_ = cosmos.settings.each_host(), cosmos.store.leases()
        resting = cosmos.resting()
    busy = {host.name: [lease for lease in open_ if _is_on(lease, host)] for host in hosts}
    rests = {host.name: [rest for rest in resting if _rests_on(rest, host)] for host in hosts}
    asked.answer({"hosts": [_facts(host, busy[host.name]) | {"resting": rests[host.name]} for host in hosts]})
    rows = [
        (
            say.strong(host.name),
            host.transport,
            host.address,
            host.root,
            f"{len(busy[host.name])}/{host.slots}",
            f"{host.gpus} {host.gpu}".strip() if host.gpus else "",
        )
        for host in hosts
    ]
    asked.tell(
        say.paragraphs(
            say.table(rows, ("host", "by", "address", "folder", "busy", "GPUs")),
            say.resting([rest for each in rests.values() for rest in each]),
        )
    )


@subcommand(command, "show", examples="cosmos hosts show gpu1")
@click.argument("name", shell_complete=complete.hosts)
def show(asked: Asked, name: str) -> None:
    """Show how a host is reached, its slots and what runs on them."""
    from cosmos_core import reach

    with asked.open() as cosmos:
        host = _find(cosmos, name)
        layers = [transport.name for transport in reach.layers(cosmos.plugins, host)]
        held = [lease for lease in cosmos.store.leases() if _is_on(lease, host)]
    asked.answer({"host": _facts(host, held), "layers": layers})
    rows = [
        ("reached by", " over ".join(layers)),
        ("address", host.address),
        ("folder", host.root),
        ("GPUs", f"{host.gpus} {host.gpu}".strip() if host.gpus else ""),
        *((f"option {key}", str(value)) for key, value in host.options.items()),
    ]
    slots = [
        (
            slot.name,
            say.words(map(str, slot.gpus)),
            say.words(lease.batch for lease in held if lease.slot == slot.index) or "free",
            say.words(run for lease in held if lease.slot == slot.index for run in lease.runs),
        )
        for slot in host.each_slot()
    ]
    asked.tell(
        say.paragraphs(
            f"host {say.strong(host.name)}\n{say.pairs(rows, indent='  ')}",
            say.table(slots, ("slot", "GPUs", "batch", "runs"), indent="  "),
        )
    )


@subcommand(
    command,
    "check",
    examples="""
        cosmos hosts check gpu1
        cosmos hosts check            # all of them
        cosmos hosts check gpu1 --model transfer2.5
    """,
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete.hosts)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Look at no other; repeatable.")
def check(asked: Asked, names: tuple[str, ...], models: tuple[str, ...]) -> None:
    """Examine hosts: line, key, clock, disk, containers, GPUs, and what each model needs there.

    Every line is ok, warn or fail, with what to do. The exit code is 1 when something must be mended. What a model
    lacks is a warning as long as no run waits for it and cosmos.toml neither makes it the default nor has a table
    [plugins.NAME] for it; --model NAME asks strictly.
    """
    from cosmos_core import reach

    with asked.open() as cosmos:
        hosts = [_find(cosmos, name) for name in dict.fromkeys(names)] or list(cosmos.settings.each_host())
        _refuse_unknown(models, reach.models(cosmos.plugins))
        wanted = models or cosmos.wanted_models()
        answers: dict[str, tuple[Finding, ...]] = {}
        for host in hosts:
            state = cosmos.workspace.host(host.name)
            tables = cosmos.settings.plugins
            found = tuple(reach.examine(cosmos.plugins, host, state, tables, models=models, wanted=wanted))
            answers[host.name] = found
            asked.tell(f"host {say.strong(host.name)}\n{say.answers(found, indent='  ')}\n")
    asked.answer({"hosts": answers})
    bad = [name for name, found in answers.items() if any(each.level is Level.FAIL for each in found)]
    asked.tell(f"{say.words(bad)}: {say.word('fail')}" if bad else f"{say.words(answers)}: {say.word('ok')}")
    if bad:
        leave(1)


@subcommand(
    command,
    "trust",
    examples="""
        cosmos hosts trust gpu1
        cosmos hosts trust gpu1 --fingerprint SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDmoPEyrmEDTRFYfxM
    """,
)
@click.argument("name", shell_complete=complete.hosts)
@click.option("--fingerprint", default="", help="Accept the key if this is its fingerprint.")
def trust(asked: Asked, name: str, fingerprint: str) -> None:
    """Accept the key of a host that was never seen before.

    Without a fingerprint nothing is accepted: it shows the one to compare with what the host's owner says. A key that
    has changed is never accepted here.
    """
    from cosmos_core import reach

    with asked.open() as cosmos:
        host = _find(cosmos, name)
        layers = reach.layers_with_hosts(cosmos.plugins, host)
        able = [(each, seen) for each, seen in layers if each.trust is not None]
        if not able:
            raise InputError(f"host {name} has no key: it is reached by {layers[-1][0].name}")
        found = tuple(
            finding
            for each, seen in able
            for finding in (each.trust(seen, cosmos.workspace.host(name), fingerprint) if each.trust else ())
        )
    asked.answer({"host": name, "findings": found})
    asked.tell(say.findings(found))
    if any(each.level is Level.FAIL for each in found):
        leave(1)


@subcommand(
    command,
    "gc",
    examples="""
        cosmos hosts gc gpu1                # shows what would go, and asks
        cosmos hosts gc gpu1 --yes
    """,
)
@click.argument("name", shell_complete=complete.hosts)
@click.option("--yes", is_flag=True, help="Do not ask.")
def gc(asked: Asked, name: str, yes: bool) -> None:
    """Remove inputs kept on a host that no job there needs any more.

    They travel again when they are asked for again. Nothing outside the host's own folder is touched.
    """
    from contextlib import closing

    from cosmos_core import reach
    from cosmos_core.extend import Keeper

    with asked.open() as cosmos:
        host = _find(cosmos, name)
        with closing(reach.connect(cosmos.plugins, host, cosmos.workspace.host(name))) as session:
            if not isinstance(session, Keeper):
                raise InputError(f"host {name} keeps no inputs: it is reached by {host.transport}")
            would = session.free(dry=True)
            total = f"{say.many(would.files, 'file')}, {say.size(would.bytes)}"
            if would.files:
                asked.confirm(f"Remove {total} from {name}?", yes=yes, again=f"cosmos hosts gc {name} --yes")
                would = session.free()
    asked.answer({"host": name, "freed": would})
    asked.tell(f"removed {total} from {name}" if would.files else f"nothing to remove from {name}")


@subcommand(
    command,
    "rm",
    examples="""
        cosmos hosts rm gpu1
        cosmos hosts rm gpu1 --yes
    """,
)
@click.argument("name", shell_complete=complete.hosts)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(asked: Asked, name: str, yes: bool) -> None:
    """Take a host out of cosmos.toml. What lies on the host stays there.

    A host with open batches stays: what runs there would be lost from sight.
    """
    from cosmos_core import roster

    with asked.open() as cosmos:
        host = _find(cosmos, name)
        if held := [lease.batch for lease in cosmos.store.leases() if _is_on(lease, host)]:
            raise InputError(
                f"host {name} has open batches: {say.words(held)}",
                hint="let them end, or cancel their runs; --slots 0 with cosmos hosts add --replace starts nothing new",
            )
        asked.tell(_left_behind(host))
        asked.confirm(f"Take {name} out of cosmos.toml?", yes=yes, again=f"cosmos hosts rm {name} --yes")
        roster.remove(cosmos.workspace.settings, name)
    asked.answer({"removed": name})
    asked.note(f"{name} is out of cosmos.toml")


def _left_behind(host: Host) -> str:
    where = f"{host.address}:{host.root}" if host.address else host.root
    return f"what lies in {where} stays there" if host.root else ""


def _refuse_unknown(models: Iterable[str], known: Sequence[str]) -> None:
    if strange := [repr(name) for name in models if name not in known]:
        raise UnknownError(
            f"{say.words(strange)} asks nothing of a host",
            hint=f"these do: {say.words(known) or 'none'}",
        )


def _find(cosmos: Cosmos, name: str) -> Host:
    hosts = {host.name: host for host in cosmos.settings.every_host()}
    if name not in hosts:
        raise UnknownError(f"there is no host {name!r}", hint=f"there is: {', '.join(hosts) or 'none'}")
    return hosts[name]


def _is_on(lease: Holding, host: Host) -> bool:
    return lease.host.partition("@")[0] == host.name


def _rests_on(rest: Rest, host: Host) -> bool:
    return rest.slot.rpartition("/")[0].partition("@")[0] == host.name


def _facts(host: Host, held: Sequence[Holding]) -> dict[str, Any]:
    return {
        "name": host.name,
        "transport": host.transport,
        "address": host.address,
        "root": host.root,
        "slots": host.slots,
        "gpus": host.gpus,
        "gpu": host.gpu,
        "options": host.options,
        "busy": [{"slot": lease.slot, "batch": lease.batch, "runs": lease.runs} for lease in held],
    }
