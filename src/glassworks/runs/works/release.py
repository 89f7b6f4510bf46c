"""Data to registry, with the search for what to serve."""

from __future__ import annotations

from typing import ClassVar

from glassworks import flow
from glassworks.config import Job
from glassworks.contracts import Progress
from glassworks.runs.works._publishing import JobRequest, JobWork


class ReleaseRequest(JobRequest):
    """A job, and whether running services of this machine load what it publishes."""

    serve: bool = False


class Release(JobWork):
    """The whole way of a job: data, training, optimization, a version in the registry."""

    name: ClassVar[str] = "release"
    request: ClassVar[type[JobRequest]] = ReleaseRequest

    def made(self, job: Job, progress: Progress, fresh: bool) -> flow.Release:
        """With the search for what to serve."""
        return flow.release(job, progress=progress, fresh=fresh)
