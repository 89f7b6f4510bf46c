"""What one key may still do: a token bucket for its rate, counters for its day, and what its answers hold meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glassworks.errors import InputError, LimitExceeded, QuotaSpent
from glassworks.serving.access.clock import Day, day_text
from glassworks.serving.access.keys import Key
from glassworks.serving.access.segments import Sums

_SOON_S = 1
"""When something that is under way may have ended."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a key may still do today; None where it has no such limit.

    For headers such as `x-ratelimit-limit-tokens`, `x-ratelimit-remaining-tokens` and `x-ratelimit-reset-tokens`:
    `tokens_per_day`, `tokens` and `reset_s`, and so on of requests. `tokens` does not count what answers that are under
    way have reserved. `reset_s` is when the day ends. A key with a rate and no limit of its day has `requests_per_s`.
    """

    requests_per_day: int | None
    requests: int | None
    tokens_per_day: int | None
    tokens: int | None
    reset_s: float
    requests_per_s: float | None


class Allowance:
    """The changing side of a key's limits; it counts what was admitted, and what is refused costs nothing.

    The bucket holds at most `max(1, 2 * requests_per_s)` requests, is full at first and fills at `requests_per_s`.
    A day begins at midnight in UTC, and only goes forward. Times are arguments: monotonic seconds for the bucket,
    seconds since 1970 for the day. Tokens are of prompts and answers; those that answers may still use are `reserved`.
    """

    __slots__ = (
        "_burst", "_day", "_filled_s", "_key", "_level", "_rate", "requests", "reserved", "rows", "streams", "tokens",
    )  # fmt: skip

    def __init__(self, key: Key, monotonic_s: float) -> None:
        self._key, self._rate = key, key.requests_per_s
        self._burst = self._level = max(1.0, 2.0 * (self._rate or 0.0))
        self._filled_s, self._day = monotonic_s, Day()
        self.requests = self.rows = self.tokens = 0
        self.reserved = self.streams = 0

    def start(self, day: int, monotonic_s: float, used: Sums) -> None:
        """Begin a day with what was used of it before this process."""
        self._day.start(day, monotonic_s)
        self.requests, self.rows, self.tokens = used.requests, used.rows, used.tokens

    def take(self, rows: int, monotonic_s: float, wall_s: float) -> None:
        """Admit one request of `rows` rows. Raises LimitExceeded with the time after which it would be admitted."""
        self.expect(rows, monotonic_s, wall_s)
        self._level -= 1.0
        self.requests += 1
        self.rows += rows

    def give_back(self, rows: int) -> None:
        """Count a request that was admitted as none of the day."""
        self.requests, self.rows = max(0, self.requests - 1), max(0, self.rows - rows)

    def expect(self, rows: int, monotonic_s: float, wall_s: float) -> None:
        """Raise what `take` would raise, and count nothing."""
        rate = self._rate
        if rate is not None:
            # A clock that was read out of order must not empty the bucket.
            passed_s = max(0.0, monotonic_s - self._filled_s)
            self._level = min(self._burst, self._level + passed_s * rate)
            self._filled_s += passed_s
            if self._level < 1.0:
                raise self._too_fast(rate)
        self.turn(monotonic_s, wall_s)
        key = self._key
        if key.requests_per_day is not None and self.requests >= key.requests_per_day:
            wait_s = self._day.left_s(wall_s, monotonic_s)
            raise self._spent(wait_s, f"{key.requests_per_day} requests", "ask again tomorrow")
        if key.rows_per_day is not None and self.rows + rows > key.rows_per_day:
            wait_s = self._day.left_s(wall_s, monotonic_s)
            raise self._spent(wait_s, f"{key.rows_per_day} rows", self._fewer_rows(key.rows_per_day))

    def turn(self, monotonic_s: float, wall_s: float) -> None:
        """Begin another day where it is time."""
        if self._day.turn(wall_s, monotonic_s):
            self.requests = self.rows = self.tokens = 0

    def left(self, monotonic_s: float, wall_s: float) -> Left:
        """What it may still do today."""
        self.turn(monotonic_s, wall_s)
        key, tokens = self._key, self.tokens + self.reserved
        return Left(
            requests_per_day=key.requests_per_day,
            requests=None if key.requests_per_day is None else max(0, key.requests_per_day - self.requests),
            tokens_per_day=key.tokens_per_day,
            tokens=None if key.tokens_per_day is None else max(0, key.tokens_per_day - tokens),
            reset_s=self._day.left_s(wall_s, monotonic_s),
            requests_per_s=key.requests_per_s,
        )

    def begin_streams(self, wanted: int) -> int:
        """Let so many answers be under way, or as many as may be; at least one. Raises LimitExceeded."""
        most = self._key.concurrent_streams
        free = wanted if most is None else min(wanted, most - self.streams)
        if free < 1:
            raise LimitExceeded(
                f"the key '{self._key.name}' may have {most} answers under way, and has {self.streams}",
                "wait for one of them, or ask for a key with a higher limit",
                _SOON_S,
            )
        self.streams += free
        return free

    def reserve(self, prompt: int, answer: int, monotonic_s: float, wall_s: float) -> None:
        """Set tokens aside for an answer: all that it may use. Raises InputError and LimitExceeded."""
        self.turn(monotonic_s, wall_s)
        key, wanted = self._key, prompt + answer
        if key.max_context is not None and wanted > key.max_context:
            raise InputError(
                f"context_length_exceeded: the key '{key.name}' allows {key.max_context} tokens of prompt and answer, "
                f"these may be {prompt} and {answer}",
                f"ask for at most {max(0, key.max_context - prompt)} tokens with max_tokens, or send a shorter prompt",
            )
        if key.tokens_per_day is not None and self.tokens + self.reserved + wanted > key.tokens_per_day:
            raise self._too_many(prompt, answer, key.tokens_per_day, self._day.left_s(wall_s, monotonic_s))
        self.reserved += wanted

    def _too_many(self, prompt: int, answer: int, limit: int, left_s: float) -> LimitExceeded:
        left = max(0, limit - self.tokens - self.reserved)
        # What others have reserved may be given back soon.
        soon = self.tokens + prompt + answer <= limit
        wait_s = _SOON_S if soon else max(1, math.ceil(left_s))
        reserved = f", {self.reserved} more are reserved by answers under way" if self.reserved else ""
        fewer = f"ask for at most {left - prompt} tokens with max_tokens" if left > prompt else "send a shorter prompt"
        kind = LimitExceeded if soon else QuotaSpent
        return kind(
            f"the key '{self._key.name}' may use {limit} tokens a day; on {day_text(self._day.number)} (UTC) it has "
            f"used {self.tokens}{reserved}, {left} are left; the prompt has {prompt} and the answer may have {answer}",
            f"{fewer}, try again in {wait_s} s, or ask for a key with a larger quota",
            wait_s,
        )

    def _too_fast(self, rate: float) -> LimitExceeded:
        wait_s = max(1, math.ceil((1.0 - self._level) / rate))
        return LimitExceeded(
            f"the key '{self._key.name}' may send {rate:g} requests a second",
            f"try again in {wait_s} s, or ask for a key with a higher rate",
            wait_s,
        )

    def _fewer_rows(self, rows_per_day: int) -> str:
        left = rows_per_day - self.rows
        return f"send at most {left} rows more today" if left else "send further rows tomorrow"

    def _spent(self, left_s: float, quota: str, mend: str) -> QuotaSpent:
        wait_s = max(1, math.ceil(left_s))
        return QuotaSpent(
            f"the key '{self._key.name}' may send {quota} a day; on {day_text(self._day.number)} (UTC) it has sent "
            f"{self.requests} requests with {self.rows} rows",
            f"{mend}, which begins in {wait_s} s, or ask for a key with a larger quota",
            wait_s,
        )
