"""Graders that ask a served model: for one of several labels, or for a score."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.evals.grading import Criterion, Grade, Read, Surroundings, Ungraded, finite
from glassworks.evals.messages import Messages, messages
from glassworks.evals.templates import Path, paths_in
from glassworks.serving.protocols._openai.fields import Fields

_MOST_LABELS, _LONGEST_LABEL = 100, 200
_MOST_TOKENS, _SHOWN = 256, 4096
"""Tokens of a verdict; characters of each message that are kept of what a judge was asked."""
_SAMPLING = {"temperature": "temperature", "top_p": "top_p", "seed": "seed"}


@dataclass(frozen=True, kw_only=True)
class Judge(Criterion):
    """A model that reads messages and answers with an object whose `result` is the verdict: its form allows no other
    answer."""

    model: str
    messages: Messages
    sampling: Mapping[str, Any]

    @property
    def paths(self) -> Iterator[Path]:
        """Of all messages."""
        return paths_in([content for _, content in self.messages.rows])

    async def grade(self, values: Mapping[str, Any], around: Surroundings) -> Grade:
        """Raises Ungraded where the model gave no verdict."""
        rows = self.messages.filled(values)
        rows[-1]["content"] += f"\n\n{self.question}"
        schema = {"type": "object", "properties": {"result": self.form}, "required": ["result"]}
        form = {"name": "grade", "strict": True, "schema": {**schema, "additionalProperties": False}}
        body = {"model": self.model, "messages": rows, **self.sampling}
        answer = await around.ask({**body, "response_format": {"type": "json_schema", "json_schema": form}})
        text = answer["choices"][0]["message"]["content"] or ""
        try:
            result = json.loads(text)["result"]
        except (ValueError, TypeError, KeyError):
            raise Ungraded(f"the judge of '{self.name}' gave no verdict: {text!r:.100}") from None
        score, passed = self.verdict(result)
        shown = [{**each, "content": each["content"][:_SHOWN]} for each in rows]
        output = [{"role": "assistant", "content": text}]
        return Grade(score, passed, {"model": self.model, "input": shown, "output": output, "usage": answer["usage"]})

    @property
    @abstractmethod
    def question(self) -> str:
        """What it is asked beside the messages."""

    @property
    @abstractmethod
    def form(self) -> Mapping[str, Any]:
        """The schema of a verdict."""

    @abstractmethod
    def verdict(self, result: Any) -> tuple[float, bool]:
        """Score, and whether it passed."""


@dataclass(frozen=True, kw_only=True)
class Labels(Judge):
    """One label of several; some are as good as passed."""

    labels: Sequence[str]
    passing: frozenset[str]

    @property
    def question(self) -> str:
        """Names the labels."""
        return f"Answer with JSON, the result being one of: {', '.join(map(json.dumps, self.labels))}"

    @property
    def form(self) -> Mapping[str, Any]:
        """One of the labels."""
        return {"type": "string", "enum": list(self.labels)}

    def verdict(self, result: Any) -> tuple[float, bool]:
        """1 for a label that passes, else 0."""
        if result not in self.labels:
            raise Ungraded(f"the judge of '{self.name}' gave no label: {result!r:.100}")
        return float(result in self.passing), result in self.passing


@dataclass(frozen=True, kw_only=True)
class Score(Judge):
    """A number within a range; it passes from a threshold on."""

    least: float
    most: float
    threshold: float

    @property
    def question(self) -> str:
        """Names the range."""
        return f"Answer with JSON, the result being a number from {self.least:g} to {self.most:g}"

    @property
    def form(self) -> Mapping[str, Any]:
        """A number of the range."""
        return {"type": "number", "minimum": math.floor(self.least), "maximum": math.ceil(self.most)}

    def verdict(self, result: Any) -> tuple[float, bool]:
        """The number."""
        if isinstance(result, bool) or not isinstance(result, int | float) or not self.least <= result <= self.most:
            raise Ungraded(f"the judge of '{self.name}' gave no score: {result!r:.100}")
        score = finite(float(result), self.name)
        return score, score >= self.threshold


def kinds() -> Mapping[str, Read]:
    """Both."""
    return {"label_model": _labels, "score_model": _score}


def _labels(fields: Fields, kind: str, where: str) -> Labels:
    labels, passing = _texts(fields, "labels"), _texts(fields, "passing_labels")
    if stray := [each for each in passing if each not in labels]:
        raise fields.wrong("passing_labels", stray[0], "give some of the labels")
    return Labels(labels=labels, passing=frozenset(passing), **_shared(fields, kind, where))


def _score(fields: Fields, kind: str, where: str) -> Score:
    given = fields.take("range", [0, 1])
    numbers = isinstance(given, list) and all(type(each) in (int, float) and abs(each) < 1e9 for each in given)
    if not numbers or len(given) != 2 or not given[0] < given[1]:
        raise fields.wrong("range", given, "give two numbers, the smaller one first")
    least, most = map(float, given)
    threshold = fields.number("pass_threshold", (least + most) / 2)
    return Score(least=least, most=most, threshold=threshold, **_shared(fields, kind, where))


def _shared(fields: Fields, kind: str, where: str) -> dict[str, Any]:
    model = fields.needed("model", "name one of those at /v1/models")
    if not isinstance(model, str) or not model:
        raise fields.wrong("model", model, "name one of those at /v1/models")
    rows = messages(fields.needed("input", "give a list of messages"), f"{where}.input")
    sampling = {"temperature": 0, "seed": 0, "max_tokens": _MOST_TOKENS, **_sampling(fields)}
    name = fields.text("name") or kind
    return {
        "name": name, "kind": kind, "model": model, "models": frozenset({model}), "messages": rows, "sampling": sampling
    }  # fmt: skip


def _sampling(fields: Fields) -> dict[str, Any]:
    given = fields.nested("sampling_params")
    if given is None:
        return {}
    found = given.given(*_SAMPLING)
    limit = given.whole("max_completions_tokens", given.whole("max_completion_tokens", None, 1, 2**24), 1, 2**24)
    given.only("reasoning_effort", "none")
    given.end()
    return found | ({} if limit is None else {"max_tokens": limit})


def _texts(fields: Fields, name: str) -> list[str]:
    mend = f"give a list of 1 to {_MOST_LABELS} texts"
    given = fields.needed(name, mend)
    good = isinstance(given, list) and 0 < len(given) <= _MOST_LABELS
    if not good or not all(isinstance(each, str) and 0 < len(each) <= _LONGEST_LABEL for each in given):
        raise fields.wrong(name, given, f"{mend} of at most {_LONGEST_LABEL} characters")
    return list(dict.fromkeys(given))
