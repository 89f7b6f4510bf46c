"""Answers of a model for all examples of a data source."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from glassworks.packaging.answered import Answer
from glassworks.packaging.opened import OpenedBundle
from glassworks.runs.works._answering import AnsweringRequest, AnsweringWork, presented


class Predict(AnsweringWork):
    """Answer for every example of a data source, a line of JSON each."""

    name: ClassVar[str] = "predict"

    def answer(self, opened: OpenedBundle, request: AnsweringRequest) -> Answer:
        """The answers alone."""
        return partial(presented, opened)
