"""Find plugins, quarantine the broken, collect what they offer, ask and tell.

There is no global plugin manager: :func:`load` constructs a :class:`Plugins`, which is passed to whoever needs it.

``COSMOS_BLOCK_PLUGINS=a,b`` leaves plugins out by name; ``COSMOS_TRACE_PLUGINS=1`` prints every call to stderr.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pluggy

from cosmos_core import hookspecs
from cosmos_core.errors import CosmosError, Finding, InputError, PluginError, UnknownError, fail
from cosmos_core.extend import (
    Backend,
    Check,
    Command,
    Enhancer,
    Exporter,
    Forecast,
    Generator,
    Named,
    Offer,
    Plan,
    Step,
    Transport,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Queued, Slot
    from cosmos_core.spec import Spec

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Named)

PATIENCE = 10.0
"""Seconds that a listener has to hear what it is told."""

BUILTIN = (
    "cosmos_core.builtin.commands",
    "cosmos_core.builtin.contact",
    "cosmos_core.builtin.enhance",
    "cosmos_core.builtin.folder_export",
    "cosmos_core.builtin.local",
    "cosmos_core.builtin.planner",
    "cosmos_core.builtin.preview",
    "cosmos_core.builtin.review",
    "cosmos_core.builtin.webdataset",
    "cosmos_core.checks",
)
"""Our own plugin modules, registered through the same hooks as everybody's."""

KINDS: dict[type[Named], str] = {
    Generator: "cosmos_generators",
    Backend: "cosmos_backends",
    Transport: "cosmos_transports",
    Step: "cosmos_steps",
    Check: "cosmos_checks",
    Enhancer: "cosmos_enhancers",
    Exporter: "cosmos_exporters",
    Command: "cosmos_commands",
}


@attrs.frozen(kw_only=True)
class Plugin:
    """One plugin as found: where it comes from, what it does, or why it is left out."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    state: str = "active"
    """``active``, ``blocked`` or ``quarantined``."""
    reason: str = ""

    @property
    def source(self) -> str:
        """Distribution and version, for sentences."""
        return f"{self.distribution} {self.version}".strip()


@attrs.frozen(kw_only=True)
class Owned:
    """Something offered, and the plugin that offers it."""

    offer: Named
    plugin: Plugin


class Plugins:
    """The plugins of one process. Made by :func:`load`."""

    def __init__(
        self, manager: pluggy.PluginManager, found: dict[str, Plugin], *, trace: bool = False
    ) -> None:
        self._manager = manager
        self._found = found
        self._trace = trace
        self._offers: dict[type[Named], dict[str, list[Owned]]] = {}
        self._hung: set[tuple[str, str]] = set()

    def listed(self) -> tuple[Plugin, ...]:
        """Every plugin found, the quarantined and blocked among them, by name."""
        return tuple(self._found[name] for name in sorted(self._found))

    def register(self, name: str, plugin: object, *, source: str = "cosmos-core") -> None:
        """Add a plugin object, as the core does for listeners that need an open workspace."""
        _register(self._manager, self._found, name, plugin, source, _own_version())

    def offers(self, kind: type[T]) -> dict[str, T]:
        """Everything of *kind* on offer, by name. Names that two plugins claim are left out."""
        owned = self._collect(kind)
        return {name: owners[0].offer for name, owners in sorted(owned.items()) if len(owners) == 1}  # type: ignore[misc]

    def owned(self, kind: type[Named]) -> tuple[Owned, ...]:
        """Everything of *kind* with its plugin, by name; a name that two plugins claim appears twice."""
        return tuple(one for _, owners in sorted(self._collect(kind).items()) for one in owners)

    def find(self, kind: type[T], name: str) -> T:
        """The *kind* called *name*.

        Raises:
            PluginError: when two plugins claim the name, naming both.
            UnknownError: when none offers it, listing the names there are and any quarantined plugin.
        """
        owners = self._collect(kind).get(name, [])
        if len(owners) > 1:
            claims = " and ".join(f"{one.plugin.name} ({one.plugin.source})" for one in owners)
            raise PluginError(
                f"{kind.__name__.lower()} {name!r} is offered by {claims}",
                hint=f"leave one out: COSMOS_BLOCK_PLUGINS={owners[-1].plugin.name}",
            )
        if owners:
            return owners[0].offer  # type: ignore[return-value]
        raise UnknownError(f"there is no {kind.__name__.lower()} {name!r}", hint=self._who_there_is(kind))

    def review(self, spec: Spec, clip: Clip | None) -> list[Finding]:
        """What every plugin says about a request. One that raises is itself a finding of level fail."""
        findings: list[Finding] = []
        for impl in self._manager.hook.cosmos_review.get_hookimpls():
            try:
                findings += _only(Finding, self._call(impl, spec=spec, clip=clip) or ())
            except (Exception, SystemExit) as error:
                log.debug("plugin %s failed in cosmos_review", impl.plugin_name, exc_info=True)
                findings.append(_raised(self._found[impl.plugin_name], "cosmos_review", error))
        return findings

    @contextmanager
    def blame(self, offer: Named, doing: str) -> Iterator[None]:
        """Name the plugin of *offer* in whatever it raises that nobody foresaw; our errors and the machine's pass.

        Raises:
            PluginError: in the place of what was raised.
        """
        try:
            yield
        except (CosmosError, OSError):
            raise
        except (Exception, SystemExit) as error:
            kind = type(offer).__name__.lower()
            owners = self._collect(type(offer)).get(offer.name, [])
            source = owners[0].plugin.source if owners else "an unknown package"
            log.debug("%s %s failed", kind, offer.name, exc_info=True)
            raise PluginError(
                f"{kind} {offer.name} of {source} failed while {doing}: {type(error).__name__}: {error}",
                hint=f"report it to the authors of {source}; -vv shows where it happened",
            ) from error

    def plan(self, runs: Sequence[Queued], slots: Sequence[Slot], forecast: Forecast | None = None) -> Plan:
        """The first plan that a plugin gives; the built-in planner answers last and always."""
        known = forecast or Forecast()
        for impl in reversed(self._manager.hook.cosmos_plan.get_hookimpls()):
            try:
                answer = self._call(impl, runs=runs, slots=slots, forecast=known)
                if answer is not None:
                    _only(Plan, [answer])
            except CosmosError:
                raise
            except (Exception, SystemExit) as error:
                log.debug("plugin %s failed in cosmos_plan", impl.plugin_name, exc_info=True)
                plugin = self._found[impl.plugin_name]
                raise PluginError(
                    f"plugin {plugin.name} ({plugin.source}) failed while planning: {error}",
                    hint=f"leave it out: COSMOS_BLOCK_PLUGINS={plugin.name}",
                ) from error
            if answer is not None:
                return answer  # type: ignore[no-any-return]
        raise PluginError("no planner is left", hint="unset COSMOS_BLOCK_PLUGINS")

    def tell(self, hook: str, **facts: object) -> None:
        """Tell every plugin. What one of them raises stops nobody, and one that hangs is not told again."""
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            if (impl.plugin_name, hook) in self._hung:
                continue
            # A thread cannot be ended; one that hangs is left behind.
            told = threading.Thread(
                target=self._tell, args=(impl, hook, facts), name=f"{hook} {impl.plugin_name}", daemon=True
            )
            told.start()
            told.join(PATIENCE)
            if told.is_alive():
                self._hung.add((impl.plugin_name, hook))
                log.error(
                    "plugin %s hangs in %s: after %g s nobody waits for it, and this process tells it no more",
                    impl.plugin_name,
                    hook,
                    PATIENCE,
                )

    def _tell(self, impl: pluggy.HookImpl, hook: str, facts: Mapping[str, object]) -> None:
        try:
            self._call(impl, **facts)
        except (Exception, SystemExit):  # a listener must not fail a run
            log.exception("plugin %s failed in %s", impl.plugin_name, hook)

    def _collect(self, kind: type[Named]) -> dict[str, list[Owned]]:
        if kind not in self._offers:
            collected: dict[str, list[Owned]] = {}
            for owned in self._drain(kind, KINDS[kind]):
                collected.setdefault(owned.offer.name, []).append(owned)
            self._offers[kind] = collected
        return self._offers[kind]

    def _drain(self, kind: type[Named], hook: str) -> Iterator[Owned]:
        """What each plugin offers, all of it before the next is asked, so that a late error has an owner."""
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            plugin = self._found[impl.plugin_name]
            try:
                offers = list(self._call(impl) or ())
            except (Exception, SystemExit) as error:
                log.debug("plugin %s failed in %s", plugin.name, hook, exc_info=True)
                self._quarantine(plugin, f"{hook} raised {type(error).__name__}: {error}")
                continue
            strangers = [offer for offer in offers if not isinstance(offer, kind)]
            if strangers:
                self._quarantine(
                    plugin, f"{hook} gave a {type(strangers[0]).__name__}, not a {kind.__name__}"
                )
                continue
            yield from (Owned(offer=offer, plugin=plugin) for offer in offers)

    def _call(self, impl: pluggy.HookImpl, **facts: object) -> Any:
        answer = impl.function(*(facts[name] for name in impl.argnames))
        if self._trace:
            print(  # noqa: T201 (what the tracing switch is for)
                f"{impl.function.__name__} -> {impl.plugin_name}: {answer!r:.200}", file=sys.stderr
            )
        return answer

    def _quarantine(self, plugin: Plugin, reason: str) -> None:
        self._found[plugin.name] = attrs.evolve(plugin, state="quarantined", reason=reason)

    def _who_there_is(self, kind: type[Named]) -> str:
        names = ", ".join(self.offers(kind)) or "none"
        broken = [plugin for plugin in self.listed() if plugin.state == "quarantined"]
        aside = "".join(f"; plugin {plugin.name} is quarantined: {plugin.reason}" for plugin in broken)
        return f"there is: {names}{aside}"


def load(environ: Mapping[str, str] | None = None) -> Plugins:
    """Our own plugins and those of installed distributions, sorted by name. Never raises for a plugin's fault."""
    env = os.environ if environ is None else environ
    blocked = {name.strip() for name in env.get("COSMOS_BLOCK_PLUGINS", "").split(",") if name.strip()}
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found: dict[str, Plugin] = {}
    for module in BUILTIN:
        name = module.rpartition(".")[2]
        _admit(
            manager,
            found,
            name,
            blocked,
            partial(import_module, module),
            "cosmos-core",
            _own_version(),
        )
    for entry in sorted(metadata.entry_points(group=hookspecs.ENTRY_POINTS), key=lambda entry: entry.name):
        dist = entry.dist
        _admit(
            manager,
            found,
            entry.name,
            blocked,
            entry.load,
            dist.name if dist else "?",
            dist.version if dist else "",
        )
    return Plugins(manager, found, trace=env.get("COSMOS_TRACE_PLUGINS", "") not in {"", "0"})


def options(offer: Offer, *tables: Mapping[str, Any]) -> Any:
    """An instance of the offer's options from tables, the later winning; None when it has none.

    Strings from a command line are read as the field's type says.

    Raises:
        InputError: naming every unknown field and wrong value.
    """
    merged = {key: value for table in tables for key, value in table.items()}
    if offer.options is None:
        if merged:
            raise InputError(f"{offer.name} takes no options, so not {', '.join(sorted(merged))}")
        return None
    from cosmos_core.options import build

    return build(offer.options, merged, where=offer.name)


def _admit(
    manager: pluggy.PluginManager,
    found: dict[str, Plugin],
    name: str,
    blocked: set[str],
    loader: Any,
    distribution: str,
    version: str,
) -> None:
    plugin = Plugin(name=name, distribution=distribution, version=version)
    if name in blocked:
        found[name] = attrs.evolve(plugin, state="blocked", reason="COSMOS_BLOCK_PLUGINS names it")
        return
    if name in found:
        reason = f"its name is taken by {found[name].source}"
        found[f"{name} ({distribution})"] = attrs.evolve(plugin, state="quarantined", reason=reason)
        return
    try:
        module = loader()
    except (Exception, SystemExit) as error:
        log.debug("plugin %s cannot be imported", name, exc_info=True)
        reason = f"{type(error).__name__}: {error}"
        found[name] = attrs.evolve(plugin, state="quarantined", reason=reason)
        return
    _register(manager, found, name, module, distribution, version)


def _register(
    manager: pluggy.PluginManager,
    found: dict[str, Plugin],
    name: str,
    module: object,
    distribution: str,
    version: str,
) -> None:
    plugin = Plugin(name=name, distribution=distribution, version=version)
    try:
        manager.register(module, name=name)
        _refuse_misspelt(manager, module)
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        reason = " ".join(str(error).split())
        found[name] = attrs.evolve(plugin, state="quarantined", reason=reason)
        return
    hooks = tuple(sorted(caller.name for caller in manager.get_hookcallers(module) or ()))
    found[name] = attrs.evolve(plugin, hooks=hooks)


def _refuse_misspelt(manager: pluggy.PluginManager, module: object) -> None:
    for caller in manager.get_hookcallers(module) or ():
        if not caller.has_spec():
            raise ValueError(f"there is no hook {caller.name}")


def _only(kind: type, answers: Iterable[object]) -> list[Any]:
    found = list(answers)
    if strangers := [each for each in found if not isinstance(each, kind)]:
        raise TypeError(f"it gave a {type(strangers[0]).__name__}, not a {kind.__name__}")
    return found


def _raised(plugin: Plugin, hook: str, error: BaseException) -> Finding:
    return fail(
        f"plugin {plugin.name} ({plugin.source}) failed in {hook}: {error}",
        hint=f"leave it out: COSMOS_BLOCK_PLUGINS={plugin.name}",
    )


@cache
def _own_version() -> str:
    from cosmos_core import __version__

    return __version__


def providers(plugins: Plugins, plugin: str) -> Iterable[tuple[str, Named]]:
    """Pairs of kind and offer that the plugin called *plugin* owns, for ``cosmos plugins show``."""
    for kind in KINDS:
        for owned in plugins.owned(kind):
            if owned.plugin.name == plugin:
                yield kind.__name__.lower(), owned.offer
