"""One evaluation, from wherever it stands to its end: what was answered and graded is kept item by item."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from glassworks.errors import Cancelled, InputError, RegistryError, StorageError
from glassworks.evals.asking import answered
from glassworks.evals.definitions import criteria_of
from glassworks.evals.grading import Criterion, Surroundings, Ungraded
from glassworks.evals.records import Evaluation, EvaluationRun, OutputItem, Tally
from glassworks.evals.rows import Rows, read
from glassworks.evals.sources import Asking, source
from glassworks.evals.store import EvaluationStore
from glassworks.evals.tallies import added, metrics
from glassworks.evals.templates import Missing
from glassworks.runs.queue import Queue, Report
from glassworks.serving.batches.asking import AT_ONCE, Background
from glassworks.serving.core.worker import Worker

_T = TypeVar("_T")
STAGE = "evaluate"
_REPORT_S = 1.0
_MOST_BYTES = 2**30
"""Of what is kept of one run."""


@dataclass(frozen=True)
class Around:
    """What the evaluations of an owner share. `thread` keeps records, `grading` computes; `room` are requests that are
    asked together: who has to wait for a quota lets nobody else wait."""

    store: EvaluationStore
    thread: Worker
    grading: Worker
    background: Background
    room: asyncio.Semaphore
    folder: Path

    def file(self, run: str) -> Path:
        """The items of a run."""
        return self.folder / f"{run}.jsonl"


class EvaluationWork:
    """The work on one run. Cancelled, it stays where it is."""

    def __init__(self, queued: str, run: EvaluationRun, evaluation: Evaluation, queue: Queue, around: Around) -> None:
        self._queued, self._run, self._queue, self._around = queued, run, queue, around
        self._criteria: Sequence[tuple[str, Criterion]] = criteria_of(evaluation)
        asking = source(run.data_source).asking
        self._asking = None if asking is None else asking.model_copy(update={"model": run.asked})
        self._tally, self._bytes = Tally(), 0
        self._surroundings = Surroundings(self._ask, around.grading.run)

    async def __call__(self) -> None:
        """Go on until all items are graded. Raises Cancelled where that is asked, Lost, and what keeps it from going
        on."""
        rows, done = await self._on(self._begin)
        stage = (time.time(), "stage", {"stage": STAGE, "total": len(rows)})
        await self._on(lambda: self._queue.report(self._queued, self._report(stage)))
        left = (number for number in range(len(rows)) if number not in done)
        try:
            async with asyncio.TaskGroup() as group:
                answering = [group.create_task(self._some(rows, left)) for _ in range(AT_ONCE)]
                reporting = group.create_task(self._reports())
                await asyncio.gather(*answering)
                reporting.cancel()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        await self._on(lambda: self._around.store.note(self._run.id, self._tally))
        done_event = (time.time(), "done", {"stage": STAGE, "message": f"{self._tally.passed} of {len(rows)} passed"})
        known = {"eval": self._run.eval_id, "evaluation": self._run.id, "metrics": metrics(self._tally)}
        result = {**known, **self._tally.public()}
        await self._on(lambda: self._queue.succeed(self._queued, result, self._report(done_event)))

    @property
    def report(self) -> Report:
        """How far it is."""
        return self._report()

    def _report(self, *events: tuple[float, str, Mapping[str, Any]]) -> Report:
        values = self._tally.model_dump(include={"passed", "failed", "errored"})
        return Report(
            events=events, stage=STAGE, stages=1, step=self._tally.total, total=self._run.items, values=values
        )

    def _begin(self) -> tuple[Rows, set[int]]:
        rows, done = read(self._around.file(self._run.id)), set()
        for item in self._around.store.items(self._run.id):
            done.add(item.number)
            self._tally = added(self._tally, item)
        return rows, done

    async def _reports(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_S)
            with contextlib.suppress(RegistryError, StorageError):  # a busy database: said the next time
                if await self._on(self._noted):
                    raise Cancelled

    def _noted(self) -> bool:
        """Say how far it is; whether it is to end."""
        there = self._around.store.note(self._run.id, self._tally)
        return self._queue.report(self._queued, self._report()).cancel or not there

    async def _some(self, rows: Rows, left: Iterator[int]) -> None:
        for number in left:
            row = await self._on(lambda number=number: rows.row(number))  # type: ignore[misc]
            item = await self._graded(number, row)
            self._bytes += await self._on(lambda item=item: self._around.store.keep(self._run.id, item))  # type: ignore[misc]
            if self._bytes > _MOST_BYTES:
                raise InputError(f"what came out has more than {_MOST_BYTES:,} bytes", "evaluate fewer items at a time")
            self._tally = added(self._tally, item)

    async def _graded(self, number: int, row: Mapping[str, Any]) -> OutputItem:
        item, results = row["item"], []
        try:
            sample, shown = await self._sample(row)
        except (Ungraded, Missing) as error:
            sample, shown = None, _shown(error=str(error))
        if shown["error"] is None:
            values = {"item": item, **({"sample": sample} if sample is not None else {})}
            results = [await self._result(name, criterion, values) for name, criterion in self._criteria]
        wrong = shown["error"] is not None or any("error" in each for each in results)
        passed = all(each["passed"] for each in results)
        return OutputItem(
            number=number,
            status="error" if wrong else "pass" if passed else "fail",
            created_at=int(time.time()),
            item=item,
            results=tuple(results),
            sample=shown,
        )

    async def _sample(self, row: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, dict[str, Any]]:
        """What templates call `sample`, and what is shown of it. Raises Ungraded and Missing."""
        given, asking = row.get("sample"), self._asking
        if asking is None:
            text = (given or {}).get("output_text")
            return given, _shown(text=text if isinstance(text, str) else None)
        messages = asking.messages({"item": row["item"]})
        answer = await self._ask({**asking.body, "model": asking.model, "messages": messages})
        choice = answer["choices"][0]
        text, calls = choice["message"].get("content") or "", choice["message"].get("tool_calls") or []
        sample = {"model": answer["model"], "choices": answer["choices"], "output_text": text, "output_tools": calls}
        found = {**_json(text), **sample, "finish_reason": choice["finish_reason"]}
        return found, _shown(text, messages, asking, answer)

    async def _result(self, name: str, criterion: Criterion, values: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {"name": name, "type": criterion.kind}
        try:
            grade = await criterion.grade(values, self._surroundings)
        except (Ungraded, Missing) as error:
            return {**result, "passed": False, "score": 0.0, "error": str(error)}
        return {**result, "passed": grade.passed, "score": grade.score, "sample": grade.sample}

    async def _ask(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises Ungraded for this one, ServingError for what no request will be answered after."""
        async with self._around.room:
            return await answered(self._around.background, self._run.owner, body, self._run.id)

    def _on(self, call: Callable[[], _T]) -> Awaitable[_T]:
        return self._around.thread.run(call)


def _json(text: str) -> dict[str, Any]:
    """What a text says, where it is JSON."""
    try:
        return {"output_json": json.loads(text)}
    except (ValueError, RecursionError):
        return {}


def _shown(
    text: str | None = None,
    messages: Sequence[Mapping[str, Any]] = (),
    asking: Asking | None = None,
    answer: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    """A sample as output items show it."""
    body: Mapping[str, Any] = asking.body if asking is not None else {}
    usage = answer["usage"] if answer is not None else {}
    counts = {name: usage.get(name, 0) for name in ("completion_tokens", "prompt_tokens", "total_tokens")}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return {
        "input": [{"role": each.get("role"), "content": each.get("content")} for each in messages],
        "output": [] if text is None else [{"role": "assistant", "content": text}],
        "finish_reason": answer["choices"][0]["finish_reason"] if answer is not None else "",
        "model": answer["model"] if answer is not None else "",
        "usage": {**counts, "cached_tokens": cached},
        "error": None if error is None else {"code": "sample_failed", "message": error},
        "temperature": body.get("temperature", 1.0),
        "top_p": body.get("top_p", 1.0),
        "seed": body.get("seed"),
        "max_completion_tokens": body.get("max_completion_tokens"),
    }
