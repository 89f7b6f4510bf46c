"""Frames as they are to be looked at: turned as the camera was, and with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

_EXACT = 0.02
"""What part of the largest entry of a matrix is nothing."""
_MOST_WIDENED = 4


@dataclass(frozen=True)
class Turn:
    """How a stored frame becomes upright: rows and columns change roles, then it is mirrored."""

    transposed: bool = False
    across: bool = False
    down: bool = False
    note: str = ""

    def of(self, pixels: Pixels) -> Pixels:
        """The upright frame, H W C."""
        turned = pixels.transpose(1, 0, 2) if self.transposed else pixels
        return np.ascontiguousarray(turned[:: -1 if self.down else 1, :: -1 if self.across else 1])


def turn_of(frame: Any) -> Turn:
    """How a decoded frame is to be turned, by the display matrix of its file (ISO 14496-12, 8.3.2): a point x to the
    right and y down is shown at (a x + c y, b x + d y). Quarter turns and mirrors are undone exactly; of another angle
    the note says that it is not."""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return Turn()
    a, b, _, c, d = np.frombuffer(bytes(found), np.int32)[:5].astype(float) / 2**16
    largest = max(map(abs, (a, b, c, d)))
    if not largest:
        return Turn()
    near = [abs(each) / largest < _EXACT for each in (a, b, c, d)]
    if near not in ([False, True, True, False], [True, False, False, True]):
        angle = f"{np.degrees(np.arctan2(b, a)):.0f}"
        return Turn(note=f"the file says that it is turned by {angle} degrees: it is read as it is stored")
    return Turn(transposed=near[0], across=(c if near[0] else a) < 0, down=(b if near[0] else d) < 0)


def square(width: int, height: int, aspect: Fraction | None) -> tuple[int, int, str]:
    """The size of a frame with square pixels, of which none is lost; and a note where the file cannot mean it.

    `aspect` is the width of a stored pixel over its height.
    """
    if not aspect or aspect == 1:
        return width, height, ""
    if not Fraction(1, _MOST_WIDENED) <= aspect <= _MOST_WIDENED:
        return width, height, f"the file says that its pixels are {aspect} as wide as high: they are taken as square"
    if aspect > 1:
        return round(width * aspect), height, ""
    return width, round(height / aspect), ""
