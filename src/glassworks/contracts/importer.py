"""A form in which models made elsewhere are stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A model as its file has it. What the file does not say is empty; nothing here is guessed.

    `graph` is an `onnx.ModelProto` that holds its weights, with one input, a batch of any size, and one output of
    numbers (N K). `preprocessing` has what the file says of it: `mean` and `std` a channel, `scale`, `layout`, and
    `size` (height, width) for graphs that take any. `scores` says that the output is to be taken through a softmax;
    None where the file does not tell. `notes` are sentences for people.
    """

    form: str
    graph: Any
    task: str = ""
    labels: tuple[str, ...] = ()
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    scores: bool | None = None
    notes: tuple[str, ...] = ()


class Importer(ABC):
    """Reads one form of a model; runs nothing that the file brings."""

    name: ClassVar[str]

    @abstractmethod
    def reads(self, path: Path) -> bool:
        """Whether the path looks like this form; its content may still be wrong."""

    @abstractmethod
    def read(self, path: Path) -> Imported:
        """The model. Raises InputError, DataError, Unsupported and MissingLibrary, each with its mend."""
