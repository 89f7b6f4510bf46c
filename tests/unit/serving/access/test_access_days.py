"""Quotas and the ledger under a clock that is set back over midnight: no day comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st
from tests.unit.serving.access.hands import NOON_S

from glassworks.errors import LimitExceeded
from glassworks.serving.access.clock import DAY_S, Clock, Day, day_number
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger, Usage

QUOTA = 3
MIDNIGHT_S = NOON_S + DAY_S / 2


class Clocks:
    """Two clocks of which one can be set."""

    def __init__(self) -> None:
        self.passed_s, self.wall_s = 100.0, MIDNIGHT_S - 1

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.passed_s, lambda: self.wall_s)


class Shop:
    """A key with a quota, a gate and a ledger, all of which may begin anew."""

    def __init__(self, home: Path) -> None:
        self.clocks, self._home = Clocks(), home
        self._secret = KeyStore(home, self.clocks.clock).create("shop", requests_per_day=QUOTA)[1].encode()
        self.begin()

    def begin(self) -> None:
        self.ledger = Ledger(self._home, self.clocks.clock)
        self.gate = Gate(KeyStore(self._home, self.clocks.clock), self.ledger, self.clocks.clock, required=True)

    def admitted(self) -> int:
        """How many of many requests are let through, each of which is recorded."""
        count = 0
        for _ in range(2 * QUOTA):
            try:
                key_id = self.gate.admit(self._secret, "digits", 1).key_id
            except LimitExceeded as error:
                assert error.retry_after_s >= 1
                break
            self.ledger.record([Usage(key_id, "digits", "1")])
            count += 1
        return count


@pytest.fixture
def shop(home: Path) -> Shop:
    return Shop(home)


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "a restart at every step"])
def test_a_clock_that_goes_back_and_forth_renews_no_quota(restarts: bool, shop: Shop) -> None:
    counts = []
    for wall_s in (MIDNIGHT_S - 1, MIDNIGHT_S, MIDNIGHT_S - 1, MIDNIGHT_S, MIDNIGHT_S - 1):
        shop.clocks.wall_s = wall_s
        if restarts:
            shop.begin()
        counts.append(shop.admitted())
    assert counts == [QUOTA, QUOTA, 0, 0, 0]
    assert sum(total.requests for total in shop.ledger.totals()) == 2 * QUOTA


def test_a_key_that_used_nothing_after_midnight_gets_no_yesterday_again(shop: Shop) -> None:
    assert shop.admitted() == QUOTA
    shop.clocks.wall_s = MIDNIGHT_S
    shop.ledger.record([Usage("another", "digits", "1")])
    shop.clocks.wall_s = MIDNIGHT_S - 1
    shop.begin()
    assert shop.admitted() == QUOTA
    shop.clocks.wall_s = MIDNIGHT_S
    assert shop.admitted() == 0
    assert {(total.day, total.requests) for total in shop.ledger.totals() if total.key_id != "another"} == {
        ("2026-01-02", QUOTA),
        ("2026-01-03", QUOTA),
    }


def test_a_clock_that_was_years_ahead_does_not_lock_anybody_out(shop: Shop) -> None:
    shop.clocks.wall_s = MIDNIGHT_S + 1000 * DAY_S
    assert shop.admitted() == QUOTA
    shop.clocks.wall_s = MIDNIGHT_S
    assert shop.admitted() == 0
    shop.clocks.passed_s += DAY_S
    shop.clocks.wall_s += DAY_S
    assert shop.admitted() == QUOTA


@given(st.lists(st.tuples(st.integers(0, DAY_S), st.integers(0, 5 * DAY_S)), min_size=1, max_size=30))
@example([(0, 0), (0, DAY_S), (DAY_S, 0), (0, DAY_S)])  # set back for a whole day, and forward again
@example([(0, 3 * DAY_S), (DAY_S, 0), (0, DAY_S), (0, 2 * DAY_S), (0, 3 * DAY_S)])
def test_days_do_not_come_quicker_than_the_clock_has_ever_gone(steps: list[tuple[int, int]]) -> None:
    """Whatever the wall clock does: as many days begin as it reached new ones, and as really passed."""
    day, passed_s, turns, highest = Day(), 0, 0, -1
    new = 0
    for passing_s, wall_s in steps:
        passed_s += passing_s
        new += max(0, day_number(wall_s) - highest)
        highest = max(highest, day_number(wall_s))
        turns += day.turn(wall_s, passed_s)
        assert 0 < day.left_s(wall_s, passed_s) <= DAY_S or day.number * DAY_S > wall_s
    assert turns <= new + passed_s // DAY_S
