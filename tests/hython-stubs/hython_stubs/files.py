"""``hou.hipFile``: scenes as text that another process of the fake can open. Also frames, variables and licences."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hython_stubs.tree import _HOLDS, Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from hython_stubs.session import Session

FORMAT = "hython-stubs scene 1"
_BUILDS = {"20.5": (20, 5, 487), "21.0": (21, 0, 671), "22.0": (22, 0, 400)}


class Files:
    """Behaviours of the scene file and the application."""

    def __init__(self, session: Session) -> None:
        """For *session*."""
        self._session = session

    def behaviours(self) -> dict[str, Callable[..., Any]]:
        """By full name."""
        return {
            "hipFile.path": lambda: self._session.hip,
            "hipFile.name": lambda: self._session.hip,
            "hipFile.basename": lambda: Path(self._session.hip).name,
            "hipFile.isNewFile": lambda: not Path(self._session.hip).is_file(),
            "hipFile.hasUnsavedChanges": lambda: self._session.unsaved,
            "hipFile.save": self.save,
            "hipFile.load": self.load,
            "hipFile.clear": self.clear,
            "hipFile.saveAsBackup": self.save_as_backup,
            "hipFile.setName": lambda name: setattr(self._session, "hip", name),
            "fileReferences": lambda *_, **__: tuple(self._session.references),
            "frame": lambda *_: float(self._session.frame),
            "intFrame": lambda: int(self._session.frame),
            "setFrame": self.set_frame,
            "fps": lambda: float(self._session.fps),
            "playbar.frameRange": lambda: self._session.hou.Vector2(self._session.frame_range),
            "playbar.playbackRange": lambda: self._session.hou.Vector2(self._session.frame_range),
            "getenv": lambda name, default=None: os.environ.get(name, default),
            "expandString": lambda text, *_: self._session.expand(text, self._session.pwd, None),
            "text.expandString": lambda text, *_: self._session.expand(text, self._session.pwd, None),
            "text.expandStringAtFrame": lambda text, frame, *_: self._session.expand(
                text, self._session.pwd, frame
            ),
            "applicationVersion": lambda *_: self._build(),
            "applicationVersionString": lambda: ".".join(map(str, self._build())),
            "applicationName": lambda: "houdini" if self._session.desk.here else "hython",
            "isUIAvailable": lambda: self._session.desk.here,
            "licenseCategory": lambda: getattr(self._session.hou.licenseCategoryType, self._session.licence),
            "homeHoudiniDirectory": lambda: os.environ.get("HOUDINI_USER_PREF_DIR", ""),
            "exit": self.leave,
            "hda.installFile": lambda path, *_, **__: self._session.install_asset(Path(path)),
            "hda.loadedFiles": lambda: tuple(self._session.libraries),
            "EnumValue.name": lambda me: me._fake[1],
            "EnumValue.__repr__": lambda me: f"{me._fake[0]}.{me._fake[1]}",
            "EnumValue.__eq__": lambda me, other: me is other,
            "EnumValue.__hash__": lambda me: hash(me._fake),
        }

    def _build(self) -> tuple[int, int, int]:
        return _BUILDS[self._session.catalog.profile]

    def leave(self, exit_code: int = 0, *_: Any, **__: Any) -> None:
        """End the process at once, as ``hou.exit`` does."""
        import sys

        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)

    def set_frame(self, frame: float) -> None:
        """Go to a frame; what was cooked is stale then."""
        self._session.frame = float(frame)
        for node in self._session.root.each():
            node.cooked = False

    def clear(self, *_: Any, **__: Any) -> bool:
        """Forget the scene."""
        self._session.clear_scene()
        return True

    def save(self, file_name: str | None = None, *_: Any, **__: Any) -> None:
        """Write the scene, and from then on be called so."""
        self._write(Path(file_name or self._session.hip))
        self._session.hip = str(file_name or self._session.hip)
        self._session.unsaved = False

    def save_as_backup(self) -> str:
        """A copy in ``backup/`` beside the scene; its name and its unsaved changes stay."""
        hip = Path(self._session.hip)
        folder = hip.parent / "backup"
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.glob(f"{hip.stem}_bak*{hip.suffix}"))) + 1
        path = folder / f"{hip.stem}_bak{number}{hip.suffix}"
        self._write(path)
        return path.as_posix()

    def _write(self, path: Path) -> None:
        nodes = [
            {
                "path": node.path,
                "type": node.row.key,
                "parms": {name: parms.values for name, parms in node.parms.items()},
                "expressions": {name: parms.expressions for name, parms in node.parms.items()},
                "inputs": {at: [source.name, output] for at, (source, output) in node.inputs.items()},
                "user": node.user,
                "flags": node.flags,
            }
            for node in self._session.root.each()
            if node.row.category != "Manager"
        ]
        facts = {
            "format": FORMAT,
            "fps": self._session.fps,
            "range": list(self._session.frame_range),
            "nodes": nodes,
        }
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        shutil.move(part, path)

    def load(self, file_name: str, *_: Any, **__: Any) -> None:
        """Open a scene that the fake wrote.

        Raises:
            hou.OperationFailed: there is none, or it is not one.
            hou.LoadWarning: it holds nodes of types that nobody knows; the rest is there.
        """
        failed = self._session.hou.OperationFailed
        try:
            facts = json.loads(Path(file_name).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise failed(f"Could not open file {file_name}: {error}") from None
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise failed(f"{file_name} is no scene file")
        self._session.clear_scene()
        self._session.fps, self._session.frame_range = facts["fps"], tuple(facts["range"])
        lost = [row["type"] for row in facts["nodes"] if not self._restore(row)]
        for row in facts["nodes"]:
            self._wire(row)
        self._session.hip, self._session.unsaved = file_name, False
        if lost:
            raise self._session.hou.LoadWarning(
                f"incomplete asset definitions: {', '.join(sorted(set(lost)))}"
            )

    def _restore(self, saved: dict[str, Any]) -> bool:
        parent_path, _, name = saved["path"].rpartition("/")
        parent = self._session.hou.node(parent_path or "/")
        category, _, type_name = saved["type"].partition("/")
        row = self._session.catalog.find(category, type_name)
        if parent is None or row is None:
            return False
        made: Node = self._session.new(
            name, row, parent._fake, _HOLDS.get((row.category, row.name.split("::")[0]), "")
        )
        made.user, made.flags = dict(saved["user"]), dict(saved["flags"])
        for parm, values in saved["parms"].items():
            found = made.object.parmTuple(re.sub(r"[xyzw]$", "", parm)) or made.object.parmTuple(parm)
            if found is not None:
                found._fake.values[:] = values
                found._fake.expressions[:] = saved["expressions"][parm]
        return True

    def _wire(self, saved: dict[str, Any]) -> None:
        node = self._session.hou.node(saved["path"])
        if node is not None:
            siblings = node._fake.parent.children
            for at, (source, output) in saved["inputs"].items():
                if source in siblings:
                    node._fake.inputs[int(at)] = (siblings[source], output)
