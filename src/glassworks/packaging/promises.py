"""What a manifest declares of its graphs, checked when a bundle is opened."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from glassworks.catalog import found, get
from glassworks.contracts import Explainer, Generation, Signature, Task, TensorSpec
from glassworks.errors import BundleError, GlassworksError, MissingLibrary, NotFound, StorageError
from glassworks.explanation.selection import explainers_for

if TYPE_CHECKING:
    from glassworks.packaging.manifest import Manifest

_MEND = "package the model again"
_MOST_THREADS = 1024
_LARGEST = 2**28
"""Elements of a row: no request may hold more."""


@contextlib.contextmanager
def truthful(name: str) -> Iterator[None]:
    """While a bundle is opened: whatever is wrong with it is a BundleError.

    A full disk, and a library that is not installed, stay what they are.
    """
    try:
        yield
    except (BundleError, StorageError, MissingLibrary):
        raise
    except GlassworksError as error:
        raise BundleError(f"the bundle '{name}' cannot be opened: {error.problem}", error.mend) from error
    except Exception as error:
        # What libraries make of a wrong manifest has no common base but Exception.
        reason = f"{type(error).__name__}: {error}"[:200]
        raise BundleError(f"the bundle '{name}' is not what its manifest says: {reason}", _MEND) from error


def check_declared(manifest: Manifest) -> None:
    """Raise BundleError for what no graph could have, and no server could serve."""
    signature, where = manifest.signature, manifest.name
    for artifact in manifest.artifacts:
        if not 0 <= artifact.threads <= _MOST_THREADS:
            raise BundleError(f"the bundle '{where}' asks for {artifact.threads} threads", _MEND)
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        if not specs:
            raise BundleError(f"the bundle '{where}' declares no {kind}", _MEND)
        twice = [name for name, count in Counter(spec.name for spec in specs).items() if count > 1 or not name]
        if twice:
            raise BundleError(f"the bundle '{where}' declares the {kind} '{twice[0][:100]}' twice or unnamed", _MEND)
        for spec in specs:
            sizes = [abs(size) for size in spec.shape]
            if not spec.shape or any(size < -1 or size == 0 for size in spec.shape) or math.prod(sizes) > _LARGEST:
                raise BundleError(
                    f"the bundle '{where}' declares the {kind} '{spec.name[:100]}' with the shape {_short(spec)}", _MEND
                )


def check_kept(declared: Signature, graph: Signature, where: str) -> None:
    """Raise BundleError unless a graph takes and gives what is declared; a size of -1 on either side fits any."""
    for kind, said, kept in (("input", declared.inputs, graph.inputs), ("output", declared.outputs, graph.outputs)):
        there = {spec.name: spec for spec in kept}
        if there.keys() != {spec.name for spec in said}:
            raise BundleError(
                f"the bundle '{where}' declares the {kind}s {_names(said)}, its graph has {_names(kept)}", _MEND
            )
        for spec in said:
            other = there[spec.name]
            if spec.datatype != other.datatype or not _fits(spec.shape, other.shape):
                raise BundleError(
                    f"the bundle '{where}' declares the {kind} '{spec.name}' as {spec.datatype} {_short(spec)}, its "
                    f"graph has {other.datatype} {_short(other)}",
                    _MEND,
                )


def missing_explainers(manifest: Manifest) -> Mapping[str, str]:
    """The methods that a bundle names and this installation has not, each with the reason."""
    missing: dict[str, str] = {}
    for name in manifest.explainers:
        try:
            get(Explainer, name)
        except (NotFound, MissingLibrary) as error:
            missing[name] = f"{error.problem}; {error.mend}"
    return MappingProxyType(missing)


def offered_explainers(manifest: Manifest) -> tuple[str, ...]:
    """The methods that a bundle names and this installation has. One of a model that writes text may be older than
    they are: it has those that need nothing but what is served.
    """
    task = found(Task).get(manifest.task)
    if task is not None and isinstance(task, Generation) and not manifest.explainers:
        return explainers_for(task.subject_kind)
    missing = missing_explainers(manifest)
    return tuple(name for name in manifest.explainers if name not in missing)


def _fits(said: tuple[int, ...], found: tuple[int, ...]) -> bool:
    return len(said) == len(found) and all(-1 in pair or pair[0] == pair[1] for pair in zip(said, found, strict=True))


def _names(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"'{spec.name[:100]}'" for spec in specs[:10]) or "none"


def _short(spec: TensorSpec) -> str:
    return str(list(spec.shape))[:100]
