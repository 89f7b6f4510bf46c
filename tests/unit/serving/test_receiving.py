"""The memory for what has not arrived whole is shared: whoever holds most gives up first."""

from __future__ import annotations

from glassworks.serving.transports.receiving import Receiving


class Connection:
    def __init__(self) -> None:
        self.gave_up = 0

    def give_up(self) -> None:
        self.gave_up += 1


def test_the_largest_gives_up_and_small_ones_never() -> None:
    receiving = Receiving(100)
    slow, small = Connection(), Connection()
    receiving.grown(slow, 90)
    receiving.grown(small, 10)
    assert receiving.total_bytes == 100
    receiving.grown(small, 1)
    assert (slow.gave_up, small.gave_up, receiving.total_bytes) == (1, 0, 11)


def test_one_alone_over_the_limit_gives_up_itself() -> None:
    receiving = Receiving(100)
    only = Connection()
    receiving.grown(only, 101)
    assert only.gave_up == 1
    assert receiving.total_bytes == 0


def test_what_went_on_counts_no_longer() -> None:
    receiving = Receiving(100)
    one = Connection()
    receiving.grown(one, 60)
    receiving.released(one)
    receiving.released(one)
    receiving.grown(one, 60)
    assert (one.gave_up, receiving.total_bytes) == (0, 60)
