"""Lineage of a dataset as an RO-Crate: which run, model, prompt, seed and clip made each video, as linked data.

The format is RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), which is JSON-LD with words of schema.org: each run is a
``CreateAction`` whose ``instrument`` is the backend, whose ``object`` are the clip and the prompt, and whose ``result`` is
the video. Pure: a dict goes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cosmos_core.record import Dataset, Record

CRATE = "ro-crate-metadata.json"
_PROFILE = "https://w3id.org/ro/crate/1.1"


def crate(dataset: Dataset) -> dict[str, Any]:
    """The content of ``ro-crate-metadata.json`` of *dataset*. Its folder's name is no part of it."""
    made = {record.run: record.digest for record in dataset.records}
    videos = [_video(record, made.get(record.parent, "")) for record in dataset.records]
    actions = [_action(record) for record in dataset.records]
    described = [*videos, *actions, *_clips(dataset), *_backends(dataset.records)]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{len(videos)} verified videos",
        "description": f"written by cosmos-core {dataset.cosmos_core} as {dataset.exporter}",
        "hasPart": [{"@id": video["@id"]} for video in videos],
        "mentions": [{"@id": action["@id"]} for action in actions],
    }
    about = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": _PROFILE},
    }
    return {"@context": f"{_PROFILE}/context", "@graph": [about, root, *described]}


def _video(record: Record, parent: str) -> dict[str, Any]:
    """A video; *parent* is the digest of the one it follows from, where that is in the dataset too."""
    based = {"isBasedOn": {"@id": _content(parent)}} if parent else {}
    return {
        "@id": _content(record.digest),
        "@type": "VideoObject",
        "name": record.file or record.name,
        "identifier": record.run,
        "sha256": record.digest,
        "contentSize": str(record.bytes),
        "width": record.width,
        "height": record.height,
        "duration": f"PT{float(record.frames / record.fps):.3f}S" if record.fps else "",
        "encodingFormat": "video/mp4",
    } | based


def _action(record: Record) -> dict[str, Any]:
    spec = record.spec
    made_of = [{"@id": _content(record.clip)}] if record.clip else []
    return {
        "@id": f"#run-{record.run}",
        "@type": "CreateAction",
        "name": record.name,
        "instrument": {"@id": f"#backend-{spec.backend}"},
        "object": made_of,
        "result": {"@id": _content(record.digest)},
        "description": spec.prompt.text,
        "identifier": record.recipe,
        "additionalProperty": [
            _property("seed", spec.seed),
            _property("negative_prompt", spec.prompt.negative),
            _property("verdict", str(record.verdict.ruling)),
            _property("guardrail", record.guardrail),
            *([_property("parent run", record.parent)] if record.parent else []),
            *(_property(f"shows {each.name}", each.value) for each in record.shows),
            *(_property(f"weight {kind}", weight) for kind, weight in sorted(spec.weights.items())),
            *(
                _property(f"version {program}", version)
                for program, version in sorted(record.versions.items())
            ),
        ],
    }


def _property(name: str, value: object) -> dict[str, Any]:
    return {"@type": "PropertyValue", "name": name, "value": value}


def _clips(dataset: Dataset) -> Iterator[dict[str, Any]]:
    parts: dict[str, list[dict[str, str]]] = {}
    for passed in dataset.passes:
        parts.setdefault(passed.clip, []).append({"@id": _content(passed.digest)})
        yield {
            "@id": _content(passed.digest),
            "@type": "VideoObject",
            "name": passed.modality,
            "sha256": passed.digest,
        }
    names = {record.clip: record.clip_name for record in dataset.records if record.clip}
    for digest, name in sorted(names.items()):
        yield {
            "@id": _content(digest),
            "@type": "Collection",
            "name": name or digest[:12],
            "description": "the sealed clip that a model started from",
            "hasPart": parts.get(digest, []),
        }


def _backends(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    for backend in sorted({record.spec.backend for record in records}):
        yield {"@id": f"#backend-{backend}", "@type": "SoftwareApplication", "name": backend}


def _content(digest: str) -> str:
    """A name for bytes, wherever they lie: RFC 6920 would shorten it, and few tools read that."""
    return f"urn:sha256:{digest}"
