"""``cosmos city``: prepare the kernels, look at a spec."""

from __future__ import annotations

import json
import os
import time
import typing
from pathlib import Path
from typing import Any

import attrs
import click

from cosmos_core.errors import InputError
from cosmos_core_city.spec import CitySpec


def _examples(*lines: str) -> str:
    """What a command's help ends with, lines kept as they are."""
    return "\n".join(["\b", "Examples:", *(f"  cosmos city {line}" for line in lines)])


@click.group()
def city() -> None:
    """Prepare and preview the built-in city."""


def _spec_options(command: Any) -> Any:
    """One option for each parameter of the city."""
    hints = typing.get_type_hints(CitySpec)
    for field in reversed(attrs.fields(CitySpec)):
        name = f"--{field.name.replace('_', '-')}"
        if hints[field.name] is bool:
            command = click.option(name, is_flag=True, default=None, help=field.metadata["help"])(command)
            continue
        kinds = [
            kind
            for kind in (int, float, str)
            if kind in (hints[field.name], *typing.get_args(hints[field.name]))
        ]
        words = field.metadata["help"] + ("" if field.default in (None, ()) else f" [{field.default}]")
        command = click.option(name, type=kinds[0], default=None, help=words)(command)
    return command


@city.command(epilog=_examples("warmup", "warmup --seed 7 --damage 0.6"))
@_spec_options
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def warmup(*, as_json: bool, **parameters: Any) -> None:
    """Compile the renderer now, so that the first clip does not wait for it.

    With parameters of a city, what that city's clip needs is also kept: the street, what its blast does, and the
    camera's path. Its preview then takes less than two seconds, at any moment.
    """
    told = any(value is not None for value in parameters.values())
    spec = _spec(parameters)
    from cosmos_core_city.preview import compile_all, prepare

    start = time.perf_counter()
    compile_all()
    facts: dict[str, object] = {"cache": os.environ["NUMBA_CACHE_DIR"]}
    if told:
        shot = prepare(spec)
        facts |= {"spec": attrs.asdict(spec), "attempt": shot.path.attempt}
    facts["seconds"] = round(time.perf_counter() - start, 1)
    words = f"ready after {facts['seconds']} s; kernels are kept in {facts['cache']}"
    if told:
        words += f"; so is the street of seed {spec.seed}, and the path of its {spec.camera}"
    click.echo(json.dumps(facts) if as_json else words)


@city.command(
    epilog=_examples("preview --seed 7 --camera drone --out look/", "preview --seed 7 --damage 0.6 --at 0.9")
)
@_spec_options
@click.option(
    "--at",
    type=click.FloatRange(0.0, 1.0),
    default=0.5,
    show_default=True,
    help="which moment, 0 the first frame, 1 the last",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("city-preview"),
    show_default=True,
    help="folder for the pictures",
)
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def preview(*, at: float, out: Path, as_json: bool, **parameters: Any) -> None:
    """Write one frame of every pass as PNG.

    The first look at a street builds it, reckons what its blast does and chooses the camera's path, which takes seconds;
    all of it is kept, and the next look, at whatever moment, takes less than two.
    """
    spec = _spec(parameters)
    start = time.perf_counter()
    from cosmos_core_city.preview import preview as look

    paths, shot = look(spec, out, at)
    files, seconds = [path.as_posix() for path in paths], round(time.perf_counter() - start, 1)
    if as_json:
        facts = {
            "files": files,
            "spec": attrs.asdict(spec),
            "attempt": shot.path.attempt,
            "refused": shot.refused,
        }
        click.echo(json.dumps(facts | {"seconds": seconds}))
        return
    click.echo("\n".join(files))
    click.echo(
        f"the {spec.camera} path of attempt {shot.path.attempt}, which the clip takes too; {seconds} s",
        err=True,
    )


def _spec(parameters: dict[str, Any]) -> CitySpec:
    """The spec that the options given on the command line mean."""
    try:
        return CitySpec(**{name: value for name, value in parameters.items() if value is not None})
    except ValueError as error:
        raise InputError(f"the city cannot be made so: {error}") from error


@city.command(epilog=_examples("schema", "schema --resolved", "schema --poses"))
@click.option("--resolved", is_flag=True, help="Of the resolved city instead of its parameters.")
@click.option("--poses", is_flag=True, help="Of the header of a file of poses.")
def schema(*, resolved: bool, poses: bool) -> None:
    """Print the JSON schema of a city's parameters, of the resolved city, or of the header of a file of poses."""
    from cosmos_core_city import schema as schemas

    if poses:
        from cosmos_core_city.posefile import Header

        click.echo(json.dumps(schemas.of(Header), indent=2))
        return
    click.echo(json.dumps(schemas.schema(resolved=resolved), indent=2))


@city.command(epilog=_examples("simulate --seed 7 --damage 0.6 --out street.poses"))
@_spec_options
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("street.poses"), show_default=True, help="the file"
)
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def simulate(*, out: Path, as_json: bool, **parameters: Any) -> None:
    """Let things fall, and write pieces and poses as a file that any program can read.

    A clip made of the file has the very bytes of one made without it. The file is what Houdini's simulation comes in,
    too: cosmos city poses FILE says what one holds.
    """
    from cosmos_core_city.adopt import lend
    from cosmos_core_city.generate import output
    from cosmos_core_city.kept import kept
    from cosmos_core_city.spec import resolve as resolved

    spec = _spec(parameters)
    clip, meant = output(spec), resolved(spec)
    out.parent.mkdir(parents=True, exist_ok=True)
    sha256 = lend(kept(meant, clip.frames, float(clip.fps)), meant, out)
    if as_json:
        click.echo(json.dumps({"file": out.as_posix(), "sha256": sha256}))
        return
    told = [f"-p {name}={value}" for name, value in parameters.items() if value is not None]
    click.echo(f"{out}: {sha256}")
    words = " ".join(["cosmos generate city", *told, f"-p poses={out} -p poses_sha256={sha256}"])
    click.echo(f"film it: {words}", err=True)


@city.command(epilog=_examples("poses street.poses"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def poses(*, file: Path, as_json: bool) -> None:
    """Say what a file of poses holds, or everything that is wrong with it."""
    from cosmos_core_city.adopt import facts

    found = facts(file)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:<12}{value}")


@city.command(epilog=_examples("resolve --seed 7 --damage 0.6"))
@_spec_options
@click.option("--json", "as_json", is_flag=True, help="On one line.")
def resolve(*, as_json: bool, **parameters: Any) -> None:
    """Print the resolved city as JSON: every building, vehicle and tree, for any other builder."""
    from cosmos_core_city.schema import plain
    from cosmos_core_city.spec import resolve as resolved

    facts = plain(resolved(_spec(parameters)))
    click.echo(json.dumps(facts, indent=None if as_json else 2))
