"""How probable a language model that writes labels finds each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Progress, Teacher
from glassworks.errors import ConfigError

_LIKELIHOOD = "log_likelihood"
_COLUMNS = "columns"


def label_probabilities(
    teacher: Teacher, labels: Sequence[str], progress: Progress
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """A function from texts (N) to probabilities (N K): those of each label's text as the whole answer to the text, by
    the model that is served, as shares of their sum. Each text is asked about once, ever.

    Raises ConfigError for a model that did not learn from conversations.
    """
    system = _system(teacher)

    def scores(text: str) -> list[float]:
        rows = np.empty(len(labels), object)
        rows[:] = [_conversation(system, text, label).encode("utf-8", "replace") for label in labels]
        found = teacher.session.run({_input(teacher): rows}, [_LIKELIHOOD])[_LIKELIHOOD]
        return [float(each) for each in found[:, 0]]

    def teach(x: NDArray[Any]) -> NDArray[np.float32]:
        found = np.zeros((len(x), len(labels)))
        for row, text in enumerate(x.tolist()):
            progress.update(step=row)
            asked = ["labels", system, text, list(labels)]
            found[row] = teacher.once(asked, partial(scores, text))
        shares = np.exp(found - found.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    return teach


def _system(teacher: Teacher) -> str:
    """What the conversations that it learned from begin with."""
    columns = teacher.preprocessing.get(_COLUMNS) or {}
    if "messages" not in columns:
        raise ConfigError(
            f"the teacher '{teacher.reference}' has not learned to answer with labels",
            "name a tuned_language_model that learned from the texts and their labels: data.prompt, data.answer",
        )
    return str(columns.get("system") or "")


def _conversation(system: str, text: str, label: str) -> str:
    before = [{"role": "system", "content": system}] if system else []
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
    return json.dumps({"messages": [*before, *said], "tools": []}, ensure_ascii=False)


def _input(teacher: Teacher) -> str:
    return teacher.session.signature.inputs[0].name
