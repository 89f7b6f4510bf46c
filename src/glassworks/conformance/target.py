"""A server under test: raw HTTP with nothing done behind the tester's back, and a model to ask."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import InputError
from glassworks.serving.codec.tensors import DTYPES, to_bytes

HEADER = "Inference-Header-Content-Length"


class Failed(Exception):
    """A check that does not hold; the text is what was seen instead."""


class NotOffered(Exception):
    """A check of something that this server or model does not have; the text says what."""


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP; names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The JSON of the body, before its binary tensors. Raises Failed."""
        length = int(self.headers.get(HEADER.lower(), len(self.body)))
        try:
            return json.loads(self.body[:length])
        except ValueError:
            raise Failed(f"status {self.status} with a body that is not JSON: {self.body[:80]!r}") from None

    def expect(self, *statuses: int) -> Reply:
        """This answer, if it has one of the statuses. Raises Failed."""
        if self.status not in statuses:
            raise Failed(f"status {self.status} instead of {' or '.join(map(str, statuses))}: {self.body[:120]!r}")
        return self

    def refused(self, *statuses: int) -> Reply:
        """This answer, if it is an error as the protocol has them: 4xx and `{"error": string}`. Raises Failed."""
        self.expect(*(statuses or (400,)))
        if not isinstance(self.json, dict) or not isinstance(self.json.get("error"), str):
            raise Failed(f'the error is not {{"error": string}}: {self.body[:120]!r}')
        return self

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The outputs of an inference, from JSON or from the bytes behind it; texts are bytes. Raises Failed."""
        position = int(self.headers.get(HEADER.lower(), 0))
        found: dict[str, NDArray[Any]] = {}
        for output in self.json["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            dtype = DTYPES.get(output["datatype"])
            if size is not None:
                content, position = self.body[position : position + size], position + size
                found[output["name"]] = _array(content, dtype, output["shape"])
            else:
                values = np.asarray(output["data"], dtype or object).reshape(output["shape"])
                found[output["name"]] = values if dtype else _encoded(values)
        return found


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the server is, and how to ask it. `seconds` bounds each request.

    Within `patience` seconds the server should end who is slow or silent; None: it is not asked.
    `websocket` is the path where it speaks WebSocket; without one that of the model's stream.
    """

    url: str
    grpc: str | None = None
    name: str | None = None
    key: str | None = None
    websocket: str | None = None
    seconds: float = 10.0
    patience: float | None = None
    _state: dict[str, Any] = field(default_factory=dict)

    def send(
        self,
        verb: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own. Raises Failed when there is no answer."""
        connection = self._connection()
        given = {**({"Authorization": f"Bearer {self.key}"} if self.key else {}), **(headers or {})}
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(verb, path, body, given, encode_chunked=chunked)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"no answer: {type(error).__name__} {error}") from None
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        """GET, which must be answered with 200. Raises Failed."""
        return self.send("GET", path).expect(200)

    def post(self, path: str, value: object, tail: bytes = b"", **headers: str) -> Reply:
        """POST of JSON, with tensors behind it where there is a `tail`."""
        content = json.dumps(value).encode()
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        given.setdefault("Content-Type", "application/octet-stream" if tail else "application/json")
        if tail:
            given.setdefault(HEADER, str(len(content)))
        return self.send("POST", path, content + tail, given)

    def require(self, extension: str) -> None:
        """Go on only when the server says that it has an extension. Raises NotOffered."""
        if extension not in self.get("/v2").json.get("extensions", []):
            raise NotOffered(f"the server does not offer '{extension}'")

    @property
    def model(self) -> str:
        """The name of the model that is asked. Raises NotOffered."""
        if self.name:
            return self.name
        if "model" not in self._state:
            reply = self.send("POST", "/v2/repository/index", b"")
            rows = reply.json if reply.status == 200 else []
            ready = [row["name"] for row in rows if row.get("state", "READY") == "READY"]
            if not ready:
                raise NotOffered("the server lists no ready model; name one with --model")
            self._state["model"] = ready[0]
        return str(self._state["model"])

    @property
    def asked(self) -> str | None:
        """The name of the model, if one was asked so far."""
        return self.name or self._state.get("model")

    @property
    def path(self) -> str:
        """The path of the model."""
        return f"/v2/models/{quote(self.model)}"

    @property
    def metadata(self) -> dict[str, Any]:
        """What the server says of the model."""
        if "metadata" not in self._state:
            self._state["metadata"] = self.get(self.path).json
        found: dict[str, Any] = self._state["metadata"]
        return found

    def inputs(self, rows: int = 1, seed: int = 0) -> dict[str, NDArray[Any]]:
        """Random values for all inputs of the model. Raises Failed and NotOffered."""
        if not self.metadata.get("inputs"):
            raise NotOffered("the model's metadata name no inputs, so that it cannot be asked")
        generator = np.random.default_rng(seed)
        return {each["name"]: _random(generator, each, rows) for each in self.metadata["inputs"]}

    def batched(self) -> bool:
        """Whether the first dimension of all inputs is variable."""
        return all(each["shape"][:1] == [-1] for each in self.metadata["inputs"])

    def request(self, rows: int = 1, seed: int = 0, **more: Any) -> dict[str, Any]:
        """An inference request in JSON."""
        return {"inputs": [described(name, values) for name, values in self.inputs(rows, seed).items()], **more}

    def binary(self, rows: int = 1, seed: int = 0, **more: Any) -> tuple[dict[str, Any], bytes]:
        """The same request with its tensors in bytes behind the JSON."""
        inputs, parts = [], []
        for name, values in self.inputs(rows, seed).items():
            parts.append(to_bytes(values))
            tensor = described(name, values)
            del tensor["data"]
            inputs.append({**tensor, "parameters": {"binary_data_size": len(parts[-1])}})
        return {"inputs": inputs, **more}, b"".join(parts)

    def infer(self, request: object, tail: bytes = b"", **headers: str) -> Reply:
        """Ask the model."""
        return self.post(f"{self.path}/infer", request, tail, **headers)

    def alive(self) -> None:
        """Go on only when the server still answers. Raises Failed."""
        self.infer(self.request()).expect(200)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"'{self.url[:200]}' is no address of a server", "give one such as http://127.0.0.1:8080")
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.seconds)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=self.seconds, context=context)


def described(name: str, values: NDArray[Any]) -> dict[str, Any]:
    """A tensor in JSON, flat."""
    datatype = next((each for each, dtype in DTYPES.items() if dtype == values.dtype), "BYTES")
    return {"name": name, "datatype": datatype, "shape": list(values.shape), "data": plain(values.ravel())}


def plain(values: NDArray[Any]) -> list[Any]:
    """Values as JSON has them: lists in lists, bytes as texts."""
    if values.dtype != object:
        return list(values.tolist())
    return [plain(each) if isinstance(each, np.ndarray) else each.decode() for each in values]


def _random(generator: np.random.Generator, spec: Mapping[str, Any], rows: int) -> NDArray[Any]:
    sizes = [int(size) for size in spec["shape"]]
    shape = [1 if size < 0 else size for size in sizes]
    if sizes[:1] == [-1]:
        shape[0] = rows
    dtype = DTYPES.get(spec["datatype"])
    if dtype is None:
        values = np.empty(shape, object)
        values.ravel()[:] = b"a short text"
        return values
    if dtype.kind in "fV":
        return generator.random(shape).round(3).astype(dtype)
    return generator.integers(0, 2, shape).astype(dtype)


def _encoded(values: NDArray[Any]) -> NDArray[Any]:
    found = np.empty(values.shape, object)
    found.ravel()[:] = [each.encode() if isinstance(each, str) else each for each in values.ravel()]
    return found


def _array(content: bytes, dtype: np.dtype[Any] | None, shape: Sequence[int]) -> NDArray[Any]:
    if dtype is not None:
        if len(content) != int(np.prod(shape)) * dtype.itemsize:
            raise Failed(f"{len(content)} bytes for the shape {list(shape)}")
        return np.frombuffer(content, dtype).reshape(shape)
    found, position = [], 0
    while position < len(content):
        end = position + 4 + int.from_bytes(content[position : position + 4], "little")
        found.append(content[position + 4 : end])
        position = end
    values = np.empty(len(found), object)
    values[:] = found
    return values.reshape(shape)
