"""A published model becomes one of the flow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.contracts import Model
from glassworks.families._language.bringing import about, find_model
from glassworks.families.language_model.settings import LanguageData
from glassworks.language.session import signature

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.contracts import Opened, Progress
    from glassworks.families._language.settings import LanguageModelConfig


def model_of(job: Job, config: LanguageModelConfig, base: Opened | None, folder: Path, progress: Progress) -> Model:
    """Nothing is learned. Raises as `find_model` does."""
    begun = time.perf_counter()
    brought = find_model(job, config, progress, base)
    return Model(
        family=job.family,
        network=brought,
        signature=signature(),
        preprocessing={**about(brought.settings), "column": LanguageData.of(job).text},
        weights_sha256=brought.sha256(),
        metrics={},
        run=folder.name,
        resumed=False,
        seconds=time.perf_counter() - begun,
    )
