"""Which parts of a prompt drove an answer, beside the answer itself: a field that only this server has."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import GlassworksError, InputError
from glassworks.serving.failures import WrongParameter, text_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.requests import ExplainRequest, explain_options

if TYPE_CHECKING:
    from glassworks.contracts import Explanation
    from glassworks.serving.protocols._openai.answering import Asking
    from glassworks.serving.protocols._openai.requests import Prompt

PATH = "glassworks.explain"
_KINDS = ("words", "sentences", "passages", "turns")
_HOW = ("method", "seed", "budget_ms", "budget_rows", "grade")
_WHAT = ("parts", "passages", "span", "spans", "against", "top")
_BEYOND_CHANCE = 2.0
"""Standard deviations from which on an explanation differs from chance."""


def options_of(fields: Fields) -> Mapping[str, Any] | None:
    """How an answer is to be explained; None where it is not. Raises WrongParameter before anything is answered."""
    value = fields.take("explain")
    if value is None or value is False:
        return None
    if value is not True and not isinstance(value, dict):
        raise fields.wrong("explain", value, 'give true, or an object such as {"parts": "sentences"}')
    inner = Fields({} if value is True else value, PATH)
    found = inner.given(*_HOW, *_WHAT)
    inner.end(**dict.fromkeys(("answer", "messages", "target", "baseline"), "leave it out: the answer is explained"))
    if found.get("parts", "words") not in _KINDS:
        raise inner.wrong("parts", found["parts"], f"give one of: {', '.join(_KINDS)}")
    try:
        explain_options(found)
    except InputError as error:
        name = error.problem.partition(" ")[0]
        raise WrongParameter(f"{PATH}.{error.problem}", error.mend, f"{PATH}.{name}") from None
    return found


def require_method(asking: Asking, options: Mapping[str, Any] | None) -> None:
    """Raise WrongParameter, before anything is answered, for a method that the model has not."""
    methods = asking.model.manifest.explainers
    if options is not None and options.get("method", next(iter(methods), None)) not in methods:
        raise WrongParameter(
            f"{PATH}.method is {options.get('method')!r:.100}", f"give one of: {', '.join(methods) or 'none'}",
            f"{PATH}.method",
        )  # fmt: skip


async def explained(asking: Asking, options: Mapping[str, Any], prompt: Prompt, answer: str) -> dict[str, Any]:
    """The explanation of an answer that was given; why there is none, where that is known only now: what was answered
    is not lost by it. A caller who is cancelled cancels it. It counts as a request of its own."""
    call = copy.copy(asking.call)
    call.key_id, call.rows, call.begun, call.streaming = "", 0, False, False
    about = {name: prompt.parameters[name] for name in ("messages", "tools") if name in prompt.parameters}
    (spec,) = asking.model.manifest.signature.inputs
    row = np.empty(1, object)
    row[0] = prompt.text.encode()
    request = ExplainRequest({spec.name: row}, explain_options({**options, **about, "answer": answer}))
    try:
        found = await asking.dispatcher.explain(call, lambda _: request)
    except GlassworksError as error:
        return {"error": text_of(error)}
    return _shown(found.explanations[0])


def _shown(found: Explanation) -> dict[str, Any]:
    attribution, details = found.attribution, dict(found.details)
    errors: Sequence[float | None] = (
        attribution.errors.ravel().tolist() if attribution.errors is not None else [None] * len(found.names)
    )
    values = attribution.values.ravel().tolist()
    parts = [
        {**name, "value": value, **({} if error is None else {"error": error})}
        for name, value, error in zip(found.names, values, errors, strict=True)
    ]
    return {
        "method": found.method,
        "kind": details.pop("parts", ""),
        "parts": parts,
        **details,
        "score": attribution.score,
        "baseline_score": attribution.baseline_score,
        "quality": dict(found.quality),
        "trust": _trust(found),
        "rows": attribution.forward,
        "milliseconds": round(found.milliseconds, 1),
        "converged": attribution.converged,
        "seed": found.seed,
        "artifact_sha256": found.artifact_sha256,
    }


def _trust(found: Explanation) -> str:
    """One sentence about how far it can be trusted."""
    z = found.quality.get("faithfulness_z")
    if z is None:
        return "it was not graded: nothing is known of how far it can be trusted"
    if not z:
        return "too few parts to tell it from chance"
    if z < _BEYOND_CHANCE:
        return f"it cannot be told from chance: {z:.1f} standard deviations above random orders"
    return f"taking its parts out in its order costs the answer more than random orders do: {z:.1f} standard deviations"
