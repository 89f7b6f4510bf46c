"""Whether a model earns its keep: its metrics against those of the task's simple classifier on the same texts."""

from __future__ import annotations

from glassworks.catalog import get
from glassworks.contracts import Task
from glassworks.packaging.manifest import Manifest


def not_better(manifest: Manifest) -> str:
    """A sentence of warning where the model does not beat the baseline; empty where it does or there is none."""
    metric = get(Task, manifest.task).metric if manifest.baseline else ""
    own, simple = manifest.metrics.get(metric), manifest.baseline.get(metric)
    if own is None or simple is None:
        return ""
    if (own.value > simple.value) if own.higher_is_better else (own.value < simple.value):
        return ""
    return (
        f"the model does not beat the simple baseline: {metric} {own.value:.4f} against {simple.value:.4f} "
        f"on the same {own.examples:,} test examples"
    )
