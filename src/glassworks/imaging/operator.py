"""What an operator is: a typed record that says what it takes and gives, computes with OpenCV, and can be explained.

Pictures are as OpenCV wants them: H W for one channel, H W C for several, red before green before blue. What is
explained is float32 H W C. A new operator is a file in `operators/`; no list is edited.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from glassworks.errors import ConfigError, Unsupported
from glassworks.record import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[Any]
    Floats = NDArray[np.float32]
    Mask = NDArray[np.bool_]
    Pull = Callable[[Floats], tuple[Floats, ...]]

Depth = Literal["uint8", "uint16", "int16", "float32"]


@dataclass(frozen=True)
class Kind:
    """What a picture of a pipeline holds. `whole`: its numbers have no fraction, whatever their type."""

    depth: Depth
    channels: int
    whole: bool = True

    def __str__(self) -> str:
        return f"{self.channels} channel{'s' if self.channels > 1 else ''} of {self.depth}"


class Graph(Protocol):
    """What lowering needs of a writer of ONNX graphs; values are their names."""

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str: ...
    def constant(self, values: Any) -> str: ...


class Operator(Record, ABC):
    """One step of a pipeline. Subclasses have a field `operator` whose only value is their name."""

    name: str = ""
    """What later steps call its result."""
    inputs: tuple[str, ...] = ()
    """Results that it takes, by their names; `input` is the picture itself. Left out: the step before."""

    takes: ClassVar[int] = 1

    @abstractmethod
    def kind(self, *given: Kind) -> Kind:
        """What it makes of pictures of these kinds. Raises ConfigError for those that it does not take."""

    @property
    def reach(self) -> int | None:
        """How many rows and columns away a result may look; None where that has no bound below the whole picture."""
        return None

    @property
    def keeps_size(self) -> bool:
        """Whether the result has the size of the picture."""
        return True

    @abstractmethod
    def apply(self, *pictures: Pixels) -> Pixels:
        """Compute it with OpenCV. Raises InputError for a picture that is too small for it."""

    def into(self, out: Pixels, *pictures: Pixels) -> Pixels:
        """The same, written into `out` where that is possible: memory that was used before is quicker than new one."""
        return self.apply(*pictures)

    def lower(self, graph: Graph, given: Sequence[tuple[str, Kind]]) -> str:
        """Write it for values (N C H W) of an ONNX graph, with the same numbers. Raises Unsupported."""
        raise Unsupported(f"ONNX has no operator that equals OpenCV's '{self.title}'", "OpenCV runs it")

    @abstractmethod
    def differentiate(self, *pictures: Floats) -> tuple[Floats, Pull]:
        """The result in real numbers (H W C), and what takes its gradient back to each picture.

        Where a step decides, as a threshold does, the result is what the decision looks at.
        """

    def field(self, mask: Mask, size: tuple[int, int]) -> Mask:
        """Which pixels (H W) of pictures of this size can change the results that the mask marks."""
        import cv2
        import numpy as np

        if self.reach is None:
            return np.full(size, bool(mask.any()))
        if self.reach == 0:
            return mask
        window = np.ones((2 * self.reach + 1,) * 2, np.uint8)
        return cv2.dilate(mask.astype(np.uint8), window).astype(np.bool_)

    @property
    def title(self) -> str:
        """Its name in job files."""
        return str(type(self).model_fields["operator"].default)

    def refuse(self, why: str, mend: str) -> ConfigError:
        """An error about this step."""
        return ConfigError(f"the operator '{self.name or self.title}' {why}", mend)

    def needs_gray(self, given: Kind) -> None:
        """Raise ConfigError for color."""
        if given.channels != 1:
            raise self.refuse(f"takes one channel, it is given {given}", "put the operator 'grayscale' before it")

    def needs_depth(self, given: Kind, *depths: Depth) -> None:
        """Raise ConfigError for pixels of another type."""
        if given.depth not in depths:
            raise self.refuse(
                f"takes {' or '.join(depths)}, it is given {given}", "put the operator 'convert' before it"
            )


class OfParts(Operator):
    """Takes the parts of a gradient across and down, as two Sobel operators give them, pixel by pixel."""

    takes: ClassVar[int] = 2

    def kind(self, *given: Kind) -> Kind:
        for each in given:
            self.needs_depth(each, "float32")
        if given[0].channels != given[1].channels:
            raise self.refuse(f"is given {given[0]} and {given[1]}", "give it two parts of one picture")
        return Kind("float32", given[0].channels, whole=False)

    @property
    def reach(self) -> int:
        return 0


def as_opencv(picture: Pixels) -> Pixels:
    """H W C as OpenCV wants it: a single channel has no axis."""
    return picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture


def with_channels(picture: Pixels) -> Pixels:
    """H W C."""
    return picture[:, :, None] if picture.ndim == 2 else picture
