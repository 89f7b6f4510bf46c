"""Image to image: a picture goes in, a picture comes out; there is no right answer to learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement, Presentation, Session, Subject
from glassworks.errors import DataError, InputError
from glassworks.imaging.files import of_8_bits, read_picture, with_kind
from glassworks.imaging.subject import INPUT, OUTPUT, RegionSubject, is_region
from glassworks.tasks._pictures import PictureTask

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_SMALL = 48
_CLOSE = 1e-4
"""Fractions that differ by less, for their size, are the same."""


class ImageToImage(PictureTask):
    """A picture goes in, a picture comes out.

    `preprocessing` holds `channels`, `depth` and `usual_shape` (H W C). Pictures are stored as N H W C, and are sent
    as they are.
    """

    name: ClassVar[str] = "image-to-image"
    labelled: ClassVar[bool] = False
    metric: ClassVar[str] = "agreement"
    subject_kind: ClassVar[str] = RegionSubject.kind

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """A picture file as H W C of its own size. Raises InputError when it is none."""
        return read_picture(value, int(preprocessing["channels"]), preprocessing["depth"])

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`image`: the pixels, N H W C."""
        return {INPUT: np.ascontiguousarray(x, preprocessing["depth"])}

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        """Of the size that the job's pictures have."""
        return {INPUT: np.zeros((1, *preprocessing["usual_shape"]), preprocessing["depth"])}

    def measure(self, scores: Array, targets: NDArray[Any]) -> dict[str, Measurement]:
        """How far answers agree with the reference engine, OpenCV itself: there are no labels.

        `agreement` is the share of values that are equal (whole numbers exactly, others to 1e-4), `largest_difference`
        the largest of all. Whole pictures are compared, not a sample: the interval spans them, from the least to the
        largest value. Raises DataError when N is 0.
        """
        if not len(targets):
            raise DataError("there are no pictures to measure", "give a source with at least one picture")
        if scores.shape != targets.shape:
            raise DataError(
                f"answers have the shape {list(scores.shape)}, the reference {list(targets.shape)}",
                "package the model again",
            )
        found, wanted = scores.astype(np.float64), targets.astype(np.float64)
        difference = np.abs(found - wanted).reshape(len(wanted), -1)
        allowed = _CLOSE * (1 + np.abs(wanted)) if targets.dtype.kind == "f" else np.zeros_like(wanted)
        shares = (difference <= allowed.reshape(len(wanted), -1)).mean(axis=1)
        largest = difference.max(axis=1)
        return {
            "agreement": _spread(shares, float(shares.mean()), higher_is_better=True),
            "largest_difference": _spread(largest, float(largest.max()), higher_is_better=False),
        }

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        """One object a row: size, type and range of the picture, which itself is a file or a tensor."""
        return [_described(picture) for picture in np.asarray(outputs[OUTPUT])]

    def present(self, answer: Mapping[str, Any]) -> Presentation:
        size = " x ".join(str(answer[key]) for key in ("height", "width", "channels"))
        return Presentation(headline=f"picture of {size}", row=answer)

    def fit(self, pixels: Array, preprocessing: Mapping[str, Any]) -> Array:
        """In the channels and the depth that the pipeline takes."""
        return with_kind(pixels, int(preprocessing["channels"]), preprocessing["depth"])

    def show(self, pixels: Array, outputs: Tensors, answer: Mapping[str, Any]) -> Array:
        """The picture that came out, in 8 bits."""
        return of_8_bits(np.asarray(outputs[OUTPUT])[0])

    def target(self, asked: int | str | None, labels: Sequence[str]) -> int | str | None:
        """`X,Y` is a pixel of the answer, `X,Y,WIDTH,HEIGHT` a box of it. Raises InputError."""
        if asked is None or (isinstance(asked, str) and is_region(asked)):
            return asked
        raise InputError(
            f"the target is {str(asked)[:100]!r}", "give a pixel of the answer as X,Y or a box as X,Y,WIDTH,HEIGHT"
        )

    def small(self, x: Array) -> Array:
        """The left upper corner."""
        return x[:, :_SMALL, :_SMALL]

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        """The pixels themselves, in their own numbers."""
        return RegionSubject(tensors, sessions, baseline)


def _described(picture: NDArray[Any]) -> dict[str, Any]:
    import cv2

    height, width, channels = picture.shape
    least, most, _, _ = cv2.minMaxLoc(picture.reshape(height, -1))
    sizes = {"width": width, "height": height, "channels": channels, "datatype": str(picture.dtype)}
    return {**sizes, "minimum": float(least), "maximum": float(most)}


def _spread(values: NDArray[np.float64], value: float, *, higher_is_better: bool) -> Measurement:
    ends = float(values.min()), float(values.max())
    return Measurement(value=value, interval=ends, examples=len(values), higher_is_better=higher_is_better)
