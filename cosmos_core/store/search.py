"""Which runs a query picks, newest first: one statement that an index answers from its end.

Whatever is asked for, the rows come from one index that is already in order of ``seq`` (the words, a tag, a state, a
campaign), read backwards until the page is full; the rest of the query only filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.run import State
from cosmos_core.store.schema import run, run_tag
from cosmos_core.store.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.store.records import Query

NEWEST = 20_000
SHORTEST_RARE = 3
"""Letters that a word must have for few runs to have one that begins with it."""

_ON_FILE = sa.table("run_words_index", sa.column("rowid", sa.Integer))
_ON_SERVER = sa.table("run_words", sa.column("seq", sa.BigInteger), sa.column("vector"))


class _Lexemes(sa.types.UserDefinedType[str]):
    """PostgreSQL's ``tsquery``. A cast takes words as they are; ``to_tsquery`` would parse them as language."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "tsquery"


def matching(query: Query, *, limit: int, is_sqlite: bool) -> sa.Select[int]:
    """The ``seq`` of at most *limit* runs that match *query*, newest first."""
    filters = _filters(query)
    tags = list(query.tags)
    if wanted := words(query.text):
        source, seq, match = _by_words(wanted, is_sqlite=is_sqlite)
        filters.append(match)
    elif tags:
        source, seq = run_tag, run_tag.c.seq
        filters.append(run_tag.c.tag == tags.pop())
    else:
        return _by_run(query.states, filters, before=query.before, limit=limit)
    filters += [_has_tag(tag, seq) for tag in tags]
    return _picked(query, filters, source, seq, limit=limit)


def newest(query: Query, *, limit: int, is_sqlite: bool) -> sa.Select[int] | None:
    """As :func:`matching`, among the newest :data:`NEWEST` runs alone; None where that is no quicker.

    A word of one or two letters begins words of half of all runs. PostgreSQL would read them all from its index and
    sort them, where reading backward fills the page at once; a word that is rare after all costs this look in vain.
    """
    wanted = words(query.text)
    if is_sqlite or not wanted or max(map(len, wanted)) >= SHORTEST_RARE:
        return None
    seq = _ON_SERVER.c.seq
    last = sa.select(sa.func.max(seq)).scalar_subquery() if query.before is None else query.before
    # PostgreSQL has no index for IS TRUE.
    _, _, match = _by_words(wanted, is_sqlite=False)
    filters = [match.is_(True), seq > last - NEWEST, *_filters(query)]
    filters += [_has_tag(tag, seq) for tag in query.tags]
    return _picked(query, filters, _ON_SERVER, seq, limit=limit)


def _picked(
    query: Query,
    filters: list[sa.ColumnElement[bool]],
    source: sa.FromClause,
    seq: sa.ColumnElement[int],
    *,
    limit: int,
) -> sa.Select[int]:
    if query.states:
        filters.append(run.c.state.in_([str(state) for state in query.states]))
    picked = sa.select(seq.label("seq")).select_from(source)
    if _asks_run(query):
        picked = picked.join_from(source, run, run.c.seq == seq)
    return _page(picked.where(*filters), seq, before=query.before, limit=limit)


def _asks_run(query: Query) -> bool:
    asked = (query.rating_at_least, query.approval, query.not_approval)
    return bool(query.states or query.campaign or query.prompt) or any(each is not None for each in asked)


def _filters(query: Query) -> list[sa.ColumnElement[bool]]:
    filters: list[sa.ColumnElement[bool]] = []
    if query.campaign:
        filters.append(run.c.campaign == query.campaign)
    if query.prompt:
        filters.append(run.c.prompt_name == query.prompt.partition("@")[0])
    if "@" in query.prompt:
        filters.append(run.c.prompt_ref == query.prompt)
    if query.rating_at_least is not None:
        filters.append(run.c.rating >= query.rating_at_least)
    # Written into the statement, not bound: only so is the index of what was said used.
    if query.approval is not None:
        filters.append(run.c.approval == sa.literal(str(query.approval), literal_execute=True))
    if query.not_approval is not None:
        filters.append(run.c.approval != sa.literal(str(query.not_approval), literal_execute=True))
    return filters


def _has_tag(tag: str, seq: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    other = run_tag.alias()
    return sa.exists().where(other.c.tag == tag, other.c.seq == seq)


def _by_words(
    wanted: Sequence[str], *, is_sqlite: bool
) -> tuple[sa.FromClause, sa.ColumnElement[int], sa.ColumnElement[bool]]:
    if is_sqlite:
        query = " ".join(f'"{word}"*' for word in wanted)
        return _ON_FILE, _ON_FILE.c.rowid, sa.literal_column("run_words_index").op("MATCH")(query)
    lexemes = " & ".join(f"'{word}':*" for word in wanted)
    return _ON_SERVER, _ON_SERVER.c.seq, _ON_SERVER.c.vector.bool_op("@@")(sa.cast(lexemes, _Lexemes))


def _by_run(
    states: Sequence[State], filters: list[sa.ColumnElement[bool]], *, before: int | None, limit: int
) -> sa.Select[int]:
    wanted = sorted(set(states))
    picked = sa.select(run.c.seq)
    if not wanted or len(wanted) == len(State):
        return _page(picked.where(*filters), run.c.seq, before=before, limit=limit)
    pages = [
        _page(picked.where(*filters, run.c.state == str(state)), run.c.seq, before=before, limit=limit)
        for state in wanted
    ]
    if len(pages) == 1:
        return pages[0]
    # One backward scan a state, merged: with IN a database sorts every run of all the states first.
    merged = sa.union_all(*(sa.select(page.subquery().c.seq) for page in pages)).subquery()
    return sa.select(merged.c.seq).order_by(merged.c.seq.desc()).limit(limit)


def _page(
    picked: sa.Select[int], seq: sa.ColumnElement[int], *, before: int | None, limit: int
) -> sa.Select[int]:
    if before is not None:
        picked = picked.where(seq < before)
    return picked.order_by(seq.desc()).limit(limit)
