"""What is measured of explanations when a model is packaged: of those examples that can be explained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from glassworks.errors import InputError
from glassworks.packaging import fidelity


class Answers:
    """The same answer for everything."""

    signature = SimpleNamespace(outputs=[SimpleNamespace(name="probabilities")])

    def run(self, tensors: Any, outputs: Any = None) -> dict[str, Any]:
        rows = len(next(iter(tensors.values())))
        return {"probabilities": np.tile(np.array([[0.2, 0.8]], np.float32), (rows, 1))}


@pytest.fixture(autouse=True)
def _no_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "_methods", lambda parts: (None, None))


def parts(examples: int) -> Any:
    """Numbers as examples."""
    task = SimpleNamespace(encode=lambda x, preprocessing: {"x": x}, compared=lambda x: x, explained=16)
    split = SimpleNamespace(x=np.arange(examples))
    dataset = SimpleNamespace(splits={"validation": split}, classes=("no", "yes"))
    return cast("Any", SimpleNamespace(task=task, dataset=dataset, preprocessing={}, artifacts=()))


@pytest.mark.parametrize(
    ("examples", "refused", "wanted"), [(40, range(3, 20), [0, 1, 2, *range(20, 33)]), (5, [1], [0, 2, 3, 4])]
)
def test_the_first_sixteen_that_can_be_explained(
    monkeypatch: pytest.MonkeyPatch, examples: int, refused: Any, wanted: list[int]
) -> None:
    asked: list[int] = []

    def compare(parts: Any, tensors: Any, target: int, sessions: Any) -> fidelity._Explained:
        (row,) = tensors["x"].tolist()
        if row in refused:
            raise InputError("the text has 3,000 words", "send a part")
        asked.append(row)
        assert target == 1
        graded = {"faithfulness_z": float(row)}
        return fidelity._Explained(tensors=tensors, target=target, values=None, graded=graded)

    monkeypatch.setattr(fidelity, "_served", compare)
    found = fidelity.measure_fidelity(parts(examples), lambda role: cast("Any", Answers()))
    assert asked == wanted
    assert found == {"prediction_agreement": 1.0, "faithfulness_z": float(np.median(wanted))}


def test_without_any_the_answers_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(*_: Any) -> fidelity._Explained:
        raise InputError("too long", "send a part")

    monkeypatch.setattr(fidelity, "_served", compare)
    found = fidelity.measure_fidelity(parts(4), lambda role: cast("Any", Answers()))
    assert found == {"prediction_agreement": 1.0}
