"""Grammars of numbers hold all numbers between their bounds as they are written, and no others."""

from __future__ import annotations

import re
from fractions import Fraction

from hypothesis import given, strategies as st

from glassworks.language.number_grammar import real, whole

BOUNDS = st.one_of(st.none(), st.integers(-3000, 3000), st.sampled_from([0, 1, -1, 10, 99, 100, -100, 9999]))


def expression(grammar: str) -> re.Pattern[str]:
    """The same language as a regular expression."""
    return re.compile(grammar.replace('"."', r"\.").replace('"', "").replace(" ", ""))


@given(BOUNDS, BOUNDS, st.lists(st.integers(-12_000, 12_000), max_size=50))
def test_whole_numbers(least: int | None, most: int | None, numbers: list[int]) -> None:
    grammar = whole(least, most)
    edges = [edge + step for edge in (least, most) if edge is not None for step in (-1, 0, 1)]
    for number in [*numbers, *edges]:
        inside = (least is None or number >= least) and (most is None or number <= most)
        assert bool(grammar and expression(grammar).fullmatch(str(number))) == inside
    assert not grammar or not any(expression(grammar).fullmatch(text) for text in ("-0", "01", "-", "+1"))


@given(BOUNDS, BOUNDS, st.booleans(), st.booleans(), st.lists(st.integers(-40_000, 40_000), max_size=50))
def test_numbers(least: int | None, most: int | None, above: bool, below: bool, tenths: list[int]) -> None:
    grammar = real(least, most, open_least=above, open_most=below)
    edges = [10 * edge + step for edge in (least, most) if edge is not None for step in (-1, 0, 1)]
    for tenth in [*tenths, *edges]:
        value = Fraction(tenth, 10)
        text = str(int(value)) if value.denominator == 1 else f"{'-' * (tenth < 0)}{abs(tenth) // 10}.{abs(tenth) % 10}"
        low = least is None or value > least or (value == least and not above)
        high = most is None or value < most or (value == most and not below)
        assert bool(grammar and expression(grammar).fullmatch(text)) == (low and high), text
