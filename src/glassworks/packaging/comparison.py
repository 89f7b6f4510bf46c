"""Whether a model earns its keep: its metrics against those of simpler answers to the same test split."""

from __future__ import annotations

from collections.abc import Iterator

from glassworks.catalog import found, get
from glassworks.contracts import DECISION, Family, Measurement, Task
from glassworks.packaging.manifest import Manifest

_MEND = (
    "look at the data with 'glassworks data check', train longer or otherwise ([training], [model]), and do not serve "
    "it before it is better"
)
_RARE = 'training.class_weights = "balanced" learns rare classes'


def warnings_of(manifest: Manifest, metric: str) -> Iterator[str]:
    """A sentence for each simpler answer that the model does not beat in `metric`: the best one that ignores the input,
    the task's simple baseline, and a simpler model of another family. One that is always right cannot be beaten, and
    causes no warning.
    """
    own = manifest.metrics.get(metric)
    for name in get(Task, manifest.task).constants:
        if figures := _not_better(own, manifest.comparison.get(name, {}).get(metric)):
            rare = f"{_RARE}; " if metric == "accuracy" else ""
            yield f"the model is no better than one answer to everything ({name}): {metric} {figures}; {rare}{_MEND}"
    if figures := _not_better(own, manifest.baseline.get(metric)):
        yield f"the model does not beat the simple baseline: {metric} {figures}"
    for name in found(Family).keys() & manifest.comparison.keys():
        if figures := _not_better(own, manifest.comparison[name].get(metric)):
            yield f"the model does not beat {name}, which learned from the same rows: {metric} {figures}"


def comparison_metric(manifest: Manifest, usual: str) -> str:
    """The metric to compare in: the task's own for that, if it has one; with balanced classes or costs, which trade
    accuracy for it, balanced accuracy."""
    if by := get(Task, manifest.task).compared_by:
        return by
    training = manifest.job.get("training")
    balanced = isinstance(training, dict) and training.get("class_weights") == "balanced"
    traded = balanced or DECISION in manifest.preprocessing
    return "balanced_accuracy" if traded and "balanced_accuracy" in manifest.metrics else usual


def _not_better(own: Measurement | None, simple: Measurement | None) -> str:
    if own is None or simple is None:
        return ""
    if (own.value > simple.value) if own.higher_is_better else (own.value < simple.value):
        return ""
    if own.value == simple.value == (1.0 if own.higher_is_better else 0.0):
        return ""
    return f"{own.value:.4f} against {simple.value:.4f} on the same {own.examples:,} test examples"
