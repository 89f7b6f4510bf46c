"""What a request to make a job says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from glassworks.runs.works.fine_tuning import Hyperparameters
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.fields import Fields

Method = Literal["supervised", "dpo"]
METHODS: tuple[Method, ...] = ("supervised", "dpo")
_SUFFIX = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)
_WHOLE = {"n_epochs": 100, "batch_size": 256}
_NUMBERS = {"learning_rate_multiplier": 100.0, "beta": 100.0}
_FILE = "give the id of a file with the purpose 'fine-tune': POST /v1/files"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A job that is asked for; files by their ids, an empty text for nothing."""

    model: str
    training_file: str
    validation_file: str
    suffix: str
    seed: int
    method: Method
    hyperparameters: Hyperparameters
    metadata: dict[str, str] | None


def asked(content: Mapping[str, Any]) -> Asked:
    """Raises WrongParameter."""
    fields = Fields(content)
    method, chosen = _method(fields)
    found = Asked(
        model=_named(fields, "model", "give the name of a served language model: GET /v1/models"),
        training_file=_named(fields, "training_file", _FILE),
        validation_file=fields.text("validation_file"),
        suffix=_suffix(fields),
        seed=fields.whole("seed", 0, 0, 2**32 - 1) or 0,
        method=method,
        hyperparameters=chosen,
        metadata=fields.metadata(),
    )
    fields.only("integrations", [])
    fields.end()
    return found


def _named(fields: Fields, name: str, mend: str) -> str:
    value = fields.needed(name, mend)
    if not isinstance(value, str) or not value:
        raise fields.wrong(name, value, mend)
    return value


def _suffix(fields: Fields) -> str:
    suffix = fields.text("suffix")
    if suffix and not _SUFFIX.fullmatch(suffix.lower()):
        mend = "give at most 40 letters, digits, '.', '_' and '-', beginning with a letter or a digit"
        raise fields.wrong("suffix", suffix, mend)
    return suffix.lower()


def _method(fields: Fields) -> tuple[Method, Hyperparameters]:
    """What is learned from, and with which hyperparameters: those of the method, or those of earlier clients."""
    method, legacy = fields.nested("method"), fields.nested("hyperparameters")
    kind = method.text("type", "supervised") if method else "supervised"
    chosen = next((each for each in METHODS if each == kind), None)
    if chosen is None:
        raise WrongParameter(
            f"method.type is {kind[:40]!r}", f"give {' or '.join(METHODS)}", "method.type", "unsupported_parameter"
        )
    own = method.nested(chosen) if method else None
    further = own.nested("hyperparameters") if own else None
    for each in (own, method):
        if each is not None:
            each.end()
    if legacy is not None and further is not None:
        mend = "give those of the method alone"
        raise WrongParameter("there are hyperparameters twice", mend, "hyperparameters")
    given = legacy or further
    return chosen, Hyperparameters() if given is None else _hyperparameters(given, chosen)


def _hyperparameters(fields: Fields, method: Method) -> Hyperparameters:
    values: dict[str, Any] = {name: _whole(fields, name, most) for name, most in _WHOLE.items()}
    for name, most in _NUMBERS.items():
        if name != "beta" or method == "dpo":
            values[name] = _number(fields, name, most)
    fields.end(beta="it is for the method dpo")
    return Hyperparameters.model_validate(values)


def _whole(fields: Fields, name: str, most: int) -> int | None:
    value = fields.take(name, "auto")
    if value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise fields.wrong(name, value, f"give a whole number from 1 to {most}, or auto")
    return value


def _number(fields: Fields, name: str, most: float) -> float | None:
    value = fields.take(name, "auto")
    if value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise fields.wrong(name, value, f"give a number above 0, at most {most:g}, or auto")
    return float(value)
