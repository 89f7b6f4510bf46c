"""Pictures as explainers see them: the pixels of a classifier; planes of real numbers of an operator, whose only
score is the mean of a region of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Session, Signature, Subject, TensorSpec, View
from glassworks.errors import InputError

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors
    from glassworks.imaging.differentiation import Region

    Floats = NDArray[np.float32]
_PLANES, _SCORES = "planes", "scores"
_WHITE = 1.0
_EIGHT_BITS = 255
_SEEN = 0.6
"""Of a level of 8 bits: gray of 0.5 lies between two of them."""
_TARGET = re.compile(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*(?:,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*)?", re.ASCII)
INPUT, OUTPUT = "image", "picture"
"""Names of the tensors of tasks that give pictures for pictures."""


class PictureSubject(Subject):
    """Pixels (1 C H W); the same for all explainers."""

    kind: ClassVar[str] = "pictures"

    def __init__(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> None:
        self.input, values = next(iter(tensors.items()))
        self._example = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(self._example).all():
            raise InputError(
                f"the input '{self.input}' holds values that are not finite", "send finite numbers to explain"
            )
        self._baseline, self._sessions = spread(baseline, self._example.shape, _WHITE), sessions
        self.baseline_to_try = _another(self._example, self._baseline, _WHITE)
        self.outputs = sessions("predict").run({self.input: self._example})

    def view(self, role: str) -> View:
        return View(session=self._sessions(role), example=self._example, baseline=self._baseline)


class RegionSubject(Subject):
    """The input N H W C becomes planes 1 C H W, as explainers and graders take pictures."""

    kind: ClassVar[str] = "regions"

    def __init__(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> None:
        self.input, values = next(iter(tensors.items()))
        self._depth = np.dtype(values.dtype)
        self._example = _planes(np.asarray(values, np.float32))
        given = np.moveaxis(np.asarray(baseline), -1, -3) if np.ndim(baseline) > 2 else baseline  # type: ignore[arg-type]
        most = float(np.iinfo(str(self._depth)).max)
        self._baseline, self._sessions = spread(given, self._example.shape, most), sessions
        self.baseline_to_try = _another(self._example, self._baseline, most)
        self.outputs = sessions("predict").run({self.input: values})
        self._region: Region | None = None

    def aim(self, target: int | str | None, labels: Sequence[str]) -> tuple[int, str]:
        """Column 0: the mean of a region. For None the brightest pixel of the answer, the middlemost of equals."""
        from glassworks.imaging.differentiation import Region

        picture = np.asarray(self.outputs[OUTPUT])[0]
        height, width = picture.shape[:2]
        region = Region(*(region_of(str(target)) if target is not None else (*_brightest(picture), 1, 1)))
        if region.x + region.width > width or region.y + region.height > height or 0 in (region.width, region.height):
            raise InputError(
                f"the target {target} does not lie in the answer, which has {width} x {height} pixels",
                f"give X,Y from 0,0 to {width - 1},{height - 1}, or a box X,Y,WIDTH,HEIGHT of at least one pixel in it",
            )
        self._region = region
        box = f"pixel {region.x},{region.y}"
        if region.width * region.height > 1:
            box = f"box {region.x},{region.y},{region.width},{region.height}"
        return 0, box

    def view(self, role: str) -> View:
        if self._region is None:
            self.aim(None, ())
        if self._region is None:
            raise InputError("the explanation has no target", "call aim first")
        kind = _GradientPlanes if role == "gradient" else _ScoredPlanes
        session = kind(self._sessions(role), self._region, self.input, self._depth)
        return View(session=session, example=self._example, baseline=self._baseline)

    def reported(self, values: Floats) -> Floats:
        """In the input's layout: 1 H W C."""
        return np.ascontiguousarray(np.moveaxis(values, 1, 3))


class _Planes(Session):
    """A session that takes planes (N C H W) and looks at one region."""

    def __init__(self, session: Session, region: Region, name: str, depth: np.dtype[Any]) -> None:
        self._session, self._region, self._name, self._depth = session, region, name, depth
        self.signature = Signature(
            inputs=(TensorSpec(name=_PLANES, datatype="FP32", shape=(-1, -1, -1, -1)),),
            outputs=(TensorSpec(name=_SCORES, datatype="FP32", shape=(-1, 1)),),
        )

    def _pictures(self, tensors: Tensors) -> Floats:
        return np.ascontiguousarray(np.moveaxis(np.asarray(tensors[_PLANES], np.float32), 1, 3))


class _ScoredPlanes(_Planes):
    """The served answer: pixels are rounded to what it takes."""

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        limits = np.iinfo(self._depth)
        found = []
        for picture in self._pictures(tensors):
            pixels = np.clip(np.rint(picture), limits.min, limits.max).astype(self._depth)
            answer = np.asarray(self._session.run({self._name: pixels[None]})[OUTPUT])[0]
            found.append([answer[self._region.rows, self._region.columns].mean(dtype=np.float64)])
        return {_SCORES: np.array(found, np.float32)}


class _GradientPlanes(_Planes):
    """The pipeline in real numbers: scores before the last decision, their gradient, and what can matter."""

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        region = self._region
        box = np.array([region.x, region.y, region.width, region.height], np.int64)
        found = self._session.run({self._name: self._pictures(tensors), "region": box}, outputs)
        return {name: values if name == _SCORES else _planes(values) for name, values in found.items()}


def _planes(values: Array) -> Floats:
    return np.ascontiguousarray(np.moveaxis(np.asarray(values, np.float32), 3, 1))


def _brightest(picture: Array) -> tuple[int, int]:
    """Its x and y; of equally bright ones, those of the one nearest to the middle."""
    light = np.asarray(picture, np.float32).sum(axis=2)
    rows, columns = np.nonzero(light == light.max())
    middle = (light.shape[0] - 1) / 2, (light.shape[1] - 1) / 2
    nearest = int(np.argmin((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2))
    return int(columns[nearest]), int(rows[nearest])


def spread(baseline: float | Array | None, shape: tuple[int, ...], most: float) -> NDArray[np.float32]:
    """A baseline (0 when None) in the shape of an example whose values lie from 0, black, to `most`, white.

    Raises InputError.
    """
    values = np.asarray(0.0 if baseline is None else baseline, np.float32)
    for value in values[~((values >= 0) & (values <= most))].ravel()[:1].tolist():
        nearest = f"; for {value:g} of 255 give {value / _EIGHT_BITS:.4g}" if 1 < value <= _EIGHT_BITS else ""
        raise InputError(
            f"the baseline is {value:g}, the pixels of this model lie from 0 (black) to {most:g} (white)",
            f"give a number from 0 to {most:g}, such as {most / 2:g} for gray{nearest}",
        )
    try:
        return np.ascontiguousarray(np.broadcast_to(values, shape))
    except ValueError:
        raise InputError(
            f"the baseline has the shape {list(values.shape)}, the input {list(shape)}",
            "give one number, or a tensor of the input's shape",
        ) from None


def _another(example: Floats, baseline: Floats, most: float) -> float | None:
    """White for a dark example and black for a bright one, where it is the baseline itself, as far as eyes can see."""
    if np.abs(example - baseline).max(initial=0) > _SEEN * most / _EIGHT_BITS:
        return None
    return 0.0 if example.mean() > most / 2 else most


def is_region(target: str) -> bool:
    """Whether it names a pixel or a box of a picture."""
    return _TARGET.fullmatch(target) is not None


def region_of(target: str) -> tuple[int, int, int, int]:
    """x, y, width and height that a target names. Raises InputError."""
    match = _TARGET.fullmatch(target)
    if match is None:
        raise InputError(f"the target is {target[:100]!r}", "give X,Y or X,Y,WIDTH,HEIGHT")
    x, y, width, height = (int(each or 1) for each in match.groups())
    return x, y, width, height
