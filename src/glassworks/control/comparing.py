"""Two versions side by side: metrics, sizes, what their jobs say, and their answers to the same requests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel

from glassworks.contracts import Measurement
from glassworks.control.requests import Answer, Tensor, answered, inputs_of, recorded, samples_of, tensors_of, worded
from glassworks.control.state import Control
from glassworks.errors import GlassworksError
from glassworks.packaging.manifest import Manifest
from glassworks.registry import Version


class MetricPair(BaseModel):
    """A metric of both; null where one has it not.

    `interval` is the 95 % one of the difference, taken from those of both (square-and-add, Zou and Donner 2008) as if
    they had been measured on different examples: on the same ones it is wider than it had to be. `overlap` says
    whether the intervals of both do.
    """

    name: str
    a: Measurement | None
    b: Measurement | None
    difference: float | None
    higher_is_better: bool
    interval: tuple[float, float] | None
    overlap: bool | None
    better: Literal["a", "b", ""] = ""
    """Whose is better by more than chance explains; empty where that is not known."""


class KeyPair(BaseModel):
    """A key of the job that differs, such as `training.epochs`; null where one has it not."""

    key: str
    a: Any
    b: Any


class Example(BaseModel):
    """A request, and the answers of both. `agree`: they decide the same, however sure they are; null where one is not
    known, or decides nothing."""

    inputs: list[Tensor]
    a: Answer | None
    b: Answer | None
    agree: bool | None


class Comparison(BaseModel):
    """Two versions; `examples_from` says whether their answers are those of now or of when they were packaged."""

    a: str
    b: str
    metrics: list[MetricPair]
    same_data: bool
    """Whether both were measured on the same data."""
    size_bytes: tuple[int, int]
    keys: list[KeyPair]
    labels_added: list[str]
    labels_removed: list[str]
    examples: list[Example]
    examples_from: Literal["service", "bundles"]


def compared(control: Control, a: Version, b: Version) -> Comparison:
    """The comparison of two versions. Raises what reading their bundles raises."""
    first, second = control.registry.manifest(a), control.registry.manifest(b)
    examples, live = _examples(control, (a, first), (b, second))
    names = dict.fromkeys([*first.metrics, *second.metrics])
    return Comparison(
        a=a.reference,
        b=b.reference,
        metrics=[_pair(name, first.metrics.get(name), second.metrics.get(name)) for name in names],
        same_data=bool(first.data_fingerprint) and first.data_fingerprint == second.data_fingerprint,
        size_bytes=(control.facts.of(a).size_bytes, control.facts.of(b).size_bytes),
        keys=_differing(first.job, second.job),
        labels_added=[label for label in second.labels if label not in set(first.labels)],
        labels_removed=[label for label in first.labels if label not in set(second.labels)],
        examples=examples,
        examples_from="service" if live else "bundles",
    )


def _pair(name: str, a: Measurement | None, b: Measurement | None) -> MetricPair:
    higher = (a or b or Measurement(value=0, interval=(0, 0), examples=0)).higher_is_better
    if a is None or b is None:
        return MetricPair(name=name, a=a, b=b, difference=None, higher_is_better=higher, interval=None, overlap=None)
    difference = b.value - a.value
    low = difference - math.hypot(b.value - b.interval[0], a.interval[1] - a.value)
    high = difference + math.hypot(b.interval[1] - b.value, a.value - a.interval[0])
    better: Literal["a", "b", ""] = ""
    if low > 0 or high < 0:
        better = "b" if (low > 0) == higher else "a"
    overlap = a.interval[0] <= b.interval[1] and b.interval[0] <= a.interval[1]
    return MetricPair(
        name=name,
        a=a,
        b=b,
        difference=difference,
        higher_is_better=higher,
        interval=(low, high),
        overlap=overlap,
        better=better,
    )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[KeyPair]:
    first, second = dict(_flat(a)), dict(_flat(b))
    keys = dict.fromkeys([*first, *second])
    return [KeyPair(key=key, a=first.get(key), b=second.get(key)) for key in keys if first.get(key) != second.get(key)]


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _examples(control: Control, a: tuple[Version, Manifest], b: tuple[Version, Manifest]) -> tuple[list[Example], bool]:
    """Answers of now where both are in service, else those that the bundles hold of the same requests."""
    first, second = samples_of(control, a[0]), samples_of(control, b[0])
    found, live = [], False
    for sample in first:
        answers = _of_now(control, sample, a, b)
        live = live or answers is not None
        if answers is None:
            same = next((each for each in second if each["inputs"] == sample["inputs"]), None)
            other = recorded(same, b[1].task, b[1].labels) if same is not None else None
            answers = recorded(sample, a[1].task, a[1].labels), other
        one, two = answers
        found.append(Example(inputs=inputs_of(sample), a=one, b=two, agree=agreement(one, two)))
    return found, live


def agreement(a: Answer | None, b: Answer | None) -> bool | None:
    """Whether both decide the same, however sure they are; None where one is not known, or decides nothing."""
    return a.decision == b.decision if a and b and a.decision and b.decision else None


def _of_now(
    control: Control, sample: Mapping[str, Any], a: tuple[Version, Manifest], b: tuple[Version, Manifest]
) -> tuple[Answer | None, Answer | None] | None:
    """None unless both are in service and take the request."""
    models, found = control.serving.dispatcher.models, []
    for version, manifest in (a, b):
        try:
            tensors, number = tensors_of(sample["inputs"]), str(version.version)
            outputs = control.live.ask(lambda: answered(models, version.name, number, tensors))  # noqa: B023 - at once
        except (GlassworksError, TimeoutError):
            return None
        if outputs is None:
            return None
        found.append(worded(manifest.task, outputs, manifest.labels))
    return found[0], found[1]
