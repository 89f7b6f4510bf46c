"""Tensors and parameters through the messages of gRPC and back; the description of the messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassworks.errors import InputError
from glassworks.serving.codec.tensors import DTYPES, TensorLimits
from glassworks.serving.transports.grpc.convert import read_parameters, read_tensors, write_parameters, write_response
from glassworks.serving.transports.grpc.fields import read_infer_request
from glassworks.serving.transports.grpc.messages import message


@pytest.mark.parametrize("name", [*DTYPES, "BYTES"])
@pytest.mark.parametrize("raw", [True, False])
def test_every_datatype_comes_back_bit_by_bit(name: str, raw: bool) -> None:
    generator = np.random.default_rng(0)
    if name == "BYTES":
        values: np.ndarray[Any, Any] = np.array([[b"", "数字".encode()], [b"\xff\x00", b"x" * 300]], object)
    else:
        dtype = DTYPES[name]
        values = generator.integers(0, 2, (7, 3)).astype(dtype) if dtype.kind == "b" else generator.random((7, 3))
        values = (values * 100).astype(dtype) if dtype.kind != "b" else values
    response = write_response({"model_name": "m"}, {"x": values}, raw)
    request = message("ModelInferRequest")(raw_input_contents=response.raw_output_contents)
    for output in response.outputs:
        given = request.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.HasField("contents"):
            given.contents.CopyFrom(output.contents)
    found = read_tensors(request, TensorLimits())["x"]
    assert bool(response.raw_output_contents) == (raw or name in ("FP16", "BF16"))
    assert found.dtype == values.dtype
    assert found.tolist() == values.tolist()


def test_parameters_come_back() -> None:
    given = {"a": True, "b": -3, "c": 0.5, "d": "text"}
    request = message("ModelInferRequest")()
    write_parameters(request.parameters, given)
    assert read_parameters(request.parameters) == given


def test_the_compiled_description_is_that_of_the_protocol(tmp_path: Any) -> None:
    from importlib.resources import files

    protoc = pytest.importorskip("grpc_tools.protoc")
    folder = files("glassworks.serving.transports.grpc")
    out = tmp_path / "compiled"
    arguments = ["protoc", f"-I{folder}", f"--descriptor_set_out={out}", "open_inference.proto"]
    assert protoc.main(arguments) == 0
    assert out.read_bytes() == folder.joinpath("open_inference.binpb").read_bytes()


def test_messages_of_countless_fields_are_refused_before_they_are_read() -> None:
    request = message("ModelInferRequest")(model_name="m", raw_input_contents=[bytes(200_000)])
    request.inputs.add(name="x", datatype="FP32", shape=[1])
    assert read_infer_request(request.SerializeToString()) == request
    nested = message("ModelInferRequest")()
    nested.inputs.add().contents.bytes_contents.extend([b""] * 40_000)
    typed = inner(b"\x2a", inner(b"\x2a", inner(b"\x0a", bytes(2**24 + 1))))  # inputs, contents, bool_contents
    for content in (b"*\0" * 40_000, nested.SerializeToString(), typed):
        with pytest.raises(InputError, match="send raw_input_contents"):
            read_infer_request(content)


def inner(tag: bytes, content: bytes) -> bytes:
    """A field of bytes with a length of 28 bits."""
    size = len(content)
    return tag + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21]) + content
