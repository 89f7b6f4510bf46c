"""The protocol over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.conformance.target import Failed, NotOffered, Target
from glassworks.serving.codec.tensors import TensorLimits, datatype, to_bytes
from glassworks.serving.transports.grpc.convert import read_tensors
from glassworks.serving.transports.grpc.messages import SERVICE, message

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTENTS = {"FP32": "fp32_contents", "FP64": "fp64_contents", "INT64": "int64_contents", "INT32": "int_contents"}


def _call(target: Target, method: str, request: Any, answer: str) -> Any:
    """What a method answers. Raises Failed when it does not."""
    import grpc

    try:
        return _called(target, method, request, answer)
    except grpc.RpcError as error:
        raise Failed(f"status {error.code().name}: {error.details()}") from None


def _called(target: Target, method: str, request: Any, answer: str) -> Any:
    """The same; raises grpc.RpcError."""
    import grpc

    if target.grpc is None:
        raise NotOffered("no gRPC address was given: --grpc HOST:PORT")
    metadata = (("authorization", f"Bearer {target.key}"),) if target.key else ()
    with grpc.insecure_channel(target.grpc) as channel:
        asked: Any = channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda value: value.SerializeToString(),
            response_deserializer=message(answer).FromString,
        )
        return asked(request, timeout=target.seconds, metadata=metadata)


def _code(target: Target, method: str, request: Any, answer: str) -> str:
    """The name of the status with which a method fails. Raises Failed when it does not."""
    import grpc

    try:
        _called(target, method, request, answer)
    except grpc.RpcError as error:
        return str(error.code().name)
    raise Failed("no error")


def _expect(target: Target, method: str, request: Any, answer: str, *codes: str) -> None:
    seen = _code(target, method, request, answer)
    if seen not in codes:
        raise Failed(f"status {seen} instead of {' or '.join(codes)}")


def _request(target: Target, rows: int = 1, raw: bool = True, **more: Any) -> Any:
    request = message("ModelInferRequest")(model_name=target.model, **more)
    for name, values in target.inputs(rows).items():
        tensor = request.inputs.add(name=name, datatype=datatype(values), shape=values.shape)
        if raw:
            request.raw_input_contents.append(to_bytes(values))
        elif tensor.datatype in _CONTENTS:
            getattr(tensor.contents, _CONTENTS[tensor.datatype]).extend(values.ravel().tolist())
        else:
            raise NotOffered(f"the suite sends no typed contents of {tensor.datatype}")
    return request


def _outputs(response: Any) -> dict[str, Any]:
    request = message("ModelInferRequest")(raw_input_contents=response.raw_output_contents)
    for output in response.outputs:
        given = request.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.HasField("contents"):
            given.contents.CopyFrom(output.contents)
    return read_tensors(request, TensorLimits())


def _infer(target: Target, **more: Any) -> Any:
    return _call(target, "ModelInfer", _request(target, **more), "ModelInferResponse")


def c11_live_and_ready(target: Target) -> None:
    """ServerLive, ServerReady and ModelReady are true."""
    live = _call(target, "ServerLive", message("ServerLiveRequest")(), "ServerLiveResponse").live
    ready = _call(target, "ServerReady", message("ServerReadyRequest")(), "ServerReadyResponse").ready
    asked = message("ModelReadyRequest")(name=target.model)
    model = _call(target, "ModelReady", asked, "ModelReadyResponse").ready
    if not (live and ready and model):
        raise Failed(f"live {live}, ready {ready}, model {model}")


def c11_server_metadata(target: Target) -> None:
    """ServerMetadata is what GET /v2 says."""
    value = _call(target, "ServerMetadata", message("ServerMetadataRequest")(), "ServerMetadataResponse")
    plain = target.get("/v2").json
    if (value.name, value.version, list(value.extensions)) != (plain["name"], plain["version"], plain["extensions"]):
        raise Failed("they differ")


def c11_model_metadata(target: Target) -> None:
    """ModelMetadata is what GET on the model says."""
    asked = message("ModelMetadataRequest")(name=target.model)
    value = _call(target, "ModelMetadata", asked, "ModelMetadataResponse")
    for ours, plain in ((value.inputs, target.metadata["inputs"]), (value.outputs, target.metadata["outputs"])):
        if [(t.name, t.datatype, list(t.shape)) for t in ours] != [
            (t["name"], t["datatype"], t["shape"]) for t in plain
        ]:
            raise Failed("they differ")


def c11_raw_contents(target: Target) -> None:
    """Raw contents are answered as REST answers, and raw."""
    response = _infer(target)
    if not response.raw_output_contents:
        raise Failed("the contents are not raw")
    _same_as_rest(target, response)


def c11_typed_contents(target: Target) -> None:
    """Typed contents are answered as REST answers."""
    _same_as_rest(target, _infer(target, raw=False))


def _same_as_rest(target: Target, response: Any) -> None:
    plain = target.infer(target.request()).expect(200).tensors()
    for name, values in _outputs(response).items():
        if values.dtype != object and not np.allclose(
            values.astype(float), plain[name].astype(float), rtol=1e-4, atol=1e-5
        ):
            raise Failed(f"'{name}' differs")


def c11_id_comes_back(target: Target) -> None:
    """The id of a request comes back."""
    if _infer(target, id="g-7").id != "g-7":
        raise Failed("another id")


def c11_unknown_model(target: Target) -> None:
    """An unknown model is NOT_FOUND."""
    request = _request(target)
    request.model_name = "no-such-model-here"
    _expect(target, "ModelInfer", request, "ModelInferResponse", "NOT_FOUND")


def c11_metadata_of_an_unknown_model(target: Target) -> None:
    """Metadata of an unknown model are NOT_FOUND."""
    asked = message("ModelMetadataRequest")(name="no-such-model-here")
    _expect(target, "ModelMetadata", asked, "ModelMetadataResponse", "NOT_FOUND")


def c11_raw_and_typed(target: Target) -> None:
    """An input with raw and typed contents is INVALID_ARGUMENT."""
    request = _request(target)
    request.inputs[0].contents.fp32_contents.append(1)
    _expect(target, "ModelInfer", request, "ModelInferResponse", "INVALID_ARGUMENT")


def c11_raw_contents_too_few(target: Target) -> None:
    """Fewer raw contents than inputs are INVALID_ARGUMENT."""
    request = _request(target)
    request.inputs.add().CopyFrom(request.inputs[0])
    request.inputs[1].name += "2"
    _expect(target, "ModelInfer", request, "ModelInferResponse", "INVALID_ARGUMENT")


def c11_raw_contents_too_short(target: Target) -> None:
    """Raw contents that do not fill the shape are INVALID_ARGUMENT."""
    request = _request(target)
    request.raw_input_contents[0] = request.raw_input_contents[0][:-1]
    _expect(target, "ModelInfer", request, "ModelInferResponse", "INVALID_ARGUMENT")


def c11_missing_input(target: Target) -> None:
    """A request without inputs is INVALID_ARGUMENT."""
    request = message("ModelInferRequest")(model_name=target.model)
    _expect(target, "ModelInfer", request, "ModelInferResponse", "INVALID_ARGUMENT")


def c11_negative_size(target: Target) -> None:
    """A negative size is INVALID_ARGUMENT."""
    request = _request(target)
    request.inputs[0].shape[0] = -1
    _expect(target, "ModelInfer", request, "ModelInferResponse", "INVALID_ARGUMENT")


def c11_unknown_output(target: Target) -> None:
    """An unknown output is INVALID_ARGUMENT."""
    request = _request(target)
    request.outputs.add(name="no such output")
    _expect(target, "ModelInfer", request, "ModelInferResponse", "INVALID_ARGUMENT")


def c11_stream(target: Target) -> None:
    """ModelStreamInfer answers each request in its turn; an error is an error_message, and the stream goes on."""
    wrong = _request(target, id="2")
    wrong.model_name = "no-such-model-here"
    found = list(_streamed(target, [_request(target, id="1"), wrong, _request(target, id="3")]))
    if [bool(each.error_message) for each in found] != [False, True, False]:
        raise Failed(f"errors {[each.error_message for each in found]}")
    if [found[0].infer_response.id, found[2].infer_response.id] != ["1", "3"]:
        raise Failed("other ids")


def _streamed(target: Target, requests: Iterable[Any]) -> list[Any]:
    import grpc

    if target.grpc is None:
        raise NotOffered("no gRPC address was given: --grpc HOST:PORT")
    metadata = (("authorization", f"Bearer {target.key}"),) if target.key else ()
    with grpc.insecure_channel(target.grpc) as channel:
        asked: Any = channel.stream_stream(
            f"/{SERVICE}/ModelStreamInfer",
            request_serializer=lambda value: value.SerializeToString(),
            response_deserializer=message("ModelStreamInferResponse").FromString,
        )
        try:
            return list(asked(iter(requests), timeout=target.seconds, metadata=metadata))
        except grpc.RpcError as error:
            raise Failed(f"the stream ended with {error.code().name}") from None


def c11_configuration(target: Target) -> None:
    """ModelConfig gives the model's name and max_batch_size."""
    asked = message("ModelConfigRequest")(name=target.model)
    config = _call(target, "ModelConfig", asked, "ModelConfigResponse").config
    if config.name != target.model or not config.input:
        raise Failed(f"name {config.name!r}, {len(config.input)} inputs")


def c11_statistics(target: Target) -> None:
    """ModelStatistics count what was answered."""
    asked = message("ModelStatisticsRequest")(name=target.model)
    before = _call(target, "ModelStatistics", asked, "ModelStatisticsResponse").model_stats
    _infer(target)
    after = _call(target, "ModelStatistics", asked, "ModelStatisticsResponse").model_stats
    if sum(each.inference_count for each in after) != sum(each.inference_count for each in before) + 1:
        raise Failed("inference_count did not grow by 1")


def c11_index(target: Target) -> None:
    """RepositoryIndex lists the model as READY."""
    models = _call(target, "RepositoryIndex", message("RepositoryIndexRequest")(), "RepositoryIndexResponse").models
    if not any(each.name == target.model and each.state == "READY" for each in models):
        raise Failed(f"{len(models)} models, this one is not ready")


def c11_health(target: Target) -> None:
    """grpc.health.v1 says SERVING."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    if target.grpc is None:
        raise NotOffered("no gRPC address was given: --grpc HOST:PORT")
    with grpc.insecure_channel(target.grpc) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=target.seconds)
        except grpc.RpcError as error:
            raise Failed(f"status {error.code().name}") from None
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise Failed(f"status {answer.status}")


def c11_reflection(target: Target) -> None:
    """Reflection lists the service."""
    import grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    if target.grpc is None:
        raise NotOffered("no gRPC address was given: --grpc HOST:PORT")
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(target.grpc) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        try:
            answers = list(stub.ServerReflectionInfo(iter([asked]), timeout=target.seconds))
        except grpc.RpcError as error:
            raise Failed(f"status {error.code().name}") from None
    names = [service.name for answer in answers for service in answer.list_services_response.service]
    if SERVICE not in names:
        raise Failed(f"services {names}")
