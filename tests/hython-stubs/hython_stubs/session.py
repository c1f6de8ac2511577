"""One Houdini that never was: its scene, its catalogue, its desk. There is one a process, and it can be emptied."""

from __future__ import annotations

import ast
import importlib.machinery
import operator
import os
import re
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hython_stubs import values
from hython_stubs.catalog import PROFILES, Catalog, ParmRow, TypeRow
from hython_stubs.desk import UI, Desk
from hython_stubs.files import Files
from hython_stubs.geometry import Geometry, Shape
from hython_stubs.module import Hou, make
from hython_stubs.parms import Parms
from hython_stubs.spec import load
from hython_stubs.tree import CLASSES, NETWORKS, Node, Tree
from hython_stubs.undo import Step, Undos

if TYPE_CHECKING:
    from collections.abc import Callable

LICENCES = ("Commercial", "Indie", "Education", "ApprenticeHD", "Apprentice")


class Session:
    """What tests hold beside ``hou``: they empty it, choose a Houdini, look at the desk and add behaviours."""

    def __init__(self) -> None:
        """Build ``hou``; half a second the first time."""
        self.behaviours: dict[str, Callable[..., Any]] = values.behaviours()
        for part in (Tree, Parms, Geometry, Files, UI, Undos):
            self.behaviours.update(part(self).behaviours())
        self.hou = Hou(load(), self.behaviours)
        self._own = dict(self.behaviours)
        self.reset()

    def reset(self, profile: str = "21.0", *, licence: str = "Commercial", desk: bool = False) -> None:
        """An empty scene of the Houdini *profile*; *desk* says whether somebody sits before it."""
        if licence not in LICENCES:
            raise ValueError(f"there is no licence {licence!r}; there is {', '.join(LICENCES)}")
        self.behaviours.clear()
        self.behaviours.update(self._own)
        self.catalog = Catalog(profile)
        self.licence = licence
        self.desk = Desk(here=desk)
        self.libraries: dict[str, Any] = {}
        self.categories: dict[str, Any] = {}
        self.types: dict[str, Any] = {}
        self.renderers: dict[str, Callable[..., None]] = {}
        """``Driver/opengl`` to what a render of that type does."""
        self.buttons: dict[str, Callable[[Any], None]] = {}
        """``Lop/usd_rop.execute`` to what pressing it does; called with the node."""
        self.cooks: dict[str, Callable[[Any, int], Shape]] = {}
        """``Sop/merge`` to what a node of that type gives: called with the node and the number of its output."""
        self.references: list[tuple[Any, str]] = []
        self.viewport_camera: Any = None
        self.steps: list[Step] = []
        """What Undo would take back, oldest first."""
        self.open_steps: list[Step] = []
        self.clear_scene()

    def clear_scene(self) -> None:
        """No nodes, no name, first frame."""
        self.root = Node("", TypeRow("Director", "root"), None)
        self.root.object = make(self.hou.OpNode, self.root)
        self.pwd = self.root
        self.cooking: Node | None = None
        for name, category in NETWORKS.items():
            self.new(name, TypeRow("Manager", name), self.root, category)
        self.selected: list[Node] = []
        self.render_callbacks: list[Callable[..., None]] = []
        self.frame, self.fps, self.frame_range = 1.0, 24.0, (1.0, 240.0)
        self.hip = "untitled.hip"
        self.unsaved = False

    def did(self, what: str, back: Callable[[], Any]) -> None:
        """Something of the scene changed; *back* takes it back. It belongs to the open group, or is a step by itself."""
        step = self.open_steps[-1] if self.open_steps else Step(what)
        step.changes.append((what, back))
        if not self.open_steps:
            self.steps.append(step)

    def new(self, name: str, row: TypeRow, parent: Node, holds: str) -> Node:
        """A node in the tree, with the object that stands for it."""
        node = Node(name, row, parent, holds)
        node.object = make(getattr(self.hou, CLASSES.get(row.category, "OpNode")), node)
        parent.children[name] = node
        return node

    def touch(self, node: Node) -> None:
        """Something about *node* changed: the scene is unsaved, and what hangs on it stale."""
        self.unsaved = True
        node.cooked = False
        siblings = node.parent.children.values() if node.parent else ()
        for other in siblings:
            if other.cooked and any(source is node for source, _ in other.inputs.values()):
                self.touch(other)

    def created(self, node: Node) -> None:
        """Run the asset's OnCreated, as Houdini does for new nodes."""
        if node.row.asset is not None:
            node.row.asset.event("OnCreated", node, self.hou)

    def asset_module(self, node: Node) -> types.ModuleType:
        """The PythonModule of the node's asset; empty for other nodes."""
        if node.row.asset is None:
            return types.ModuleType("empty")
        return node.row.asset.module(self.hou)

    def install_asset(self, path: Path) -> None:
        """Make the definitions of an expanded asset known.

        Raises:
            hou.OperationFailed: the linter has something against it: Houdini might load it, or half of it.
        """
        from hython_stubs.assets.run import Asset

        try:
            assets = Asset.all_in(path)
        except ValueError as error:
            raise self.hou.OperationFailed(f"{path} is no asset: {error}") from None
        for asset in assets:
            self.catalog.add(asset.row)
        self.libraries[str(path)] = assets

    def cook(self, node: Node) -> None:
        """Run what the node's asset says; other types have no cook here."""
        if node.row.category != "Sop":
            return
        node.geometry = self._incoming(node)
        if node.row.asset is None or not node.row.asset.cooks:
            return
        before, self.pwd, self.cooking = self.pwd, node, node
        node.geometry._fake.writable = True
        try:
            node.row.asset.cook(self.hou)
        except Exception as error:  # noqa: BLE001 - whatever a cook raises becomes an error on the node
            node.errors.append(f"{type(error).__name__}: {error}")
        finally:
            self.pwd, self.cooking = before, None
            node.geometry._fake.writable = False

    def _incoming(self, node: Node) -> Any:
        first = node.inputs.get(0)
        shape = Shape(writable=False)
        if first and (first[0].geometry is not None or first[0].row.key in self.cooks):
            came = self.geometry_of(*first)._fake
            shape.points, shape.polygons = list(came.points), list(came.polygons)
            shape.attributes = dict(came.attributes)
            shape.values = {key: list(column) for key, column in came.values.items()}
            shape.groups = {key: list(rows) for key, rows in came.groups.items()}
        return make(self.hou.Geometry, shape)

    def geometry_of(self, node: Node, output: int = 0) -> Any:
        """What the node cooked."""
        if node.row.key in self.cooks:
            shape = self.cooks[node.row.key](node.object, output)
            shape.writable = False
            return make(self.hou.Geometry, shape)
        if node.geometry is None:
            node.geometry = make(self.hou.Geometry, Shape(writable=False))
        return node.geometry

    def rendered(self, node: Node, *given: Any, **words: Any) -> None:
        """Do what the test said a render of this type does."""
        if node.row.key not in self.renderers:
            raise NotImplementedError(f"nobody said what rendering a {node.row.key} does: session.renderers")
        self.renderers[node.row.key](node.object, *given, **words)

    def pressed(self, node: Node, name: str) -> None:
        """Do what the test said the button does; of an asset, its callback."""
        key = f"{node.row.key}.{name}"
        if key in self.buttons:
            self.buttons[key](node.object)
        elif node.row.asset is not None:
            node.row.asset.callback(name, node, self.hou)
        else:
            raise NotImplementedError(f"nobody said what pressing {key} does: session.buttons")

    def evaluate(self, expression: str, frame: float | None) -> float:
        """The few expressions that Houdini itself puts into parameters."""
        at = self.frame if frame is None else frame
        known = {"$FSTART": self.frame_range[0], "$FEND": self.frame_range[1], "$FF": at, "$F": at}
        for name, value in known.items():
            expression = expression.replace(name, repr(float(value)))
        return _arithmetic(ast.parse(expression, mode="eval").body)

    def expand(self, text: str, node: Node, frame: float | None) -> str:
        """Variables in a text: ``$HIP $HIPNAME $JOB $OS $F4``, then the environment's."""
        at = int(self.frame if frame is None else frame)
        hip = Path(self.hip)
        names = {
            "HIP": hip.parent.as_posix(),
            "HIPNAME": hip.stem,
            "JOB": os.environ.get("JOB", hip.parent.as_posix()),
            "OS": node.name,
            "F": str(at),
        }
        text = re.sub(r"\$F(\d)", lambda match: str(at).zfill(int(match[1])), text)
        return re.sub(
            r"\$\{?([A-Z_]+)\}?",
            lambda match: names.get(match[1], os.environ.get(match[1], match[0])),
            text,
        )


_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _arithmetic(node: ast.expr) -> float:
    """The value of an expression of numbers; anything more is not the fake's to know."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_arithmetic(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return float(_OPERATIONS[type(node.op)](_arithmetic(node.left), _arithmetic(node.right)))
    raise NotImplementedError(f"the fake cannot evaluate {ast.unparse(node)}")


_SESSION: list[Session] = []


def install(profile: str = "21.0", *, licence: str = "Commercial", desk: bool = False) -> Session:
    """Put an empty fake in the place of ``hou`` and what comes with it."""
    if not _SESSION:
        _SESSION.append(Session())
    session = _SESSION[0]
    session.reset(profile, licence=licence, desk=desk)
    module: Any = session.hou
    module.__spec__ = importlib.machinery.ModuleSpec("hou", None)
    sys.modules["hou"] = module
    sys.modules["hdefereval"] = _deferred()
    for name in ("soptoolutils", "drivertoolutils"):
        sys.modules[name] = _tool(name, session)
    return session


def uninstall() -> None:
    """Take it out again."""
    for name in ("hou", "hdefereval", "soptoolutils", "drivertoolutils"):
        sys.modules.pop(name, None)


def _deferred() -> types.ModuleType:
    module = types.ModuleType("hdefereval")

    def execute_deferred(function: Callable[..., Any], *given: Any, **words: Any) -> None:
        function(*given, **words)

    module.__dict__["executeDeferred"] = execute_deferred
    return module


def _tool(name: str, session: Session) -> types.ModuleType:
    module = types.ModuleType(name)
    parent = {"soptoolutils": "/obj", "drivertoolutils": "/out"}[name]

    def generic_tool(_: dict[str, Any], node_type: str, *__: Any) -> Any:
        where = session.hou.node(parent)
        if name == "soptoolutils":
            where = where.createNode("geo")
        return where.createNode(node_type, exact_type_name=True)

    module.__dict__["genericTool"] = generic_tool
    return module


__all__ = ["LICENCES", "PROFILES", "ParmRow", "Session", "install", "uninstall"]
