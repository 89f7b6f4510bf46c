"""Runs a pipeline with OpenCV: in strips of rows that stay in the cache.

A chain of operators that look only a few rows away is run strip by strip: what lies between its steps is then as small
as a strip, so it is read from the cache and its memory is used again. Each strip is computed with as many rows more
as its steps look away, and these are cut off. At a picture's edge the strip ends too, so borders are as they were.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import InputError
from glassworks.imaging.operator import as_opencv, with_channels
from glassworks.imaging.pipeline import Pipeline

if TYPE_CHECKING:
    from glassworks.imaging.operator import Pixels

_STRIP_BYTES = 512 * 1024
"""Of one float32 row of results, about: a strip of each of several results fits into a core's second cache."""


class Execution:
    """A pipeline made ready. Safe to share between threads; `threads` strips are computed at a time."""

    def __init__(self, pipeline: Pipeline, threads: int = 1) -> None:
        self.pipeline = pipeline
        self._reach = _reach(pipeline)
        self._pool = ThreadPoolExecutor(threads, "strips") if threads > 1 and self._reach is not None else None

    def run(self, picture: Pixels) -> Pixels:
        """H W C in, H W C out. Raises InputError for a picture that an operator refuses."""
        import cv2

        given = as_opencv(np.ascontiguousarray(picture))
        try:
            if self._reach is None:
                return with_channels(_stepped(self.pipeline, given))
            return self._strips(given, self._reach)
        except cv2.error as error:
            height, width = given.shape[:2]
            raise InputError(
                f"OpenCV cannot run the pipeline on a picture of {width} x {height} pixels: {error.err or error}",
                "give a larger picture, or correct the pipeline",
            ) from None

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _strips(self, picture: Pixels, reach: int) -> Pixels:
        height, width = picture.shape[:2]
        kind = self.pipeline.kind
        channels = max(kind.channels, self.pipeline.picture.channels if self.pipeline.steps[0].kind.channels > 1 else 1)
        rows = max(16, 4 * reach, _STRIP_BYTES // (4 * width * channels))
        if rows >= height:
            return with_channels(_stepped(self.pipeline, picture))
        out = np.empty((height, width, kind.channels), kind.depth)
        flat = as_opencv(out)

        def strip(begin: int) -> None:
            end = min(begin + rows, height)
            low, high = max(0, begin - reach), min(height, end + reach)
            flat[begin:end] = _stepped(self.pipeline, picture[low:high])[begin - low : end - low]

        begins = range(0, height, rows)
        for _ in map(strip, begins) if self._pool is None else self._pool.map(strip, begins):
            pass
        return out


def reference(pipeline: Pipeline, picture: Pixels) -> Pixels:
    """What OpenCV makes of a whole picture (H W C), step by step: what all quicker ways are compared with."""
    return with_channels(_stepped(pipeline, as_opencv(np.ascontiguousarray(picture))))


def _stepped(pipeline: Pipeline, picture: Pixels) -> Pixels:
    results = [picture]
    for step in pipeline.steps:
        results.append(step.operator.apply(*[results[number] for number in step.takes]))
    return results[-1]


def _reach(pipeline: Pipeline) -> int | None:
    """How many rows away the answer looks at most, or None where a strip alone does not do."""
    reaches = [0]
    for step in pipeline.steps:
        own = step.operator.reach
        if own is None or not step.operator.keeps_size:
            return None
        reaches.append(own + max(reaches[number] for number in step.takes))
    return reaches[-1]
