"""Which sealed clips lie where on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.errors import InputError
from cosmos_core.store import rows
from cosmos_core.store.opened import Opened
from cosmos_core.store.records import KnownClip
from cosmos_core.store.schema import clip, now

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.clip import Clip

_SHOWN = 12


class Clips(Opened):
    """Remembering and finding clips by digest or name."""

    def remember_clip(self, sealed: Clip) -> None:
        """Note where a sealed clip lies. A folder holds one clip: what it held before is forgotten."""
        folder = rows.stored_path(sealed.folder, self._root)
        with self._db.write() as connection:
            replaced = sa.or_(clip.c.digest == sealed.digest, clip.c.folder == folder)
            connection.execute(sa.delete(clip).where(replaced))
            added = {"digest": sealed.digest, "name": sealed.name, "folder": folder}
            connection.execute(sa.insert(clip).values(seen=now(), **added))

    def clip_folder(self, ref: str) -> Path | None:
        """The folder of the clip with this digest, beginning of a digest, or name; None when there is none.

        Raises:
            InputError: when several clips are meant, naming them.
        """
        wanted = ref.strip()
        found = [known for known in self._known(wanted) if wanted in {known.digest, known.name}]
        found = found or list(self._known(wanted))
        if len(found) > 1:
            named = ", ".join(f"{known.name} ({known.digest[:_SHOWN]})" for known in found)
            raise InputError(f"{ref!r} may be any of the clips {named}", hint="write more of the digest")
        return found[0].folder if found else None

    def clips(self) -> tuple[KnownClip, ...]:
        """Every clip that is remembered, the latest first."""
        with self._db.read() as connection:
            found = connection.execute(sa.select(clip).order_by(clip.c.seen.desc(), clip.c.digest)).all()
        return tuple(self._clip_of(row) for row in found)

    def forget_clip(self, digest: str) -> None:
        """Forget where a clip lies; its files stay. Forgetting an unknown one does nothing."""
        with self._db.write() as connection:
            connection.execute(sa.delete(clip).where(clip.c.digest == digest))

    def _known(self, wanted: str) -> tuple[KnownClip, ...]:
        which = clip.c.name == wanted
        if len(wanted) >= rows.SHORTEST_PREFIX and wanted.isascii() and wanted.isalnum():
            which = sa.or_(which, rows.starts_with(clip.c.digest, wanted.lower()))
        with self._db.read() as connection:
            found = connection.execute(sa.select(clip).where(which).order_by(clip.c.seen.desc())).all()
        return tuple(self._clip_of(row) for row in found)

    def _clip_of(self, row: Any) -> KnownClip:
        return KnownClip(
            digest=row.digest, name=row.name, folder=self._root / row.folder, seen=rows.moment(row.seen)
        )
