"""What the core relies on in a generator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cosmos_core import canonical
from cosmos_core.extend import Generator, silent
from cosmos_core.options import describe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cosmos_core.clip import Clip


class GeneratorContract:
    """Subclass it and supply ``generator`` and, if its defaults make a long clip, ``options``."""

    @pytest.fixture
    def generator(self) -> Generator:
        """The registration object under test."""
        raise NotImplementedError

    @pytest.fixture
    def options(self, generator: Generator) -> Any:
        """Options that make a small clip."""
        return generator.options() if generator.options else None

    @pytest.fixture
    def made(self, generator: Generator, options: Any, tmp_path: Path) -> tuple[Path, Mapping[str, object]]:
        """A folder that the generator filled, and the facts it gave."""
        folder = tmp_path / "made"
        folder.mkdir()
        return folder, generator.generate(options, folder, silent)

    @pytest.fixture
    def clip(self, made: tuple[Path, Mapping[str, object]]) -> Clip:
        """The folder, sealed."""
        from cosmos_core import clip as clips

        return clips.seal(made[0])

    def test_its_options_explain_themselves(self, generator: Generator) -> None:
        """
        Every option has a sentence of help.
        """
        rows = list(describe(generator.options)) if generator.options else []

        assert [] == [row.name for row in rows if not row.help]

    def test_its_options_survive_json(self, options: Any) -> None:
        """
        Options can be stored in a manifest and read back.
        """
        assert options is None or options == canonical.restore(type(options), canonical.plain(options))

    def test_what_it_makes_can_be_sealed(self, clip: Clip) -> None:
        """
        The folder has a colour video, and all its files agree in frames, size and rate.
        """
        assert "color" in {file.modality for file in clip.files}
        assert clip.frames > 0

    def test_its_facts_are_json(self, made: tuple[Path, Mapping[str, object]]) -> None:
        """
        What it says of the clip can be stored with it.
        """
        assert json.loads(json.dumps(dict(made[1]))) is not None

    def test_the_same_options_make_the_same_bytes(
        self, generator: Generator, options: Any, clip: Clip, tmp_path: Path
    ) -> None:
        """
        A clip can be made again: its digest is the same.
        """
        from cosmos_core import clip as clips

        again = tmp_path / "again"
        again.mkdir()
        generator.generate(options, again, silent)

        assert clip.digest == clips.seal(again).digest

    def test_it_says_how_far_it_is(self, generator: Generator, options: Any, tmp_path: Path) -> None:
        """
        Reports never go back, and the last says that all is done.
        """
        heard: list[tuple[int, int]] = []
        folder = tmp_path / "reported"
        folder.mkdir()
        generator.generate(options, folder, lambda done, total, note="": heard.append((done, total)))

        assert heard
        assert [done for done, _ in heard] == sorted(done for done, _ in heard)
        assert heard[-1][0] == heard[-1][1]
