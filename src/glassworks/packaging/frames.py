"""A model that looks at a video: each frame is answered, shown, and taken together with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import Unsupported
from glassworks.packaging.opened import OpenedBundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]


@dataclass(frozen=True)
class Seen:
    """`shown` is the frame as people look at it, uint8 H W C; `answer` what the model says about it."""

    shown: Pixels
    answer: dict[str, Any]


class Watcher:
    """Answers frames one after the other.

    Probabilities are smoothed over time: a frame's are `smoothing` times those before it and the rest its own
    (exponential smoothing, Brown 1956); 0 looks at each frame alone. `clip` is the mean of all, not smoothed. So are
    the labels that a picture may have several of: one is told where most of the frames have it.
    """

    def __init__(self, opened: OpenedBundle, smoothing: float = 0.0) -> None:
        if not opened.task.pictures:
            raise Unsupported(f"a model for {opened.task.name} looks at no pictures", "give it what it takes")
        self._opened, self._smoothing = opened, smoothing
        self._session = opened.session("predict")
        self._smooth: dict[str, Pixels] = {}
        self._sum: dict[str, Pixels] = {}
        self._frames = 0

    def see(self, pixels: Pixels) -> Seen:
        """Answer one frame (uint8 H W 3)."""
        task, manifest = self._opened.task, self._opened.manifest
        tensors = task.encode(task.fit(pixels, manifest.preprocessing)[None], manifest.preprocessing)
        outputs = dict(self._session.run(tensors))
        if manifest.labels:
            size = next(iter(outputs.values())).shape
            outputs |= self._smoothed({name: each for name, each in outputs.items() if each.shape == size})
        answer = task.answer(outputs, manifest.labels)[0]
        return Seen(task.show(pixels, outputs, answer), answer)

    @property
    def clip(self) -> dict[str, Any] | None:
        """The answer for all frames together, where the model tells classes."""
        if not self._sum:
            return None
        means = {name: each / self._frames for name, each in self._sum.items()}
        return self._opened.task.answer(means, self._opened.manifest.labels)[0]

    def _smoothed(self, told: dict[str, Pixels]) -> dict[str, Pixels]:
        """What is told of each label, after what was told before."""
        self._frames += 1
        for name, values in told.items():
            now = np.asarray(values, np.float32)
            self._sum[name] = now + self._sum.get(name, 0)
            before = self._smooth.get(name, now)
            self._smooth[name] = np.asarray(self._smoothing * before + (1 - self._smoothing) * now, np.float32)
        return dict(self._smooth)
