"""The node tree: creating, wiring, naming, cooking, destroying. A parent holds only children of its own kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hython_stubs.catalog import TypeRow
from hython_stubs.module import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from hython_stubs.parms import Tuple
    from hython_stubs.session import Session

CLASSES = {
    "Object": "ObjNode", "Sop": "SopNode", "Driver": "RopNode", "Lop": "LopNode", "Top": "TopNode",
    "Cop": "CopNode", "Cop2": "Cop2Node",
}  # fmt: skip
NETWORKS = {"obj": "Object", "out": "Driver", "stage": "Lop", "tasks": "Top", "img": "CopNet"}
"""The managers below the root, and what each holds."""
_HOLDS = {("Object", "geo"): "Sop", ("CopNet", "copnet"): "Cop", ("CopNet", "img"): "Cop2"}
CATEGORIES = ("Object", "Sop", "Driver", "Lop", "Top", "Dop", "Cop", "Cop2", "CopNet", "Vop", "Chop", "Shop")


@dataclass(eq=False)
class Node:
    """What is known of one node."""

    name: str
    row: TypeRow
    parent: Node | None
    holds: str = ""
    """The category of its children; empty for none."""
    children: dict[str, Node] = field(default_factory=dict)
    inputs: dict[int, tuple[Node, int]] = field(default_factory=dict)
    parms: dict[str, Tuple] = field(default_factory=dict)
    user: dict[str, str] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    comment: str = ""
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    geometry: Any = None
    cooked: bool = False
    object: Any = None

    @property
    def path(self) -> str:
        """``/obj/geo1/box1``."""
        if self.parent is None:
            return "/"
        return f"{self.parent.path.rstrip('/')}/{self.name}"

    def each(self) -> list[Node]:
        """The nodes below it, parents before children."""
        return [one for child in self.children.values() for one in (child, *child.each())]


class Tree:
    """Behaviours of nodes and node types."""

    def __init__(self, session: Session) -> None:
        """For the nodes of *session*."""
        self._session = session

    def behaviours(self) -> dict[str, Callable[..., Any]]:
        """By full name."""
        flags = {
            "setDisplayFlag": "display", "setRenderFlag": "render", "bypass": "bypass", "setLocked": "locked",
        }  # fmt: skip
        kinds = ("SopNode", "ObjNode", "LopNode", "RopNode", "CopNode", "Cop2Node")
        setters = {f"{kind}.{name}": self._setter(flag) for kind in kinds for name, flag in flags.items()}
        getters = {
            f"{kind}.{name}": self._getter(flag, default=default)
            for kind in kinds
            for name, flag, default in (
                ("isDisplayFlagSet", "display", True),
                ("isBypassed", "bypass", False),
                ("isLocked", "locked", False),
            )
        }
        categories = {
            f"{prefix}NodeTypeCategory": (lambda category=name: self._category(category))
            for prefix, name in (
                ("obj", "Object"),
                ("sop", "Sop"),
                ("rop", "Driver"),
                ("lop", "Lop"),
                ("top", "Top"),
            )
        }
        return {
            "node": self.find,
            "nodeType": self.node_type,
            "nodeTypeCategories": lambda: {name: self._category(name) for name in CATEGORIES},
            "pwd": lambda: self._session.pwd.object,
            "selectedNodes": lambda *_: tuple(node.object for node in self._session.selected),
            **categories,
            "OpNodeTypeCategory.name": lambda me: me._fake,
            "NodeTypeCategory.name": lambda me: me._fake,
            "NodeTypeCategory.nodeType": lambda me, name: self._type(
                self._session.catalog.find(me._fake, name)
            ),
            "NodeTypeCategory.nodeTypes": lambda me: {
                name: self._type(row) for name, row in self._session.catalog.of(me._fake).items()
            },
            "NodeType.name": lambda me: me._fake.name,
            "NodeType.nameWithCategory": lambda me: me._fake.key,
            "NodeType.category": lambda me: self._category(me._fake.category),
            "NodeType.maxNumInputs": lambda me: me._fake.inputs,
            "OpNodeType.definition": lambda me: None,
            "Node.type": lambda me: self._type(me._fake.row),
            "Node.name": lambda me: me._fake.name,
            "Node.path": lambda me: me._fake.path,
            "Node.setName": self.set_name,
            "Node.parent": lambda me: me._fake.parent.object if me._fake.parent else None,
            "Node.node": lambda me, path: self._from(me._fake, path),
            "Node.children": lambda me: tuple(child.object for child in me._fake.children.values()),
            "Node.allSubChildren": lambda me, *_, **__: tuple(one.object for one in me._fake.each()),
            "Node.createNode": self.create,
            "Node.childTypeCategory": self.child_category,
            "Node.isNetwork": lambda me: bool(me._fake.holds),
            "Node.setInput": self.set_input,
            "Node.inputs": self.inputs,
            "Node.input": lambda me, at: me._fake.inputs[at][0].object if at in me._fake.inputs else None,
            "Node.destroy": self.destroy,
            "Node.errors": lambda me: tuple(me._fake.errors),
            "Node.warnings": lambda me: tuple(me._fake.warnings),
            "Node.userData": lambda me, name: me._fake.user.get(name),
            "Node.setUserData": self.set_user,
            "Node.userDataDict": lambda me, *_: dict(me._fake.user),
            "Node.destroyUserData": lambda me, name, *_, **__: me._fake.user.pop(name, None) and None,
            "Node.comment": lambda me: me._fake.comment,
            "Node.setComment": self.set_comment,
            "Node.moveToGoodPosition": lambda me, *_, **__: self._session.hou.Vector2(0, 0),
            "Node.layoutChildren": lambda me, *_, **__: None,
            "Node.setCurrent": self.set_current,
            "Node.setGenericFlag": lambda me, flag, value: me._fake.flags.update(
                {flag._fake[1]: bool(value)}
            ),
            "OpNode.cook": self.cook,
            "OpNode.needsToCook": lambda me, *_: not me._fake.cooked,
            "OpNode.addError": lambda me, message, *_: me._fake.errors.append(message),
            "OpNode.addWarning": lambda me, message, *_: me._fake.warnings.append(message),
            "OpNode.hdaModule": lambda me: make(
                self._session.hou.HDAModule, self._session.asset_module(me._fake)
            ),
            "OpNode.hm": lambda me: make(self._session.hou.HDAModule, self._session.asset_module(me._fake)),
            "HDAModule.__getattr__": lambda me, name: getattr(me._fake, name),
            "OpNode.isTimeDependent": lambda me, *_: False,
            "SopNode.geometry": self.geometry,
            "SopNode.inputGeometry": self.input_geometry,
            "ObjNode.displayNode": lambda me: self._flagged(me._fake, "display"),
            "ObjNode.renderNode": lambda me: self._flagged(me._fake, "render"),
            "RopNode.render": self.render,
            "RopNode.addRenderEventCallback": lambda me, callback, *_: self._session.render_callbacks.append(
                callback
            ),
            **setters,
            **getters,
        }

    def _setter(self, flag: str) -> Callable[[Any, bool], None]:
        def setter(me: Any, on: bool) -> None:
            if on and flag in ("display", "render") and me._fake.parent:
                for other in me._fake.parent.children.values():
                    other.flags[flag] = False
            flags, before = me._fake.flags, dict(me._fake.flags)
            flags[flag] = bool(on)
            self._session.did(f"{flag} {me._fake.path}", lambda: (flags.clear(), flags.update(before)))

        return setter

    def _getter(self, flag: str, *, default: bool) -> Callable[[Any], bool]:
        return lambda me: me._fake.flags.get(flag, default)

    def _category(self, name: str) -> Any:
        kept = self._session.categories
        if name not in kept:
            kept[name] = make(self._session.hou.OpNodeTypeCategory, name)
        return kept[name]

    def _type(self, row: TypeRow | None) -> Any:
        if row is None:
            return None
        kept = self._session.types
        if row.key not in kept:
            kept[row.key] = make(self._session.hou.OpNodeType, row)
        return kept[row.key]

    def find(self, path: str) -> Any:
        """The node at *path*, None when there is none."""
        start = self._session.root if path.startswith("/") else self._session.pwd
        return self._from(start, path)

    def _from(self, node: Node, path: str) -> Any:
        at: Node | None = self._session.root if path.startswith("/") else node
        for word in (word for word in path.split("/") if word and word != "."):
            at = at.parent if at and word == ".." else at.children.get(word) if at else None
        return at.object if at else None

    def node_type(self, category: Any, name: str | None = None) -> Any:
        """The type of that name in a category; with one argument, of ``Category/name``."""
        if name is None:
            table, _, name = str(category).partition("/")
            return self._type(self._session.catalog.find(table, name))
        return self._type(self._session.catalog.find(category._fake, name))

    def child_category(self, me: Any) -> Any:
        """What may be created in a node; None when nothing may."""
        return self._category(me._fake.holds) if me._fake.holds else None

    def create(
        self,
        me: Any,
        node_type_name: str,
        node_name: str | None = None,
        run_init_scripts: bool = True,
        load_contents: bool = True,
        exact_type_name: bool = False,
        force_valid_node_name: bool = False,
    ) -> Any:
        """Make a child, if this parent may hold one of that type."""
        parent: Node = me._fake
        failed = self._session.hou.OperationFailed
        if not parent.holds:
            raise failed(f"{parent.path} cannot have children")
        row = self._row(parent, node_type_name, exact=exact_type_name)
        if node_name and not re.fullmatch(r"[A-Za-z_][\w.]*", node_name) and not force_valid_node_name:
            raise failed(f"{node_name!r} is no name for a node")
        name = self._free(
            parent, re.sub(r"\W", "_", node_name or row.name.split("::")[-1 if "::" not in row.name else 0])
        )
        made = self._session.new(name, row, parent, _HOLDS.get((row.category, row.name.split("::")[0]), ""))
        self._session.touch(made)
        self._session.did(f"create {made.path}", lambda: parent.children.pop(made.name, None))
        if run_init_scripts:
            self._session.created(made)
        return made.object

    def _row(self, parent: Node, name: str, *, exact: bool) -> TypeRow:
        catalog, category = self._session.catalog, parent.holds
        failed = self._session.hou.OperationFailed
        versions = catalog.versions(category, name)
        if not exact and len(versions) > 1:
            raise failed(
                f"{name!r} is one of several versions ({', '.join(versions)}): which one Houdini takes depends on the "
                "user's settings; name one and pass exact_type_name=True"
            )
        row = catalog.find(category, name)
        if row is None:
            elsewhere = [one for one in CATEGORIES if catalog.find(one, name)]
            why = (
                f"it is a {elsewhere[0]}, and {parent.path} holds {category}s"
                if elsewhere
                else f"near are {', '.join(catalog.near(category, name)) or 'none'}"
            )
            raise failed(
                f"Invalid node type name: {name!r} in {parent.path}, Houdini {catalog.profile}; {why}"
            )
        return row

    def _free(self, parent: Node, wanted: str) -> str:
        stem = wanted.rstrip("0123456789") or wanted
        number, name = 1, wanted if wanted not in parent.children else ""
        while not name:
            candidate = f"{stem}{number}"
            number, name = number + 1, "" if candidate in parent.children else candidate
        return name

    def set_name(self, me: Any, name: str, unique_name: bool = False) -> None:
        """Rename."""
        node: Node = me._fake
        assert node.parent
        if name in node.parent.children and not unique_name:
            raise self._session.hou.OperationFailed(f"{name} is taken in {node.parent.path}")
        del node.parent.children[node.name]
        node.name = self._free(node.parent, name)
        node.parent.children[node.name] = node

    def set_input(self, me: Any, input_index: int, item: Any, output_index: int = 0) -> None:
        """Wire, if both sockets exist and both nodes are of one network."""
        node: Node = me._fake
        if not 0 <= input_index < node.row.inputs:
            raise self._session.hou.InvalidInput(
                f"{node.row.key} has {node.row.inputs} inputs; {input_index} is none of them"
            )
        if item is None:
            node.inputs.pop(input_index, None)
            return
        source: Node = item._fake
        if source.parent is not node.parent:
            raise self._session.hou.InvalidInput(f"{source.path} and {node.path} are of different networks")
        # Render nodes give nothing on, and are wired for the order in which they render.
        outputs = max(source.row.outputs, source.row.category == "Driver")
        if not 0 <= output_index < outputs:
            raise self._session.hou.InvalidInput(
                f"{source.row.key} has {outputs} outputs; {output_index} is none of them"
            )
        node.inputs[input_index] = (source, output_index)
        self._session.touch(node)

    def inputs(self, me: Any) -> tuple[Any, ...]:
        """What is wired, None between."""
        wired: dict[int, tuple[Node, int]] = me._fake.inputs
        return tuple(wired[at][0].object if at in wired else None for at in range(max(wired, default=-1) + 1))

    def destroy(self, me: Any, *_: Any, **__: Any) -> None:
        """Remove the node, its children and the wires to it."""
        node: Node = me._fake
        assert node.parent
        del node.parent.children[node.name]
        for other in self._session.root.each():
            other.inputs = {at: wire for at, wire in other.inputs.items() if wire[0] is not node}
        self._session.unsaved = True

    def set_user(self, me: Any, name: str, value: str) -> None:
        """Keep a text with the node."""
        me._fake.user[name] = value
        self._session.unsaved = True

    def set_comment(self, me: Any, comment: str) -> None:
        """Say something about the node."""
        me._fake.comment = comment

    def set_current(self, me: Any, on: bool, clear_all_selected: bool = False) -> None:
        """Select."""
        if clear_all_selected:
            self._session.selected.clear()
        if on:
            self._session.selected.append(me._fake)

    def _flagged(self, node: Node, flag: str) -> Any:
        chosen = [child for child in node.children.values() if child.flags.get(flag)]
        last = chosen or list(node.children.values())[-1:]
        return last[0].object if last else None

    def cook(self, me: Any, force: bool = False, *_: Any, **__: Any) -> None:
        """Cook the node and what it is wired to.

        Raises:
            hou.OperationFailed: it has errors then.
        """
        node: Node = me._fake
        if node.cooked and not force and not node.errors:
            return
        for source, _output in node.inputs.values():
            source.object.cook()
        node.errors.clear()
        self._session.cook(node)
        node.cooked = True
        if node.errors:
            raise self._session.hou.OperationFailed(f"{node.path}: {'; '.join(node.errors)}")

    def geometry(self, me: Any, output_index: int = 0) -> Any:
        """What the node cooked; of a node without a cook of its own, what came in."""
        node: Node = me._fake
        if node is not self._session.cooking:
            self.cook(me)
        return self._session.geometry_of(node, output_index)

    def input_geometry(self, me: Any, input_index: int, *_: Any) -> Any:
        """What comes in."""
        wire = me._fake.inputs.get(input_index)
        return wire[0].object.geometry(wire[1]) if wire else None

    def render(self, me: Any, *given: Any, **words: Any) -> None:
        """Do what the session was told renders of this type do."""
        self._session.rendered(me._fake, *given, **words)
