"""Takes the gradient of a pipeline's answer back to the pixels, and finds which pixels it can depend on at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassworks.imaging.pipeline import Pipeline

if TYPE_CHECKING:
    from glassworks.imaging.operator import Floats, Mask, Pull


@dataclass(frozen=True)
class Region:
    """A box of an answer, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def rows(self) -> slice:
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.x, self.x + self.width)


class Traced:
    """One picture (float32 H W C) that went through a pipeline in real numbers."""

    def __init__(self, pipeline: Pipeline, picture: Floats) -> None:
        self._pipeline = pipeline
        self.values: list[Floats] = [picture]
        self._pulls: list[Pull] = []
        for step in pipeline.steps:
            value, pull = step.operator.differentiate(*[self.values[number] for number in step.takes])
            self.values.append(np.asarray(value, np.float32))
            self._pulls.append(pull)

    def score(self, region: Region) -> float:
        """The mean of the answer in the region; where the last step decides, of the values before that."""
        return float(self.values[-1][region.rows, region.columns].mean())

    def gradient(self, region: Region) -> Floats:
        """Of the score, by pixel (H W C)."""
        last = np.zeros_like(self.values[-1])
        part = last[region.rows, region.columns]
        part[...] = 1 / part.size
        gradients: list[Floats | None] = [None] * len(self.values)
        gradients[-1] = last
        for number in range(len(self._pulls), 0, -1):
            gradient = gradients[number]
            if gradient is None:
                continue
            for taken, back in zip(
                self._pipeline.steps[number - 1].takes, self._pulls[number - 1](gradient), strict=True
            ):
                own = gradients[taken]
                gradients[taken] = back if own is None else own + back
        found = gradients[0]
        return np.zeros_like(self.values[0]) if found is None else np.asarray(found, np.float32)

    def field(self, region: Region) -> Mask:
        """The pixels (H W) that can change the region."""
        masks: list[Mask] = [np.zeros(value.shape[:2], np.bool_) for value in self.values]
        masks[-1][region.rows, region.columns] = True
        for number in range(len(self._pulls), 0, -1):
            step = self._pipeline.steps[number - 1]
            for taken in step.takes:
                size = self.values[taken].shape
                masks[taken] |= step.operator.field(masks[number], (size[0], size[1]))
        return masks[0]
