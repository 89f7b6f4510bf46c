"""What bundles say about themselves, kept in memory: the bytes of a bundle never change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from glassworks.packaging.manifest import Manifest
from glassworks.registry import Registry, Version

_KEPT = 2000


class Fact(NamedTuple):
    """What lists need of a bundle. A manifest itself may have megabytes of labels, hence is not kept."""

    task: str
    family: str
    metrics: dict[str, Any]
    baseline: dict[str, Any]
    comparison: dict[str, Any]
    warnings: tuple[str, ...]
    precision: str
    engine: str
    size_bytes: int
    labels: int


class Facts:
    """Of the bundles of a registry. Any thread may ask."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: OrderedDict[str, Fact] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, version: Version) -> Fact:
        """Those of a version. Raises Tampered, BundleError and StorageError."""
        return self._remembered(version.bundle_sha256, lambda: self._read(version))

    def _remembered(self, key: str, read: Callable[[], Fact]) -> Fact:
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        fact = read()
        with self._lock:
            self._kept[key] = fact
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return fact

    def _read(self, version: Version) -> Fact:
        manifest = self._registry.manifest(version)
        return fact_of(manifest, self._registry.size_bytes(manifest))


def fact_of(manifest: Manifest, size_bytes: int) -> Fact:
    """The facts of a manifest."""
    served = next((each for each in manifest.artifacts if each.role == "predict"), None)
    return Fact(
        task=manifest.task,
        family=manifest.family,
        metrics=_plain(manifest.metrics),
        baseline=_plain(manifest.baseline),
        comparison={name: _plain(metrics) for name, metrics in manifest.comparison.items()},
        warnings=manifest.warnings,
        precision=served.precision if served else "",
        engine=served.runtime if served else "",
        size_bytes=size_bytes,
        labels=len(manifest.labels),
    )


def _plain(metrics: Any) -> dict[str, Any]:
    return {name: value.model_dump(mode="json") for name, value in metrics.items()}
