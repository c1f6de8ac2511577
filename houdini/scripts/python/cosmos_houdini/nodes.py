"""Nodes by type and parameter, guarded: what a Houdini does not have is said by name, with what is near.

Every node that we build comes from :func:`make`, so a renamed parameter stops the build with a sentence instead of a
scene that silently differs.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import hou

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CatalogError(Exception):
    """This Houdini has no such node type, parameter or menu item."""


def op(path: str) -> hou.OpNode:
    """The node at *path*.

    Raises:
        LookupError: there is none.
    """
    found = hou.node(path)
    if not isinstance(found, hou.OpNode):
        raise LookupError(f"There is no node {path}")  # noqa: TRY004 - mostly it is not there
    return found


def pick(parent: hou.OpNode, types: Sequence[str]) -> str:
    """The first of *types* that exists in this Houdini and may stand in *parent*.

    Raises:
        CatalogError: none does.
    """
    category = parent.childTypeCategory()
    if category is None:
        raise CatalogError(f"{parent.path()} holds no nodes")
    for name in types:
        if hou.nodeType(category, name) is not None:
            return name
    near = difflib.get_close_matches(types[0].split("::")[0], category.nodeTypes(), n=3)
    raise CatalogError(
        f"Houdini {hou.applicationVersionString()} has none of {', '.join(types)} ({category.name()})"
        + (f"; near is {', '.join(near)}" if near else "")
    )


def make(
    parent: hou.OpNode,
    types: Sequence[str] | str,
    name: str,
    parms: Mapping[str, Any] | None = None,
    *,
    optional: Mapping[str, Any] | None = None,
) -> hou.OpNode:
    """A node of the first of *types* that exists, with every one of *parms* set; *optional* ones where they exist.

    Raises:
        CatalogError: no type, a parameter of *parms*, or a menu item is not there.
    """
    chosen = pick(parent, [types] if isinstance(types, str) else types)
    node = parent.createNode(chosen, name, exact_type_name=True)
    for each, value in (parms or {}).items():
        put(node, each, value)
    for each, value in (optional or {}).items():
        if node.parmTuple(each) is not None:
            put(node, each, value)
    return node


def put(node: hou.OpNode, name: str, value: Any) -> None:
    """Set a parameter, of one value or of several; an expression that stood there goes.

    Raises:
        CatalogError: the node has no such parameter, or its menu no such item.
    """
    found = node.parmTuple(name)
    if found is None:
        known = sorted({parm.name() for parm in node.parms()})
        near = difflib.get_close_matches(name, known, n=3)
        raise CatalogError(
            f"{node.type().name()} of Houdini {hou.applicationVersionString()} has no parameter {name}"
            + (f"; near is {', '.join(near)}" if near else "")
        )
    found.deleteAllKeyframes()
    values = value if isinstance(value, (tuple, list)) else (value,)
    if isinstance(value, str):
        _refuse_unknown_item(node, found[0], value)
    found.set(tuple(values))


def _refuse_unknown_item(node: hou.OpNode, parm: hou.Parm, value: str) -> None:
    items = _items(parm)
    if items and value not in items:
        raise CatalogError(
            f"{node.type().name()}.{parm.name()} has no menu item {value}; there is {', '.join(items)}"
        )


def _items(parm: hou.Parm) -> tuple[str, ...]:
    """Tokens of a menu; none for a parameter without one, which real Houdini answers with an error."""
    try:
        return tuple(parm.menuItems())
    except hou.OperationFailed:
        return ()


def wire(node: hou.OpNode, *sources: tuple[hou.OpNode, int] | hou.OpNode | None) -> hou.OpNode:
    """Wire *sources* into the node's inputs in order: a node, or a node and which of its outputs."""
    for at, source in enumerate(sources):
        if source is not None:
            upstream, output = source if isinstance(source, tuple) else (source, 0)
            node.setInput(at, upstream, output)
    return node


def complaints(nodes: Sequence[hou.OpNode]) -> list[str]:
    """Errors and warnings that stand on *nodes*, for the receipt."""
    return [f"{node.path()}: {text}" for node in nodes for text in (*node.errors(), *node.warnings())]
