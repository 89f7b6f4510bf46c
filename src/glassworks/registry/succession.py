"""Whether versions of a model can stand for each other: what one takes and answers, its clients send and expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glassworks.contracts import TensorSpec
from glassworks.packaging.manifest import Manifest
from glassworks.registry.records import CHAMPION, Version
from glassworks.registry.registry import Registry

_CLASSIFICATION = "classification"
_SHOWN = 3
_MEND = "what asks for '{}' may fail or misread the answers; if that is not meant, give the job another name"


def unlike(registry: Registry, version: Version) -> Iterator[str]:
    """A sentence for a version whose inputs or labels are others than those of the one that is served: the champion, or
    the version before it."""
    versions = [each for each in registry.versions(version.name) if each.version != version.version]
    earlier = [each for each in versions if each.version < version.version]
    before = next((each for each in versions if CHAMPION in each.aliases), earlier[-1] if earlier else None)
    if before is not None and (found := difference(registry.manifest(version), registry.manifest(before))):
        yield warning(version.name, before, found)


def warning(name: str, before: Version, found: str) -> str:
    """The sentence for a difference from a version."""
    return f"unlike {before.reference}, {found}; {_MEND.format(name)}"


def difference(a: Manifest, b: Manifest) -> str:
    """How the inputs or labels of two versions differ, in words; nothing where clients of one may ask the other."""
    return inputs_differ(a.signature.inputs, b.signature.inputs) or labels_differ(a.labels, b.labels, a.task)


def inputs_differ(one: Sequence[TensorSpec], other: Sequence[TensorSpec]) -> str:
    """In words, how inputs differ; a dimension that varies takes any."""
    if len(one) == len(other) and all(_alike(*pair) for pair in zip(one, other, strict=True)):
        return ""
    return f"they take other inputs, {_described(one)} against {_described(other)}"


def labels_differ(one: Sequence[str], other: Sequence[str], task: str) -> str:
    """The same of labels. Only classifiers have the same ones for good: those of recommendations are a catalog, which
    grows."""
    if tuple(one) == tuple(other) or not task.endswith(_CLASSIFICATION):
        return ""
    return f"they answer with other labels, {_listed(one)} against {_listed(other)}"


def _alike(a: TensorSpec, b: TensorSpec) -> bool:
    fixed = ((one, other) for one, other in zip(a.shape, b.shape, strict=False) if one != -1 and other != -1)
    return (a.name, a.datatype, len(a.shape)) == (b.name, b.datatype, len(b.shape)) and all(
        one == other for one, other in fixed
    )


def _described(inputs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"'{each.name}' {each.datatype} {'x'.join(str(size) for size in each.shape)}" for each in inputs)


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return f"{', '.join(repr(each[:40]) for each in labels[:_SHOWN])}{more}"
