"""Writes the assets of this folder: ``python hda/write.py``; with ``--check`` it only compares.

``cosmos::city_destruction::1.0`` gets its parameters from ``CitySpec`` and their folders and labels from ``city.toml``;
``cosmos::submit::1.0`` from the table below. The same run writes ``cosmos_houdini/city_parms.py``, from which the cook
reads the node. What a person writes by hand lies in ``parts/`` and is copied.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_core_city.schema import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HERE = Path(__file__).parent
TABLE_OF_THE_COOK = HERE.parent / "houdini" / "scripts" / "python" / "cosmos_houdini" / "city_parms.py"
CITY, SUBMIT = "cosmos::city_destruction::1.0", "cosmos::submit::1.0"
OPTIONS = (
    ("CheckExternal", 1), ("ContentsCompressionType", 1), ("ForbidOutsideParms", 1), ("GzipContents", 1),
    ("LockContents", 1), ("MakeDefault", 1), ("ParmsFromVfl", 0), ("PrefixDroppedParmLabel", 0),
    ("PrefixDroppedParmName", 0), ("SaveCachedCode", 0), ("SaveIcon", 1), ("SaveSpareParms", 0),
    ("UnlockOnCreate", 0), ("UseDSParms", 1),
)  # fmt: skip


class Mismatch(Exception):
    """The table and ``city.toml`` do not name the same parameters."""


def city_rows(table: Mapping[str, Any], layout: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The city's parameters in the order of *layout*, each with what *table*, its JSON schema, says.

    Raises:
        Mismatch: a parameter stands in one and not in the other.
    """
    there, placed = set(table["properties"]), set(layout["parms"])
    if there != placed:
        unplaced, unknown = sorted(there - placed), sorted(placed - there)
        raise Mismatch(
            f"city.toml has no place for {', '.join(unplaced) or 'nothing new'}; "
            f"CitySpec does not know {', '.join(unknown) or 'nothing of it'}"
        )
    return [_row(name, table["properties"][name], *place) for name, place in layout["parms"].items()]


def _row(name: str, said: Mapping[str, Any], folder: str, label: str) -> dict[str, Any]:
    kinds = [said["type"]] if isinstance(said["type"], str) else list(said["type"])
    plain = [kind for kind in kinds if kind not in ("null", "array")]
    if "enum" in said:
        kind = "menu"
    elif "array" in kinds:
        kind = "words"
    else:
        kind = {"integer": "int", "number": "float", "boolean": "flag", "string": "words"}[plain[0]]
    return {
        "name": name, "kind": kind, "optional": "null" in kinds, "folder": folder, "label": label,
        "default": said.get("default"), "low": said.get("minimum"), "high": said.get("maximum"),
        "tokens": [token for token in said.get("enum", ()) if token is not None],
        "help": said.get("description", ""),
    }  # fmt: skip


def quoted(text: str) -> str:
    """A word as DialogScript quotes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parm(name: str, label: str, kind: str, *lines: str, depth: int = 2) -> str:
    """One ``parm`` block."""
    pad = "    " * depth
    body = [f"name    {quoted(name)}", f"label   {quoted(label)}", f"type    {kind}", *lines]
    return "\n".join([f"{pad}parm {{", *(f"{pad}    {line}" for line in body), f"{pad}}}"])


def _menu(tokens: Iterable[str]) -> list[str]:
    rows = [f"    {quoted(token)}   {quoted(_title(token))}" for token in tokens]
    return ["menu {", *rows, "}"]


def _title(token: str) -> str:
    return token if any(mark.isdigit() for mark in token) else token.replace("_", " ").title()


_UNSET = {"palette": 0, "blast": 42, "width": 1280, "height": 704, "frames": 93, "fps": 24}
"""What an optional parameter shows until it is switched on."""
_CEILING = 100_000
"""Sliders end here; the city itself says what it takes."""


def city_parm(row: Mapping[str, Any]) -> str:
    """A parameter of the city, with the switch of an optional one before it."""
    name, optional = row["name"], row["optional"]
    default = _UNSET[name] if optional else row["default"]
    lines = []
    if row["kind"] == "menu":
        kind, lines = "ordinal", [f"default {{ {quoted(default)} }}"]
    elif row["kind"] == "flag":
        kind, lines = "toggle", [f"default {{ {quoted('1' if default else '0')} }}"]
    elif row["kind"] == "words":
        kind, lines = "string", [f"default {{ {quoted(' '.join(default or ()))} }}"]
    else:
        kind = {"int": "integer", "float": "float"}[row["kind"]]
        lines = [f"default {{ {quoted(f'{default:g}')} }}"]
    lines.append(f"help    {quoted(row['help'])}")
    if optional:
        lines.append(f'disablewhen "{{ use_{name} == 0 }}"')
    if row["kind"] == "menu":
        lines += _menu(row["tokens"])
    if row["kind"] in ("int", "float") and row["low"] is not None:
        high = row["high"] if row["high"] <= _CEILING else 1000
        strict = "!" if row["high"] <= _CEILING else ""
        lines.append(f"range   {{ {row['low']:g}! {high:g}{strict} }}")
    own = parm(name, row["label"], kind, *lines)
    if not optional:
        return own
    switch = parm(
        f"use_{name}", f"Use {row['label']}", "toggle", "nolabel", "joinnext", 'default { "0" }',
        f"help    {quoted('Off: what the seed or the profile says.')}",
    )  # fmt: skip
    return f"{switch}\n{own}"


def button(name: str, label: str, callback: str, help_: str) -> str:
    """A button that calls the asset's module."""
    return parm(
        name, label, "button", 'default { "0" }', f"help    {quoted(help_)}",
        f'parmtag {{ "script_callback" "hou.phm().{callback}(kwargs)" }}',
        'parmtag { "script_callback_language" "python" }',
    )  # fmt: skip


def folder(name: str, label: str, parms: Iterable[str], kind: str = "groupsimple") -> str:
    """A folder around *parms*."""
    head = f"    {kind} {{\n        name    {quoted(name)}\n        label   {quoted(label)}\n"
    return "\n".join([head, *parms, "    }"])


def dialog(operator: str, label: str, inputs: Iterable[str], folders: Iterable[str]) -> str:
    """A whole ``DialogScript``."""
    wired = "".join(f"    inputlabel\t{at}\t{quoted(text)}\n" for at, text in enumerate(inputs, 1))
    head = (
        f"# Dialog script for {operator} automatically generated\n\n{{\n    name\t{operator}\n    script\t{operator}\n"
        f'    label\t{quoted(label)}\n\n    help {{\n\t""\n    }}\n\n{wired}\n'
    )
    return head + "\n".join(folders) + "\n}\n"


def city_dialog(rows: list[dict[str, Any]], layout: Mapping[str, Any]) -> str:
    """The city's parameters, folder by folder, then its button."""
    folders = [
        folder(f"{key}_folder", title, [city_parm(row) for row in rows if row["folder"] == key])
        for key, title in layout["folders"].items()
    ]
    submit = button(
        "submit",
        "Render and Submit",
        "submit",
        "Render the control passes of this scene and send them to the queue.",
    )
    return dialog(CITY, "Cosmos City Destruction", [], [*folders, folder("send_folder", "Cosmos", [submit])])


def submit_dialog() -> str:
    """The parameters of the Driver asset."""
    built_in = [
        f'        parm {{\n            name    "{name}"\n            baseparm\n            label   "{label}"\n'
        "            export  none\n        }"
        for name, label in (
            ("trange", "Valid Frame Range"),
            ("f", "Start/End/Inc"),
            ("take", "Render With Take"),
        )
    ]
    scene = [
        parm(
            "camera", "Camera", "oppath", 'default { "/obj/cam1" }', 'parmtag { "opfilter" "!!OBJ/CAMERA!!" }'
        ),
        parm("resolution", "Resolution", "intvector2", "size    2", 'default { "1280" "704" }'),
        parm("renderer", "Renderer", "ordinal", 'default { "karma" }', *_menu(["karma", "opengl"])),
        *built_in,
    ]
    ask = [
        parm("prompt", "Prompt", "string", 'default { "" }', 'parmtag { "editor" "1" }'),
        parm("negative", "Negative Prompt", "string", 'default { "" }'),
        parm("backend", "Model", "string", 'default { "" }', 'help    "Empty: the workspace\'s own."'),
        parm("modelseed", "Seed", "integer", 'default { "0" }', "range   { 0! 1000 }"),
        parm(
            "workspace", "Workspace", "directory", 'default { "" }', 'help    "Empty: where the scene lies."'
        ),
    ]
    buttons = [
        button("submit", "Render and Submit", "submit", "Render the passes and send the clip to the queue."),
        button("renderonly", "Render Passes Only", "render_only", "Make the clip and submit nothing."),
        button("openqueue", "Open Queue", "open_queue", "Show what is waiting, running and done."),
    ]
    return dialog(
        SUBMIT, "Cosmos Submit", ["Not used"],
        [folder("scene_folder", "Scene", scene), folder("ask_folder", "Video", ask),
         folder("send_folder", "Cosmos", buttons)],
    )  # fmt: skip


def section_of(operator: str, table: str) -> str:
    """``cosmos::Sop/city_destruction::1.0``."""
    space, name, version = operator.split("::")
    return f"{space}::{table}/{name}::{version}"


def encoded(section: str) -> str:
    """A section's name as a file's."""
    return section.replace("_", "__").replace("/", "_1").replace(":", "_8")


def library(
    operator: str, table: str, label: str, script: str, *, inputs: str, submenu: str
) -> dict[str, str]:
    """Every file of one expanded asset, by path below its folder."""
    section = section_of(operator, table)
    python = table == "Sop"
    index = {
        "Operator": operator, "Label": label, "Path": f"oplib:/{section}?{section}",
        "Icon": f"opdef:/{section}?IconSVG", "Table": table, "License": "", "Extra": "", "User": "",
        "Inputs": inputs, "Subnet": "false", "Python": "true" if python else "false", "Empty": "false",
        "Modified": "Thu Jan  1 00:00:00 2026",
    }  # fmt: skip
    parts = HERE / "parts" / operator.split("::")[1]
    files = {path.name: path.read_text("utf-8") for path in sorted(parts.iterdir())}
    files |= {
        "DialogScript": script,
        "TypePropertiesOptions": "".join(f"{key} := {value};\n" for key, value in OPTIONS),
        "CreateScript": _create_script(operator, section),
        "ExtraFileOptions": _extra(
            name for name in files if name in ("PythonModule", "OnCreated", "OnLoaded")
        ),
        "Tools.shelf": _tools(table, submenu),
    }
    if python:
        files["FunctionName"] = operator
    place = encoded(section)
    listed = [("INDEX__SECTION", "INDEX_SECTION"), ("houdini.hdalibrary",) * 2, (place, section)]
    return {
        "Sections.list": _sections(listed),
        "INDEX__SECTION": "".join(f"{key + ':':<14}{value}\n" for key, value in index.items()) + "\n",
        "houdini.hdalibrary": "",
        f"{place}/Sections.list": _sections((encoded(name), name) for name in files),
        **{f"{place}/{encoded(name)}": text for name, text in files.items()},
    }


def _sections(pairs: Iterable[tuple[str, str]]) -> str:
    return '""\n' + "".join(f"{file}\t{section}\n" for file, section in pairs)


def _create_script(operator: str, section: str) -> str:
    return (
        "# Automatically generated script\n\\set noalias = 1\n#\n"
        f"#  Creation script for {operator} operator\n#\n\n"
        'if ( "$arg1" == "" ) then\n    echo This script is intended as a creation script\n    exit\nendif\n\n'
        f"# Node $arg1 ({section})\nopexprlanguage -s hscript $arg1\nopuserdata -n '___Version___' -v '' $arg1\n"
    )


def _extra(events: Iterable[str]) -> str:
    facts: dict[str, Any] = {}
    for event in sorted(events):
        facts[f"{event}/Cursor"] = {"type": "intarray", "value": [1, 1]}
        for key, value in (("IsExpr", False), ("IsPython", True), ("IsScript", True)):
            facts[f"{event}/{key}"] = {"type": "bool", "value": value}
        facts[f"{event}/Source"] = {"type": "string", "value": ""}
    return json.dumps(facts, indent=1).replace("\n ", "\n\t") + "\n"


def _tools(table: str, submenu: str) -> str:
    module, net = {"Sop": ("soptoolutils", "SOP"), "Driver": ("drivertoolutils", "ROP")}[table]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<shelfDocument>
  <!-- This file contains definitions of shelves, toolbars, and tools.
 It should not be hand-edited when it is being used by the application.
 Note, that two definitions of the same element are not allowed in
 a single file. -->

  <tool name="$HDA_DEFAULT_TOOL" label="$HDA_LABEL" icon="$HDA_ICON">
    <toolMenuContext name="viewer">
      <contextNetType>{net}</contextNetType>
    </toolMenuContext>
    <toolMenuContext name="network">
      <contextOpType>$HDA_TABLE_AND_NAME</contextOpType>
    </toolMenuContext>
    <toolSubmenu>{submenu}</toolSubmenu>
    <script scriptType="python"><![CDATA[import {module}

{module}.genericTool(kwargs, '$HDA_NAME')]]></script>
  </tool>
</shelfDocument>
"""


def parms_module(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table the cook reads the node by."""
    lines = "".join(f'    ("{row["name"]}", "{row["kind"]}", {row["optional"]}),\n' for row in rows)
    return (
        '"""The city\'s parameters: name, kind, and whether a ``use_…`` switch stands before it.\n\n'
        'Written by hda/write.py out of CitySpec; change it there.\n"""\n\n'
        f"PARMS = (\n{lines})\n"
    )


def everything(
    table: Mapping[str, Any] | None = None, layout: Mapping[str, Any] | None = None
) -> dict[Path, str]:
    """Each file that this writes, with its content.

    Raises:
        Mismatch: see :func:`city_rows`.
    """
    layout = layout or tomllib.loads((HERE / "city.toml").read_text("utf-8"))
    rows = city_rows(table or schema(), layout)
    libraries = {
        "cosmos_city_destruction.hda": library(
            CITY,
            "Sop",
            "Cosmos City Destruction",
            city_dialog(rows, layout),
            inputs="0 to 0",
            submenu="Cosmos",
        ),
        "cosmos_submit.hda": library(
            SUBMIT, "Driver", "Cosmos Submit", submit_dialog(), inputs="0 to 1", submenu="Cosmos"
        ),
    }
    files = {HERE / name / path: text for name, made in libraries.items() for path, text in made.items()}
    return {TABLE_OF_THE_COOK: parms_module(rows), **files}


def main() -> int:
    """Write, or with ``--check`` say what differs."""
    wrong = [
        path for path, text in everything().items() if not path.is_file() or path.read_text("utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in wrong:
            print(f"{path.relative_to(HERE.parent)} is not what hda/write.py makes")
        return 1 if wrong else 0
    for path in wrong:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(everything()[path], "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
