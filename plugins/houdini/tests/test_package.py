"""Install, uninstall, build: one small file in Houdini's preferences, and everything that it points at."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from cosmos_core_houdini import doctor, package, programs
from hython_stubs.assets.lint import lint

from cosmos_core.errors import InputError

PLUGIN = Path(__file__).parents[1]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with two Houdinis that we know, one that is too old, and none of the machine's own."""
    monkeypatch.delenv("HOUDINI_USER_PREF_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("houdini20.5", "houdini21.0", "houdini19.0", "houdini"):
        (tmp_path / name).mkdir()
    return tmp_path


def _places():
    return [place for place in package.preferences() if package.fits(place.version)]


def test_the_preferences_of_every_houdini_are_found(home):
    """Newest first; what is no version is passed over."""
    assert ["21.0", "20.5", "19.0"] == [place.version for place in package.preferences()]
    assert [True, True, False] == [package.fits(place.version) for place in package.preferences()]


def test_install_writes_one_file_into_each(home):
    """It is JSON without a byte order mark, its paths are absolute with forward slashes, and what it names is there."""
    written = package.install(_places())

    assert [home / name / "packages" / "cosmos.json" for name in ("houdini21.0", "houdini20.5")] == written
    raw = written[0].read_bytes()
    assert raw.startswith(b"{")
    facts = json.loads(raw)
    env = {key: value for one in facts["env"] for key, value in one.items()}
    assert "(houdini_version >= '20.5') and (houdini_version < '23.0')" == facts["enable"]
    assert "$COSMOS_HOUDINI" == facts["hpath"]
    assert Path(env["COSMOS_CLI"]).is_file()
    assert "\\" not in env["COSMOS_HOUDINI"]
    for part in ("toolbar/cosmos.shelf", "python_panels/cosmos.pypanel", "MainMenuCommon.xml", "OPmenu.xml"):
        assert (Path(env["COSMOS_HOUDINI"]) / part).is_file()


def test_the_installed_assets_keep_every_rule(home):
    """They went through a copy, byte by byte."""
    libraries = sorted((package.folder() / "otls").iterdir())

    assert ["cosmos_city_destruction.hda", "cosmos_submit.hda"] == [path.name for path in libraries]
    assert [] == [finding for library in libraries for finding in lint(library)]


def test_nothing_for_developers_is_in_it(home):
    """No tests, no caches, no type marker, no writer of assets."""
    names = {path.name for path in package.folder().rglob("*")}

    assert not names & {"__pycache__", "py.typed", "write.py", "city.toml", "parts"}


def test_the_same_again_changes_nothing(home):
    """Also not the time of the file."""
    (first, *_) = package.install(_places())
    before = first.stat().st_mtime_ns

    package.install(_places())

    assert before == first.stat().st_mtime_ns


def test_uninstall_takes_out_our_file_alone(home):
    """What other people put there stays."""
    package.install(_places())
    other = home / "houdini21.0" / "packages" / "other.json"
    other.write_text("{}")

    removed = package.uninstall(package.preferences())

    assert 2 == len(removed)
    assert other.is_file()
    assert not (home / "houdini21.0" / "packages" / "cosmos.json").exists()
    assert [] == package.uninstall(package.preferences())


def _findings(**words):
    return list(doctor.examine(**words))


def test_doctor_sees_what_houdini_would_skip_without_a_word(home, houdini_bin):
    """A byte order mark, a second file that sets the same, another installation."""
    (first, *_) = package.install(_places())
    first.write_bytes(b"\xef\xbb\xbf" + first.read_bytes())
    (first.parent / "studio.json").write_text('{"env": [{"COSMOS_HOUDINI": "/elsewhere"}]}')
    (home / "houdini20.5" / "packages" / "cosmos.json").write_text("{}")
    (home / "houdini20.5" / "packages" / "studio.json").write_text(
        '{"env": [{"COSMOS_HOUDINI": "/elsewhere"}]}'
    )

    said = "\n".join(finding.message for finding in _findings(inside=False))

    assert "begins with a byte order mark" in said
    assert "is of another installation" in said
    assert "sets the same" in said
    assert "houdini19.0 is of a Houdini that this package is not for" in said


def test_doctor_builds_everything_inside_houdini(home, houdini_bin):
    """The command, the assets, the city and the destruction, in a hython of its own."""
    package.install(_places())

    answers = {finding.where: finding for finding in _findings()}

    for question in (
        "houdini",
        "licence",
        "command",
        "asset",
        "city",
        "winding",
        "rbd types",
        "destruction",
        "pieces",
        "simulation",
        "poses",
        "export types",
        "draft",
        "file node",
    ):
        assert "ok" == answers[f"inside: {question}"].level, answers[f"inside: {question}"]
    assert "21.0.671" in answers["inside: houdini"].message
    assert "rbdmaterialfracture::3.0; rbdconfigure: rbdconfigure" in answers["inside: rbd types"].message
    assert "points on frame 9 with name, orient, pivot" in answers["inside: simulation"].message
    assert "pieces moved, no corner astray by more than 0.0" in answers["inside: poses"].message
    assert "ok" == answers["poses"].level
    assert "the city reads the poses" in answers["poses"].message


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DOUBLE_HYTHON": "licence"}, "found no licence: No licenses could be found"),
        ({"DOUBLE_HYTHON": "empty"}, "gave no answer"),
        ({"HYTHON_STUBS_LICENCE": "Apprentice"}, "Apprentice draws a watermark"),
        ({"HYTHON_STUBS_PROFILE": "20.5"}, "has none of rbdmaterialfracture::4.0"),
        ({"DOUBLE_RBD": "nameless"}, "have no attribute name"),
        ({"DOUBLE_RBD": "mirrored"}, "mm from where xformpieces has it"),
        ({"DOUBLE_RBD": "still"}, "nothing has moved by frame"),
    ],
)
def test_doctor_says_what_this_houdini_lacks(home, houdini_bin, monkeypatch, environ, words):
    """Each in a sentence that can be sent with a report."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    failed = [finding.message for finding in _findings() if finding.level == "fail"]

    assert any(words in message for message in failed), failed


def test_build_makes_a_folder_for_a_studio(tmp_path):
    """The whole package, under a name that must be free."""
    made = package.build(tmp_path / "studio" / "cosmos")

    assert (made / "scripts" / "python" / "cosmos_houdini" / "shelf.py").is_file()
    assert (made / "otls" / "cosmos_submit.hda" / "INDEX__SECTION").is_file()
    with pytest.raises(InputError, match="already"):
        package.build(made)
    assert ["cosmos"] == [path.name for path in made.parent.iterdir()]


def test_the_wheel_carries_the_package(tmp_path):
    """Whoever installs from a registry has no checkout beside it; what a wheel gets is what an installation builds."""
    setup = runpy.run_path(str(PLUGIN / "setup.py"), run_name="setup")
    setup["copy_package"](tmp_path / "wheel")
    built = package.build(tmp_path / "built")

    def files(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert package.PARTS == setup["PARTS"]
    assert files(built) == files(tmp_path / "wheel")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"COSMOS_HYTHON": "a/hython"}, "a/hython"),
        ({"HYTHON_EXECUTABLE": "a/hython"}, "a/hython"),
        ({"HFS": "b"}, "b/bin/hython"),
        ({"PATH": "c"}, "c/hython"),
    ],
)
def test_hython_is_found(tmp_path, monkeypatch, environ, found):
    """By name, by Houdini's own variable, on PATH, in that order."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/hython", "b/bin/hython", "c/hython"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch(mode=0o755)

    assert Path(found) == Path(programs.hython(environ={"PATH": ""} | environ))


def test_without_houdini_the_error_says_what_to_write(tmp_path):
    """And one that is named and not there is told from none at all."""
    with pytest.raises(InputError, match="COSMOS_HYTHON names /gone/hython"):
        programs.hython(environ={"COSMOS_HYTHON": "/gone/hython"})


def test_the_newest_houdini_is_taken(tmp_path):
    """21.0.671 before 21.0.99 before 20.5."""
    for name in ("hfs20.5.487", "hfs21.0.671", "hfs21.0.99"):
        (tmp_path / name).mkdir()

    assert ["hfs21.0.671", "hfs21.0.99", "hfs20.5.487"] == [
        path.name for path in programs.installed([f"{tmp_path}/hfs*"])
    ]
