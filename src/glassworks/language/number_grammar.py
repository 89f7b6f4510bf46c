"""Grammars of whole and other numbers between bounds, in XGrammar's EBNF."""

from __future__ import annotations

from collections.abc import Iterator

MOST_DIGITS = 16
"""More than fit into a double are not written."""
_FRACTION = f'"." [0-9]{{0,{MOST_DIGITS - 2}}} [1-9]'


def whole(least: int | None, most: int | None) -> str:
    """Whole numbers from `least` to `most`; empty where there are none."""
    parts = []
    if least is None or least < 0:
        below = _natural(1 if most is None or most >= 0 else -most, None if least is None else -least)
        parts += [f'"-" ({below})'] if below else []
    if most is None or most >= 0:
        parts.append(_natural(max(least or 0, 0), most))
    return " | ".join(part for part in parts if part)


def real(least: int | None, most: int | None, *, open_least: bool = False, open_most: bool = False) -> str:
    """Numbers from `least` to `most`, without the open ends; empty where there are none."""
    parts = [whole(_plus(least, int(open_least)), _plus(most, -int(open_most)))]
    if most is None or most > 0:
        found = _natural(max(least or 0, 0), _plus(most, -1))
        parts += [f"({found}) {_FRACTION}"] if found else []
    if least is None or least < 0:
        found = _natural(max(-(most or 0), 0), None if least is None else -least - 1)
        parts += [f'"-" ({found}) {_FRACTION}'] if found else []
    return " | ".join(part for part in parts if part)


def _plus(bound: int | None, more: int) -> int | None:
    return None if bound is None else bound + more


def _natural(least: int, most: int | None) -> str:
    """From `least` (0 or more) to `most`."""
    if most is None:
        return _unbounded(least)
    return " | ".join(_spans(least, most)) if least <= most else ""


def _unbounded(least: int) -> str:
    if least == 0:
        return f'"0" | [1-9] [0-9]{{0,{MOST_DIGITS - 1}}}'
    digits = len(str(least))
    longer = f" | [1-9] [0-9]{{{digits},{max(MOST_DIGITS - 1, digits)}}}"
    return " | ".join(_spans(least, 10**digits - 1)) + longer


def _spans(least: int, most: int) -> Iterator[str]:
    """Numbers of one length after another."""
    for digits in range(len(str(least)), len(str(most)) + 1):
        low, high = max(least, 10 ** (digits - 1) if digits > 1 else 0), min(most, 10**digits - 1)
        yield from _equal_length(str(low), str(high))


def _equal_length(low: str, high: str) -> Iterator[str]:
    """Texts of digits between two of one length, both included."""
    if low == "0" * len(low) and high == "9" * len(high):
        yield f"[0-9]{{{len(low)}}}" if low else '""'
    elif len(low) == 1:
        yield f"[{low}-{high}]"
    elif low[0] == high[0]:
        yield from (f'"{low[0]}" {rest}' for rest in _equal_length(low[1:], high[1:]))
    else:
        nines, zeros = "9" * (len(low) - 1), "0" * (len(low) - 1)
        first, last = int(low[0]), int(high[0])
        if low[1:] != zeros:
            yield from (f'"{first}" {rest}' for rest in _equal_length(low[1:], nines))
            first += 1
        if high[1:] != nines:
            yield from (f'"{last}" {rest}' for rest in _equal_length(zeros, high[1:]))
            last -= 1
        if first <= last:
            yield f"[{first}-{last}] [0-9]{{{len(zeros)}}}"
