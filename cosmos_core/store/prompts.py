"""The prompt library: versions that never change, under names that people choose."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from cosmos_core.errors import InputError, UnknownError
from cosmos_core.spec import Prompt, SavedPrompt
from cosmos_core.store import rows
from cosmos_core.store.opened import Opened
from cosmos_core.store.schema import now, prompt, run
from cosmos_core.store.words import document, words

_NAME = re.compile(r"[a-z0-9]+([-._][a-z0-9]+)*")
_REF = re.compile(r"(?P<name>[^@]+)(@(?P<version>[0-9]{1,9}))?")


class Prompts(Opened):
    """Saving, finding and removing prompts."""

    def save_prompt(
        self,
        name: str,
        text: str,
        *,
        negative: str = "",
        clip: str = "",
        parent: str = "",
        made_by: str = "user",
    ) -> SavedPrompt:
        """Keep a text as the next version of *name*; the versions before it stay.

        Raises:
            InputError: when *name* is not a slug.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot name a prompt", hint="small letters and digits, joined by -, . or _"
            )
        last = sa.select(sa.func.coalesce(sa.func.max(prompt.c.version), 0)).where(prompt.c.name == name)
        given = {"text": text, "negative": negative, "clip": clip, "parent": parent, "made_by": made_by}
        with self._db.write() as connection:
            if not self._db.is_sqlite:
                connection.execute(
                    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"prompt {name}")))
                )
            version = connection.execute(last).scalar_one() + 1
            added = {"name": name, "version": version, "words": document(name, text), **given}
            connection.execute(sa.insert(prompt).values(created=now(), removed=False, **added))
            which = sa.and_(prompt.c.name == name, prompt.c.version == version)
            return _saved(connection.execute(sa.select(prompt).where(which)).one())

    def prompt(self, ref: str) -> SavedPrompt:
        """The prompt ``name``, in its latest version, or ``name@2``.

        A removed version can still be read under its number as long as a run used it.

        Raises:
            UnknownError: when there is none.
        """
        parts = _REF.fullmatch(ref)
        asked = sa.select(prompt).order_by(prompt.c.version.desc()).limit(1)
        if parts is None:
            raise _unknown(ref)
        asked = asked.where(prompt.c.name == parts["name"])
        if parts["version"]:
            asked = asked.where(prompt.c.version == int(parts["version"]), sa.or_(~prompt.c.removed, _used()))
        else:
            asked = asked.where(~prompt.c.removed)
        with self._db.read() as connection:
            row = connection.execute(asked).one_or_none()
        if row is None:
            raise _unknown(ref)
        return _saved(row)

    def prompts(self, text: str = "", *, limit: int = 1000) -> tuple[SavedPrompt, ...]:
        """The latest version of each prompt, the newest first; each word of *text* begins one of its words."""
        later = prompt.alias("later")
        is_latest = ~sa.exists().where(
            later.c.name == prompt.c.name, later.c.version > prompt.c.version, ~later.c.removed
        )
        asked = sa.select(prompt).where(~prompt.c.removed, is_latest)
        asked = asked.where(*(prompt.c.words.like(f"% {word}%") for word in words(text)))
        with self._db.read() as connection:
            found = connection.execute(
                asked.order_by(prompt.c.created.desc(), prompt.c.name).limit(limit)
            ).all()
        return tuple(_saved(row) for row in found)

    def prompt_versions(self, name: str) -> tuple[SavedPrompt, ...]:
        """Every version of *name*, the latest first.

        Raises:
            UnknownError: when there is no such prompt.
        """
        which = sa.and_(prompt.c.name == name, ~prompt.c.removed)
        with self._db.read() as connection:
            found = connection.execute(sa.select(prompt).where(which).order_by(prompt.c.version.desc())).all()
        if not found:
            raise _unknown(name)
        return tuple(_saved(row) for row in found)

    def remove_prompt(self, name: str) -> None:
        """Take *name* out of the library. Its numbers are not given again, so a run's ``name@2`` stays true.

        Raises:
            UnknownError: when there is no such prompt.
        """
        which = sa.and_(prompt.c.name == name, ~prompt.c.removed)
        with self._db.write() as connection:
            if not connection.execute(sa.update(prompt).where(which).values(removed=True)).rowcount:
                raise _unknown(name)


def _used() -> sa.ColumnElement[bool]:
    ref = prompt.c.name + "@" + sa.cast(prompt.c.version, sa.Text)
    return sa.exists().where(run.c.prompt_name == prompt.c.name, run.c.prompt_ref == ref)


def _unknown(ref: str) -> UnknownError:
    return UnknownError(f"there is no prompt {ref!r}", hint="list them: cosmos prompt list")


def _saved(row: Any) -> SavedPrompt:
    return SavedPrompt(
        name=row.name,
        version=row.version,
        prompt=Prompt(row.text, negative=row.negative),
        clip=row.clip,
        parent=row.parent,
        made_by=row.made_by,
        created=rows.moment(row.created).isoformat(timespec="seconds"),
    )
