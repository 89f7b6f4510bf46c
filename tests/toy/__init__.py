"""A small model that streams words, blocks, and dies as its inputs say: for tests of engines, in any process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glassworks import catalog
from glassworks.contracts import Artifact, Signature, TensorSpec
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.manifest import Manifest

NAME, SPEC = "toy", TensorSpec(name="text", datatype="BYTES", shape=(-1,))
POINTS = (
    "[glassworks.runtime]\ntoy = tests.toy.runtime\nscribe = tests.toy.scribe\n"
    "[glassworks.task]\ntoy = tests.toy.task\nwriting = tests.toy.writing\n"
)


def install(folder: Path) -> Path:
    """A folder that makes the toy known to every process that has it on its path."""
    home = folder / "toy-1.dist-info"
    home.mkdir(parents=True)
    (home / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1\n", encoding="utf-8")
    (home / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    return folder


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The toy is known in this process, and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(install(folder)))
        patch.syspath_prepend(str(Path(__file__).parents[2]))
        catalog._found.cache_clear()
        yield
    catalog._found.cache_clear()


def bundle(folder: Path, name: str = "toy", **settings: object) -> Bundle:
    """A bundle of the toy; `settings` are those of `runtime.Toy`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.json").write_text(json.dumps(settings), encoding="utf-8")
    artifact = Artifact(role="predict", format="toy", file="toy.json", runtime=NAME)
    signature = Signature(inputs=(SPEC,), outputs=(SPEC,))
    return write_bundle(folder, Manifest(name=name, task=NAME, family=NAME, signature=signature, artifacts=(artifact,)))


def writer(folder: Path, name: str = "scribe", streams: int = 4, **settings: object) -> Bundle:
    """A bundle of a model that writes, `streams` answers at once; `settings` are those of `scribe.ScribeSession`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scribe.json").write_text(json.dumps(settings), encoding="utf-8")
    artifact = Artifact(role="predict", format="scribe", file="scribe.json", runtime="scribe")
    outputs = tuple(TensorSpec(name=each, datatype="BYTES", shape=(-1,)) for each in ("generated", "finish_reason"))
    manifest = Manifest(
        name=name,
        task="writing",
        family=NAME,
        signature=Signature(inputs=(SPEC,), outputs=outputs),
        artifacts=(artifact,),
        preprocessing={"streams": streams},
    )
    return write_bundle(folder, manifest)
