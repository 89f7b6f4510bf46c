"""`inference.GRPCInferenceService`: the same dispatcher as HTTP, in the protocol's messages."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf import json_format

from glassworks.errors import InputError, NotFound, ServingError
from glassworks.serving.access.gate import token_of
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.descriptions import EXTENSIONS, metadata, model_configuration, model_statistics
from glassworks.serving.failures import text_of
from glassworks.serving.operations import Operations
from glassworks.serving.requests import Call, ExplainRequest, InferRequest, call_of
from glassworks.serving.transports.grpc.convert import read_parameters, read_tensors, write_parameters, write_response
from glassworks.serving.transports.grpc.messages import message

if TYPE_CHECKING:
    from glassworks.serving.access.keys import Role
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.repository import Repository
    from glassworks.serving.results import InferResult

_VERB = "glassworks_verb"
_MARK_FINAL, _FINAL = "triton_enable_empty_final_response", "triton_final_response"
"""What Triton's clients ask for, and how its responses say it."""
_MUCH_BYTES = 2**19
"""Of typed contents, which are read number by number."""
_FOR_EVERYBODY = ("ServerLive", "ServerReady", "ServerMetadata")
_FOR_OPERATORS = ("RepositoryModelLoad", "RepositoryModelUnload")


class InferenceService:
    """One method a call of the protocol; each takes its message and the call's metadata. Raises GlassworksError."""

    def __init__(self, dispatcher: Dispatcher, repository: Repository | None, limits: TensorLimits) -> None:
        self._dispatcher, self._models, self._limits = dispatcher, dispatcher.models, limits
        self._operations = Operations(dispatcher, repository)

    def permit(self, method: str) -> Callable[[Mapping[bytes, bytes]], None] | None:
        """What looks at the metadata of a method's calls before a message is kept; None: everybody may call it."""
        if method in _FOR_EVERYBODY or not self._dispatcher.admission.guarded:
            return None
        role: Role = "admin" if method in _FOR_OPERATORS else "infer"
        return lambda sent: self._dispatcher.admission.permit(token_of(sent), role)

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
        return _filled("ModelMetadataResponse", metadata(model, list(self._models.versions(model.name))))

    async def ModelConfig(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        return _filled("ModelConfigResponse", {"config": model_configuration(self._named(request, sent))})

    async def ModelStatistics(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        models = self._operations.models(token_of(sent), request.name or None, request.version or None)
        return _filled("ModelStatisticsResponse", {"model_stats": [model_statistics(model) for model in models]})

    async def RepositoryIndex(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        states = await self._operations.index(token_of(sent), request.ready)
        return _filled("RepositoryIndexResponse", {"models": [vars(state) for state in states]})

    async def RepositoryModelLoad(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        await self._operations.load(token_of(sent), request.model_name, read_parameters(request.parameters))
        return message("RepositoryModelLoadResponse")(model_name=request.model_name, isLoaded=True)

    async def RepositoryModelUnload(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        await self._operations.unload(token_of(sent), request.model_name, read_parameters(request.parameters))
        return message("RepositoryModelUnloadResponse")(model_name=request.model_name, isUnloaded=True)

    async def ModelInfer(self, request: Any, sent: Mapping[bytes, bytes]) -> Any:  # noqa: N802
        asked = _Request.of(request, self._limits)
        if asked.verb == "explain":
            explained = await self._dispatcher.explain(asked.call(sent), asked.read_explain, asked.long_bytes)
            return asked.response(explained.model, explained.version, explained.tensors(), explained.parameters())
        result = await self._dispatcher.infer(asked.call(sent), asked.read, asked.long_bytes)
        return asked.response(result.model, result.version, result.outputs)

    def begin_infer(
        self,
        request: Any,
        sent: Mapping[bytes, bytes],
        answer: Callable[[Any], None],
        fail: Callable[[Exception], None],
    ) -> Callable[[], object]:
        """ModelInfer without a task of its own, which would cost a short answer more than its computation."""
        asked = _Request.of(request, self._limits)
        if asked.verb != "explain":
            respond = functools.partial(asked.respond, answer, fail)
            return self._dispatcher.begin(asked.call(sent), asked.read, respond, asked.long_bytes)
        task = asyncio.get_running_loop().create_task(self.ModelInfer(request, sent))
        task.add_done_callback(functools.partial(_settle, answer, fail))
        return task.cancel

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[Any], sent: Mapping[bytes, bytes]
    ) -> AsyncGenerator[Any, None]:
        """Each request is answered in its turn, in parts where its model streams; an error is an answer too, and the
        stream goes on."""
        async for request in requests:
            try:
                async with contextlib.aclosing(self._parts(request, sent)) as parts:
                    async for part in parts:
                        yield message("ModelStreamInferResponse")(infer_response=part)
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
                answer = message("ModelStreamInferResponse")(error_message=text_of(error))
                answer.infer_response.id = request.id
                yield answer

    async def _parts(self, request: Any, sent: Mapping[bytes, bytes]) -> AsyncGenerator[Any, None]:
        """The responses to one request. As Triton's, they say which is the last where the model streams or the client
        asks for it; who asks gets an empty one behind the others if need be."""
        asked = _Request.of(request, self._limits)
        if asked.verb == "explain":
            yield await self.ModelInfer(request, sent)
            return
        parts = await self._dispatcher.stream(asked.call(sent), asked.read, asked.long_bytes)
        last, model = False, (request.model_name, request.model_version)
        async with contextlib.aclosing(parts):
            async for part in parts:
                model = part.model, part.version
                last = part.chunk is None or bool(part.chunk.finish_reason)
                marks = {_FINAL: last} if asked.marks_final or part.chunk is not None else {}
                yield asked.response(*model, part.outputs, {**part.parameters(), **marks})
        if asked.marks_final and not last:
            yield asked.response(*model, {}, {_FINAL: True})

    def _named(self, request: Any, sent: Mapping[bytes, bytes]) -> LoadedModel:
        return self._operations.model(token_of(sent), request.name, request.version or None)


class _Request(msgspec.Struct):
    """A ModelInferRequest that is read when the dispatcher asks for it."""

    _message: Any
    _limits: TensorLimits
    _parameters: dict[str, Any] = {}
    verb: Any = "infer"
    marks_final: bool = False
    """Whether a client wants to be sent a last response, even if it is empty."""

    @classmethod
    def of(cls, request: Any, limits: TensorLimits) -> _Request:
        """With the parameters read; one of them is the verb."""
        asked = cls(request, limits)
        if request.parameters:
            asked._parameters = read_parameters(request.parameters)
            asked.verb = asked._parameters.pop(_VERB, "infer")
            asked.marks_final = asked._parameters.pop(_MARK_FINAL, False) is True
        return asked

    @property
    def long_bytes(self) -> int:
        """Bytes of typed contents, which are read number by number."""
        request = self._message
        size = 0 if request.raw_input_contents else request.ByteSize()
        return size if size > _MUCH_BYTES else 0

    def call(self, sent: Mapping[bytes, bytes]) -> Call:
        """Who asks for which model."""
        return call_of(sent, self._message.model_name, self._message.model_version or None)

    def read(self, model: LoadedModel) -> InferRequest:
        """What is asked for. Raises InputError."""
        if self.verb not in ("infer", "explain"):
            raise InputError(f"{_VERB} is {self.verb!r:.200}", "give infer or explain")
        request = self._message
        tensors = read_tensors(request, self._limits)
        if not request.outputs:
            return InferRequest(tensors, self._parameters)
        outputs = {output.name: read_parameters(output.parameters) for output in request.outputs}
        classes = [(name, each["classification"]) for name, each in outputs.items() if "classification" in each]
        return InferRequest(tensors, self._parameters, [output.name for output in request.outputs], classes)

    def read_explain(self, model: LoadedModel) -> ExplainRequest:
        """The same, to explain. Raises InputError."""
        return ExplainRequest.of(self.read(model))

    def respond(
        self,
        answer: Callable[[Any], None],
        fail: Callable[[Exception], None],
        result: InferResult | None,
        error: Exception | None,
    ) -> None:
        """Send the answer, or what went wrong."""
        try:
            if result is None:
                raise error or ServingError("the engine gave no answer", "send the request again")
            answer(self.response(result.model, result.version, result.outputs))
        except Exception as failed:  # noqa: BLE001 - whatever happens, the client gets an answer
            fail(failed)

    def response(
        self, model: str, version: str, outputs: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
    ) -> Any:
        """A ModelInferResponse."""
        head = {"model_name": model, "model_version": version, "id": self._message.id}
        response = write_response(head, outputs, bool(self._message.raw_input_contents))
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


def _filled(name: str, values: Mapping[str, Any]) -> Any:
    """A message from the values that HTTP answers with; what the message has no field for is left out."""
    return json_format.ParseDict(dict(values), message(name)(), ignore_unknown_fields=True)
