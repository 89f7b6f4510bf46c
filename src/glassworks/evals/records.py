"""An eval, a run of it, and what came out for one item: as they are kept, and as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from glassworks.errors import InputError
from glassworks.record import Record

Status = Literal["queued", "in_progress", "completed", "canceled", "failed"]
STATUSES: Mapping[str, Status] = {
    "queued": "queued", "running": "in_progress", "interrupted": "in_progress", "succeeded": "completed",
    "failed": "failed", "cancelled": "canceled",
}  # fmt: skip
"""Of a run by its state in the queue of all runs."""
_SAMPLE = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "object"}},
        "output_text": {"type": "string"},
        "output_json": {"type": "object"},
        "output_tools": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["model", "choices"],
}


def json_of(record: Record, **more: Any) -> str:
    """A record as it is kept. Raises InputError for what clients sent that cannot be written again."""
    try:
        return record.model_dump_json(**more)
    except (ValueError, RecursionError):
        raise InputError(
            "what was sent is nested too deeply, or holds text that is no Unicode", "send it flatter, as valid UTF-8"
        ) from None


class Evaluation(Record):
    """An eval of an `owner` (a key's id); times are seconds since 1970. `criteria` are graders as they were sent."""

    id: str
    owner: str
    name: str
    created_at: int
    updated_at: int
    item_schema: dict[str, Any]
    sampled: bool
    """Whether items come with samples, or get them."""
    criteria: tuple[dict[str, Any], ...]
    metadata: dict[str, str] | None = None

    def public(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        parts = {"item": self.item_schema, **({"sample": _SAMPLE} if self.sampled else {})}
        schema = {"type": "object", "properties": parts, "required": list(parts)}
        return {
            "id": self.id,
            "object": "eval",
            "name": self.name,
            "created_at": self.created_at,
            "data_source_config": {"type": "custom", "schema": schema},
            "testing_criteria": self.criteria,
            "metadata": self.metadata,
        }


class Usage(Record):
    """Tokens of one model's answers."""

    cached_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens: int = 0
    total_tokens: int = 0
    invocation_count: int = 0


class Tally(Record):
    """What a run has come to so far. `criteria` are passed and failed samples by criterion, `usage` is by model."""

    passed: int = 0
    failed: int = 0
    errored: int = 0
    criteria: dict[str, tuple[int, int]] = {}
    usage: dict[str, Usage] = {}

    @property
    def total(self) -> int:
        """Items that are done."""
        return self.passed + self.failed + self.errored

    def public(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        return {
            "result_counts": {**self.model_dump(include={"passed", "failed", "errored"}), "total": self.total},
            "per_model_usage": [{"model_name": name, **each.model_dump()} for name, each in self.usage.items()],
            "per_testing_criteria_results": [
                {"testing_criteria": name, "passed": passed, "failed": failed}
                for name, (passed, failed) in self.criteria.items()
            ],
        }


class EvaluationRun(Record):
    """One run of an eval. `status` and `error` are those of its run in the queue, `run` is that one's id."""

    id: str
    eval_id: str
    owner: str
    name: str
    created_at: int
    model: str
    asked: str = ""
    """The version of the model that answers, however long the run takes."""
    data_source: dict[str, Any]
    items: int
    """How many there are."""
    metadata: dict[str, str] | None = None
    tally: Tally = Tally()
    status: Status = "failed"
    error: str | None = None
    run: str | None = None

    def public(self, console: str) -> dict[str, Any]:
        """As OpenAI's clients read it; `console` is the address of the console."""
        kept = self.model_dump(include={"id", "eval_id", "name", "created_at", "model", "data_source", "metadata"})
        error = None if self.error is None else {"code": "run_failed", "message": self.error}
        report = f"{console}#/runs/{self.run or ''}"
        return {
            **kept, **self.tally.public(), "object": "eval.run", "status": self.status, "error": error,
            "report_url": report,
        }  # fmt: skip


class OutputItem(Record):
    """What came out for the item `number` of a run."""

    number: int
    status: Literal["pass", "fail", "error"]
    created_at: int
    item: dict[str, Any]
    results: tuple[dict[str, Any], ...]
    sample: dict[str, Any]

    def public(self, run: EvaluationRun) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        return {
            "id": f"outputitem_{run.id.removeprefix('evalrun_')}_{self.number}",
            "object": "eval.run.output_item",
            "created_at": self.created_at,
            "run_id": run.id,
            "eval_id": run.eval_id,
            "status": self.status,
            "datasource_item_id": self.number,
            "datasource_item": self.item,
            "results": self.results,
            "sample": self.sample,
        }
