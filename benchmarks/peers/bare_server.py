"""The floor for a Python server: bare ASGI, JSON and binary tensors, work-conserving batches; no routes, no errors."""

import asyncio

import msgspec
import numpy as np
import orjson
from classifier import open_session

session, source, target = open_session()
waiting = []
draining = []


class Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    data: list[float] | None = None


class Body(msgspec.Struct):
    inputs: list[Tensor]


decode = msgspec.json.Decoder(Body).decode


async def drain():
    await asyncio.sleep(0)
    while waiting:
        batch = waiting[:32]
        del waiting[:32]
        values = np.concatenate([each for each, _ in batch]) if len(batch) > 1 else batch[0][0]
        for row, (_, future) in zip(session.run(None, {source: values})[0], batch, strict=True):
            future.set_result(row)
        await asyncio.sleep(0)
    draining.clear()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    length = next((int(v) for k, v in scope["headers"] if k == b"inference-header-content-length"), None)
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    tensor = decode(memoryview(body)[:length]).inputs[0]
    flat = np.frombuffer(body, np.float32, offset=length) if length else np.array(tensor.data, np.float32)
    future = asyncio.get_running_loop().create_future()
    waiting.append((flat.reshape(tensor.shape), future))
    if not draining:
        draining.append(asyncio.ensure_future(drain()))
    row = await future
    output = {"name": target, "datatype": "FP32", "shape": [1, len(row)]}
    headers = []
    if length:
        output["parameters"] = {"binary_data_size": row.nbytes}
        head = orjson.dumps({"model_name": "digits", "outputs": [output]})
        answer, kind = head + row.tobytes(), b"application/octet-stream"
        headers = [(b"inference-header-content-length", b"%d" % len(head))]
    else:
        head = {"model_name": "digits", "outputs": [{**output, "data": row}]}
        answer, kind = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY), b"application/json"
    headers += [(b"content-type", kind), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
