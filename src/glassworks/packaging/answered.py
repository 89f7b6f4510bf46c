"""Answers for all examples of a data source: a file with a line of JSON each, which a killed process goes on with."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from glassworks.errors import DataError, GlassworksError, InputError, UnderWay
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from glassworks.contracts import Array, Explanation, Progress

Input = tuple[str, Callable[[], "Array"]]
"""A name, and what reads the stored example."""
Answer = Callable[["Array"], Sequence[Mapping[str, Any]]]
"""Stored examples (N ...) to what their lines say. Raises InputError."""
_BYTES = 64 * 2**20
"""Of stored examples that are computed together."""
_DIGITS = 6
"""Of the values of an explanation: more are not worth their bytes."""


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What is answered, and how: `inputs` gives the same examples each time, `rows` of them are one step.

    `key` stands for everything that decides the lines.
    """

    stage: str
    inputs: Callable[[], Iterable[Input]]
    answer: Answer
    rows: int
    key: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """Lines of a file, and how many of them have an `error` instead of an answer."""

    examples: int
    errors: int


def write_answers(asked: Answering, output: Path, progress: Progress) -> Written:
    """Write `output`: the `row`, the `name`, and the answer or the `error` of each example, in their order.

    The file appears when it is complete. Until then its lines stand in a file beside it, named by `asked.key`: another
    call goes on behind its last whole line, and ends with the same bytes, as always the same rows are computed
    together. Raises Cancelled between two steps, UnderWay while another process writes the same, DataError where
    there is no example, or none that can be answered, and StorageError.
    """
    total = _counted(asked, progress)
    progress.start(asked.stage, total)
    beside = output.with_name(f".{output.name}.{asked.key[:12]}.partial")
    with storage_errors(output, "name another file"), _alone(beside) as file:
        done, errors, first = _whole_lines(file, asked.inputs())
        pace = _Pace(done, total)
        for begin, batch in _batches(asked, done):
            new = _answered(batch, asked.answer)[max(0, done - begin) :]
            row = begin + len(batch) - len(new)
            names = [name for name, _ in batch[row - begin :]]
            file.write(b"".join(map(_line, itertools.count(row), names, new)))
            failed = [str(each["error"]) for each in new if "error" in each]
            errors, first = errors + len(failed), first or "".join(failed[:1])
            progress.update(**pace.values(begin + len(batch)))
        if errors == total:
            raise DataError(f"none of {total:,} examples can be answered; the first: {first}", "give other data")
        os.fsync(file.fileno())
        beside.replace(output)
    progress.finish(f"{total:,} examples" + (f", {errors:,} of them without an answer" if errors else ""))
    return Written(examples=total, errors=errors)


def _counted(asked: Answering, progress: Progress) -> int:
    """How many examples there are; none of them is read for that."""
    progress.start("data")
    total = sum(1 for _ in asked.inputs())
    if not total:
        raise DataError("the source holds no example", "give one that has some")
    progress.finish(f"{total:,} examples")
    return total


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation record; `values` are nested lists of the input's shape without the batch."""
    attribution = explanation.attribution
    return {
        "method": explanation.method,
        "target": explanation.target,
        "label": explanation.label,
        "input": explanation.input,
        "shape": list(attribution.values.shape),
        "values": attribution.values.tolist(),
        "score": attribution.score,
        "baseline_score": attribution.baseline_score,
        "completeness_gap": attribution.gap,
        "forward": attribution.forward,
        "backward": attribution.backward,
        "converged": attribution.converged,
        "seed": explanation.seed,
        "artifact_sha256": explanation.artifact_sha256,
        "milliseconds": explanation.milliseconds,
        "quality": dict(explanation.quality),
        **({"baseline_to_try": explanation.baseline_to_try} if explanation.baseline_to_try is not None else {}),
        **({"spans": [list(span) for span in explanation.spans]} if explanation.spans else {}),
        **({"parts": explanation.by_section()} if explanation.sections else {}),
        **({"names": list(explanation.names)} if explanation.names else {}),
        **({"errors": attribution.errors.tolist()} if attribution.errors is not None else {}),
        **({"details": dict(explanation.details)} if explanation.details else {}),
    }


def repeatable(explanation: Explanation) -> dict[str, Any]:
    """The same record whenever it is computed: without its time, and with `values` of six digits."""
    import numpy as np

    record, values = explanation_json(explanation), explanation.attribution.values
    del record["milliseconds"]
    short = np.array([float(f"{each:.{_DIGITS}g}") for each in values.ravel().tolist()])
    return {**record, "values": short.reshape(values.shape).tolist()}


class _Pace:
    """How quickly it goes on, for people."""

    def __init__(self, done: int, total: int) -> None:
        self._done, self._total, self._begun = done, total, time.monotonic()

    def values(self, step: int) -> dict[str, float]:
        speed = (step - self._done) / max(time.monotonic() - self._begun, 1e-6)
        return {"step": step, "examples_per_s": speed, "left_s": (self._total - step) / max(speed, 1e-6)}


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """The file, which no other process writes meanwhile; it stays there."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UnderWay(f"another process writes {path}", "wait until it ends, or name another file") from None
            # Whoever had it before may have finished it: then it has another name by now.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return


def _whole_lines(file: BinaryIO, inputs: Iterable[Input]) -> tuple[int, int, str]:
    """Lines that an earlier call left, those of them without an answer, and the first reason; the rest is cut off."""
    rows, errors, first, end = 0, 0, "", 0
    for (name, _), line in zip(inputs, file, strict=False):
        try:
            found = json.loads(line) if line.endswith(b"\n") else {}
        except ValueError:
            break
        # Data that have changed meanwhile are answered anew from there on.
        if not isinstance(found, dict) or (found.get("row"), found.get("name")) != (rows, name):
            break
        rows, end = rows + 1, end + len(line)
        if "error" in found:
            errors, first = errors + 1, first or str(found["error"])
    file.truncate(end)
    file.seek(end)
    return rows, errors, first


def _batches(asked: Answering, done: int) -> Iterator[tuple[int, Sequence[Input]]]:
    """The steps that have lines to write: the first may have begun before."""
    begin = done - done % asked.rows
    inputs = itertools.islice(asked.inputs(), begin, None)
    while batch := tuple(itertools.islice(inputs, asked.rows)):
        if begin + len(batch) > done:
            yield begin, batch
        begin += len(batch)


def _answered(batch: Sequence[Input], answer: Answer) -> list[Mapping[str, Any]]:
    """What each line says; examples of one shape are computed together, as far as that takes little memory."""
    import numpy as np

    found: list[Mapping[str, Any]] = [{}] * len(batch)
    indices: list[int] = []
    examples: list[Array] = []

    def compute() -> None:
        if examples:
            for index, each in zip(indices, _together(np.stack(examples), answer), strict=True):
                found[index] = each
        indices.clear()
        examples.clear()

    for index, (_, read) in enumerate(batch):
        try:
            example = read()
        except (InputError, OSError) as error:
            found[index] = _error(error)
            continue
        if examples and (example.shape != examples[0].shape or sum(each.nbytes for each in examples) > _BYTES):
            compute()
        indices.append(index)
        examples.append(example)
    compute()
    return found


def _together(x: Array, answer: Answer) -> Sequence[Mapping[str, Any]]:
    try:
        return answer(x)
    except InputError as error:
        if len(x) == 1:
            return [_error(error)]
    return [each for row in range(len(x)) for each in _together(x[row : row + 1], answer)]


def _error(error: Exception) -> Mapping[str, Any]:
    return {"error": error.problem if isinstance(error, GlassworksError) else str(error)}


def _line(row: int, name: str, said: Mapping[str, Any]) -> bytes:
    text = json.dumps({"row": row, "name": name, **said}, ensure_ascii=False, allow_nan=False)
    # Names of files that are no UTF-8: what Python writes for such a character is what JSON has for it.
    return f"{text}\n".encode("utf-8", "backslashreplace")
