"""The assets as text: made of one table, without a finding, and the linter knows every rule."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import pytest
from cosmos_core_city import schema as schemas
from cosmos_core_city.spec import CitySpec
from hython_stubs.assets import dialog, names
from hython_stubs.assets.lint import lint, main

ASSETS = Path(__file__).parents[2] / "hda"
CITY = ASSETS / "cosmos_city_destruction.hda"
SUBMIT = ASSETS / "cosmos_submit.hda"
PLACE = "cosmos_8_8Sop_1city__destruction_8_81.0"


@pytest.mark.parametrize("library", [CITY, SUBMIT], ids=lambda path: path.stem)
def test_our_assets_keep_every_rule(library):
    """Also those that are only manners."""
    assert [] == lint(library)


def test_the_assets_are_what_the_table_makes(write):
    """Whoever changes a parameter, a label or a part runs hda/write.py."""
    wrong = [path for path, text in write.everything().items() if path.read_text("utf-8") != text]

    assert [] == wrong


def test_each_parameter_of_the_city_is_one_of_the_asset():
    """Names, defaults, choices and limits of CitySpec, read back out of the DialogScript."""
    parms = {parm.name: parm for parm in dialog.read((CITY / PLACE / "DialogScript").read_text()).parms()}
    table = schemas.schema()["properties"]

    assert set(table) | {"submit"} == {name for name in parms if not name.startswith("use_")}
    for name, said in table.items():
        parm, optional = parms[name], said.get("default", 0) is None
        assert optional == (f"use_{name}" in parms)
        if "enum" in said and not optional:
            assert said["enum"] == parm.menu[::2]
            assert [said["default"]] == parm.default
        elif said["type"] in ("integer", "number"):
            assert float(said["default"]) == float(parm.default[0])
            assert f"{said['minimum']:g}!" == parm.block.first("range").words[0]


def _renamed(old, new):
    """CitySpec's schema after somebody renamed a parameter."""
    fields = {
        (new if field.name == old else field.name): attrs.field(
            default=field.default, validator=field.validator, metadata=field.metadata, type=field.type
        )
        for field in attrs.fields(CitySpec)
    }
    kind = attrs.make_class("CitySpec", fields, kw_only=True)
    table = schemas.schema()
    properties = {(new if name == old else name): said for name, said in table["properties"].items()}
    assert set(properties) == {field.name for field in attrs.fields(kind)}
    return table | {"properties": properties}


def test_a_parameter_renamed_in_the_table_stops_the_build(write):
    """It names both the one that has no place and the one that nobody knows any more."""
    with pytest.raises(write.Mismatch, match=r"no place for floors.*does not know storeys"):
        write.everything(_renamed("storeys", "floors"))


def test_a_changed_default_reaches_the_asset(write):
    """The table decides, not the text that is there."""
    table = schemas.schema()
    table["properties"]["haze"]["default"] = 0.75

    made = write.everything(table)[CITY / PLACE / "DialogScript"]

    haze = next(parm for parm in dialog.read(made).parms() if parm.name == "haze")
    assert ["0.75"] == haze.default


def _edit(path, old, new):
    text = path.read_text("utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new, 1), "utf-8")


def _append(path, text):
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def _in(file, old, new):
    return lambda library: _edit(library / file, old, new)


def _part(file, old, new):
    return _in(f"{PLACE}/{file}", old, new)


def _drop(file):
    def change(library):
        (library / PLACE / file).unlink()
        _edit(library / PLACE / "Sections.list", f"{file}\t{file}\n", "")

    return change


BROKEN = {
    "library.name": lambda library: library.rename(library.with_suffix(".city")),
    "library.needs": _in("Sections.list", "houdini.hdalibrary\thoudini.hdalibrary\n", ""),
    "library.marker": lambda library: (library / "houdini.hdalibrary").write_text("x"),
    "text.bytes": lambda library: (library / "Sections.list").write_bytes(
        (library / "Sections.list").read_bytes().replace(b"\n", b"\r\n")
    ),
    "sections.absent": lambda library: (library / "Sections.list").unlink(),
    "sections.first": _in("Sections.list", '""\n', "''\n"),
    "sections.end": lambda library: (library / "Sections.list").write_text(
        (library / "Sections.list").read_text().rstrip("\n")
    ),
    "sections.tab": _part("Sections.list", "DialogScript\tDialogScript", "DialogScript DialogScript"),
    "sections.code": _in("Sections.list", "INDEX__SECTION\tINDEX_SECTION", "INDEX__SECTION\tINDEX SECTION"),
    "sections.lost": lambda library: (library / PLACE / "Help").unlink(),
    "sections.unlisted": lambda library: (library / PLACE / "notes.txt").write_text("x"),
    "index.end": lambda library: (library / "INDEX__SECTION").write_text(
        (library / "INDEX__SECTION").read_text().rstrip("\n") + "\n"
    ),
    "index.missing": lambda library: (library / "INDEX__SECTION").write_text("\n\n"),
    "index.column": _in("INDEX__SECTION", "Label:        Cosmos", "Label: Cosmos"),
    "index.keys": _in("INDEX__SECTION", "User:         \n", ""),
    "index.table": _in("INDEX__SECTION", "Table:        Sop", "Table:        Sops"),
    "index.path": _in("INDEX__SECTION", "?cosmos::Sop/city_destruction::1.0\nIcon", "?cosmos::Sop/city::1.0\nIcon"),
    "index.section": _in("INDEX__SECTION", "Operator:     cosmos::city_destruction", "Operator:     cosmos::town"),
    "index.licence": _in("INDEX__SECTION", "License:      ", "License:      Apprentice"),
    "index.inputs": _in("INDEX__SECTION", "0 to 0", "0-0"),
    "index.outputs": _in("INDEX__SECTION", "Subnet:", "Outputs:      1\nSubnet:"),
    "index.modified": _in("INDEX__SECTION", "Thu Jan  1 00:00:00 2026", "2026-01-01"),
    "index.python": _in("INDEX__SECTION", "Python:       true", "Python:       false"),
    "index.subnet": _in("INDEX__SECTION", "Subnet:       false", "Subnet:       true"),
    "definition.needs": _drop("Help"),
    "definition.internal": lambda library: (
        (library / PLACE / "InternalFileOptions").write_text("{}"),
        _append(library / PLACE / "Sections.list", "InternalFileOptions\tInternalFileOptions\n"),
    ),
    "python.syntax": _part("PythonCook", "import hou", "import hou hou"),
    "python.function": lambda library: _append(library / PLACE / "FunctionName", "\n"),
    "dialog.comment": _part("DialogScript", "# Dialog script for", "# Made for"),
    "dialog.grammar": lambda library: _append(library / PLACE / "DialogScript", "}\n"),
    "dialog.name": _part("DialogScript", "name\tcosmos::city_destruction", "name\tcosmos::city"),
    "dialog.script": _part("DialogScript", "script\tcosmos::city_destruction", "script\tcosmos::city"),
    "dialog.label": _part("DialogScript", 'label\t"Cosmos City Destruction"', 'label\t""'),
    "parm.twice": _part("DialogScript", 'name    "trees"', 'name    "vehicles"'),
    "parm.name": _part("DialogScript", 'name    "haze"', 'name    "ha ze"'),
    "parm.needs": _part("DialogScript", 'label   "Haze"\n', ""),
    "parm.type": _part("DialogScript", "type    toggle", "type    switch"),
    "parm.default": _part("DialogScript", 'default { "0.25" }', 'default { "0.25" "1" }'),
    "parm.menu": _part("DialogScript", '"day"   "Day"', '"day"'),
    "parm.tokens": _part("DialogScript", '"dusk"   "Dusk"', '"day"   "Dusk"'),
    "parm.choice": _part("DialogScript", 'default { "day" }', 'default { "noon" }'),
    "parm.range": _part("DialogScript", "range   { 0! 1! }", "range   { 0! }"),
    "parm.callback": _part("DialogScript", "hou.phm().submit(kwargs)", "hou.phm().submit(kwargs"),
    "parm.language": _part("DialogScript", 'parmtag { "script_callback_language" "python" }', ""),
    "create.line": _part("CreateScript", "opexprlanguage -s hscript $arg1\n", ""),
    "create.comment": _part("CreateScript", "# Node $arg1 (cosmos::Sop/", "# Node $arg1 (Sop/"),
    "options.form": _part("TypePropertiesOptions", "MakeDefault := 1;\n", ""),
    "options.value": _part("TypePropertiesOptions", "SaveSpareParms := 0;", "SaveSpareParms := 1;"),
    "extra.json": lambda library: _append(library / PLACE / "ExtraFileOptions", ","),
    "extra.python": _part("ExtraFileOptions", '"OnCreated/IsPython"', '"OnCreated/IsPerl"'),
    "extra.cook": _part("ExtraFileOptions", "{\n", '{\n"PythonCook/IsPython": {"type": "bool", "value": true},\n'),
    "extra.lost": _part("ExtraFileOptions", "{\n", '{\n"OnLoaded/Source": {"type": "string", "value": ""},\n'),
    "tools.xml": _part("Tools.shelf", "</tool>", "</tools>"),
    "tools.form": lambda library: (library / PLACE / "Tools.shelf").write_text("<shelfDocument/>"),
    "tools.script": _part("Tools.shelf", 'scriptType="python"', 'scriptType="hscript"'),
    "tools.syntax": _part("Tools.shelf", "import soptoolutils", "import soptoolutils)"),
    "tools.module": lambda library: [_edit(library / PLACE / "Tools.shelf", "soptoolutils", "loptoolutils") for _ in "ab"],
    "help.title": _part("Help", "= Cosmos City Destruction =", "Cosmos City Destruction"),
    "icon.lost": _in("INDEX__SECTION", "?IconSVG", "?Picture"),
    "icon.xml": _part("IconSVG", "</svg>", ""),
}  # fmt: skip
"""One way to break each rule, and only on purpose the same files as another."""


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_asset_is_found(rule, tmp_path):
    """The linter names the rule that was broken."""
    library = tmp_path / CITY.name
    shutil.copytree(CITY, library)
    BROKEN[rule](library)
    (library,) = tmp_path.iterdir()

    assert rule in {finding.rule for finding in lint(library)}


def test_the_corpus_breaks_every_rule_of_the_linter():
    """A rule that no asset here breaks is one that nobody has seen work."""
    import re

    source = Path(lint.__code__.co_filename).read_text("utf-8")
    rules = set(re.findall(r'"((?:library|text|sections|index|definition|python|dialog|parm|create|options|extra|tools|help|icon)\.[a-z]+)"', source))  # fmt: skip

    assert rules == BROKEN.keys()


@pytest.mark.parametrize(
    ("section", "file"),
    [
        ("INDEX_SECTION", "INDEX__SECTION"),
        ("cosmos::Sop/city_destruction::1.0", PLACE),
        ("Driver/deadline_cloud", "Driver_1deadline__cloud"),
        ("__init__.py", "____init____.py"),
    ],
)
def test_section_names_are_coded_both_ways(section, file):
    """Underscore, slash and colon, and nothing else."""
    assert file == names.to_file(section)
    assert section == names.to_section(file)


def test_the_version_goes_behind_and_the_table_before_the_name():
    """Operators and sections have different orders."""
    assert "cosmos::Sop/city::1.0" == names.section_of("cosmos::city::1.0", "Sop")
    assert "labs::Sop/box" == names.section_of("labs::box", "Sop")


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    """One finding a line, and an exit code."""
    shutil.copytree(CITY, tmp_path / CITY.name)
    (tmp_path / CITY.name / "houdini.hdalibrary").write_text("x")

    assert 1 == main([str(tmp_path)])
    assert "[library.marker]" in capsys.readouterr().out
    assert 0 == main([str(ASSETS)])


def test_houdini_gets_the_bytes_that_we_wrote():
    """Git keeps line feeds under hda/ on every system."""
    attributes = (ASSETS.parent / ".gitattributes").read_text("utf-8")

    assert "hda/** text eol=lf" in attributes
