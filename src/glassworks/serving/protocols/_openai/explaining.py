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
    from glassworks.serving.protocols._openai.sources import Grounds

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


async def explained(
    asking: Asking, options: Mapping[str, Any], prompt: Prompt, answer: str, grounds: Grounds | None = None
) -> dict[str, Any]:
    """The explanation of an answer that was given; why there is none, where that is known only now: what was answered
    is not lost by it. A caller who is cancelled cancels it. It counts as a request of its own.

    Of an answer from passages it tells what each of them did to each sentence, unless other parts are asked for.
    """
    by_passages = grounds is not None and bool(grounds.passages) and _by_passages(options)
    sentences = grounds.sentences(answer) if grounds is not None and by_passages else []
    if grounds is not None and by_passages:
        positions = [passage["prompt"] for passage in grounds.passages]
        spans = [*options.get("spans", ()), *map(list, sentences)]
        options = {**options, "parts": "passages", "passages": positions, "spans": spans}
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
    shown = _shown(found.explanations[0])
    if grounds is not None and sentences:
        shown |= _driven(shown, sentences, grounds.passages)
    return shown


def _by_passages(options: Mapping[str, Any]) -> bool:
    """Whether the passages that were found are the parts."""
    return options.get("parts", "passages") == "passages" and "passages" not in options


def _driven(
    shown: dict[str, Any], sentences: Sequence[tuple[int, int]], passages: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What each passage did to each of the sentences, which are the last spans that were explained; those that were
    asked for stay in `spans`."""
    spans, values = shown.get("spans", []), shown.get("span_values", [])
    own = len(spans) - len(sentences)
    of_sentences, left = values[own:], {"spans": spans[:own], "span_values": values[:own]} if own else {}
    for name in () if own else ("spans", "span_values"):
        shown.pop(name, None)
    positions = [[part.get(name) for name in ("message", "start", "end")] for part in shown["parts"]]
    if any(list(passage["prompt"]) not in positions for passage in passages):  # they were joined: its notes say so
        return left
    at = [positions.index(list(passage["prompt"])) for passage in passages]
    return {
        **left,
        "sentences": [
            _sentence(span, [row[number] for number in at], passages)
            for span, row in zip(sentences, of_sentences, strict=True)
        ],
    }


def _sentence(span: tuple[int, int], values: Sequence[float], passages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A sentence (characters of the answer), the number of the passage that raised its probability most, None where
    none did, and by how much (nats) each passage did, with its characters in its file."""
    best = max(range(len(values)), key=values.__getitem__)
    each = [
        {"passage": number, **{name: passage[name] for name in ("id", "file", "start", "end")}, "value": value}
        for number, (passage, value) in enumerate(zip(passages, values, strict=True), start=1)
    ]
    return {"start": span[0], "end": span[1], "passage": best + 1 if values[best] > 0 else None, "passages": each}


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
