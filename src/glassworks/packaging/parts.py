"""What a bundle is assembled from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glassworks.config import Job
from glassworks.contracts import Artifact, ClassMeasurement, Dataset, Family, Lineage, Measurement, Signature, Task
from glassworks.optimization.report import OptimizationReport


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The served artifact on the test split, and how far its explanations agree with those of the fp32 one."""

    metrics: Mapping[str, Measurement]
    fidelity: Mapping[str, float]
    classes: tuple[ClassMeasurement, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a bundle is made of. `folder` holds the files of all `artifacts`.

    `artifacts` are `predict` as it is served, `reference` where that is another file, and those of explainers.
    `measured` are figures that exist already; `refitted` says that the artifacts learned from the test split since.
    """

    job: Job
    family: Family
    task: Task
    dataset: Dataset
    folder: Path
    artifacts: tuple[Artifact, ...]
    signature: Signature
    preprocessing: Mapping[str, Any]
    report: OptimizationReport | None
    lineage: Lineage
    baseline: Mapping[str, Measurement] = field(default_factory=dict)
    comparison: Mapping[str, Mapping[str, Measurement]] = field(default_factory=dict)
    measured: Measured | None = None
    refitted: bool = False
