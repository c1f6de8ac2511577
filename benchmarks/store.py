"""How fast the store is: claims by several processes, and listing and searching a long history.

python benchmarks/store.py                              both, at full size
python benchmarks/store.py claims  [--runs 10000] [--limit 1] [--processes 1,2,4,8] [--postgres URL]
python benchmarks/store.py listing [--runs 100000] [--times 100] [--postgres URL]

SQLite writes to the temporary folder. Without ``--postgres`` a private PostgreSQL is started, durable as a real one
(fsync on). Each row of ``claims`` is a fresh store; its processes start together, and each claims until nothing
waits. A double claim is a run that two processes were given: there must be none.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import secrets
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cosmos_core.run import Needs, State
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun, Query, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "store"))

SUBJECTS = "tram bridge tower market harbour station stadium church dock warehouse crane bus".split()
EVENTS = "burning collapsing flooded abandoned crowded empty shaking dusty frozen glowing".split()
WEATHER = "rain snow fog haze dust sun dusk night dawn storm".split()
DETAILS = [
    f"{a}{b}" for a in "brick steel glass stone wood sand mud oil neon paint".split() for b in range(300)
]
RARE = "zeppelin"


def main() -> None:
    arguments = _arguments()
    console = Console()
    with ExitStack() as stack:
        places = [("SQLite", _sqlite_urls(stack))]
        if server := _server(arguments.postgres, stack, console):
            places.append(("PostgreSQL", lambda: stack.enter_context(_database(server))))
        for name, measure in (("claims", _claims), ("listing", _listing)):
            if arguments.what in {None, name}:
                console.print(measure(places, arguments, console))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("claims", "listing"), help="both when left out")
    parser.add_argument("--runs", type=int, default=0, help="10000 for claims, 100000 for listing")
    parser.add_argument("--limit", type=int, default=1, help="runs a claim takes at once")
    parser.add_argument("--processes", default="1,2,4,8")
    parser.add_argument("--times", type=int, default=100, help="how often each query is asked")
    parser.add_argument(
        "--postgres", default="", help="postgresql://user@host/database of a server to use instead"
    )
    return parser.parse_args()


def _claims(places, arguments, console) -> Table:
    table = Table(title=f"Claims: {arguments.runs or 10_000} queued runs, {arguments.limit} a claim")
    for column in ("database", "processes", "runs/s", "p50 ms", "p99 ms", "max ms", "double claims"):
        table.add_column(column, justify="left" if column == "database" else "right")
    for name, fresh in places:
        for processes in map(int, arguments.processes.split(",")):
            console.print(f"[dim]{name}, {processes} …[/dim]")
            url = fresh()
            with closing(Store.open(url, root=Path.cwd())) as store:
                _fill(store, arguments.runs or 10_000, random.Random(1))
            taken, waits, seconds = _race(url, processes, arguments.limit)
            table.add_row(
                name,
                str(processes),
                f"{len(taken) / seconds:,.0f}",
                *(f"{value * 1000:.2f}" for value in (_at(waits, 0.5), _at(waits, 0.99), max(waits))),
                str(len(taken) - len(set(taken))),
            )
    return table


def _race(url: str, processes: int, limit: int) -> tuple[list[str], list[float], float]:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    racers = [
        context.Process(target=_claim_all, args=(url, limit, barrier, answers)) for _ in range(processes)
    ]
    for racer in racers:
        racer.start()
    results = [answers.get(timeout=600) for _ in racers]
    for racer in racers:
        racer.join()
    taken = [name for result in results for name in result[0]]
    waits = [wait for result in results for wait in result[1]]
    return taken, waits, max(result[3] for result in results) - min(result[2] for result in results)


def _claim_all(url: str, limit: int, barrier, answers) -> None:
    taken, waits, owner = [], [], secrets.token_hex(4)
    # A slot holds one open batch, and these are never finished.
    slots = itertools.count()
    with closing(Store.open(url, root=Path.cwd(), patience=120)) as store:
        store.counts()
        barrier.wait(60)
        began = time.time()
        while True:
            start = time.perf_counter()
            lease = store.claim(
                owner=owner, load_key="model-a", host=f"host-{owner}", slot=next(slots), limit=limit
            )
            if lease is None:
                break
            waits.append(time.perf_counter() - start)
            taken += [request.run for request in lease.batch.requests]
        answers.put((taken, waits, began, time.time()))


def _listing(places, arguments, console) -> Table:
    runs = arguments.runs or 100_000
    table = Table(title=f"A page of 50 of {runs:,} runs, {arguments.times} times each, ms")
    table.add_column("query")
    asked = [(name, _ask(name, fresh(), runs, arguments.times, console)) for name, fresh in places]
    for name, _ in asked:
        table.add_column(f"{name} p50", justify="right")
        table.add_column("p95", justify="right")
    for title in asked[0][1]:
        cells = [f"{_at(results[title], part) * 1000:.1f}" for _, results in asked for part in (0.5, 0.95)]
        table.add_row(title, *cells)
    return table


def _ask(name: str, url: str, runs: int, times: int, console: Console) -> dict[str, list[float]]:
    chance = random.Random(2)
    with closing(Store.open(url, root=Path.cwd())) as store:
        console.print(f"[dim]{name}: accepting {runs} runs …[/dim]")
        start = time.perf_counter()
        _fill(store, runs, random.Random(1))
        _age(store)
        console.print(f"[dim]{name}: accepted in {time.perf_counter() - start:.1f} s[/dim]")
        return {
            title: [_time(store, make(chance)) for _ in range(times)]
            for title, make in _queries(runs).items()
        } | {"counts by state": [_time(store, None) for _ in range(times)]}


def _queries(runs: int) -> dict[str, Callable[[random.Random], Query]]:
    return {
        "newest": lambda _: Query(),
        "somewhere in the middle": lambda chance: Query(before=chance.randrange(100, runs)),
        "one state (90 % of runs)": lambda _: Query(states=(State.SEALED,)),
        "one state (0.1 %)": lambda _: Query(states=(State.BLOCKED,)),
        "three states": lambda _: Query(states=(State.SEALED, State.REJECTED, State.BLOCKED)),
        "a campaign": lambda chance: Query(campaign=f"campaign-{chance.randrange(100)}"),
        "a campaign, one state": lambda chance: Query(
            campaign=f"campaign-{chance.randrange(100)}", states=(State.REJECTED,)
        ),
        "a tag (half of runs)": lambda _: Query(tags=("day",)),
        "two tags": lambda _: Query(tags=("day", "hero")),
        "rated 5": lambda _: Query(rating_at_least=5),
        "a common word": lambda chance: Query(text=chance.choice(WEATHER)),
        "a word in 1 of 500": lambda chance: Query(text=chance.choice(DETAILS)),
        "a rare word": lambda _: Query(text=RARE),
        "no such word": lambda _: Query(text="quux"),
        "three words": lambda chance: Query(
            text=f"{chance.choice(WEATHER)} {chance.choice(SUBJECTS)} {chance.choice(EVENTS)}"
        ),
        "two letters": lambda chance: Query(text=chance.choice(WEATHER)[:2]),
        "one letter": lambda chance: Query(text=chance.choice(WEATHER)[:1]),
        "common and rare word": lambda chance: Query(text=f"{chance.choice(WEATHER)} {RARE}"),
        "a common word, a rare state": lambda chance: Query(
            text=chance.choice(WEATHER), states=(State.BLOCKED,)
        ),
        "a word, page in the middle": lambda chance: Query(
            text=chance.choice(WEATHER), before=chance.randrange(100, runs)
        ),
    }


def _time(store: Store, query: Query | None) -> float:
    start = time.perf_counter()
    if query is None:
        store.counts()
    else:
        store.page(query)
    return time.perf_counter() - start


def _fill(store: Store, runs: int, chance: random.Random) -> None:
    for start in range(0, runs, 5000):
        store.accept([_new(index, chance) for index in range(start, min(start + 5000, runs))])


def _new(index: int, chance: random.Random) -> NewRun:
    words = [chance.choice(EVENTS), chance.choice(SUBJECTS), "in", chance.choice(WEATHER), "with"]
    words += [chance.choice(DETAILS) for _ in range(6)] + [chance.choice(WEATHER), "photorealistic", "street"]
    if index % 20_000 == 7:
        words.append(RARE)
    spec = Spec(
        backend="preview",
        prompt=Prompt(" ".join(words)),
        frames=93,
        fps=24,
        width=1280,
        height=704,
        seed=index,
    )
    return NewRun(
        id=f"r{index:07d}",
        name=f"{words[1]}-{index}",
        spec=spec,
        load_key="model-a",
        needs=Needs(gpus=1, vram_gb=40),
        seconds=chance.uniform(10, 500),
        tags=(chance.choice(("day", "night")), *(["hero"] if index % 50 == 0 else [])),
        campaign=f"campaign-{index * 100 // 100_000}",
    )


def _age(store: Store) -> None:
    """Give the runs the states and ratings of a long history."""
    import sqlalchemy as sa

    with store._db.write() as connection:
        for statement in (
            "UPDATE run SET state = 'sealed'",
            "UPDATE run SET state = 'rejected' WHERE seq % 11 = 0",
            "UPDATE run SET state = 'queued' WHERE seq % 101 = 0",
            "UPDATE run SET state = 'blocked' WHERE seq % 1009 = 0",
            "UPDATE run SET rating = seq % 5 + 1 WHERE seq % 40 = 0",
        ):
            connection.execute(sa.text(statement))


def _at(values: list[float], part: float) -> float:
    return (
        statistics.quantiles(values, n=1000, method="inclusive")[round(part * 1000) - 1]
        if values[1:]
        else values[0]
    )


def _sqlite_urls(stack: ExitStack) -> Callable[[], str]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cosmos-bench-")))
    return lambda: f"sqlite:///{folder / secrets.token_hex(4)}.sqlite"


def _server(given: str, stack: ExitStack, console: Console) -> str:
    if given:
        return given
    from private_postgres import Unavailable, private_postgres

    try:
        return stack.enter_context(private_postgres(durable=True))
    except Unavailable as reason:
        console.print(f"[yellow]Without PostgreSQL: {reason}[/yellow]")
        return ""


@contextmanager
def _database(server: str) -> Iterator[str]:
    import psycopg
    import sqlalchemy as sa

    name, url = f"cosmos_bench_{secrets.token_hex(4)}", sa.make_url(server)
    at = url.set(database=url.database or "postgres").render_as_string(hide_password=False)
    with closing(psycopg.connect(at, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    main()
