"""Expanded assets as node types of the fake: their parameters, their cook, their events and callbacks."""

from __future__ import annotations

import re
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hython_stubs.assets import dialog, names
from hython_stubs.assets.lint import lint
from hython_stubs.catalog import ParmRow, TypeRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hython_stubs.tree import Node

_KINDS = {
    "toggle": "Toggle", "float": "Float", "angle": "Float", "log": "Float", "vector": "Float", "vector2": "Float",
    "vector4": "Float", "color": "Float", "color4": "Float", "direction": "Float", "integer": "Int",
    "intvector": "Int", "intvector2": "Int", "ordinal": "Menu", "button": "Button",
}  # fmt: skip
_NOT_SET = {"separator", "label"}
_BUILT_IN = {"execute": "Button", "renderdialog": "Button", "trange": "Menu", "f": "Float", "take": "String"}


@dataclass
class Asset:
    """One definition of an expanded library."""

    place: Path
    row: TypeRow
    callbacks: dict[str, str] = field(default_factory=dict)
    _module: types.ModuleType | None = None

    @classmethod
    def all_in(cls, folder: Path) -> list[Asset]:
        """Every definition in *folder*.

        Raises:
            ValueError: the linter's first finding, and how many there are.
        """
        if findings := lint(folder):
            raise ValueError(
                f"{findings[0]} and {len(findings) - 1} more" if findings[1:] else str(findings[0])
            )
        index = (folder / "INDEX__SECTION").read_text("utf-8")
        return [cls._of(folder, record) for record in filter(None, index.strip("\n").split("\n\n"))]

    @classmethod
    def _of(cls, folder: Path, record: str) -> Asset:
        said = dict(re.findall(r"^(\w+): *(.*?) *$", record, re.MULTILINE))
        section = names.section_of(said["Operator"], said["Table"])
        place = folder / names.to_file(section)
        parms = dialog.read((place / "DialogScript").read_text("utf-8")).parms()
        asset = cls(place, TypeRow(said["Table"], said["Operator"]))
        asset.row = TypeRow(
            category=said["Table"],
            name=said["Operator"],
            inputs=int(said["Inputs"].split(" to ")[1]),
            outputs=int(said.get("Outputs", "0" if said["Table"] == "Driver" else "1")),
            parms={parm.name: _row(parm) for parm in parms if parm.type not in _NOT_SET},
            asset=asset,
        )
        asset.callbacks = {
            parm.name: tags["script_callback"]
            for parm in parms
            if "script_callback" in (tags := dict(parm.tags()))
        }
        return asset

    @property
    def cooks(self) -> bool:
        """Whether it has a cook of its own."""
        return (self.place / "PythonCook").is_file()

    def cook(self, hou: Any) -> None:
        """Run its PythonCook; ``hou.pwd()`` is the node."""
        self._run("PythonCook", {"hou": hou})

    def event(self, name: str, node: Node, hou: Any) -> None:
        """Run an event's script with ``kwargs``, if it has one."""
        if (self.place / name).is_file():
            self._run(name, {"hou": hou, "kwargs": {"node": node.object, "type": node.object.type()}})

    def module(self, hou: Any) -> types.ModuleType:
        """Its PythonModule, imported once."""
        if self._module is None:
            self._module = types.ModuleType(f"module of {self.row.name}")
            self._module.__dict__["hou"] = hou
            if (self.place / "PythonModule").is_file():
                self._run("PythonModule", self._module.__dict__)
        return self._module

    def callback(self, parm: str, node: Node, hou: Any) -> None:
        """Do what a parameter's callback says.

        Raises:
            hou.OperationFailed: it has none.
        """
        if parm not in self.callbacks:
            raise hou.OperationFailed(f"{parm} of {self.row.name} does nothing")
        phm = types.SimpleNamespace(phm=lambda: self.module(hou), pwd=lambda: node.object)
        told = {"node": node.object, "parm": node.object.parm(parm), "script_value": ""}
        exec(compile(self.callbacks[parm], f"{self.row.name}: {parm}", "exec"), {"hou": phm, "kwargs": told})

    def _run(self, section: str, names_there: dict[str, Any]) -> None:
        path = self.place / section
        exec(compile(path.read_text("utf-8"), str(path), "exec"), names_there)


def _row(parm: dialog.Parm) -> ParmRow:
    kind = _BUILT_IN.get(parm.name, "") if parm.is_built_in else _KINDS.get(parm.type, "String")
    size = 3 if parm.is_built_in and parm.name == "f" else parm.size
    tokens = ("off", "normal", "on") if parm.is_built_in and parm.name == "trange" else tuple(parm.menu[::2])
    return ParmRow(
        name=parm.name,
        kind="Folder" if parm.block.key in dialog.MULTI else kind,
        size=size,
        tokens=() if parm.block.first("menureplace") else tokens,
        labels=tuple(parm.menu[1::2]),
        default=_default(parm, kind, size),
        suffix="1234" if parm.is_built_in else "xyzw",
        expression="$FSTART $FEND 1" if parm.is_built_in and parm.name == "f" else "",
    )


def _default(parm: dialog.Parm, kind: str, size: int) -> Any:
    """The default as a value of the kind; None where there is none or an expression."""
    words = parm.default
    if not words or "[]" in words or kind == "Button":
        return None
    if kind == "Menu":
        tokens = parm.menu[::2]
        return tokens.index(words[0]) if words[0] in tokens else int(words[0])
    kinds: dict[str, Callable[[str], Any]] = {"Float": float, "Int": int, "Toggle": _on, "String": str}
    made = kinds.get(kind, str)
    values = [made(word) for word in words]
    return values if size > 1 else values[0]


def _on(word: str) -> int:
    return int(word in ("1", "on"))
