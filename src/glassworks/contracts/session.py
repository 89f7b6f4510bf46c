"""An opened model that computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassworks.contracts.streaming import Chunk

if TYPE_CHECKING:
    from glassworks.contracts.memory import Memory
    from glassworks.contracts.records import Array, Signature, Tensors


@dataclass(frozen=True)
class Layer:
    """A layer of products in an engine's optimized graph: a convolution, a matrix product, a recurrent layer.
    `precision` is what it multiplies in.
    """

    name: str
    kind: str
    precision: str


class Session(ABC):
    """An opened artifact. Thread-safe; holds no state between calls."""

    signature: Signature

    @abstractmethod
    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Compute `outputs` (all when None) from the input tensors, keyed by name."""

    def stream(self, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        """The answer in parts, each computed when it is asked for; closing the generator cancels the rest.

        `parameters` are those of the request. A session that does not stream, as here, gives everything at once. One
        that computes for long gives chunks without outputs meanwhile, some a second: nobody is sent them, and a
        stream that was cancelled ends there.
        """
        yield Chunk(outputs=self.run(tensors), finish_reason="stop")

    def within(self) -> Session:
        """The session that this one completes; itself where it stands alone, as here."""
        return self

    def remember(self, memory: Memory) -> None:  # noqa: B027 - most models take no feedback
        """Use the feedback in `memory` from now on."""

    def close(self) -> None:  # noqa: B027 - most engines free themselves
        """Give the engine's memory back."""
