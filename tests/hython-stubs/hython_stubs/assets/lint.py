"""Says what is wrong with an expanded asset before Houdini is asked.

The rules are those that the expanded assets of SideFX Labs, deadline-cloud-for-houdini and Houdini-Toolbox keep; each
has a name, so that a finding can be looked up and a test can break it. ``lint-hda FOLDER…`` judges on the command line.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hython_stubs.assets import dialog, names

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

TABLES = {
    "Sop",
    "Driver",
    "Top",
    "Lop",
    "Object",
    "Cop",
    "Cop2",
    "Vop",
    "Shop",
    "Dop",
    "Chop",
    "Vopnet",
    "Manager",
}
INDEX_KEYS = (
    "Operator Label Path Icon Table License Extra User Inputs Outputs Subnet Python Empty Modified".split()
)
REQUIRED = (
    "DialogScript",
    "CreateScript",
    "TypePropertiesOptions",
    "Tools.shelf",
    "ExtraFileOptions",
    "Help",
)
OPTIONS = {
    "CheckExternal": 1, "ContentsCompressionType": 1, "ForbidOutsideParms": 1, "GzipContents": 1, "LockContents": 1,
    "MakeDefault": 1, "ParmsFromVfl": 0, "PrefixDroppedParmLabel": 0, "PrefixDroppedParmName": 0,
    "SaveCachedCode": 0, "SaveIcon": 1, "SaveSpareParms": 0, "UnlockOnCreate": 0, "UseDSParms": 1,
}  # fmt: skip
EVENTS = (
    "PythonModule",
    "OnCreated",
    "OnLoaded",
    "OnDeleted",
    "OnUpdated",
    "OnNameChanged",
    "OnInputChanged",
)
TOOL_MODULES = {"Sop": "soptoolutils", "Driver": "drivertoolutils", "Lop": "loptoolutils", "Top": "toptoolutils", "Object": "objecttoolutils"}  # fmt: skip
_BESIDE = {
    "Contents.createtimes",
    "Contents.modtimes",
    "Contents.houdini_versions",
    ".OPdummydefs",
    ".OPfallbacks",
}
_MODIFIED = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_#]*")


@dataclass(frozen=True)
class Finding:
    """What is wrong: the rule, the file, a sentence."""

    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


def lint(folder: Path, *, strict: bool = True) -> list[Finding]:
    """Everything that stands against *folder*; with *strict* also what Houdini tolerates and reviewers do not."""
    library = _Library(folder)
    found = list(library.judge())
    return found if strict else [one for one in found if one.rule not in MANNERS]


MANNERS = frozenset(
    {
        "options.value", "parm.name", "parm.choice", "parm.tokens", "parm.language", "index.modified",
        "index.outputs", "help.title", "dialog.comment", "dialog.script", "tools.module", "create.comment",
        "create.line", "dialog.name", "extra.lost", "text.bytes", "sections.unlisted", "icon.lost",
    }
)  # fmt: skip
"""Rules of good manners: some public assets break them, and load."""


class _Library:
    """One ``….hda`` folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._findings: list[Finding] = []

    def judge(self) -> Iterator[Finding]:
        if self.folder.suffix not in (".hda", ".otl"):
            yield self._say("library.name", self.folder.name, "the folder's name must end in .hda or .otl")
        listed = yield from self._sections(self.folder)
        if listed is None:
            return
        for needed in ("INDEX_SECTION", "houdini.hdalibrary"):
            if needed not in listed:
                yield self._say("library.needs", "Sections.list", f"{needed} is not listed")
        marker = self.folder / "houdini.hdalibrary"
        if marker.is_file() and marker.read_bytes():
            yield self._say("library.marker", marker.name, "it must be empty")
        records = yield from self._index()
        definitions = {name: file for name, file in listed.items() if "/" in name}
        for name in definitions.keys() - {_section(record) for record in records}:
            yield self._say("index.missing", "INDEX__SECTION", f"no record for {name}")
        for record in records:
            yield from self._record(record, definitions)

    def _say(self, rule: str, where: str, message: str) -> Finding:
        return Finding(rule, f"{self.folder.name}/{where}", message)

    def _text(self, path: Path) -> str:
        return path.read_bytes().decode("utf-8")

    def _sections(self, place: Path) -> Generator[Finding, None, dict[str, str] | None]:
        """Check a ``Sections.list`` against the folder; returns section names to files."""
        where = (place / "Sections.list").relative_to(self.folder).as_posix()
        path = place / "Sections.list"
        if not path.is_file():
            yield self._say("sections.absent", where, "there is no such file")
            return None
        raw = path.read_bytes()
        if raw.startswith(b"\xef\xbb\xbf") or b"\r" in raw:
            yield self._say("text.bytes", where, "byte order marks and CR are not allowed")
        lines = raw.decode("utf-8-sig").replace("\r", "").split("\n")
        if lines[0] != '""':
            yield self._say("sections.first", where, 'the first line must be ""')
        if lines[-1]:
            yield self._say("sections.end", where, "the last line must end with a line feed")
        listed: dict[str, str] = {}
        for line in filter(None, lines[1:]):
            file, tab, name = line.partition("\t")
            if not tab:
                yield self._say("sections.tab", where, f"{line!r} has no tab between file and section")
                continue
            yield from self._entry(place, where, file.strip('"'), name.strip('"'))
            listed[name.strip('"')] = file.strip('"')
        yield from self._unlisted(place, where, set(listed.values()))
        return listed

    def _entry(self, place: Path, where: str, file: str, name: str) -> Iterator[Finding]:
        if names.to_file(name) != file:
            yield self._say("sections.code", where, f"{name} is stored as {names.to_file(name)}, not {file}")
        real = "Contents.dir" if file == "Contents.gz" else file
        if not (place / real).exists():
            yield self._say("sections.lost", where, f"{file} is listed and not there")

    def _unlisted(self, place: Path, where: str, files: set[str]) -> Iterator[Finding]:
        for path in sorted(place.iterdir()):
            known = path.name in files or path.name in ("Sections.list", *_BESIDE)
            if not known and not (path.name == "Contents.dir" and "Contents.gz" in files):
                yield self._say("sections.unlisted", where, f"{path.name} is there and not listed")

    def _index(self) -> Generator[Finding, None, list[dict[str, str]]]:
        path = self.folder / "INDEX__SECTION"
        if not path.is_file():
            return []
        text = self._text(path)
        if not text.endswith("\n\n"):
            yield self._say("index.end", path.name, "it must end with a blank line")
        records = []
        for chunk in filter(None, text.strip("\n").split("\n\n")):
            record: dict[str, str] = {}
            for line in chunk.split("\n"):
                match = re.fullmatch(r"(\w+):( *)(.*)", line)
                if not match or (match[3] and len(match[1]) + 1 + len(match[2]) != 14):
                    yield self._say("index.column", path.name, f"{line!r}: values begin in column 15")
                    continue
                record[match[1]] = match[3].rstrip() if match[1] != "Extra" else match[3]
            wanted = [key for key in INDEX_KEYS if key != "Outputs" or "Outputs" in record]
            if list(record) != wanted:
                yield self._say("index.keys", path.name, f"the keys are {', '.join(wanted)}, in this order")
            records.append(record)
        return records

    def _record(self, record: dict[str, str], definitions: dict[str, str]) -> Iterator[Finding]:
        where, section = "INDEX__SECTION", _section(record)
        if record.get("Table") not in TABLES:
            yield self._say("index.table", where, f"there is no table {record.get('Table')!r}")
        if record.get("Path") != f"oplib:/{section}?{section}":
            yield self._say("index.path", where, f"Path must be oplib:/{section}?{section}")
        if section not in definitions:
            yield self._say("index.section", where, f"{section} has no section of its own in Sections.list")
        if record.get("License"):
            yield self._say("index.licence", where, "a licence there makes whoever loads it non-commercial")
        if not re.fullmatch(r"\d+ to \d+", record.get("Inputs", "")):
            yield self._say("index.inputs", where, "Inputs must be like 0 to 1")
        if record.get("Outputs") in ("1", "0"):
            yield self._say("index.outputs", where, "Outputs is left out when it is 1")
        if not _MODIFIED.fullmatch(record.get("Modified", "")):
            yield self._say("index.modified", where, "Modified must be like Thu Jan  1 00:00:00 2026")
        if section in definitions and (self.folder / definitions[section]).is_dir():
            yield from _Definition(self, self.folder / definitions[section], record, section).judge()


def _section(record: dict[str, str]) -> str:
    return names.section_of(record.get("Operator", ""), record.get("Table", ""))


class _Definition:
    """One definition's folder."""

    def __init__(self, library: _Library, place: Path, record: dict[str, str], section: str) -> None:
        self._library, self.place, self.record, self.section = library, place, record, section

    def _say(self, rule: str, file: str, message: str) -> Finding:
        return self._library._say(rule, f"{self.place.name}/{file}", message)

    def _has(self, file: str) -> bool:
        return (self.place / file).is_file()

    def _read(self, file: str) -> str:
        return (self.place / file).read_bytes().decode("utf-8")

    def judge(self) -> Iterator[Finding]:
        listed = yield from self._library._sections(self.place)
        listed = listed or {}
        for file in REQUIRED:
            if file not in listed:
                yield self._say("definition.needs", file, "every definition has this section")
        yield from self._bytes(listed)
        yield from self._python(listed)
        if self._has("DialogScript"):
            yield from self._dialog()
        if self._has("CreateScript"):
            yield from self._create_script()
        if self._has("TypePropertiesOptions"):
            yield from self._options()
        if self._has("ExtraFileOptions"):
            yield from self._extra(listed)
        if self._has("Tools.shelf"):
            yield from self._tools()
        if (
            self._has("Help")
            and (help_ := self._read("Help").strip())
            and not help_.startswith(("=", "#type"))
        ):
            yield self._say("help.title", "Help", "a help card begins with = Title =")
        yield from self._icon()

    def _bytes(self, listed: dict[str, str]) -> Iterator[Finding]:
        for file in (
            "DialogScript",
            "CreateScript",
            "TypePropertiesOptions",
            "Tools.shelf",
            *EVENTS,
            "PythonCook",
        ):
            if file in listed and self._has(file):
                raw = (self.place / file).read_bytes()
                if raw.startswith(b"\xef\xbb\xbf") or b"\r" in raw:
                    yield self._say("text.bytes", file, "byte order marks and CR are not allowed")

    def _python(self, listed: dict[str, str]) -> Iterator[Finding]:
        if (self.record.get("Python") == "true") != ("PythonCook" in listed):
            yield self._say(
                "index.python", "PythonCook", "Python is true if and only if there is a PythonCook"
            )
        if self.record.get("Subnet") == "true" and "Contents.gz" not in listed:
            yield self._say("index.subnet", "Contents.dir", "Subnet is true and there is no Contents")
        if ("InternalFileOptions" in listed) != ("Contents.gz" in listed):
            yield self._say(
                "definition.internal", "InternalFileOptions", "it belongs to subnets, and to all of them"
            )
        for file in (*EVENTS, "PythonCook"):
            if file in listed and self._has(file):
                yield from self._compiles(file, self._read(file), "python.syntax")
        if "PythonCook" in listed and (
            not self._has("FunctionName") or self._read("FunctionName") != self.record.get("Operator")
        ):
            yield self._say(
                "python.function", "FunctionName", "it must hold the operator's name and no line feed"
            )

    def _compiles(self, file: str, text: str, rule: str) -> Iterator[Finding]:
        try:
            ast.parse(text, file)
        except SyntaxError as error:
            yield self._say(rule, file, f"line {error.lineno}: {error.msg}")

    def _dialog(self) -> Iterator[Finding]:
        text = self._read("DialogScript")
        if not text.startswith("# Dialog script for "):
            yield self._say("dialog.comment", "DialogScript", "the first line is # Dialog script for …")
        try:
            script = dialog.read(text)
        except dialog.Broken as error:
            yield self._say("dialog.grammar", "DialogScript", str(error))
            return
        for key, rule in (("name", "dialog.name"), ("script", "dialog.script")):
            if script.root.text(key) != self.record.get("Operator"):
                yield self._say(rule, "DialogScript", f"{key} must be the operator's name")
        if not script.root.text("label"):
            yield self._say("dialog.label", "DialogScript", "there is no label")
        counts = Counter(parm.name for parm in script.parms() if parm.name)
        for name in (name for name, count in counts.items() if count > 1):
            yield self._say("parm.twice", "DialogScript", f"{name} is there twice")
        for parm in script.parms():
            yield from self._parm(parm)

    def _parm(self, parm: dialog.Parm) -> Iterator[Finding]:
        here = f"{parm.name or 'a parameter'} in line {parm.block.line}"

        def say(rule: str, message: str) -> Finding:
            return self._say(rule, "DialogScript", f"{here}: {message}")

        if not _NAME.fullmatch(parm.name):
            yield say("parm.name", "a name is letters, digits and _")
        if parm.block.key != "parm":
            return
        if not parm.is_built_in and (not parm.type or parm.block.first("label") is None):
            yield say("parm.needs", "name, label and type are needed")
            return
        if parm.type and parm.type not in dialog.TYPES:
            yield say("parm.type", f"there is no type {parm.type!r}")
        if parm.default and len(parm.default) != parm.size:
            yield say("parm.default", f"{len(parm.default)} defaults for {parm.size} values")
        if parm.type == "ordinal" and not parm.menu:
            yield say("parm.menu", "an ordinal needs a menu")
        yield from self._menu(parm, say)
        scope = parm.block.first("range")
        if scope and len(scope.words) != 2:
            yield say("parm.range", "a range has two ends")
        tags = dict(parm.tags())
        if tags.get("script_callback_language") == "python":
            try:
                compile(tags.get("script_callback", ""), here, "exec")
            except SyntaxError as error:
                yield say("parm.callback", f"its callback is no Python: {error.msg}")
        if "script_callback" in tags and "script_callback_language" not in tags:
            yield say("parm.language", "without a language its callback is taken for HScript")

    def _menu(self, parm: dialog.Parm, say: Callable[[str, str], Finding]) -> Iterator[Finding]:
        found = parm.block.first("menu")
        if found is None or "[]" in found.words:
            return
        if len(found.words) % 2:
            yield say("parm.menu", "a menu is pairs of token and label")
        tokens = found.words[::2]
        if len(tokens) != len(set(tokens)):
            yield say("parm.tokens", "a token is there twice")
        default = parm.default[0] if parm.default else ""
        fits = default in tokens or (default.isdigit() and int(default) < len(tokens))
        if parm.type == "ordinal" and default not in ("", "[]") and not fits:
            yield say("parm.choice", f"the default {default!r} is none of {', '.join(tokens)}")

    def _create_script(self) -> Iterator[Finding]:
        text = self._read("CreateScript")
        for wanted in (
            r"\set noalias = 1",
            'if ( "$arg1" == "" ) then',
            f"# Node $arg1 ({self.section})",
            "opexprlanguage -s hscript $arg1",
            "opuserdata -n '___Version___' -v '' $arg1",
        ):
            if wanted not in text:
                rule = "create.comment" if wanted.startswith("#") else "create.line"
                yield self._say(rule, "CreateScript", f"it lacks the line {wanted}")

    def _options(self) -> Iterator[Finding]:
        lines = self._read("TypePropertiesOptions").splitlines()
        matched = [re.fullmatch(r"(\w+) := (\d+);", line) for line in lines]
        said = {match[1]: int(match[2]) for match in matched if match}
        if not all(matched) or said.keys() != OPTIONS.keys():
            yield self._say(
                "options.form", "TypePropertiesOptions", f"it is {len(OPTIONS)} lines Key := value;"
            )
        for key, value in said.items():
            if OPTIONS.get(key, value) != value:
                yield self._say(
                    "options.value", "TypePropertiesOptions", f"{key} is {OPTIONS[key]} elsewhere"
                )

    def _extra(self, listed: dict[str, str]) -> Iterator[Finding]:
        text = self._read("ExtraFileOptions")
        try:
            facts = json.loads(text) if text.strip() else {}
        except ValueError as error:
            yield self._say("extra.json", "ExtraFileOptions", f"it is no JSON: {error}")
            return
        for event in EVENTS:
            if event in listed and facts.get(f"{event}/IsPython", {}).get("value") is not True:
                yield self._say("extra.python", "ExtraFileOptions", f"{event}/IsPython must be true")
        if "PythonCook/IsPython" in facts:
            yield self._say("extra.cook", "ExtraFileOptions", "PythonCook has no entry here")
        for key in facts:
            if key.split("/")[0] not in listed:
                yield self._say(
                    "extra.lost", "ExtraFileOptions", f"{key} speaks of a section that is not there"
                )

    def _tools(self) -> Iterator[Finding]:
        if not self._read("Tools.shelf").strip():
            return
        try:
            root = ET.fromstring(self._read("Tools.shelf"))
        except ET.ParseError as error:
            yield self._say("tools.xml", "Tools.shelf", str(error))
            return
        tool = root.find("tool")
        if root.tag != "shelfDocument" or tool is None:
            yield self._say("tools.form", "Tools.shelf", "it is a shelfDocument with a tool")
            return
        script = tool.find("script")
        if script is None or script.get("scriptType") != "python":
            yield self._say("tools.script", "Tools.shelf", "its script is python")
            return
        yield from self._compiles("Tools.shelf", script.text or "", "tools.syntax")
        module = TOOL_MODULES.get(self.record.get("Table", ""), "")
        if module and module not in (script.text or ""):
            yield self._say("tools.module", "Tools.shelf", f"a tool of this table uses {module}")

    def _icon(self) -> Iterator[Finding]:
        match = re.fullmatch(r"opdef:/(.*)\?(.*)", self.record.get("Icon", ""))
        if match and (match[1] != self.section or not (self.place / names.to_file(match[2])).is_file()):
            yield self._say("icon.lost", "IconSVG", f"the icon {self.record['Icon']} is not there")
        if self._has("IconSVG"):
            try:
                root = ET.fromstring((self.place / "IconSVG").read_bytes())
            except ET.ParseError as error:
                yield self._say("icon.xml", "IconSVG", str(error))
                return
            if not root.tag.endswith("svg"):
                yield self._say("icon.xml", "IconSVG", "it is no SVG")


def main(words: list[str] | None = None) -> int:
    """``lint-hda``: every finding on a line; exit code 1 when there is one."""
    parser = argparse.ArgumentParser(prog="lint-hda", description="Judge expanded Houdini assets.")
    parser.add_argument("folders", nargs="+", type=Path, help="an asset's folder, or one that holds some")
    parser.add_argument("--lenient", action="store_true", help="leave out rules of manners")
    asked = parser.parse_args(words)
    count = 0
    for folder in asked.folders:
        libraries = [folder] if (folder / "Sections.list").is_file() else sorted(folder.glob("*.hda"))
        if not libraries:
            print(f"{folder}: no expanded asset", file=sys.stderr)
            count += 1
        for library in libraries:
            for finding in lint(library, strict=not asked.lenient):
                print(finding)
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
