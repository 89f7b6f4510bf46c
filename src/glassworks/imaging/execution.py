"""Runs a pipeline with OpenCV: in strips of rows that stay in the cache.

A chain of operators that look only a few rows away is run strip by strip: what lies between its steps is then as small
as a strip, so it is read from the cache, and its memory is used again and again. Each result is computed with as many
rows more as later steps look away. At a picture's edge the strips end too, so borders are as they were.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from glassworks.errors import InputError
from glassworks.imaging.operator import as_opencv, with_channels
from glassworks.imaging.pipeline import Pipeline, Step

if TYPE_CHECKING:
    from glassworks.imaging.operator import Pixels

_STRIP_BYTES = 768 * 1024
"""Of one result: the strips of a few results together fit into a core's L2 cache."""
_LEAST_ROWS = 16


class Execution:
    """A pipeline made ready. Safe to share between threads; `threads` strips are computed at a time."""

    def __init__(self, pipeline: Pipeline, threads: int = 1) -> None:
        self.pipeline = pipeline
        self._beyond = _beyond(pipeline)
        self._scratch = threading.local()
        self._pool = ThreadPoolExecutor(threads, "strips") if threads > 1 and self._beyond is not None else None

    def run(self, picture: Pixels) -> Pixels:
        """H W C in, H W C out. Raises InputError for a picture that an operator refuses."""
        import cv2

        try:
            if self._beyond is None:
                return reference(self.pipeline, picture)
            return self._strips(picture, self._beyond)
        except cv2.error as error:
            height, width = picture.shape[:2]
            raise InputError(
                f"OpenCV cannot run the pipeline on a picture of {width} x {height} pixels: {error.err or error}",
                "give a larger picture, or correct the pipeline",
            ) from None

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _strips(self, picture: Pixels, beyond: Sequence[int]) -> Pixels:
        height, width = picture.shape[:2]
        largest = max(step.kind.channels * np.dtype(step.kind.depth).itemsize for step in self.pipeline.steps)
        rows = max(_LEAST_ROWS, 4 * beyond[0], _STRIP_BYTES // (width * largest))
        if rows >= height:
            return reference(self.pipeline, picture)
        given = as_opencv(np.ascontiguousarray(picture))
        out = np.empty((height, width, self.pipeline.kind.channels), self.pipeline.kind.depth)

        def strip(begin: int) -> None:
            self._strip(given, as_opencv(out), begin, min(begin + rows, height), beyond)

        begins = range(0, height, rows)
        for _ in map(strip, begins) if self._pool is None else self._pool.map(strip, begins):
            pass
        return out

    def _strip(self, picture: Pixels, out: Pixels, begin: int, end: int, beyond: Sequence[int]) -> None:
        """Compute the rows `begin` to `end` of the answer into `out`."""
        height, results, firsts = len(picture), [picture], [0]
        # `firsts`: the row of the picture at which each result begins.
        for number, step in enumerate(self.pipeline.steps, start=1):
            low, high = max(0, begin - beyond[number]), min(height, end + beyond[number])
            reach = step.operator.reach or 0
            first, last = max(0, low - reach), min(height, high + reach)
            given = [results[taken][first - firsts[taken] : last - firsts[taken]] for taken in step.takes]
            final = number == len(self.pipeline.steps) and reach == 0
            into = out[begin:end] if final else self._buffer(number, step, last - first, picture.shape[1])
            made = step.operator.into(into, *given)
            results.append(made[low - first : high - first])
            firsts.append(low)
        if not np.may_share_memory(results[-1], out):
            out[begin:end] = results[-1]

    def _buffer(self, number: int, step: Step, rows: int, width: int) -> Pixels:
        """Memory of this thread for a strip of a result."""
        buffers: dict[int, Pixels] = self._scratch.__dict__.setdefault("buffers", {})
        found = buffers.get(number)
        if found is None or len(found) < rows or found.shape[1] != width:
            shape = (rows, width) if step.kind.channels == 1 else (rows, width, step.kind.channels)
            found = buffers[number] = np.empty(shape, step.kind.depth)
        return found[:rows]


def reference(pipeline: Pipeline, picture: Pixels) -> Pixels:
    """The whole picture (H W C) with OpenCV, step by step: the reference for faster ways."""
    results = [as_opencv(np.ascontiguousarray(picture))]
    for step in pipeline.steps:
        results.append(step.operator.apply(*[results[number] for number in step.takes]))
    return with_channels(results[-1])


def _beyond(pipeline: Pipeline) -> Sequence[int] | None:
    """How many rows beyond those of the answer each result needs; None where a strip is not enough."""
    beyond = [0] * (len(pipeline.steps) + 1)
    for number in range(len(pipeline.steps), 0, -1):
        operator = pipeline.steps[number - 1].operator
        if operator.reach is None or not operator.keeps_size:
            return None
        for taken in pipeline.steps[number - 1].takes:
            beyond[taken] = max(beyond[taken], beyond[number] + operator.reach)
    return beyond
