"""``cosmos reason``: judge videos, and start a judge on a host."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
import click

from cosmos_core.errors import HostError, InputError, ModelError
from cosmos_core.extend import JobState
from cosmos_core_reason import serving
from cosmos_core_reason.options import HERE, Endpoint
from cosmos_core_reason.questions import variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core import Cosmos
    from cosmos_core.extend import Asked, Followed, Run

STEP = "reason"
LOOK = 2.0
"""Seconds between two looks at a server."""
TAIL = 12
"""Lines of a server's log that are shown when it ends by itself."""


class Asking(click.Group):
    """A group whose unnamed subcommand is ``ask``: ``cosmos reason r4k2m9xq`` asks about that run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word for a run where it is no subcommand."""
        if args and args[0] not in self.commands:
            args = ["ask", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options of ``ask`` come first, as in ``cosmos reason --all``."""
        if args and args[0].startswith("-") and args[0] not in _own_options(self):
            args = ["ask", *args]
        return super().parse_args(ctx, args)


def _own_options(group: click.Group) -> set[str]:
    return {"-h", "--help", *(word for param in group.params for word in param.opts)}


@click.group(cls=Asking)
def reason() -> None:
    """Let a vision-language model judge sealed videos, and start one on a host.

    It ranks and triages: what it says stands beside a run as a score, findings and tags, and rejects nothing.

    \b
    Examples:
      cosmos reason serve gpu1                     # starts the model there; leave it running
      cosmos reason r4k2m9xq                       # in another terminal
      cosmos reason --all --questions plausibility
      cosmos list --tag reason:doubtful
    """  # noqa: D301  (click reads the letter)


@reason.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--all", "every", is_flag=True, help="All sealed runs that were not judged yet.")
@click.option(
    "-q",
    "--questions",
    multiple=True,
    metavar="SET",
    help="plausibility, anomaly, attributes, or a YAML file of must-pass questions; several may be given.",
)
@click.option(
    "--expect",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the videos should show, beside their campaign's variables and their tags.",
)
@click.option("--again", is_flag=True, help="Ask all questions, also those that were answered.")
@click.option(
    "-o",
    "--option",
    "option",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the judge, such as url.",
)
@click.pass_obj
def ask(
    asked: Asked,
    runs: tuple[str, ...],
    every: bool,
    questions: tuple[str, ...],
    expect: tuple[str, ...],
    again: bool,
    option: tuple[str, ...],
) -> None:
    """Judge sealed videos; the worst is listed first.

    What a campaign's file says of a video, and tags of a run that read name=value, such as weather=rain, say what it
    should show. Replies are kept in reason.json beside the video, and asked for once.

    \b
    Examples:
      cosmos reason r4k2m9xq
      cosmos reason r4k2m9xq -q plausibility -q checks.yaml --expect weather=rain
      cosmos reason --all -o model=nvidia/Cosmos-Reason2-8B -o trials=3
    """  # noqa: D301  (click reads the letter)
    options = _options(option, {"questions": questions, "expect": expect}) | (
        {"again": True} if again else {}
    )
    with asked.open() as cosmos:
        chosen = _chosen(cosmos, runs, every=every)
        # What one of the runs should show is what another one could be mistaken for.
        values = {f"{name}={said}" for run in chosen for name, said in variables(run, (), {}).items()}
        options.setdefault("others", tuple(sorted(values)))
        judged: list[tuple[Run, Followed]] = []
        with asked.progress("judge") as report:
            for number, run in enumerate(chosen):
                report(number, len(chosen), run.name)
                judged.append((run, cosmos.follow(run.id, STEP, **options)))
            report(len(chosen), len(chosen), "")
    judged.sort(key=lambda pair: _rank(pair[1]))
    _say(asked, judged)


def _options(words: Sequence[str], lists: dict[str, Sequence[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or not name.strip():
            raise InputError(f"{word!r} is not name=value", hint="such as -o trials=3")
        found[name.strip().removeprefix("reason.")] = value.strip()
    return found | {name: tuple(said) for name, said in lists.items() if said}


def _chosen(cosmos: Cosmos, refs: Sequence[str], *, every: bool) -> list[Run]:
    if bool(refs) == every:
        raise InputError("name runs, or say --all", hint="cosmos list --state sealed")
    if refs:
        found = [cosmos.store.run(ref) for ref in dict.fromkeys(refs)]
    else:
        sealed = (run for run in cosmos.each_run() if run.artifact is not None)
        found = [run for run in sealed if all(each.step != STEP for each in cosmos.store.judgements(run.id))]
    unsealed = [f"{run.id} is {run.state}" for run in found if run.artifact is None]
    if unsealed:
        raise InputError(
            f"only sealed runs are judged: {', '.join(unsealed)}", hint="cosmos list --state sealed"
        )
    return found


def _rank(followed: Followed) -> tuple[bool, float]:
    """What was not answered comes first, then the worst."""
    return (followed.score is not None, followed.score or 0.0)


def _say(asked: Asked, judged: Sequence[tuple[Run, Followed]]) -> None:
    for run, followed in judged:
        score = "   ?" if followed.score is None else f"{followed.score:.2f}"
        asked.tell(f"{score}  {run.id}  {run.name}")
        asked.table([("     ", str(each.level), each.message) for each in followed.findings])
    if not judged:
        asked.tell("every sealed run was judged")
    facts = {"runs": [_facts(run, followed) for run, followed in judged]}
    lost = [run.id for run, followed in judged if any(each.check == "reason" for each in followed.findings)]
    if not lost:
        asked.answer(facts)
        return
    error = ModelError(
        f"the judge did not answer about {len(lost)} of {len(judged)}: {', '.join(lost[:5])}",
        hint="what it said is kept; ask again when it answers",
    )
    asked.fail(facts, error)


def _facts(run: Run, followed: Followed) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "score": followed.score,
        "tags": list(followed.tags),
        "findings": [attrs.asdict(each) for each in followed.findings],
    }


@reason.command()
@click.argument("host")
@click.option(
    "--model",
    default="reason2-2b",
    metavar="NAME",
    help="reason2-2b, reason2-8b, reason1, cosmos3-nano, or a name that vLLM knows.  [default: reason2-2b]",
)
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    type=click.IntRange(0, 63),
    help="Which GPU of the host; several share the model.  [default: the first]",
)
@click.option(
    "--port",
    default=8000,
    type=click.IntRange(1, 65535),
    help="Port on the loopback of this machine and the host.  [default: 8000]",
)
@click.option(
    "--host-port",
    type=click.IntRange(1, 65535),
    help="Port on the host's loopback, where it must be another one.  [default: that of --port]",
)
@click.option(
    "--image",
    default=serving.IMAGE,
    metavar="IMAGE",
    help=f"For a host with containers.  [default: {serving.IMAGE}]",
)
@click.option("--vllm", default="vllm", metavar="PROGRAM", help="How vLLM is called there.  [default: vllm]")
@click.option(
    "--wait", default=1800.0, metavar="SECONDS", help="How long the model may load.  [default: 1800]"
)
@click.option("--extra", multiple=True, metavar="WORD", help="A further word for vllm serve.")
@click.pass_obj
def serve(
    asked: Asked,
    host: str,
    model: str,
    gpus: tuple[int, ...],
    port: int,
    host_port: int | None,
    image: str,
    vllm: str,
    wait: float,
    extra: tuple[str, ...],
) -> None:
    """Start a judge on a host, lead to it, and stop it at Ctrl-C.

    The server listens on the host's loopback only; a tunnel leads from this machine's. The queue knows nothing of it:
    give it a GPU that no slot uses. When this command is killed the server goes on, and the next one finds it.

    \b
    Examples:
      cosmos reason serve gpu1
      cosmos reason serve gpu1 --model reason2-8b --gpu 7
      cosmos reason serve local --vllm /opt/vllm/bin/vllm
    """  # noqa: D301  (click reads the letter)
    with asked.open() as cosmos:
        table = {each.name: each for each in cosmos.settings.every_host()}
        chosen = gpus or ((0,) if host in table and table[host].gpus else ())
        there = host_port or port
        job = serving.job(model, port=there, gpus=chosen, image=image, vllm=vllm, extra=extra)
        try:
            # SIGTERM and a closed terminal end it as Ctrl-C does.
            with _polite(), cosmos.serve(host, job, f"reason-{there}") as server:
                here = server.tunnel(there, at=port)
                url = f"http://127.0.0.1:{here}/v1"
                if server.adopted:
                    asked.note(f"found on {host}, where it was left running")
                else:
                    _refuse_another(url, host)
                    server.begin()
                    asked.note(
                        f"starting {serving.MODELS[model].model if model in serving.MODELS else model} on {host}"
                    )
                names = _wait_until_ready(asked, server, url, wait)
                _ready(asked, url, names, host)
                _watch(asked, server)
        except KeyboardInterrupt:
            asked.note(f"stopped on {host}")


def _refuse_another(url: str, host: str) -> None:
    """Refuse a port that somebody else serves on: what they say would pass for our model's word.

    Raises:
        InputError: somebody answers there.
    """
    if _models(url):
        raise InputError(
            f"something serves already at {url} of {host}", hint="use it, or choose another --port"
        )


def _models(url: str) -> tuple[str, ...]:
    """The models at *url*; none when nobody answers, or not in our way."""
    from cosmos_core_reason.chat import Chat

    with suppress(HostError, InputError), Chat(Endpoint(url=url, key_env="", timeout=5.0, tries=1)) as chat:
        return chat.models()
    return ()


def _wait_until_ready(asked: Asked, server: Any, url: str, wait: float) -> tuple[str, ...]:
    log: list[str] = []
    end = time.monotonic() + wait
    with asked.progress("load") as report:
        while True:
            log = [*log, *server.said().splitlines()][-TAIL:]
            _refuse_ended(server, log)
            if names := _models(url):
                return names
            if time.monotonic() > end:
                raise HostError(
                    f"it did not answer within {wait:g} s: {' / '.join(log[-3:])}", hint="--wait SECONDS"
                )
            report(0, 0, log[-1][:100] if log else "")
            time.sleep(min(LOOK, max(0.1, wait / 100)))


def _refuse_ended(server: Any, log: Sequence[str]) -> None:
    status = server.status()
    if status.state is JobState.ACTIVE:
        return
    code = f" with code {status.exit.code}" if status.exit else ""
    raise HostError(
        f"the server ended{code}: {' / '.join(filter(None, log)) or status.reason or 'it said nothing'}"
    )


def _ready(asked: Asked, url: str, names: Sequence[str], host: str) -> None:
    asked.line({"url": url, "models": list(names), "host": host})
    asked.tell(f"ready: {', '.join(names)} at {url}; Ctrl-C stops it")
    aside = "" if url == HERE else f" -o url={url}"
    asked.note(f"next:\n  cosmos reason --all{aside}")


def _watch(asked: Asked, server: Any) -> None:
    """Stay until the server ends by itself or a person ends it."""
    log: list[str] = []
    lost = False
    while True:
        try:
            log = [*log, *server.said().splitlines()][-TAIL:]
            status = server.status()
        except HostError as error:
            if not lost:
                asked.note(f"{error}; trying on")
            lost = True
        else:
            lost = False
            if status.state is not JobState.ACTIVE:
                _refuse_ended(server, log)
        time.sleep(LOOK)


@contextmanager
def _polite() -> Iterator[None]:
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), signal.default_int_handler) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
