"""The binary tensor data extension."""

from __future__ import annotations

import json

from glassworks.conformance.checks.requests import _same
from glassworks.conformance.target import HEADER, Failed, NotOffered, Target

_EXTENSION = "binary_tensor_data"


def c8_binary_in(target: Target) -> None:
    """Tensors in bytes are answered as tensors in JSON."""
    target.require(_EXTENSION)
    _same(target.infer(target.request()).expect(200).tensors(), target.infer(*target.binary()).expect(200).tensors())


def c8_binary_out(target: Target) -> None:
    """With binary_data_output all outputs come in bytes behind the JSON, whose length the header gives."""
    target.require(_EXTENSION)
    plain = target.infer(target.request()).expect(200)
    reply = target.infer(target.request(parameters={"binary_data_output": True})).expect(200)
    if HEADER.lower() not in reply.headers or reply.headers.get("content-type") != "application/octet-stream":
        raise Failed(f"headers {dict(reply.headers)}")
    sizes = sum(output["parameters"]["binary_data_size"] for output in reply.json["outputs"])
    if int(reply.headers[HEADER.lower()]) + sizes != len(reply.body):
        raise Failed("the sizes do not add up to the body")
    if any("data" in output for output in reply.json["outputs"]):
        raise Failed("an output has data too")
    _same(plain.tensors(), reply.tensors())


def c8_one_output_in_binary(target: Target) -> None:
    """binary_data of one output holds for it."""
    target.require(_EXTENSION)
    name = target.metadata["outputs"][0]["name"]
    asked = [{"name": name, "parameters": {"binary_data": True}}]
    reply = target.infer(target.request(outputs=asked)).expect(200)
    if "binary_data_size" not in reply.json["outputs"][0].get("parameters", {}):
        raise Failed("the output is not in binary")


def c8_the_outputs_own_parameter_counts(target: Target) -> None:
    """binary_data false of an output wins over binary_data_output true of the request."""
    target.require(_EXTENSION)
    name = target.metadata["outputs"][0]["name"]
    asked = [{"name": name, "parameters": {"binary_data": False}}]
    reply = target.infer(target.request(outputs=asked, parameters={"binary_data_output": True})).expect(200)
    if "data" not in reply.json["outputs"][0]:
        raise Failed("the output is not in JSON")


def c8_no_header_without_bytes(target: Target) -> None:
    """An answer without binary tensors has no Inference-Header-Content-Length and is application/json."""
    reply = target.infer(target.request()).expect(200)
    if HEADER.lower() in reply.headers or not reply.headers.get("content-type", "").startswith("application/json"):
        raise Failed(f"headers {dict(reply.headers)}")


def c8_raw_request(target: Target) -> None:
    """With a header length of 0 the whole body is the only input, and all outputs are binary."""
    target.require(_EXTENSION)
    inputs = target.metadata["inputs"]
    if len(inputs) != 1 or inputs[0]["shape"].count(-1) > 1 or inputs[0]["datatype"] == "BYTES":
        raise NotOffered("the model is not of one input with at most one variable size")
    _, tail = target.binary()
    headers = {HEADER: "0", "Content-Type": "application/octet-stream"}
    reply = target.send("POST", f"{target.path}/infer", tail, headers).expect(200)
    if HEADER.lower() not in reply.headers:
        raise Failed("the outputs are not binary")
    _same(target.infer(target.request()).expect(200).tensors(), reply.tensors())


def c8_bytes_too_few(target: Target) -> None:
    """Fewer bytes than binary_data_size are 400."""
    target.require(_EXTENSION)
    request, tail = target.binary()
    target.infer(request, tail[:-1]).refused()


def c8_bytes_left_over(target: Target) -> None:
    """Bytes behind the last tensor are 400."""
    target.require(_EXTENSION)
    request, tail = target.binary()
    target.infer(request, tail + b"\0").refused()


def c8_size_against_shape(target: Target) -> None:
    """A binary_data_size that does not fit the shape is 400."""
    target.require(_EXTENSION)
    request, tail = target.binary()
    request["inputs"][-1]["parameters"]["binary_data_size"] += 4
    target.infer(request, tail + b"\0\0\0\0").refused()


def c8_sizes_that_are_none(target: Target) -> None:
    """A binary_data_size that is negative, huge or no number is 400."""
    target.require(_EXTENSION)
    for size in (-1, 2**63, "4", 1.5, True):
        request, tail = target.binary()
        request["inputs"][0]["parameters"]["binary_data_size"] = size
        target.infer(request, tail).refused()


def c8_data_and_bytes(target: Target) -> None:
    """An input with both data and binary_data_size is 400."""
    target.require(_EXTENSION)
    request, tail = target.binary()
    request["inputs"][0]["data"] = target.request()["inputs"][0]["data"]
    target.infer(request, tail).refused()


def c8_no_data_at_all(target: Target) -> None:
    """An input with neither data nor bytes is 400."""
    request = target.request()
    del request["inputs"][0]["data"]
    target.infer(request).refused()


def c9_header_lengths_that_are_none(target: Target) -> None:
    """A header length that is no number, negative or longer than the body is 400, and the server lives on."""
    target.require(_EXTENSION)
    body = json.dumps(target.request()).encode()
    for length in ("x", "-1", "1.5", str(len(body) + 1), "99999999999999999999"):
        headers = {HEADER: length, "Content-Type": "application/octet-stream"}
        target.send("POST", f"{target.path}/infer", body, headers).refused()
    target.alive()


def c9_header_length_in_the_middle(target: Target) -> None:
    """A header length that cuts the JSON is 400."""
    target.require(_EXTENSION)
    body = json.dumps(target.request()).encode()
    headers = {HEADER: str(len(body) // 2), "Content-Type": "application/octet-stream"}
    target.send("POST", f"{target.path}/infer", body, headers).refused()
