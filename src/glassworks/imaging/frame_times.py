"""When the frames of a video are shown: times that grow, also where the file has none or begins them again."""

from __future__ import annotations

from fractions import Fraction

_MOST_S = 10
"""Seconds: a longer step forward in a transport stream is where two of them were joined, as FFmpeg has it too."""


class FrameTimes:
    """Times in ticks of `time_base` since the beginning, one after the other; `notes` say where they are made up."""

    def __init__(self, time_base: Fraction, start: int, rate: Fraction, joins: bool) -> None:
        """`start` is the first time of the file, `rate` its frames a second; of a file that `joins` recordings, a long
        step is no pause."""
        self._start, self._usual = start, max(1, round(1 / rate / time_base))
        self._longest = round(_MOST_S / time_base) if joins else 0
        self._time_base = time_base
        self._last: int | None = None
        self._step = self._usual
        self._without = self._begun_again = self._count = 0

    def next(self, given: int | None, lasts: int | None) -> int:
        """The time of the next frame: `given` by the file unless that is None; it `lasts` so many ticks, as far as the
        file says."""
        self._count += 1
        follows = 0 if self._last is None else self._last + self._step
        if given is None:
            self._without += 1
            time = follows
        else:
            time = max(0, given - self._start)
            if self._last is not None:
                time = self._behind(time, self._last, follows)
        self._last, self._step = time, lasts or self._usual
        return time

    def _behind(self, time: int, last: int, follows: int) -> int:
        """A time that the file gives, behind the one before."""
        jumps = self._longest and time - last > self._longest
        if last - time > self._step or jumps:
            # Another recording begins: it follows the one before.
            self._begun_again += 1
            self._start += time - follows
            return follows
        return max(time, last + 1)

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the times."""
        found = []
        gap = f"{float(self._usual * self._time_base):.4g} s"
        if self._without == self._count and self._count:
            found.append(f"the file holds no times: they are made up, {gap} from frame to frame")
        elif self._without:
            found.append(f"{self._without:,} frames have no time: they follow the ones before")
        if self._begun_again:
            parts = self._begun_again + 1
            found.append(f"the times begin again, as in {parts} joined recordings: each is put behind the one before")
        return tuple(found)
