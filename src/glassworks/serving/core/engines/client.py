"""The client of an engine: all that a server asks of what computes, wherever that runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threading import Event

    from glassworks.contracts import Chunk, Explanation, Tensors
    from glassworks.serving.core.explanations import ExplainOptions


@dataclass(frozen=True, kw_only=True)
class EngineStats:
    """`process_id` is None for an engine in this process, and while none runs; `restarts` counts new processes."""

    process_id: int | None = None
    restarts: int = 0
    streams: int = 0
    """Streams that are open."""


class EngineClient(ABC):
    """The engine of one version of a model. Safe to share between threads.

    `infer`, `explain` and each step of a `stream` block until the engine has answered: call them on a worker's thread.
    They raise what the engine raises, and Overloaded where its process has died.
    """

    inline: bool = False
    """Whether a call of `infer` is so short that the event loop may make it itself."""
    streams: bool = False
    """Whether the model answers bit by bit; else the one chunk of a stream is what `infer` gives."""

    @abstractmethod
    def infer(self, tensors: Tensors) -> Tensors:
        """All outputs for checked inputs."""

    @abstractmethod
    def explain(self, example: Tensors, options: ExplainOptions, left: Event | None = None) -> Explanation:
        """Explain one row of checked inputs. Who sets `left` no longer waits for it: a long one ends soon. Raises
        InputError.
        """

    @abstractmethod
    def stream(self, request_id: int, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        """The answer in parts; the engine is at most a few of them ahead of who reads. Close the generator to cancel.

        `request_id` is the caller's own number for it, unique among open streams.
        """

    @abstractmethod
    def cancel(self, request_id: int) -> None:
        """End a stream after the chunk that it is computing; of a stream that is not open, nothing happens."""

    @abstractmethod
    def stats(self) -> EngineStats:
        """How the engine does; at once."""

    @abstractmethod
    def close(self) -> None:
        """Give the engine's memory back, and end its process. What is under way there fails."""
