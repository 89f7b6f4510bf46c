"""Learning from right answers: their tokens become more probable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from glassworks.families.tuned_language_model.network import Tuned
from glassworks.families.tuned_language_model.objective import Course, Objective, scored
from glassworks.families.tuned_language_model.packing import Row, rows_of
from glassworks.language.examples import Example
from glassworks.language.session import LOG_LIKELIHOOD


class Supervised(Objective):
    """The mean negative log-probability of the answers' tokens over a whole step."""

    rates: Mapping[str, float] = {"lora": 1e-3, "dora": 1e-3, "full": 5e-5}

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._learning, self._validation = self._read("train"), self._read("validation")
        self.examples, self.tokens = len(self._learning), sum(map(len, self._learning))
        self.shown = self._validation[: course.config.answers_shown]

    def parts(self, network: Tuned, rows: Sequence[int]) -> Iterator[Callable[[], Tensor]]:
        chosen = [self._learning[row] for row in rows]
        targets = sum(int(example.learned[1:].sum()) for example in chosen)

        def part(row: Row) -> Tensor:
            return network.loss(row) / targets

        for row in rows_of(chosen, self.course.config.row_tokens, self.course.processors.parts):
            yield partial(part, row)

    def validate(self, network: Tuned) -> Mapping[str, float]:
        scores = scored(network, self._validation, self.course)
        return {"validation_loss": -float(scores[:, 0].sum() / scores[:, 1].sum())}

    def outputs(self, network: Tuned, part: str) -> Mapping[str, NDArray[Any]]:
        return {LOG_LIKELIHOOD: scored(network, self._read(part), self.course)}

    def _read(self, part: str) -> list[Example]:
        return [example for item in self.course.items(part) for example in self.course.reading.examples(item)]
