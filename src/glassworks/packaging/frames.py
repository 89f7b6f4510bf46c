"""A model on a video: each frame is answered and shown, smoothed over those before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Pictures
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
    (exponential smoothing, Brown 1956); 0 takes each frame alone. `clip` is the mean of all, not smoothed. Where a
    picture may have several labels the same goes for them: the clip has those that most frames have.
    """

    def __init__(self, opened: OpenedBundle, smoothing: float = 0.0) -> None:
        if not isinstance(opened.task, Pictures):
            raise Unsupported(f"a model for {opened.task.name} looks at no pictures", "give it what it takes")
        self._task, self._manifest, self._smoothing = opened.task, opened.manifest, smoothing
        self._session = opened.session("predict")
        self._smooth: dict[str, Pixels] = {}
        self._sum: dict[str, Pixels] = {}
        self._frames = 0

    def see(self, pixels: Pixels) -> Seen:
        """Answer one frame (uint8 H W 3)."""
        task, manifest = self._task, self._manifest
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
        return self._task.answer(means, self._manifest.labels)[0]

    def _smoothed(self, scores: dict[str, Pixels]) -> dict[str, Pixels]:
        """Values of each label, averaged over this frame and those before."""
        self._frames += 1
        for name, values in scores.items():
            now = np.asarray(values, np.float32)
            self._sum[name] = now + self._sum.get(name, 0)
            before = self._smooth.get(name, now)
            self._smooth[name] = np.asarray(self._smoothing * before + (1 - self._smoothing) * now, np.float32)
        return dict(self._smooth)
