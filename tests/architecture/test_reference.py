"""The reference says what the code says: every hook, setting, command, error, state, check and option."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path

import attrs
import pytest

from cosmos_core import errors, extend, hookspecs, plugins, run, settings
from cosmos_core.builtin.commands import THEMES

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "_generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _headings(name):
    text = (REFERENCE / name).read_text("utf-8")
    return [match.replace("`", "") for match in re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)]


def test_the_committed_pages_are_what_the_code_says(generator):
    """Whoever changes a docstring, a default or a help text runs ``make docs`` and commits the page with it."""
    assert [] == generator.stale()


def test_every_hook_has_a_heading_with_its_exact_arguments():
    """A hook cannot appear or grow without its page."""
    hooks = {name: function for name, function in vars(hookspecs).items() if name.startswith("cosmos_")}
    wanted = [
        f"{name}({', '.join(f'{one.name}: {one.annotation}' for one in inspect.signature(function).parameters.values())})"
        f" -> {inspect.signature(function).return_annotation}"
        for name, function in hooks.items()
    ]

    assert sorted(wanted) == sorted(_headings("hooks.md"))


def test_every_error_has_a_heading_with_its_exit_code():
    """Whoever scripts the command can look each code up."""
    kinds = [
        one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.CosmosError)
    ]
    wanted = {f"{kind.__name__}, exit code {kind.exit_code}" for kind in kinds}

    assert wanted == {heading for heading in _headings("errors.md") if "exit code" in heading}
    assert len(kinds) == len({kind.exit_code for kind in kinds})


def test_every_state_has_a_heading():
    """No state is left to guess."""
    assert [state.value for state in run.State] == _headings("states.md")


def test_every_setting_has_a_heading_with_its_type_and_default(generator):
    """A key that can stand in cosmos.toml is explained, and nothing else is."""
    headings = {heading.partition(":")[0]: heading for heading in _headings("settings.md") if ": " in heading}
    tables = {
        "": settings.Settings,
        "store.": settings.StoreSettings,
        "queue.": settings.QueueSettings,
        "retry.": settings.RetrySettings,
    }
    known = {f"hosts.<name>.{field.name}" for field in attrs.fields(settings.HostSettings)} | {"plugins"}

    for table, kind in tables.items():
        for field in attrs.fields(kind):
            if not isinstance(field.default, attrs.Factory):
                known.add(key := f"{table}{field.name}")
                assert (
                    f"{key}: {generator.written_types(kind)[field.name]} = {field.default!r}" == headings[key]
                )
    assert known == headings.keys()


def test_every_setting_says_what_it_is_for():
    """Each key carries its sentence in the code, where the page takes it from."""
    kinds = [
        settings.Settings,
        settings.StoreSettings,
        settings.QueueSettings,
        settings.RetrySettings,
        settings.HostSettings,
    ]

    assert [] == [
        field.name for kind in kinds for field in attrs.fields(kind) if not field.metadata.get("help")
    ]


def test_every_check_has_a_heading(generator):
    """Whoever reads a finding can look up the check that asked."""
    assert sorted(generator.first_party().offers(extend.Check)) == sorted(_headings("checks.md"))


def test_every_offer_has_a_heading_and_every_option_its_own(generator):
    """What can be named on a command line is explained with its type and default."""
    headings = _headings("plugins.md")
    loaded = generator.first_party()
    for plugin in loaded.listed():
        for kind, offer in plugins.providers(loaded, plugin.name):
            if isinstance(offer, extend.Check | extend.Command):
                continue
            assert f"{kind} {offer.name}" in headings
            options = attrs.fields(offer.options) if offer.options else ()
            for field in options:
                assert [one for one in headings if one.startswith(f"{offer.name}.{field.name}: ")]


def test_every_option_of_a_plugin_says_what_it_is_for(generator):
    """``cosmos plugins show`` has a sentence for each option."""
    loaded = generator.first_party()
    silent = [
        f"{offer.name}.{heading}"
        for plugin in loaded.listed()
        for _, offer in plugins.providers(loaded, plugin.name)
        if getattr(offer, "options", None)
        for heading, text in generator.option_names(offer)
        if not text
    ]

    assert [] == silent


def test_every_command_has_a_heading_with_its_arguments(generator):
    """Each command and subcommand that ``cosmos --help`` leads to is on the page, as it is typed."""
    wanted = [generator.command_line(name, command) for name, command in generator.each_command()]
    themes = {f"cosmos {name}" for commands in THEMES.values() for name in commands}

    assert ["Everywhere", *wanted] == _headings("commands.md")
    assert themes <= {name for name, _ in generator.each_command()}


def test_every_option_of_a_command_says_what_it_is_for(generator):
    """No option is left to its name."""
    silent = [
        f"{name} {param.opts[0]}"
        for name, command in generator.each_command()
        for param in command.params
        if param.param_type_name == "option" and not param.help
    ]

    assert [] == silent


def test_every_link_to_a_page_leads_somewhere():
    """A relative link in the README or the docs names a file that exists, and a heading that stands in it."""
    pages = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("*/README.md"),
    ]
    broken = []
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text("utf-8")):
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            if not found.exists() or (anchor and anchor not in _anchors(found)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")

    assert [] == broken


def _anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
