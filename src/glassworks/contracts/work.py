"""A kind of long operation that can be queued as a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from glassworks.contracts.progress import Progress
from glassworks.record import Record


class Work(ABC):
    """What a run does. Killed and begun again with the same request, it has the result that it would have had."""

    name: ClassVar[str]
    request: ClassVar[type[Record]]
    """What has to be said; its fields are the keys of a request."""
    memory_bytes: ClassVar[int] = 2**30
    """Roughly what it takes, of 4 GiB at most: no worker begins it while less is free, and less than half there is."""
    by_service: ClassVar[bool] = False
    """Whether a running service does it, which has its models loaded: no worker takes it, and `run` is not asked."""

    def settled(self, request: Any) -> Any:
        """The request as it is meant now: the version that a model's name stands for. Raises what forbids it."""
        return request

    def fixed(self, request: Any) -> Any:
        """The request with what a machine decides, such as a number of threads: kept when work on it begins, so that
        whoever goes on with it does the same. Given again, nothing changes.
        """
        return request

    @abstractmethod
    def about(self, request: Any) -> str:
        """What a settled request is about: the name of a job, or the reference of a model. Raises what forbids it."""

    @abstractmethod
    def run(self, request: Any, progress: Progress) -> Mapping[str, Any]:
        """Do it, in the registry of this machine; the result in JSON's types.

        Raises Cancelled at the next step after `progress.cancel()`, and what the operation raises.
        """

    def published(self, request: Any, model: str) -> Mapping[str, Any]:
        """The result of a run that published a version, `name@3`, and was killed before it could say so."""
        return {"model": model}
