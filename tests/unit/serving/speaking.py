"""Clients of every protocol, in this process: each sends the same rows in its own way, and says what came back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.patience import PATIENCE_S
from tests.unit.serving.frames import Client, framed
from tests.unit.serving.wire import ask

from glassworks.serving.app import Application
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.endpoints import Context
from glassworks.serving.routes import routes
from glassworks.serving.transports.grpc.frames import END_HEADERS
from glassworks.serving.transports.grpc.messages import SERVICE, message
from glassworks.serving.transports.grpc.server import _protocol
from glassworks.serving.transports.grpc.service import InferenceService
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

Tensor = NDArray[Any]


@dataclass(frozen=True)
class Said:
    """What came back: the code of the transport (`http`, `grpc`, or neither within a stream), and the text."""

    http: int | None = None
    grpc: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Ask:
    """A request as every protocol can send it, or most."""

    model: str = "bars"
    tensors: Mapping[str, Tensor] | None = None
    parameters: Mapping[str, Any] | None = None
    outputs: Sequence[str] = ()
    key: str = ""
    file: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        return {"x-api-key": self.key} if self.key else {}

    @property
    def sent(self) -> Mapping[str, Tensor]:
        return self.tensors if self.tensors is not None else {"image": np.zeros((1, 1, 16, 16), np.float32)}


class Speaker:
    """A service with all its protocols."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.service = Service(Application(routes(Context(dispatcher))), Limits())
        self._rpc = InferenceService(dispatcher, None, TensorLimits())

    async def post(self, asked: Ask, path: str, content: bytes, **headers: str) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await ask(self.service, "POST", path.format(m=asked.model), content, {**asked.headers, **named})
        assert reply is not None
        if reply.headers["content-type"].startswith("text/event-stream"):
            event = json.loads(reply.body.partition(b"data: ")[2].partition(b"\n")[0])
            return Said(text=event["error"]) if "error" in event else Said(reply.status)
        return Said(reply.status, text=reply.error if reply.status >= 400 else "")

    async def call(self, asked: Ask, request: Any, method: str = "ModelInfer") -> Said:
        client = Client({path.encode(): each for path, each in _protocol(self._rpc).items()}, Limits()).greet()
        sent = {name.replace("-", "_"): value for name, value in asked.headers.items()}
        headers = client.headers(f"/{SERVICE}/{method}".encode(), END_HEADERS, **sent)
        await client.send(headers, client.data(framed(request.SerializeToString())))
        async with asyncio.timeout(PATIENCE_S):
            while not client.answers():
                await asyncio.sleep(0.001)
        code, text = client.status()
        content = client.answers()[1][0]
        if method == "ModelStreamInfer" and content:
            return Said(text=message("ModelStreamInferResponse").FromString(content[5:]).error_message)
        return Said(grpc=code, text=text)


Send = Callable[[Speaker, Ask], Awaitable[Said]]
"""Sends a request in the words of one protocol."""


def datatype(values: Tensor) -> str:
    return {"f": "FP", "i": "INT"}[values.dtype.kind] + str(8 * values.itemsize)


def tensor(name: str, values: Tensor, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(values.shape), "datatype": datatype(values), **more}


def in_json(verb: str) -> Send:
    async def send(speaker: Speaker, asked: Ask) -> Said:
        inputs = [tensor(name, values, data=values.ravel().tolist()) for name, values in asked.sent.items()]
        outputs = [{"name": name} for name in asked.outputs]
        body = {"inputs": inputs, "outputs": outputs, "parameters": asked.parameters or {}}
        return await speaker.post(asked, f"/v2/models/{{m}}/{verb}", json.dumps(body).encode())

    return send


def in_bytes(verb: str) -> Send:
    async def send(speaker: Speaker, asked: Ask) -> Said:
        sizes = {name: {"binary_data_size": values.nbytes} for name, values in asked.sent.items()}
        inputs = [tensor(name, values, parameters=sizes[name]) for name, values in asked.sent.items()]
        outputs = [{"name": name} for name in asked.outputs]
        parameters = {"binary_data_output": True, **(asked.parameters or {})}
        head = json.dumps({"inputs": inputs, "outputs": outputs, "parameters": parameters}).encode()
        tail = b"".join(values.tobytes() for values in asked.sent.values())
        length = {"inference_header_content_length": str(len(head))}
        return await speaker.post(asked, f"/v2/models/{{m}}/{verb}", head + tail, **length)

    return send


def fields(verb: str) -> Send:
    async def send(speaker: Speaker, asked: Ask) -> Said:
        content = {name: values[0].tolist() for name, values in asked.sent.items()}
        body = json.dumps({**content, "parameters": asked.parameters or {}}).encode()
        return await speaker.post(asked, f"/v2/models/{{m}}/{verb}", body)

    return send


def instances(verb: str) -> Send:
    async def send(speaker: Speaker, asked: Ask) -> Said:
        rows = range(len(next(iter(asked.sent.values()))))
        values = [{name: values[row].tolist() for name, values in asked.sent.items()} for row in rows]
        body = json.dumps({"instances": values, **(asked.parameters or {})}).encode()
        return await speaker.post(asked, f"/v1/models/{{m}}:{verb}", body)

    return send


def rpc(verb: str, method: str = "ModelInfer", raw: bool = True) -> Send:
    async def send(speaker: Speaker, asked: Ask) -> Said:
        request = message("ModelInferRequest")(model_name=asked.model)
        for name, values in asked.sent.items():
            added = request.inputs.add(name=name, datatype=datatype(values), shape=values.shape)
            if raw:
                request.raw_input_contents.append(values.tobytes())
            else:
                field = "int64_contents" if values.dtype.kind == "i" else f"fp{8 * values.itemsize}_contents"
                getattr(added.contents, field).extend(values.ravel().tolist())
        for name in asked.outputs:
            request.outputs.add(name=name)
        for name, value in {"glassworks_verb": verb, **(asked.parameters or {})}.items():
            kind = "string_param" if isinstance(value, str) else "int64_param"
            setattr(request.parameters[name], kind, value)
        return await speaker.call(asked, request, method)

    return send


async def picture(speaker: Speaker, asked: Ask) -> Said:
    return await speaker.post(asked, "/v2/models/{m}/picture", asked.file)


async def file_in_json(speaker: Speaker, asked: Ask) -> Said:
    data = [base64.b64encode(asked.file).decode()]
    body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": data}]}
    return await speaker.post(asked, "/v2/models/{m}/infer", json.dumps(body).encode())


async def frames(speaker: Speaker, asked: Ask) -> Said:
    """The opening of a stream of frames, by whoever may not."""
    reply = await ask(speaker.service, "GET", f"/v2/models/{asked.model}/stream", b"", asked.headers)
    assert reply is not None
    return Said(reply.status, text=reply.error)


INFER: Mapping[str, Send] = {
    "infer in JSON": in_json("infer"),
    "infer in bytes": in_bytes("infer"),
    "generate": fields("generate"),
    "generate_stream": fields("generate_stream"),
    "predict": instances("predict"),
    "ModelInfer": rpc("infer"),
    "ModelInfer, typed": rpc("infer", raw=False),
    "ModelStreamInfer": rpc("infer", "ModelStreamInfer"),
}
EXPLAIN: Mapping[str, Send] = {
    "explain in JSON": in_json("explain"),
    "explain in bytes": in_bytes("explain"),
    "V1 explain": instances("explain"),
    "ModelInfer, explain": rpc("explain"),
    "ModelStreamInfer, explain": rpc("explain", "ModelStreamInfer"),
}
FILES: Mapping[str, Send] = {"picture": picture, "file in JSON": file_in_json}
OPENING: Mapping[str, Send] = {"frames": frames}
