"""What many follow is looked at once, and only while somebody follows."""

from __future__ import annotations

import asyncio
from typing import Any

from glassworks.control.counting import Counted, Sample, percentile_ms
from glassworks.control.sampling import Sampler
from glassworks.control.watching import Watched
from glassworks.errors import StorageError
from glassworks.serving.core.statistics import LATENCY_S, Histogram


def test_five_consoles_are_one_look() -> None:
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        return looks

    async def console(watched: Watched[int]) -> int | None:
        seen = None
        following = watched.follow()
        async for seen in following:
            if seen is not None and seen >= 3:
                break
        await following.aclose()
        return seen

    async def run() -> None:
        watched = Watched(look, 0.05)
        assert await asyncio.gather(*(console(watched) for _ in range(5))) == [3] * 5
        before = looks
        await asyncio.sleep(0.2)
        assert looks == before
        assert await console(watched) is not None

    asyncio.run(run())


def test_a_look_that_fails_is_taken_again() -> None:
    looks: list[Any] = [StorageError("gone", "wait"), 7]

    def look() -> int:
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return int(found)

    async def run() -> int | None:
        following = Watched(look, 0.01).follow()
        seen = await anext(following)
        await following.aclose()
        return seen

    assert asyncio.run(run()) == 7


def test_percentiles_of_a_histogram() -> None:
    found = Histogram(tuple(int(bound * 1e9) for bound in LATENCY_S))
    assert percentile_ms(found.bounds, found.counts, 0.5) is None
    for milliseconds in (3, 4, 60):
        found.add(milliseconds * 1_000_000)
    median, last = (percentile_ms(found.bounds, found.counts, part) for part in (0.5, 0.99))
    assert median is not None
    assert last is not None
    assert 2.5 <= median <= 5.0
    assert 50 <= last <= 100
    found.add(10**12)
    assert percentile_ms(found.bounds, found.counts, 1.0) == 10_000


class Moments:
    """In place of a running service: samples that are given."""

    def __init__(self, *samples: Sample) -> None:
        self.samples = list(samples)

    def ask(self, work: object) -> Sample:
        return self.samples.pop(0)


def counted(requests: int, errors: int = 0, tokens: int = 0, latency: tuple[int, ...] = (0, 0)) -> Counted:
    return Counted(
        *(
            "digits",
            "1",
            requests,
            errors,
            requests,
            0,
            0,
            0,
            tokens,
            0,
            0,
            latency,
            (0, 0),
            (),
            0,
            0,
            0,
            (10**6,),
            (10**6,),
        )
    )


def test_rates_are_those_of_the_last_seconds_and_survive_a_reload() -> None:
    samples = (
        Sample(0.0, 100.0, [counted(10)]),
        Sample(2.0, 102.0, [counted(30, 4, 50, (20, 0))]),
        Sample(3.0, 103.0, [counted(1)]),
    )
    sampler = Sampler(Moments(*samples), None)  # type: ignore[arg-type]
    (first,) = sampler.look().models
    assert (first.requests, first.requests_per_s, first.p50_ms) == (10, None, None)
    (second,) = sampler.look().models
    assert (second.requests_per_s, second.errors_per_s, second.tokens_per_s, second.p50_ms) == (10.0, 2.0, 25.0, 0.5)
    (third,) = sampler.look().models
    assert (third.requests, third.requests_per_s) == (1, None)
