"""A release without the search."""

from __future__ import annotations

from typing import ClassVar

from glassworks import flow
from glassworks.config import Job
from glassworks.contracts import Progress
from glassworks.runs.works._publishing import JobWork


class Train(JobWork):
    """A job's training alone: its version is served in fp32 until it is optimized."""

    name: ClassVar[str] = "train"

    def made(self, job: Job, progress: Progress, fresh: bool) -> flow.Release:
        """Without the search for what to serve."""
        return flow.train(job, progress=progress, fresh=fresh)
