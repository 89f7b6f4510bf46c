"""Explanations of a model's answers for all examples of a data source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from glassworks.contracts import Generation
from glassworks.errors import Unsupported
from glassworks.packaging.answered import Answer, repeatable
from glassworks.packaging.opened import OpenedBundle
from glassworks.packaging.promises import offered_explainers
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.runs.works._answering import AnsweringRequest, AnsweringWork, presented

if TYPE_CHECKING:
    from glassworks.contracts import Array


_OF_PROMPTS = ("parts", "against", "max_tokens")


class ExplainRequest(AnsweringRequest):
    """`method` is one of the model's, the first if left out; `target` and `baseline` as for a single explanation.

    Of a language model: `parts` are words, sentences, passages or turns; `against` is an answer with which the written
    one is compared, of at most `max_tokens` tokens.
    """

    method: str | None = None
    target: str | None = None
    baseline: float | None = None
    seed: int = Field(default=0, ge=0)
    parts: Literal["words", "sentences", "passages", "turns"] | None = None
    against: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)


class Explain(AnsweringWork):
    """Explain the answer for every example of a data source, each with its grade, a line of JSON each."""

    name: ClassVar[str] = "explain"
    request: ClassVar[type[Record]] = ExplainRequest

    def settled(self, request: ExplainRequest) -> ExplainRequest:
        """Raises Unsupported for a model without the method."""
        settled: ExplainRequest = super().settled(request)
        methods = offered_explainers(Registry.open().resolve(settled.model).bundle.manifest)
        if settled.method not in (None, *methods) or not methods:
            asked = f"no explanation method '{settled.method}'" if methods else "no explanation method"
            raise Unsupported(f"'{request.model}' has {asked}", f"it has: {', '.join(methods) or 'none'}")
        return settled

    def answer(self, opened: OpenedBundle, request: ExplainRequest) -> Answer:
        """The answer, and why; one at a time, without a limit on time: that would make it depend on the machine."""
        options = request.model_dump(include={"method", "target", "baseline", "seed", *_OF_PROMPTS})

        def explained(x: Array) -> list[dict[str, Any]]:
            found = opened.explain(x, **opened.explaining(x[0], options))
            if isinstance(opened.task, Generation):  # what is explained can be a known answer: no other is written
                return [{"answer": {"generated": found.details["answer"]}, "explanation": repeatable(found)}]
            return [{**said, "explanation": repeatable(found)} for said in presented(opened, x)]

        return explained

    def rows(self, opened: OpenedBundle) -> int:
        """One: each may take long."""
        return 1
