"""The quick reading of requests: the same as the careful one, or none at all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glassworks.errors import InputError
from glassworks.serving.codec.quick import QuickReader
from glassworks.serving.codec.tensors import TensorLimits, parse_request

READER = QuickReader(TensorLimits(max_elements=1000))
TENSOR = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2.5, -3e-3, 4]}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "y", "a[b"]) | scalars,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | values,
        "datatype": st.sampled_from(["FP32", "FP64", "FP16", "BF16", "INT32", "BYTES", "FP99"]),
        "data": st.lists(st.floats(-100, 100) | st.integers(-9, 9), max_size=9) | values,
    },
    optional={"parameters": st.dictionaries(st.text(max_size=3), scalars, max_size=2)},
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=3) | values},
    optional={
        "id": scalars,
        "outputs": st.lists(st.fixed_dictionaries({"name": scalars}), max_size=2) | values,
        "parameters": st.dictionaries(st.text(max_size=3), scalars, max_size=2) | values,
        "more": values,
    },
)


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


@given(request=requests)
def test_what_is_read_quickly_is_what_is_read_carefully(request: Any) -> None:
    content = json.dumps(request).encode()
    quick = READER.read(content)
    if quick is None:
        return
    careful, arrays = parse_request(content, None)
    assert (quick[0].id, quick[0].outputs, quick[0].parameters) == (careful.id, careful.outputs, careful.parameters)
    assert list(quick[1]) == list(arrays)
    for name, array in arrays.items():
        assert quick[1][name].dtype == array.dtype
        assert quick[1][name].shape == array.shape
        assert quick[1][name].tobytes() == array.tobytes()


@pytest.mark.parametrize("datatype", ["BF16", "FP16", "FP32", "FP64"])
def test_usual_requests_are_read(datatype: str) -> None:
    more = {"id": "7", "outputs": [{"name": "p", "parameters": {"binary_data": True}}], "parameters": {"seed": 1}}
    found = READER.read(body({**TENSOR, "datatype": datatype}, **more))
    assert found is not None
    request, arrays = found
    assert (request.id, request.parameters) == ("7", {"seed": 1})
    assert request.outputs[0].parameters == {"binary_data": True}
    assert np.allclose(arrays["x"].astype(float), [[1, 2.5], [-3e-3, 4]], rtol=1e-2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"inputs": 1}',
        body(),
        body({**TENSOR, "data": [[1, 2], [3, 4]]}),
        body({**TENSOR, "data": [1, [2], 3, 4]}),
        body({**TENSOR, "data": [1, 2, 3]}),
        body({**TENSOR, "data": [1, 2, 3, True]}),
        body({**TENSOR, "data": [1, 2, 3, 1e39]}),
        body({**TENSOR, "data": [1, 2, 3, None]}),
        body({**TENSOR, "shape": [2, 2.0]}),
        body({**TENSOR, "shape": [-2, -2]}),
        body({**TENSOR, "shape": [4000, 4000]}),
        body({**TENSOR, "datatype": "INT32"}),
        body({**TENSOR, "name": 1}),
        body({**TENSOR, "parameters": {}}),
        body(TENSOR, TENSOR),
        body(TENSOR, id=1),
        body(TENSOR, parameters={"a": [1]}),
        body(TENSOR, parameters={"a": {}}),
        body(TENSOR, outputs=[1]),
        body(TENSOR, more=1),
    ],
)
def test_whatever_is_unusual_is_left_to_the_careful_way(content: bytes) -> None:
    assert READER.read(content) is None
    # The reader is none the worse for it.
    assert READER.read(body(TENSOR)) is not None


def test_numbers_too_large_for_the_datatype_are_refused() -> None:
    content = body({**TENSOR, "data": [1, 2, 3, 1e39]})
    assert READER.read(content) is None
    with pytest.raises(InputError, match="do not fit FP32"):
        parse_request(content, None)
