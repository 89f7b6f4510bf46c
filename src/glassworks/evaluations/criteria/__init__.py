"""Criteria of evals: graders as OpenAI's clients describe them, each kind read by one module."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from glassworks.evaluations.grading import Criterion, Read
from glassworks.serving.protocols._openai.fields import Fields


@functools.cache
def kinds() -> Mapping[str, Read]:
    """How each kind is read: modules hold `kinds()`."""
    found: dict[str, Read] = {}
    for info in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{info.name}").kinds()
    return found


def criterion(content: object, where: str) -> Criterion:
    """Of what a client sent. Raises WrongParameter."""
    fields = Fields.of(content, where)
    kind = fields.text("type")
    if kind == "python":
        raise fields.unsupported(
            "type",
            "use string_check, text_similarity, label_model, score_model or multi",
            f"{where} is a python grader: this server runs no code that it is sent",
        )
    read = kinds().get(kind)
    if read is None:
        raise fields.wrong("type", kind, f"give one of: {', '.join(kinds())}")
    found = read(fields, kind, where)
    fields.end()
    return found
