"""The parts of one streamed answer, and what they have used."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from glassworks.serving.results import InferResult

if TYPE_CHECKING:
    from glassworks.contracts import Tensors
    from glassworks.serving.core.admission import Admission
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.requests import Call, InferRequest

_clock = time.perf_counter_ns


async def streamed(
    call: Call,
    model: LoadedModel,
    request: InferRequest,
    tensors: Tensors,
    admission: Admission,
    caller: str | None,
) -> AsyncGenerator[InferResult, None]:
    """The parts as the engine computes them; whatever ends them, what was used until then is written."""
    begun, tokens, ok = _clock(), 0, False
    try:
        async with contextlib.aclosing(model.stream(tensors, request.parameters, caller)) as chunks:
            async for chunk in chunks:
                tokens = chunk.prompt_tokens + chunk.completion_tokens
                yield InferResult.part(model, request, chunk)
        ok = True
    finally:
        spent_ns = _clock() - begun
        model.statistics.tokens += tokens
        admission.record(call, model, "infer", spent_ns, ok, tokens)
        if ok:
            model.statistics.answered(call.rows, begun - call.arrived_ns, 0, spent_ns, 0)
