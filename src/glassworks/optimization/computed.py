"""What a candidate really computes in which precision, as its engine says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from glassworks.catalog import found
from glassworks.contracts import Artifact, Layer, Opened, Runtime
from glassworks.contracts.step import EXACT
from glassworks.errors import GlassworksError


def layers_of(artifact: Artifact, folder: Path) -> tuple[Layer, ...]:
    """The layers of products as the artifact's engine computes them; nothing where that is not asked (fp32) or told."""
    runtime = found(Runtime).get(artifact.runtime)
    if runtime is None or artifact.precision == EXACT:
        return ()
    try:
        return runtime.layers(Opened(artifact=artifact, folder=folder))
    except GlassworksError:
        return ()


def shares(layers: Sequence[Layer]) -> dict[str, float]:
    """The share of the layers that each precision has; empty without layers."""
    return {name: count / len(layers) for name, count in sorted(Counter(each.precision for each in layers).items())}


def exact(layers: Sequence[Layer], artifact: Artifact) -> tuple[str, ...]:
    """The layers that compute in fp32 after all, by kind: `MatMul (12 of 48 layers)`. Where the engine does not tell,
    what the pass has said.
    """
    if not layers:
        return artifact.computes_fp32
    every = Counter(each.kind for each in layers)
    floating = Counter(each.kind for each in layers if each.precision == "fp32")
    return tuple(f"{kind} ({count} of {every[kind]} layers)" for kind, count in sorted(floating.items()))
