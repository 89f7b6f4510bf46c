"""Whether versions of a model can share its requests: what one of them answers, the others have to answer too."""

from __future__ import annotations

from collections.abc import Sequence

from glassworks.contracts import TensorSpec
from glassworks.control.deploying import Split
from glassworks.control.state import Control
from glassworks.errors import Conflict
from glassworks.packaging.manifest import Manifest

_CLASSIFICATION = "classification"
_SHOWN = 3
_MEND = "let clients ask for the version that they want, or serve it under another name; 'force' splits all the same"


def require_alike(control: Control, name: str, wanted: Split) -> None:
    """Raises Conflict where versions with a share, or the shadow, take other inputs or answer with other labels."""
    versions = sorted({*map(int, wanted.shares or {}), *([wanted.shadow] if wanted.shadow else ())})
    if len(versions) < 2:
        return
    first, *others = versions
    base = control.registry.manifest(control.registry.find(f"{name}@{first}"))
    for each in others:
        manifest = control.registry.manifest(control.registry.find(f"{name}@{each}"))
        if difference := _inputs(base, manifest) or _labels(base, manifest):
            raise Conflict(f"versions {first} and {each} of '{name}' cannot share requests: {difference}", _MEND)


def _inputs(a: Manifest, b: Manifest) -> str:
    one, other = a.signature.inputs, b.signature.inputs
    if len(one) == len(other) and all(_alike(*pair) for pair in zip(one, other, strict=True)):
        return ""
    return f"they take other inputs, {_described(one)} against {_described(other)}"


def _alike(a: TensorSpec, b: TensorSpec) -> bool:
    """Whether what fits one fits the other; a dimension that varies takes any."""
    fixed = ((one, other) for one, other in zip(a.shape, b.shape, strict=False) if one != -1 and other != -1)
    return (a.name, a.datatype, len(a.shape)) == (b.name, b.datatype, len(b.shape)) and all(
        one == other for one, other in fixed
    )


def _described(inputs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"'{each.name}' {each.datatype} {'x'.join(str(size) for size in each.shape)}" for each in inputs)


def _labels(a: Manifest, b: Manifest) -> str:
    """Only classifiers have the same ones for good: those of recommendations are a catalog, which grows."""
    if a.labels == b.labels or not a.task.endswith(_CLASSIFICATION):
        return ""
    return f"they answer with other labels, {_listed(a.labels)} against {_listed(b.labels)}"


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return f"{', '.join(repr(each[:40]) for each in labels[:_SHOWN])}{more}"
