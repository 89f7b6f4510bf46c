"""A file of answers is whole or not there, and the same bytes wherever its writing was cut off."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from glassworks.errors import Cancelled, DataError, InputError, UnderWay
from glassworks.packaging.answered import Answering, Written, write_answers
from glassworks.progress import Silent

EXAMPLES, ROWS = 23, 4


class Killed(BaseException):
    """As a process that ends in the middle."""


class Asked:
    """Every seventh example cannot be read; the answer names the rows that were computed together."""

    def __init__(self, examples: int = EXAMPLES, killed_at: int | None = None) -> None:
        self.examples, self.killed_at, self.computed, self.read = examples, killed_at, 0, 0

    def inputs(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        for number in range(self.examples):
            yield f"a \udc80 {number}", partial(self._read, number)

    def _read(self, number: int) -> Any:
        self.read += 1
        if number % 7 == 3:
            raise InputError(f"{number} is broken", "replace it")
        return np.full((2, 2) if number % 5 else (3, 2), number)

    def answer(self, x: Any) -> Sequence[dict[str, Any]]:
        if any(row[0, 0] == self.killed_at for row in x):
            raise Killed
        if any(row[0, 0] == 8 for row in x):
            raise InputError("8 cannot be answered", "leave it out")
        self.computed += len(x)
        return [{"answer": {"with": x[:, 0, 0].tolist()}} for _ in x]

    def write(self, output: Path, progress: Any = None) -> Written:
        asked = Answering(stage="predict", inputs=self.inputs, answer=self.answer, rows=ROWS, key="k" * 64)
        return write_answers(asked, output, progress or Silent())


def beside(output: Path) -> Path:
    return output.with_name(f".{output.name}.{'k' * 12}.partial")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("whole") / "out.jsonl"
    assert Asked().write(output) == Written(examples=EXAMPLES, errors=4)
    assert not beside(output).exists()
    return output.read_bytes()


def test_a_line_for_each_example_in_order(whole: bytes) -> None:
    lines = [json.loads(line) for line in whole.splitlines()]
    assert [line["row"] for line in lines] == list(range(EXAMPLES))
    assert [line["name"] for line in lines] == [f"a \udc80 {number}" for number in range(EXAMPLES)]
    assert [line["row"] for line in lines if "error" in line] == [3, 8, 10, 17]
    assert all(("answer" in line) != ("error" in line) for line in lines)


@given(integers(min_value=0))
def test_cut_off_at_any_byte_it_ends_the_same(tmp_path_factory: pytest.TempPathFactory, whole: bytes, at: int) -> None:
    output = tmp_path_factory.mktemp("cut") / "out.jsonl"
    left = whole[: at % (len(whole) + 1)]
    beside(output).write_bytes(left)
    asked = Asked()
    assert asked.write(output) == Written(examples=EXAMPLES, errors=4)
    assert output.read_bytes() == whole
    there = left.count(b"\n")
    assert asked.read <= EXAMPLES - there + ROWS  # what was there is not computed again, but for one step


def test_garbage_behind_the_last_line_is_cut_off(tmp_path: Path, whole: bytes) -> None:
    """As after the power went off."""
    output = tmp_path / "out.jsonl"
    for garbage in (b"\0" * 40, b"\0\n", b"[]\n", b'{"row": 9}\n', b"1\n", b"\xff\n"):
        beside(output).write_bytes(b"".join(whole.splitlines(keepends=True)[:6]) + garbage)
        Asked().write(output)
        assert output.read_bytes() == whole


def test_killed_and_cancelled_it_goes_on(tmp_path: Path, whole: bytes) -> None:
    output = tmp_path / "out.jsonl"
    with pytest.raises(Killed):
        Asked(killed_at=13).write(output)
    assert not output.exists()

    class Cancelling(Silent):
        def update(self, **values: float | str) -> None:
            self.cancel()
            super().update(**values)

    with pytest.raises(Cancelled):
        Asked().write(output, Cancelling())
    assert beside(output).read_bytes().count(b"\n") == 16
    Asked().write(output)
    assert output.read_bytes() == whole


def test_other_data_under_the_same_name_are_answered_anew(tmp_path: Path, whole: bytes) -> None:
    output = tmp_path / "out.jsonl"
    lines = whole.splitlines(keepends=True)
    beside(output).write_bytes(b"".join(lines[1:9]))
    Asked().write(output)
    assert output.read_bytes() == whole
    Asked(examples=9).write(output)
    assert output.read_bytes() == b"".join(lines[:9])


def test_two_at_once(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    with beside(output).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UnderWay, match="another process writes"):
            Asked().write(output)


def test_nothing_to_answer(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match="holds no example"):
        Asked(examples=0).write(output)

    class Broken(Asked):
        def answer(self, x: Any) -> Sequence[dict[str, Any]]:
            raise InputError("no", "no")

    with pytest.raises(DataError, match="none of 23 examples can be answered; the first: no"):
        Broken().write(output)
    assert not output.exists()
