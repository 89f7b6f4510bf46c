"""A simpler model beside one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.contracts.records import Array, Dataset, Measurement


@dataclass(frozen=True, kw_only=True)
class Simpler:
    """A model of another family, learned from the same rows of the same splits, to be measured beside one: `measure`
    gives, of its first output on the test split, the metrics that both have.
    """

    job: Job
    dataset: Dataset
    measure: Callable[[Array], Mapping[str, Measurement]]
