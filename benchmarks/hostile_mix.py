"""A load of good requests over JSON, binary tensors and gRPC, of which some are hostile: every answer is checked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from tests.hostile import http2
from tests.hostile.fuzzing import changed_bytes
from tests.hostile.place import HOST, Place

from glassworks.conformance.http2 import PREFACE, frame, message as framed
from glassworks.serving.transports.grpc.messages import message

EXAMPLES = 64
CLIENTS = {"json": 10, "binary": 10, "grpc": 8}
HOSTILE_CLIENTS = 8
HOSTILE_SHARE = 0.05
_BY_DESIGN = (b"501", b"503", b"504", b"505")
"""What a client may get for a method or a version that there is not, or for coming when there is no room or time."""
_CLOSE = 1e-4
_AT_ONCE = 8
"""gRPC calls of one connection."""


@dataclass
class Mixed:
    """What came out. `growth` is of memory between a tenth of the requests and the end."""

    good: int = 0
    hostile: int = 0
    failed: int = 0
    refused: int = 0
    crossed: int = 0
    growth: float = 0.0
    per_s: float = 0.0
    seen: dict[str, int] = field(default_factory=dict)


class _Load:
    def __init__(self, place: Place, count: int) -> None:
        self.place, self.count, self.made = place, count, Mixed()
        values = np.random.default_rng(0).random((EXAMPLES, 1, *place.shape), np.float32).round(3)
        self.values = values
        self.wanted: list[np.ndarray] = []
        self.numbers = itertools.count()
        self.memory_then = 0.0

    def next(self) -> int | None:
        """The number of the next good request; None when there were enough."""
        number = next(self.numbers)
        total = self.made.good + self.made.hostile
        if not self.memory_then and total >= self.count // 10:
            self.memory_then = self.place.memory_mb()
        return number if total < self.count else None

    def told(self, status: int, mine: bool, outputs: np.ndarray | None, number: int) -> None:
        """Count an answer to a good request: whether it is whose it should be, and right."""
        made = self.made
        made.good += 1
        made.seen[str(status)] = made.seen.get(str(status), 0) + 1
        if status == 503:
            made.refused += 1
        elif status != 200:
            made.failed += 1
        elif not mine or outputs is None or not np.allclose(outputs, self.wanted[number % EXAMPLES], atol=_CLOSE):
            made.crossed += 1


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head[9:12]), lower, await reader.readexactly(length)


def _json_request(load: _Load, number: int) -> bytes:
    values = load.values[number % EXAMPLES]
    tensor = {
        "name": load.place.source,
        "datatype": "FP32",
        "shape": list(values.shape),
        "data": values.ravel().tolist(),
    }
    body = json.dumps({"id": f"n{number}", "inputs": [tensor]}).encode()
    return load.place.post("infer", body)


def _binary_request(load: _Load, number: int) -> bytes:
    values = load.values[number % EXAMPLES]
    shape, size = list(values.shape), {"binary_data_size": values.nbytes}
    tensor = {"name": load.place.source, "datatype": "FP32", "shape": shape, "parameters": size}
    asked = {"id": f"n{number}", "inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(asked).encode()
    return load.place.post("infer", head + values.tobytes(), f"inference-header-content-length: {len(head)}")


def _outputs(head: bytes, body: bytes) -> tuple[str, np.ndarray]:
    size = head.partition(b"inference-header-content-length:")[2].partition(b"\r\n")[0]
    answer = json.loads(body[: int(size)] if size else body)
    output = answer["outputs"][0]
    found = np.frombuffer(body[int(size) :], np.float32) if size else np.array(output["data"], np.float32)
    return answer.get("id", ""), found[: int(np.prod(output["shape"]))]


async def _http(load: _Load, request: Callable[[_Load, int], bytes]) -> None:
    reader, writer = await asyncio.open_connection(HOST, load.place.http)
    while (number := load.next()) is not None:
        writer.write(request(load, number))
        status, head, body = await _read(reader)
        name, outputs = _outputs(head, body) if status == 200 else ("", None)
        load.told(status, name == f"n{number}", outputs, number)
    writer.close()


async def _grpc(load: _Load) -> None:
    import grpc

    async with grpc.aio.insecure_channel(f"{HOST}:{load.place.grpc}") as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message("ModelInferResponse").FromString,
        )

        async def one() -> None:
            while (number := load.next()) is not None:
                values = load.values[number % EXAMPLES]
                request = message("ModelInferRequest")(model_name=load.place.model, id=f"n{number}")
                request.inputs.add(name=load.place.source, datatype="FP32", shape=values.shape)
                request.raw_input_contents.append(values.tobytes())
                try:
                    answer = await call(request)
                except grpc.aio.AioRpcError as error:
                    load.told(503 if error.code() == grpc.StatusCode.UNAVAILABLE else 500, False, None, number)
                else:
                    found = np.frombuffer(answer.raw_output_contents[0], np.float32)
                    load.told(200, answer.id == f"n{number}", found, number)

        await asyncio.gather(*(one() for _ in range(_AT_ONCE)))


def _hostile_bytes(load: _Load, chance: random.Random) -> tuple[int, bytes]:
    """A port and what to send there."""
    place = load.place
    if chance.random() < 0.3:
        block = http2.head(chance.choice((b"ModelInfer", b"ServerLive", b"Nothing")))
        data = PREFACE + frame(4, 0, 0) + frame(1, 4, 1, block)
        return place.grpc, data + changed_bytes(frame(0, 1, 1, framed(chance.randbytes(50))), chance)
    whole = chance.choice((_json_request, _binary_request))(load, chance.randrange(EXAMPLES))
    return place.http, changed_bytes(whole, chance)[: chance.choice((10**9, 10**9, 500))]


async def _hostile(load: _Load, seed: int) -> None:
    """Changed requests, at the share that is asked for; most leave before they are answered."""
    chance, made = random.Random(seed), load.made
    while made.good + made.hostile < load.count:
        if made.hostile > HOSTILE_SHARE * (made.good + made.hostile + 1):
            await asyncio.sleep(0.002)
            continue
        port, data = _hostile_bytes(load, chance)
        made.hostile += 1
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(data)
            with contextlib.suppress(TimeoutError):
                status = await asyncio.wait_for(reader.read(12), chance.choice((0.001, 0.05)))
                if port == load.place.http and status[9:10] == b"5" and status[9:12] not in _BY_DESIGN:
                    made.failed += 1
                    made.seen[f"hostile {status!r}"] = made.seen.get(f"hostile {status!r}", 0) + 1
            writer.close()


async def _run(load: _Load) -> None:
    reader, writer = await asyncio.open_connection(HOST, load.place.http)
    for number in range(EXAMPLES):
        writer.write(_json_request(load, number))
        _, head, body = await _read(reader)
        load.wanted.append(_outputs(head, body)[1])
    writer.close()
    clients = [_http(load, _json_request) for _ in range(CLIENTS["json"])]
    clients += [_http(load, _binary_request) for _ in range(CLIENTS["binary"])]
    clients += [_grpc(load) for _ in range(CLIENTS["grpc"])]
    await asyncio.gather(*clients, *(_hostile(load, seed) for seed in range(HOSTILE_CLIENTS)))


def mixed(place: Place, count: int) -> Mixed:
    """Send so many requests; what came out."""
    load, begun = _Load(place, count), time.perf_counter()
    asyncio.run(_run(load))
    made = load.made
    made.per_s = (made.good + made.hostile) / (time.perf_counter() - begun)
    made.growth = place.memory_mb() / (load.memory_then or place.memory_mb()) - 1
    return made
