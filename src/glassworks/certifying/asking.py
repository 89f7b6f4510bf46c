"""Requests in the binary form of the Open Inference Protocol, over one kept connection, and their answers."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from glassworks.errors import ServingError
from glassworks.serving.codec.tensors import datatype, from_bytes, to_bytes

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_HEADER = "Inference-Header-Content-Length"
_TIMEOUT_S = 60.0
_OK, _BAD_REQUEST = 200, 400


@dataclass(frozen=True)
class Request:
    """A body that is ready to be sent, as `head` says how many of its bytes are JSON."""

    body: bytes
    head: int


def request_of(tensors: Tensors) -> Request:
    """Rows in bytes; answers are asked for in bytes too."""
    described, parts = [], []
    for name, values in tensors.items():
        sendable = _as_bytes(values) if values.dtype.hasobject else values
        parts.append(to_bytes(sendable))
        described.append(
            {
                "name": name,
                "shape": list(values.shape),
                "datatype": datatype(values),
                "parameters": {"binary_data_size": len(parts[-1])},
            }
        )
    head = json.dumps({"inputs": described, "parameters": {"binary_data_output": True}}).encode()
    return Request(head + b"".join(parts), len(head))


def _as_bytes(values: Array) -> Array:
    flat = np.empty(values.size, object)
    flat[:] = [each.encode() if isinstance(each, str) else each for each in values.ravel().tolist()]
    return flat.reshape(values.shape)


class Connection:
    """To one server; used by one caller at a time."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._http = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=_TIMEOUT_S)

    def ask(self, model: str, request: Request) -> tuple[float, bytes, int] | None:
        """Seconds from the first byte sent to the last one read, the body of the answer and how much of it is JSON.

        None for rows that the server refuses. Raises ServingError for what it cannot answer.
        """
        headers = {_HEADER: str(request.head), "Content-Type": "application/octet-stream"}
        begin = time.perf_counter()
        try:
            self._http.request("POST", f"/v2/models/{model}/infer", request.body, headers)
            response = self._http.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServingError(
                f"the server that is measured gave no answer: {error}", "see its messages above"
            ) from error
        taken = time.perf_counter() - begin
        if response.status == _BAD_REQUEST:
            return None
        if response.status != _OK:
            said = body[:200].decode("utf-8", "replace")
            raise ServingError(f"the server that is measured answered {response.status}: {said}", "see its log")
        return taken, body, int(response.headers.get(_HEADER) or len(body))

    def close(self) -> None:
        """End it."""
        self._http.close()


def outputs_of(body: bytes, head: int) -> Mapping[str, Array]:
    """The tensors of an answer."""
    found, position = {}, head
    for each in json.loads(body[:head])["outputs"]:
        size = int(each["parameters"]["binary_data_size"])
        count = int(np.prod(each["shape"], dtype=np.int64))
        data = memoryview(body)[position : position + size]
        found[each["name"]] = from_bytes(each["name"], each["datatype"], each["shape"], count, data)
        position += size
    return found
