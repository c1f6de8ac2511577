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


@click.group()
def city() -> None:
    """Prepare and preview the built-in city."""


@city.command()
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def warmup(*, as_json: bool) -> None:
    """Compile the renderer now, so that the first clip does not wait for it."""
    from cosmos_core_city.preview import warm_up

    start = time.perf_counter()
    warm_up()
    seconds = round(time.perf_counter() - start, 1)
    cache = os.environ["NUMBA_CACHE_DIR"]
    click.echo(
        json.dumps({"seconds": seconds, "cache": cache})
        if as_json
        else f"ready after {seconds} s; kernels are kept in {cache}"
    )


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


@city.command()
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
    """Write one frame of every pass as PNG."""
    spec = _spec(parameters)
    from cosmos_core_city.preview import preview as look

    files = [path.as_posix() for path in look(spec, out, at)]
    click.echo(json.dumps({"files": files, "spec": attrs.asdict(spec)}) if as_json else "\n".join(files))


def _spec(parameters: dict[str, Any]) -> CitySpec:
    """The spec that the options given on the command line mean."""
    try:
        return CitySpec(**{name: value for name, value in parameters.items() if value is not None})
    except ValueError as error:
        raise InputError(f"the city cannot be made so: {error}") from error


@city.command()
@click.option("--resolved", is_flag=True, help="Of the resolved city instead of its parameters.")
def schema(*, resolved: bool) -> None:
    """Print the JSON schema of a city's parameters, or of the resolved city."""
    from cosmos_core_city.schema import schema as schema_of

    click.echo(json.dumps(schema_of(resolved=resolved), indent=2))


@city.command()
@_spec_options
@click.option("--json", "as_json", is_flag=True, help="On one line.")
def resolve(*, as_json: bool, **parameters: Any) -> None:
    """Print the resolved city as JSON: every building, vehicle and tree, for any other builder."""
    from cosmos_core_city.schema import plain
    from cosmos_core_city.spec import resolve as resolved

    facts = plain(resolved(_spec(parameters)))
    click.echo(json.dumps(facts, indent=None if as_json else 2))
