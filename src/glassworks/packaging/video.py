"""A whole video through a model: read, answered and written at the same time, in order, with constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Progress
from glassworks.imaging.stages import run_stages
from glassworks.imaging.video import Frame, VideoReader, VideoWriter
from glassworks.packaging.frames import Seen, Watcher
from glassworks.packaging.opened import OpenedBundle

if TYPE_CHECKING:
    from fractions import Fraction

Told = Callable[[dict[str, Any]], None]
_TELL_EVERY = 10


def watch(
    opened: OpenedBundle,
    source: str,
    output: Path | None,
    progress: Progress,
    *,
    smoothing: float = 0.0,
    limit: int | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """`frames`, `broken`, `seconds` of computing and `frames_per_s`; of a classifier `clip`, its answer for all.

    At most `limit` frames. `told` hears each answer with its `frame` and `time_s`. What is shown goes to `output`,
    which appears whole or not at all. Raises InputError and Unsupported.
    """
    watcher, reader = Watcher(opened, smoothing), VideoReader(source)
    begun, count = time.monotonic(), 0
    known = [each for each in (reader.frames, limit) if each]
    progress.start("video", min(known) if known else None)
    try:
        writer = VideoWriter(output, reader.time_base, reader.rate) if output else None

        def write(pair: tuple[Frame, Seen]) -> None:
            nonlocal count
            frame, seen = pair
            if writer is not None:
                writer.write(seen.shown, frame.time)
            if told is not None:
                told({"frame": count, "time_s": _seconds(frame.time, reader.time_base), **seen.answer})
            count += 1
            if count % _TELL_EVERY == 0:
                progress.update(step=count, examples_per_s=count / (time.monotonic() - begun))

        try:
            run_stages(_frames(reader, limit), lambda frame: (frame, watcher.see(frame.pixels)), write)
        except BaseException:
            if writer is not None:
                writer.give_up()
            raise
        if writer is not None:
            writer.finish()
    finally:
        reader.close()
    seconds = time.monotonic() - begun
    progress.finish(f"{count:,} frames, {reader.broken} broken, {count / seconds:.1f} frames/s")
    found: dict[str, Any] = {
        "frames": count,
        "broken": reader.broken,
        "seconds": round(seconds, 3),
        "frames_per_s": round(count / seconds, 2),
    }
    return {**found, "clip": watcher.clip} if watcher.clip is not None else found


def _frames(reader: VideoReader, limit: int | None) -> Iterator[Frame]:
    return islice(iter(reader), limit)


def _seconds(time: int, base: Fraction) -> float:
    return round(float(time * base), 6)
