"""Pictures that are looked at: a file in, the answer in words and as a picture out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Pictures
from glassworks.errors import Unsupported
from glassworks.serving.requests import Call, InferRequest

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.model import LoadedModel

_clock = time.perf_counter_ns


class Looking:
    """Requests of one picture file. Everything raises what the dispatcher raises, and Unsupported."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def model(self, call: Call) -> LoadedModel:
        """The model that answers this request, which takes pictures."""
        model = self._dispatcher.model(call)
        with self._dispatcher.counted(call, model):
            if not isinstance(model.opened.task, Pictures):
                raise Unsupported(f"a model for {model.manifest.task} looks at no pictures", "use its infer endpoint")
        return model

    async def look(self, call: Call, file: bytes, form: str) -> tuple[dict[str, Any], bytes | None]:
        """The answer for one picture file in words and as a picture.

        While nobody else asks, one thread does it all; else it goes the way of all requests.
        """
        call.verb = "picture"
        model, dispatcher = self.model(call), self._dispatcher
        if not model.alone:
            given = np.empty(1, object)
            given[0] = file
            request = InferRequest({next(iter(model.inputs)): given})
            return await model.shown(file, (await dispatcher.answer(call, model, lambda _: request)).outputs, form)
        begun, computed_ns, ok = _clock(), 0, False
        admission = dispatcher.admission
        try:
            with dispatcher.counted(call, model), admission.unused_if_wrong(call):
                admission.admit(call, 1)
                answer, computed_ns = await model.looked(file, form)
            ok = True
        finally:
            admission.record(call, model, "infer", computed_ns, ok)
        model.statistics.answered(1, begun - call.arrived_ns, 0, computed_ns, _clock() - begun - computed_ns)
        if dispatcher.spans is not None:
            dispatcher.spans(call, model, None)
        return answer
