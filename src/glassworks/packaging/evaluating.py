"""A bundle measured on examples, and two versions on the same ones."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from functools import cache, partial

import numpy as np

from glassworks.contracts import Difference, Evaluation, Opening, Split
from glassworks.data.paired import paired, unpaired
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle


def evaluate_split(opened: OpenedBundle, split: Split) -> Evaluation:
    """Metrics of the served artifact; by class, and by example, where the task has them."""
    about, labels = opened.manifest.preprocessing, opened.manifest.labels
    ask = cache(partial(opened.output, split.x))
    return Evaluation(
        len(split),
        opened.task.evaluate(ask, split.y, about),
        opened.task.by_class(ask, split.y, labels, about),
        opened.task.each(ask, split.y, about),
        _fingerprint(split),
    )


def differences(ours: Evaluation, theirs: Evaluation) -> dict[str, Difference]:
    """By metric: example by example where both were measured on the same ones, else by both intervals."""
    found = {}
    for name, metric in ours.metrics.items():
        one, other = ours.scores.get(name), theirs.scores.get(name)
        same = paired(one, other) if one and other and ours.fingerprint == theirs.fingerprint else None
        if same is not None:
            found[name] = same
        elif name in theirs.metrics:
            found[name] = unpaired(metric, theirs.metrics[name])
    return found


@contextlib.contextmanager
def opening(bundle: Bundle, name: str) -> Iterator[Opening]:
    """A bundle, open for the time of the block."""
    opened = OpenedBundle(bundle, limited=False)
    try:
        yield Opening(
            name=name,
            session=opened.session("predict"),
            preprocessing=opened.manifest.preprocessing,
            sha256=bundle.sha256,
        )
    finally:
        opened.close()


def _fingerprint(split: Split) -> str:
    found = hashlib.sha256()
    for array in map(np.asarray, (split.x, split.y)):
        content = repr(array.tolist()).encode("utf-8", "replace") if array.dtype == object else array.tobytes()
        found.update(f"{array.shape} {array.dtype} ".encode() + content)
    return found.hexdigest()
