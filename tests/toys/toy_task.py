"""Four numbers in, a label out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from glassworks.contracts import Measurement, Session, Subject, Task, View
from glassworks.data.intervals import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors


class ToyTask(Task):
    """The label of a text of four numbers."""

    name: ClassVar[str] = "toy-task"
    metric: ClassVar[str] = "accuracy"
    subject_kind: ClassVar[str] = "toys"
    literal: ClassVar[bool] = True
    parts: ClassVar[Literal["", "spans", "names"]] = "names"

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        import numpy as np

        return np.array(value.decode(), object)

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        import numpy as np

        return {"numbers": np.array([[list(map(float, text.split()))] for text in x.tolist()], np.float32)}

    def measure(self, scores: Array, targets: NDArray[np.int64]) -> dict[str, Measurement]:
        right = int((scores.argmax(axis=1) == targets).sum())
        interval = wilson(right, len(targets))
        return {"accuracy": Measurement(value=right / len(targets), interval=interval, examples=len(targets))}

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        return [{"label": labels[int(row.argmax())]} for row in outputs["scores"]]

    def subject(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> Subject:
        return _Numbers(tensors["numbers"], sessions("predict"))


class _Numbers(Subject):
    kind: ClassVar[str] = "toys"
    input = "numbers"
    names = tuple({"item": f"number {number}"} for number in range(1, 5))

    def __init__(self, numbers: Array, session: Session) -> None:
        self._numbers, self._session = numbers, session
        self.outputs = session.run({"numbers": numbers})

    def view(self, role: str) -> View:
        import numpy as np

        example = np.asarray(self._numbers, np.float32)
        return View(session=self._session, example=example, baseline=np.zeros_like(example))
