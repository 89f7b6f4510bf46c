"""Tensors on the wire: what is read is what was sent, and what is malformed is an InputError."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from glassworks.errors import InputError
from glassworks.serving.codec.json_data import LARGE_BYTES, MAX_TEXTS, MAX_VALUES, json_object
from glassworks.serving.codec.responses import render_response
from glassworks.serving.codec.tensors import DTYPES, datatype, parse_request

Values = NDArray[Any]
NAMES = sorted(DTYPES)


def request(tensor: Mapping[str, Any], tail: bytes = b"", **rest: Any) -> tuple[bytes, int]:
    """A request of one input: its body and the length of its JSON."""
    head = json.dumps({"inputs": [{"name": "x", **tensor}], **rest}).encode()
    return head + tail, len(head)


def read(tensor: Mapping[str, Any]) -> Values:
    """The input as the server reads it from JSON alone."""
    return parse_request(request(tensor)[0], None)[1]["x"]


def refused(body: bytes, header: int | None = None) -> str:
    with pytest.raises(InputError) as caught:
        parse_request(body, header)
    assert caught.value.mend
    return caught.value.problem


def malformed(tensor: Mapping[str, Any], tail: bytes | None = None) -> str:
    """The problem with a tensor; with a `tail` the request is a binary one."""
    body, length = request(tensor, tail or b"")
    return refused(body, None if tail is None else length)


@st.composite
def tensors(draw: st.DrawFn, finite: bool = True) -> Values:
    """Any array of any of the numeric datatypes; zero-size ones too."""
    dtype = DTYPES[draw(st.sampled_from(NAMES))]
    shape = draw(array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    options = {"allow_nan": not finite, "allow_infinity": not finite} if dtype.kind in "fV" else {}
    if dtype.kind == "V":  # bfloat16: the upper half of FP32
        wide: Values = draw(
            arrays(np.float32, shape, elements={"min_value": -(2.0**99), "max_value": 2.0**99} if finite else options)
        )
        return wide.astype(dtype)
    drawn: Values = draw(arrays(dtype, shape, elements=options))
    return drawn


def test_there_are_thirteen_datatypes() -> None:
    sizes = {"BOOL": 1, "FP16": 2, "FP32": 4, "FP64": 8}
    sizes |= {f"{word}{bits}": bits // 8 for word in ("INT", "UINT") for bits in (8, 16, 32, 64)}
    assert {name: dtype.itemsize for name, dtype in DTYPES.items() if name != "BF16"} == sizes
    assert DTYPES["BF16"].itemsize == 2
    assert len(sizes) + len(["BYTES"]) == 13


@given(values=tensors(), nested=st.booleans())
def test_json_gives_what_was_sent(values: Values, nested: bool) -> None:
    data = values.tolist() if nested else values.ravel().tolist()
    found = read({"shape": list(values.shape), "datatype": datatype(values), "data": data})
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    assert found.tobytes() == values.tobytes()


@given(values=tensors(finite=False))
def test_binary_gives_what_was_sent(values: Values) -> None:
    size = {"binary_data_size": values.nbytes}
    tensor = {"shape": list(values.shape), "datatype": datatype(values), "parameters": size}
    body, length = request(tensor, values.tobytes())
    found = parse_request(body, length)[1]["x"]
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    assert found.tobytes() == values.tobytes()


@given(elements=st.lists(st.binary(max_size=12), max_size=6))
def test_bytes_give_what_was_sent(elements: Sequence[bytes]) -> None:
    tail = b"".join(len(element).to_bytes(4, "little") + element for element in elements)
    tensor = {"shape": [len(elements)], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
    body, length = request(tensor, tail)
    found = parse_request(body, length)[1]["x"]
    assert found.tolist() == elements
    assert datatype(found) == "BYTES"


@given(texts=st.lists(st.text(max_size=12), max_size=6))
def test_texts_give_what_was_sent(texts: Sequence[str]) -> None:
    found = read({"shape": [len(texts)], "datatype": "BYTES", "data": list(texts)})
    assert found.tolist() == texts
    assert datatype(found) == "BYTES"


@given(values=tensors(), other=tensors(), binary=st.booleans())
def test_a_response_can_be_read_again(values: Values, other: Values, binary: bool) -> None:
    body, length = render_response({"model_name": "m"}, {"x": values, "y": other}, {"x": True, "y": binary})
    assert length is not None
    head = json.loads(body[:length])
    assert head["model_name"] == "m"
    again = json.dumps({"inputs": head["outputs"]}).encode()
    found = parse_request(again + body[length:], len(again))[1]
    for name, sent in (("x", values), ("y", other)):
        assert found[name].dtype == sent.dtype
        assert found[name].tobytes() == sent.tobytes()


def test_text_leaves_as_text_or_with_its_lengths() -> None:
    values = np.array([["数字".encode(), b""]], object)
    text, length = render_response({}, {"x": values}, {})
    assert length is None
    assert json.loads(text)["outputs"] == [{"name": "x", "datatype": "BYTES", "shape": [1, 2], "data": ["数字", ""]}]
    body, length = render_response({}, {"x": values}, {"x": True})
    assert body[length:] == b"\x06\x00\x00\x00" + "数字".encode() + b"\x00\x00\x00\x00"


def test_several_inputs_take_their_bytes_in_order() -> None:
    first, second = np.arange(3, dtype="<i2"), np.arange(2, dtype="<f8")
    described = [
        {"name": "a", "shape": [3], "datatype": "INT16", "parameters": {"binary_data_size": first.nbytes}},
        {"name": "j", "shape": [1], "datatype": "BOOL", "data": [True]},
        {"name": "b", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": second.nbytes}},
    ]
    head = json.dumps({"inputs": described}).encode()
    _, found = parse_request(head + first.tobytes() + second.tobytes(), len(head))
    assert [found[name].tolist() for name in "ajb"] == [[0, 1, 2], [True], [0.0, 1.0]]


FP32 = {"shape": [2], "datatype": "FP32"}
MALFORMED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "wrong count": ({**FP32, "data": [1.0]}, r"has 1 elements, its shape [2] needs 2"),
    "wrong count nested": ({"shape": [2, 2], "datatype": "INT8", "data": [[1, 2], [3]]}, "has 3 elements"),
    "negative": ({**FP32, "shape": [-1], "data": []}, "has the shape [-1]"),
    "unknown datatype": ({"shape": [1], "datatype": "STRING", "data": ["x"]}, "has the datatype 'STRING'"),
    "no data": (FP32, "has no data"),
    "uneven": ({**FP32, "data": [1.0, [2.0]]}, "is nested unevenly"),
    "too deep": ({"shape": [1], "datatype": "FP32", "data": [[[1.0]]]}, "holds [1.0]"),
    "null": ({**FP32, "data": [1.0, None]}, "holds None"),
    "text": ({**FP32, "data": [1.0, "2"]}, "holds '2'"),
    "bool as number": ({"shape": [1], "datatype": "INT32", "data": [True]}, "holds True"),
    "bool as float": ({"shape": [1], "datatype": "FP32", "data": [True]}, "holds True"),
    "number as bool": ({"shape": [1], "datatype": "BOOL", "data": [1]}, "holds 1"),
    "fraction as integer": ({"shape": [1], "datatype": "INT32", "data": [1.5]}, "holds 1.5"),
    "a number alone": ({"shape": [1], "datatype": "FP32", "data": 1.0}, "is not valid"),
    "int8 overflow": ({"shape": [1], "datatype": "INT8", "data": [128]}, "do not fit INT8"),
    "unsigned underflow": ({"shape": [1], "datatype": "UINT64", "data": [-1]}, "do not fit UINT64"),
    "uint64 overflow": ({"shape": [1], "datatype": "UINT64", "data": [2**64]}, "do not fit UINT64"),
    "fp16 overflow": ({"shape": [1], "datatype": "FP16", "data": [70000.0]}, "do not fit FP16"),
    "fp32 overflow": ({"shape": [1], "datatype": "FP32", "data": [1e39]}, "do not fit FP32"),
    "huge integer": ({"shape": [1], "datatype": "FP32", "data": [10**400]}, "'x'"),
    "number as bytes": ({"shape": [1], "datatype": "BYTES", "data": [1]}, "holds 1"),
    "product overflow": ({"shape": [2**20, 2**20, 2**20], "datatype": "INT8", "data": []}, "elements, at most"),
    "size overflow": ({"shape": [2**64], "datatype": "INT8", "data": []}, "has the shape [18446744073709551616]"),
    "size overflow beside zero": ({"shape": [0, 2**64], "datatype": "INT8", "data": []}, "has the shape"),
    "too many dimensions": ({"shape": [1] * 65, "datatype": "INT8", "data": [1]}, "has the shape"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_tensor_is_refused_with_its_problem(name: str) -> None:
    tensor, problem = MALFORMED[name]
    assert problem in malformed(tensor)


@pytest.mark.parametrize(
    ("parameters", "tail", "problem"),
    [
        ({"binary_data_size": 4}, b"1234", "has 4 bytes, its shape [2] of FP32 needs 8"),
        ({"binary_data_size": 9}, b"12345678", "has binary_data_size 9, 8 bytes are left"),
        ({"binary_data_size": -1}, b"12345678", "has binary_data_size -1"),
        ({"binary_data_size": True}, b"12345678", "has binary_data_size True"),
        ({"binary_data_size": "8"}, b"12345678", "has binary_data_size '8'"),
        ({"binary_data_size": 8}, b"123456789", "1 bytes are left behind the last input"),
        ({}, b"12345678", "has no data"),
    ],
)
def test_sizes_that_do_not_add_up_are_refused(parameters: Mapping[str, Any], tail: bytes, problem: str) -> None:
    assert problem in malformed({**FP32, "parameters": parameters}, tail)


def test_data_and_bytes_together_are_refused() -> None:
    assert "both" in malformed({**FP32, "data": [1, 2], "parameters": {"binary_data_size": 8}}, b"12345678")


@pytest.mark.parametrize("tail", [b"\x01", b"\x05\x00\x00\x00abc", b"\xff\xff\xff\xff", b"\x01\x00\x00\x00a\x00"])
def test_bytes_that_are_cut_off_are_refused(tail: bytes) -> None:
    tensor = {"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
    assert "is cut off in its element" in malformed(tensor, tail)


@pytest.mark.parametrize("header", [0, -1, 10_000])
def test_a_header_length_out_of_range_is_refused(header: int) -> None:
    assert f"is {header}" in refused(b'{"inputs": []}', header)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"inputs": []}', b'{"inputs": 1}', b'{"inputs": [{}]}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [NaN]}]}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1e999]}]}',
        b'{"inputs": [{"name": "x", "shape": [1.5], "datatype": "FP32", "data": [1]}]}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1], "parameters": {"a": null}}]}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": ' + b"[" * 100_000 + b"]" * 100_000,
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": ' + b"[" * 900 + b"]" * 900 + b"}]}",
        b'{"inputs": [{"name": "x", "shape": [' + b"9" * 9000 + b'], "datatype": "FP32", "data": [1]}]}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BOOL", "data": [' + b"9" * 9000 + b"]}]}",
        b'{"inputs": [{"name": "\\ud800", "shape": [1], "datatype": "FP32", "data": [1]}]',
    ],
)  # fmt: skip
def test_a_malformed_body_is_refused(body: bytes) -> None:
    assert refused(body)


def test_an_input_given_twice_is_refused() -> None:
    tensor = {"name": "x", **FP32, "data": [1, 2]}
    assert "given twice" in refused(json.dumps({"inputs": [tensor, tensor]}).encode())


@given(noise=st.binary(max_size=64), header=st.none() | st.integers(-2, 80), place=st.integers(0, 120))
def test_noise_is_never_anything_but_an_input_error(noise: bytes, header: int | None, place: int) -> None:
    good, _ = request({**FP32, "data": [1.0, 2.0]}, id="7")
    for body in (noise, good[:place] + noise + good[place + len(noise) :], good + noise):
        try:
            parse_request(body, header)
        except InputError as error:
            assert error.problem


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(
    data=st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3), max_leaves=8),
    shape=st.lists(st.integers(-1, 3), max_size=3),
    name=st.sampled_from([*NAMES, "BYTES", "BF16"]),
)
def test_any_json_data_is_a_tensor_of_its_shape_or_refused(data: Any, shape: list[int], name: str) -> None:
    try:
        found = read({"shape": shape, "datatype": name, "data": data})
    except InputError:
        return
    assert list(found.shape) == shape
    assert datatype(found) == name


@pytest.mark.parametrize(
    ("datatype", "count"), [("FP32", 60_000), ("INT16", 60_000), ("FP64", 16_000), ("BOOL", 60_000)]
)
def test_long_flat_data_is_read_in_pieces_and_is_the_same(datatype: str, count: int) -> None:
    values = np.random.default_rng(0).normal(0, 1000, count).astype(DTYPES[datatype])
    sent = {"shape": [count // 10, 10], "datatype": datatype, "data": values.tolist()}
    assert len(request(sent)[0]) > LARGE_BYTES
    assert np.array_equal(read(sent), values.reshape(-1, 10))


@pytest.mark.parametrize(
    ("last", "datatype", "problem"),
    [
        ("1,", "FP32", "not valid"),
        ('"a"', "FP32", "not valid|which is not FP32"),
        ("1,2", "FP32", "200001 elements, its shape"),
        ("1e39", "FP32", "do not fit FP32"),
        ("1.5", "INT32", "holds 1.5, which is not INT32"),
        ("", "FP32", "not valid"),
    ],
)
def test_what_is_wrong_at_the_end_of_long_data_is_found(last: str, datatype: str, problem: str) -> None:
    data = "[" + "1," * 199_999 + last + "]"
    text = '{"inputs":[{"name":"x","datatype":"%s","shape":[200000],"data":%s}]}' % (datatype, data)  # noqa: UP031
    assert re.search(problem, refused(text.encode()))


@pytest.mark.parametrize("unit", ["[[0]]", "[]", '"ab"', '{"a":0}', "0"])
def test_json_of_too_many_values_is_refused_before_it_becomes_objects(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = "[" + ",".join([unit] * (MAX_VALUES + 1)) + "]" if unit == "0" else "[" + ",".join([unit] * 1_500_000) + "]"
    monkeypatch.setattr("msgspec.json.decode", lambda *_, **__: pytest.fail("it became objects"))
    with pytest.raises(InputError, match="JSON values, where a list counts as 8 and a text as 2"):
        json_object(f'{{"instances":{many}}}'.encode())


def test_nested_data_of_too_many_lists_is_refused() -> None:
    data = "[" + ",".join(["[[0]]"] * 300_000) + "]"
    text = f'{{"inputs":[{{"name":"x","datatype":"FP32","shape":[300000,1,1],"data":{data}}}]}}'
    assert "JSON values" in refused(text.encode())


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_json_that_is_nested_too_deeply_is_an_error(depth: int) -> None:
    with pytest.raises(InputError) as caught:
        json_object(b'{"instances":' + b"[" * depth + b"]" * depth + b"}")
    assert "nested too deeply" in caught.value.problem
    assert "as deep as" in caught.value.mend


def test_more_texts_than_a_request_may_hold_are_refused_before_they_are_split() -> None:
    count = MAX_TEXTS + 1
    assert "texts, at most" in malformed(
        {"shape": [count], "datatype": "BYTES", "parameters": {"binary_data_size": 0}}, b""
    )
    body, length = request({"shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 400}}, bytes(400))
    assert "its shape [2] needs 2" in refused(body, length)


def test_long_answers_are_written_in_pieces_and_are_the_same() -> None:
    values = np.random.default_rng(0).random((30_000, 5), np.float32)
    values[7, 3] = np.nan
    body, _ = render_response({}, {"y": values}, {})
    (output,) = json.loads(body)["outputs"]
    assert output["data"][38] is None
    assert np.array_equal(np.array(output["data"], float).astype("f4").reshape(output["shape"]), values, equal_nan=True)
