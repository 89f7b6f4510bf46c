"""What a run has come to, from what came out for each item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glassworks.data.intervals import wilson
from glassworks.evals.records import OutputItem, Tally, Usage

_COUNTS = {"pass": "passed", "fail": "failed", "error": "errored"}


def added(tally: Tally, item: OutputItem) -> Tally:
    """With one item more."""
    criteria, usage = dict(tally.criteria), dict(tally.usage)
    for result in item.results:
        if "error" not in result:
            passed, failed = criteria.get(result["name"], (0, 0))
            criteria[result["name"]] = (passed + 1, failed) if result["passed"] else (passed, failed + 1)
    for model, used in _used(item):
        usage[model] = _sum(usage.get(model, Usage()), used)
    count = _COUNTS[item.status]
    return tally.model_copy(update={count: getattr(tally, count) + 1, "criteria": criteria, "usage": usage})


def metrics(tally: Tally) -> Mapping[str, Any]:
    """Shares of items that passed, in all and by each criterion, with 95 % intervals (Wilson 1927)."""
    counts = {"passed": (tally.passed, tally.failed), **tally.criteria}
    return {
        name: {
            "value": passed / (passed + failed),
            "interval": wilson(passed, passed + failed),
            "examples": passed + failed,
        }
        for name, (passed, failed) in counts.items()
        if passed + failed
    }


def _used(item: OutputItem) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Models that were asked for an item, and the tokens of their answers."""
    for sample in (item.sample, *(result.get("sample") for result in item.results)):
        for each in _asked(sample):
            yield each["model"], each["usage"]


def _asked(sample: Any) -> Iterator[Mapping[str, Any]]:
    """A sample that a model gave, or those of several graders."""
    if not isinstance(sample, Mapping):
        return
    if sample.get("model") and "usage" in sample:
        yield sample
    graders = sample.get("graders")
    if isinstance(graders, Mapping):
        for each in graders.values():
            yield from _asked(each)


def _sum(usage: Usage, used: Mapping[str, Any]) -> Usage:
    cached = used.get("cached_tokens", (used.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
    more = {**{name: used.get(name, 0) for name in Usage.model_fields}, "cached_tokens": cached, "invocation_count": 1}
    return Usage(**{name: getattr(usage, name) + more[name] for name in Usage.model_fields})
