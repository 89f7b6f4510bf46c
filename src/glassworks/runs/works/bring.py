"""A published language model is brought."""

from __future__ import annotations

from typing import ClassVar

from glassworks import flow
from glassworks.config import Job
from glassworks.contracts import Progress
from glassworks.runs.works._publishing import JobWork


class Import(JobWork):
    """A published language model: read exactly, measured, compressed within the objective, registered."""

    name: ClassVar[str] = "import"

    def made(self, job: Job, progress: Progress, fresh: bool) -> flow.Release:
        """A release, whose training is reading."""
        return flow.release(job, progress=progress, fresh=fresh)
