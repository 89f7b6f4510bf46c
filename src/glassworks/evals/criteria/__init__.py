"""Criteria of evals: graders as OpenAI's clients describe them, each kind read by one module."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from glassworks.evals.grading import Criterion, Read
from glassworks.serving.protocols._openai.fields import Fields


@functools.cache
def kinds() -> Mapping[str, Read]:
    """How each kind is read: modules hold `kinds()`."""
    found: dict[str, Read] = {}
    for info in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{info.name}").kinds()
    return found


_LONGEST_NAME = 200


def alone(content: object, where: str = "grader") -> Criterion:
    """Of one whose score counts, and not whether it passed. Raises WrongParameter."""
    if isinstance(content, dict) and content.get("type") == "text_similarity":
        content = {"pass_threshold": 0, **content}
    return criterion(content, where)


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
    if len(found.name) > _LONGEST_NAME:
        raise fields.wrong("name", found.name, f"give at most {_LONGEST_NAME} characters")
    fields.end()
    return found
