"""What bundles say about themselves, kept in memory: the bytes of a bundle never change."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from glassworks.errors import GlassworksError
from glassworks.packaging.manifest import Manifest
from glassworks.registry import Registry, Version

if TYPE_CHECKING:
    from glassworks.control.state import Control

_KEPT = 2000
_UPLOADED = re.compile(r"uploaded:([0-9a-f]{8,})")


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
    uploaded: tuple[str, ...] = ()
    """Ids of uploaded data that it was made of, or the beginnings of them."""


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


def made_of(control: Control, item: str) -> list[str]:
    """The registered versions that were made of uploaded data, `name@version`; damaged bundles are passed over."""
    found = []
    for name in control.registry.models():
        for version in control.registry.versions(name):
            with contextlib.suppress(GlassworksError):
                if any(item.startswith(each) for each in control.facts.of(version).uploaded):
                    found.append(version.reference)
    return found


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
        uploaded=uploads_named([manifest.lineage.data, manifest.job]),
    )


def uploads_named(value: Any) -> tuple[str, ...]:
    """Ids of uploaded data that a value names as `uploaded:ID`, each perhaps by its beginning."""
    return tuple(_UPLOADED.findall(json.dumps(value, default=str)))


def _plain(metrics: Any) -> dict[str, Any]:
    return {name: value.model_dump(mode="json") for name, value in metrics.items()}
