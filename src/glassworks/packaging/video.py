"""A whole video through a model: read, answered and written at the same time, in order, with constant memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from glassworks.contracts import Progress
from glassworks.imaging.stages import run_stages
from glassworks.imaging.video import Frame, VideoReader, VideoWriter
from glassworks.packaging.frames import Seen, Watcher
from glassworks.packaging.opened import OpenedBundle

OnAnswer = Callable[[dict[str, Any]], None]
_REPORT_EVERY = 10


def watch(
    opened: OpenedBundle,
    source: str,
    output: Path | None,
    progress: Progress,
    *,
    smoothing: float = 0.0,
    limit: int | None = None,
    on_answer: OnAnswer | None = None,
) -> dict[str, Any]:
    """`frames`, `broken`, `seconds` of computing, `frames_per_s`, of a classifier `clip`, its answer for all; `notes`.

    At most `limit` frames. `on_answer` gets each answer with its `frame` and `time_s`. What is shown goes to `output`,
    which appears whole or not at all. Raises InputError and Unsupported.
    """
    watcher = Watcher(opened, smoothing)
    with contextlib.closing(VideoReader(source)) as reader:
        known = [each for each in (reader.frames, limit) if each]
        progress.start("video", min(known) if known else None)
        writer = VideoWriter(output, reader.time_base, reader.rate) if output else None
        sink = _Sink(reader, writer, on_answer, progress)
        try:
            run_stages(islice(iter(reader), limit), lambda frame: (frame, watcher.see(frame.pixels)), sink)
        except BaseException:
            if writer is not None:
                writer.give_up()
            raise
        if writer is not None:
            writer.finish()
    return sink.summary(watcher.clip)


class _Sink:
    """Takes each answered frame: writes it, passes its answer on, counts it."""

    def __init__(
        self, reader: VideoReader, writer: VideoWriter | None, on_answer: OnAnswer | None, progress: Progress
    ) -> None:
        self._reader, self._writer, self._on_answer, self._progress = reader, writer, on_answer, progress
        self._begun, self._count = time.monotonic(), 0

    def __call__(self, pair: tuple[Frame, Seen]) -> None:
        frame, seen = pair
        if self._writer is not None:
            self._writer.write(seen.shown, frame.time)
        if self._on_answer is not None:
            when = round(float(frame.time * self._reader.time_base), 6)
            self._on_answer({"frame": self._count, "time_s": when, **seen.answer})
        self._count += 1
        if self._count % _REPORT_EVERY == 0:
            rate = self._count / (time.monotonic() - self._begun)
            self._progress.update(step=self._count, examples_per_s=rate)

    def summary(self, clip: dict[str, Any] | None) -> dict[str, Any]:
        """The counts, the speed, and the answer for the whole clip."""
        seconds = time.monotonic() - self._begun
        count, broken, rate = self._count, self._reader.broken, round(self._count / seconds, 2)
        self._progress.finish(f"{count:,} frames, {broken} broken, {rate} frames/s")
        found: dict[str, Any] = {"frames": count, "broken": broken, "seconds": round(seconds, 3), "frames_per_s": rate}
        if notes := list(self._reader.notes):
            found["notes"] = notes
        return found if clip is None else {**found, "clip": clip}
