"""How a host is reached: by its transport, and by the one that it may be laid over."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import attrs

from cosmos_core.errors import CosmosError, Level, PluginError, RefusedError, fail, ok, warn
from cosmos_core.extend import Backend, Enhancer, Transport
from cosmos_core.options import build
from cosmos_core.plugins import options

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cosmos_core.errors import Finding
    from cosmos_core.extend import Session, Shell
    from cosmos_core.hosts import Host
    from cosmos_core.plugins import Plugins

    Check = Callable[[Shell, Host, Any], Iterable[Finding]]

NO_TABLES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def layers(plugins: Plugins, host: Host) -> tuple[Transport, ...]:
    """The host's transport and those below it, outermost first.

    Raises:
        UnknownError: nobody offers one of them.
        PluginError: they are laid over each other in a circle.
    """
    found = [plugins.find(Transport, host.transport)]
    while (over := found[-1].over) is not None:
        below = plugins.find(Transport, over(host))
        if below in found:
            names = " over ".join(each.name for each in (*found, below))
            raise PluginError(f"host {host.name} cannot be reached by {names}")
        found.append(below)
    return tuple(found)


def is_here(plugins: Plugins, host: Host) -> bool:
    """Whether the host is the very machine we run on."""
    return layers(plugins, host)[-1].here


def layers_with_hosts(plugins: Plugins, host: Host) -> tuple[tuple[Transport, Host], ...]:
    """Each of :func:`layers` with the host as it sees it: its options an instance of that layer's class.

    Raises:
        CosmosError: as :func:`layers`; with every unknown option and wrong value.
    """
    each = layers(plugins, host)
    shares, findings = zip(*(_share(transport, host) for transport in each), strict=True)
    problems = [*_strangers(each, host), *(finding for found in findings for finding in found)]
    if problems:
        raise RefusedError(f"the options of host {host.name} have {len(problems)} problem(s)", problems)
    return tuple(
        (transport, attrs.evolve(host, options=share)) for transport, share in zip(each, shares, strict=True)
    )


def connect(plugins: Plugins, host: Host, state: Path) -> Session:
    """Open a session to *host* through all its layers.

    Raises:
        CosmosError: it cannot be reached, or its options are wrong.
    """
    *_, (_, session, _) = climb(plugins, host, state)
    return session


def climb(plugins: Plugins, host: Host, state: Path) -> Iterator[tuple[Transport, Session, Host]]:
    """Open a session layer by layer, the lowest first; the last one given holds all others.

    Raises:
        CosmosError: at the layer that fails, with those below it closed.
    """
    session: Session | None = None
    for transport, seen in reversed(layers_with_hosts(plugins, host)):
        try:
            with plugins.blame(transport, f"opening host {host.name}"):
                session = _open(transport, seen, state, session)
        except CosmosError:
            if session is not None:
                session.close()
            raise
        yield transport, session, seen


def examine(
    plugins: Plugins,
    host: Host,
    state: Path,
    tables: Mapping[str, Mapping[str, Any]] = NO_TABLES,
    *,
    models: Collection[str] = (),
    wanted: Collection[str] | None = None,
) -> Iterator[Finding]:
    """What is well with a host and what is not, layer by layer, then, where it has GPUs, what each model needs there.

    *tables* holds the settings' options by the backend's or enhancer's name. With *models* no others are looked at.
    What a model lacks that is not *wanted* is one warning; None wants all.
    """
    top: Session | None = None
    try:
        for transport, session, seen in climb(plugins, host, state):
            top = session
            yield ok(f"reached over {transport.name}", where=transport.name)
            if transport.check is not None:
                yield from _named(transport.check(session, seen), transport.name)
        # A host without GPUs is no place for a model, and not to blame for that.
        if host.gpus and top is not None and hasattr(top, "run"):
            for offer, check in _checks(plugins):
                if models and offer.name not in models:
                    continue
                chosen = options(offer, tables.get(offer.name, {}))
                found = tuple(_below(check(cast("Shell", top), host, chosen), offer.name))
                is_wanted = wanted is None or offer.name in wanted
                yield from found if is_wanted else _in_one(found, offer.name, host)
    except RefusedError as error:
        yield from _named(error.findings, "options")
    except CosmosError as error:
        yield fail(str(error), hint=error.hint, where=host.name)
    finally:
        if top is not None:
            top.close()


def models(plugins: Plugins) -> tuple[str, ...]:
    """The names of those that say what they need on a host."""
    return tuple(offer.name for offer, _ in _checks(plugins))


def _in_one(found: Sequence[Finding], name: str, host: Host) -> Iterator[Finding]:
    """The findings of a model that nobody asked for: as they are if it could run, else one warning instead."""
    missing = [each.message for each in found if each.level is Level.FAIL]
    if not missing:
        yield from found
        return
    more = f", and {len(missing) - 1} more" if missing[1:] else ""
    yield warn(
        f"not ready for {name}, which no run and no setting asks for: {missing[0]}{more}",
        hint=f"cosmos hosts check {host.name} --model {name}",
        where=name,
    )


def _checks(plugins: Plugins) -> Iterator[tuple[Backend | Enhancer, Check]]:
    """What asks whether a host has what a model needs: backends first, then enhancers that work on hosts."""
    for backend in plugins.offers(Backend).values():
        if backend.check is not None:
            yield backend, backend.check
    for enhancer in plugins.offers(Enhancer).values():
        if enhancer.job is not None and enhancer.job.check is not None:
            yield enhancer, enhancer.job.check


def _named(findings: Iterable[Finding], where: str) -> Iterator[Finding]:
    """The findings, each saying what it is about."""
    return (found if found.where else attrs.evolve(found, where=where) for found in findings)


def _below(findings: Iterable[Finding], name: str) -> Iterator[Finding]:
    """The findings of a model; several models have checkpoints, and each line says whose it speaks of."""
    for found in findings:
        part = found.where.removeprefix(name).lstrip(".")
        yield attrs.evolve(found, where=f"{name}.{part}" if part else name)


def _open(transport: Transport, host: Host, state: Path, below: Session | None) -> Session:
    if transport.connect is not None:
        return transport.connect(host, state)
    if transport.lay is None or not hasattr(below, "run"):
        raise PluginError(
            f"transport {transport.name} cannot be laid over what host {host.name} is reached by"
        )
    return transport.lay(cast("Shell", below), host, state)


def _share(transport: Transport, host: Host) -> tuple[Any, tuple[Finding, ...]]:
    """The options that are this layer's, read by its class, and what is wrong with them."""
    if transport.options is None:
        return None, ()
    known = _fields(transport)
    mine = {name: value for name, value in host.options.items() if name in known}
    try:
        return build(transport.options, mine, where=f"hosts.{host.name}.options"), ()
    except RefusedError as error:
        return None, error.findings


def _strangers(layered: tuple[Transport, ...], host: Host) -> Iterator[Finding]:
    known = {name: None for transport in layered for name in _fields(transport)}
    for name in host.options:
        if name not in known:
            there_is = ", ".join(known) or "none"
            yield fail(f"hosts.{host.name}.options has no {name!r}", hint=f"one of {there_is}", where=name)


def _fields(transport: Transport) -> Mapping[str, Any]:
    return attrs.fields_dict(transport.options) if transport.options is not None else {}
