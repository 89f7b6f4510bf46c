"""`inference.GRPCInferenceService`: the same dispatcher as HTTP, in the protocol's messages."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from glassworks.errors import GlassworksError, InputError, NotFound, ServingError
from glassworks.serving.access.gate import token_of
from glassworks.serving.access.keys import id_of
from glassworks.serving.app import text_of, unexpected
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Call, Dispatcher
from glassworks.serving.protocols.answers import (
    classified,
    explain_options,
    explain_parameters,
    explained,
    wanted_outputs,
)
from glassworks.serving.protocols.management import model_configuration, model_statistics
from glassworks.serving.protocols.open_inference import EXTENSIONS, metadata
from glassworks.serving.protocols.operations import Operations
from glassworks.serving.transports.grpc.convert import read_parameters, read_tensors, write_parameters, write_response
from glassworks.serving.transports.grpc.messages import message

if TYPE_CHECKING:
    from glassworks.contracts import Tensors
    from glassworks.serving.access.keys import Role
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.repository import Repository

_VERB = "glassworks_verb"
_MUCH_BYTES = 2**19
"""Of typed contents, which are read number by number."""
_FOR_EVERYBODY = ("ServerLive", "ServerReady", "ServerMetadata")
_FOR_OPERATORS = ("RepositoryModelLoad", "RepositoryModelUnload")


class InferenceService:
    """One method a call of the protocol; each takes its message and the call's metadata. Raises GlassworksError."""

    def __init__(self, dispatcher: Dispatcher, repository: Repository | None, limits: TensorLimits) -> None:
        self._dispatcher, self._engine, self._limits = dispatcher, dispatcher.engine, limits
        self._operations = Operations(dispatcher, repository)

    def permit(self, method: str) -> Callable[[Mapping[bytes, bytes]], None] | None:
        """What looks at the metadata of a method's calls before a message is kept; None: everybody may call it."""
        if method in _FOR_EVERYBODY or not self._dispatcher.guarded:
            return None
        role: Role = "admin" if method in _FOR_OPERATORS else "infer"
        return lambda sent: self._dispatcher.permit(_token(sent), role)

    async def ServerLive(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802 - the protocol's name
        return message("ServerLiveResponse")(live=True)

    async def ServerReady(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        return message("ServerReadyResponse")(ready=True)

    async def ModelReady(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        try:
            self._named(request, sent)
        except NotFound:
            return message("ModelReadyResponse")(ready=False)
        return message("ModelReadyResponse")(ready=True)

    async def ServerMetadata(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        return message("ServerMetadataResponse")(
            name="glassworks", version=version("glassworks"), extensions=EXTENSIONS
        )

    async def ModelMetadata(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        model = self._named(request, sent)
        return _filled("ModelMetadataResponse", metadata(model, list(self._engine.versions(model.name))))

    async def ModelConfig(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        return _filled("ModelConfigResponse", {"config": model_configuration(self._named(request, sent))})

    async def ModelStatistics(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        models = self._operations.models(_token(sent), request.name or None, request.version or None)
        return _filled("ModelStatisticsResponse", {"model_stats": [model_statistics(model) for model in models]})

    async def RepositoryIndex(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        states = await self._operations.index(_token(sent), request.ready)
        return _filled("RepositoryIndexResponse", {"models": [vars(state) for state in states]})

    async def RepositoryModelLoad(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        await self._operations.load(_token(sent), request.model_name, read_parameters(request.parameters))
        return message("RepositoryModelLoadResponse")(model_name=request.model_name, isLoaded=True)

    async def RepositoryModelUnload(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        await self._operations.unload(_token(sent), request.model_name, read_parameters(request.parameters))
        return message("RepositoryModelUnloadResponse")(model_name=request.model_name, isUnloaded=True)

    async def ModelInfer(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        call, model, parameters, verb = self._asked(request, sent)
        if verb == "explain":
            return await self._explain(call, model, request, parameters)
        names = _wanted(request, model.outputs)
        outputs = await self._dispatcher.compute(call, model, await self._tensors(request), parameters)
        return _response(request, model, {name: outputs[name] for name in names}, {})

    def begin_infer(
        self,
        request: Any,
        sent: Mapping[bytes, bytes],
        answer: Callable[[Any], None],
        fail: Callable[[Exception], None],
    ) -> Callable[[], object] | None:
        """ModelInfer without a task of its own, which would cost a short answer more than its computation."""
        call, model, parameters, verb = self._asked(request, sent)
        if verb == "infer" and not _typed_much(request):
            try:
                names = _wanted(request, model.outputs)
                ready = model.checked(read_tensors(request, self._limits))
                if ready is not None:
                    return self._submit(call, model, request, (ready, parameters, names), answer, fail)
            except Exception as error:
                self._dispatcher.refuse(call, model, error)
                raise
        task = asyncio.get_running_loop().create_task(self.ModelInfer(request, sent))
        task.add_done_callback(functools.partial(_settle, answer, fail))
        return task.cancel

    def _submit(
        self,
        call: Call,
        model: LoadedModel,
        request: Any,
        work: tuple[Tensors, Mapping[str, Any], Sequence[str]],
        answer: Callable[[Any], None],
        fail: Callable[[Exception], None],
    ) -> Callable[[], object]:
        tensors, parameters, names = work

        def respond(outputs: Tensors | None, error: Exception | None) -> None:
            try:
                if outputs is None:
                    raise error or ServingError("the engine gave no answer", "send the request again")
                answer(_response(request, model, {name: outputs[name] for name in names}, {}))
            except Exception as failed:  # noqa: BLE001 - whatever happens, the client gets an answer
                fail(failed)

        begun = self._dispatcher.infer(call, model, tensors, parameters, respond)

        def leave() -> None:
            begun.dropped = True

        return leave

    def _asked(self, request: Any, sent: Mapping[bytes, bytes]) -> tuple[Call, LoadedModel, Mapping[str, Any], str]:
        """Who asks, which model answers, the parameters, and whether to infer or to explain."""
        key = _token(sent)
        routing = sent.get(b"x-routing-key") or (id_of(key) if key else None)
        call = Call(request.model_name, request.model_version or None, key)
        if routing:
            call.routing_key = routing.decode("latin-1")
        model = self._dispatcher.model(call)
        parameters = read_parameters(request.parameters) if request.parameters else {}
        verb = parameters.pop(_VERB, "infer")
        if verb not in ("infer", "explain"):
            raise InputError(f"{_VERB} is {verb!r}", "give infer or explain")
        return call, model, parameters, verb

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[Any], sent: Mapping[bytes, bytes]
    ) -> AsyncGenerator[Any, None]:
        """Each request is answered in its turn; an error is an answer too, and the stream goes on."""
        async for request in requests:
            answer = message("ModelStreamInferResponse")()
            try:
                answer.infer_response.CopyFrom(await self.ModelInfer(request, sent))
            except GlassworksError as error:
                answer.error_message = text_of(error)
                answer.infer_response.id = request.id
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
                answer.error_message = unexpected(error)
                answer.infer_response.id = request.id
            yield answer

    async def _tensors(self, request: Any) -> Tensors:
        """The inputs; numbers without end are read beside the event loop."""
        if _typed_much(request):
            return await asyncio.to_thread(read_tensors, request, self._limits)
        return read_tensors(request, self._limits)

    async def _explain(self, call: Call, model: LoadedModel, request: Any, parameters: Mapping[str, Any]) -> Any:
        names = _wanted(request, model.explained)
        tensors = await self._tensors(request)
        explanations = await self._dispatcher.explain(call, model, tensors, explain_options(parameters))
        outputs = explained(explanations, model.outputs)
        return _response(request, model, {name: outputs[name] for name in names}, explain_parameters(explanations))

    def _named(self, request: Any, sent: Mapping[bytes, bytes]) -> LoadedModel:
        return self._operations.model(_token(sent), request.name, request.version or None)


def _typed_much(request: Any) -> bool:
    return not request.raw_input_contents and request.ByteSize() > _MUCH_BYTES


def _wanted(request: Any, outputs: Sequence[str]) -> Sequence[str]:
    asked = request.outputs
    return wanted_outputs([output.name for output in asked], outputs) if asked else outputs


def _response(request: Any, model: LoadedModel, outputs: dict[str, Any], parameters: Mapping[str, Any]) -> Any:
    for output in request.outputs or ():
        if "classification" in output.parameters:
            count = output.parameters["classification"].int64_param
            outputs[output.name] = classified(outputs[output.name], count, model.manifest.labels)
    head = {"model_name": model.name, "model_version": model.version, "id": request.id}
    response = write_response(head, outputs, bool(request.raw_input_contents))
    if parameters:
        write_parameters(response.parameters, parameters)
    return response


def _settle(answer: Callable[[Any], None], fail: Callable[[Exception], None], task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, Exception):
        fail(error)
    else:
        answer(task.result())


def _token(sent: Mapping[bytes, bytes]) -> bytes | None:
    return token_of(sent.get(b"authorization"), sent.get(b"x-api-key"))


def _filled(name: str, values: Mapping[str, Any]) -> Any:
    """A message from the values that HTTP answers with; what the message has no field for is left out."""
    return json_format.ParseDict(dict(values), message(name)(), ignore_unknown_fields=True)
