"""Requests in JSON: ids, outputs, inputs, shapes, datatypes, and what is malformed."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassworks.conformance.target import Failed, NotOffered, Target
from glassworks.serving.codec.tensors import FLOATS


def c5_answers(target: Target) -> None:
    """An inference gives model_name and all outputs with name, shape, datatype and data."""
    value = target.infer(target.request()).expect(200).json
    if value.get("model_name") != target.model:
        raise Failed(f"model_name {value.get('model_name')!r}")
    names = {output["name"] for output in value["outputs"]}
    wanted = {output["name"] for output in target.metadata["outputs"]}
    if names != wanted:
        raise Failed(f"outputs {sorted(names)} instead of {sorted(wanted)}")
    for output in value["outputs"]:
        if len(output["data"]) != int(np.prod(output["shape"])) and not isinstance(output["data"][0], list):
            raise Failed(f"{len(output['data'])} values for the shape {output['shape']}")


def c5_id_comes_back(target: Target) -> None:
    """The id of a request comes back."""
    if target.infer(target.request(id="a-7")).expect(200).json.get("id") != "a-7":
        raise Failed("another id, or none")


def c5_no_id_is_no_error(target: Target) -> None:
    """Without an id none comes back, or an empty one, or one that the server made."""
    if not isinstance(target.infer(target.request()).expect(200).json.get("id", ""), str):
        raise Failed("the id is not a text")


def c5_an_id_is_a_text(target: Target) -> None:
    """An id that is not a text is 400."""
    target.infer(target.request(id=[7])).refused()


def c5_one_output(target: Target) -> None:
    """Only the outputs that are asked for come."""
    name = target.metadata["outputs"][0]["name"]
    value = target.infer(target.request(outputs=[{"name": name}])).expect(200).json
    if [output["name"] for output in value["outputs"]] != [name]:
        raise Failed(f"{[output['name'] for output in value['outputs']]}")


def c5_unknown_output(target: Target) -> None:
    """An unknown output is 400."""
    target.infer(target.request(outputs=[{"name": "no such output"}])).refused()


def c5_output_twice(target: Target) -> None:
    """An output that is asked for twice is 400."""
    name = target.metadata["outputs"][0]["name"]
    target.infer(target.request(outputs=[{"name": name}, {"name": name}])).refused()


def c5_missing_input(target: Target) -> None:
    """A missing input is 400."""
    target.infer({"inputs": []}).refused()


def c5_no_inputs_at_all(target: Target) -> None:
    """A request without `inputs` is 400."""
    target.infer({"id": "x"}).refused()


def c5_extra_input(target: Target) -> None:
    """An input that the model has not is 400."""
    request = target.request()
    request["inputs"].append({**request["inputs"][0], "name": "no such input"})
    target.infer(request).refused()


def c5_input_twice(target: Target) -> None:
    """An input that is given twice is 400."""
    request = target.request()
    request["inputs"].append(request["inputs"][0])
    target.infer(request).refused()


def c6_nested_data(target: Target) -> None:
    """Data nested as the shape are the same as flat data."""
    request = target.request()
    flat = target.infer(request).expect(200).tensors()
    for tensor in request["inputs"]:
        tensor["data"] = np.array(tensor["data"], object).reshape(tensor["shape"]).tolist()
    nested = target.infer(request).expect(200).tensors()
    _same(flat, nested)


def c6_rows_are_independent(target: Target) -> None:
    """Three rows together are answered as each of them alone."""
    if not target.batched():
        raise NotOffered("the model takes no batches")
    request = target.request(3)
    together = target.infer(request).expect(200).tensors()
    values = target.inputs(3)
    for row in range(3):
        from glassworks.conformance.target import described

        alone = {"inputs": [described(name, each[row : row + 1]) for name, each in values.items()]}
        single = target.infer(alone).expect(200).tensors()
        _same({name: each[row : row + 1] for name, each in together.items()}, single)


def _same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name, values in one.items():
        if values.dtype == object:
            if values.tolist() != other[name].tolist():
                raise Failed(f"'{name}' differs")
        elif not np.allclose(values.astype(float), other[name].astype(float), rtol=1e-4, atol=1e-5):
            raise Failed(f"'{name}' differs")


def _changed(target: Target, **changes: Any) -> dict[str, Any]:
    """A request whose first input is changed."""
    request = target.request()
    request["inputs"][0] = {**request["inputs"][0], **changes}
    return request


def c6_too_few_elements(target: Target) -> None:
    """Fewer elements than the shape has are 400."""
    request = target.request()
    target.infer(_changed(target, data=request["inputs"][0]["data"][:-1])).refused()


def c6_too_many_elements(target: Target) -> None:
    """More elements than the shape has are 400."""
    data = target.request()["inputs"][0]["data"]
    target.infer(_changed(target, data=[*data, data[0]])).refused()


def c6_another_rank(target: Target) -> None:
    """A shape of another rank than the model's is 400."""
    data = target.request()["inputs"][0]["data"]
    target.infer(_changed(target, shape=[1, 1, 1, 1, 1, 1, len(data)])).refused()


def c6_negative_size(target: Target) -> None:
    """A negative size is 400, never a 500."""
    shape = target.request()["inputs"][0]["shape"]
    target.infer(_changed(target, shape=[-1, *shape[1:]])).refused()


def c6_shape_overflow(target: Target) -> None:
    """A shape whose product does not fit 64 bits is 400."""
    target.infer(_changed(target, shape=[2**40, 2**40])).refused()


def c6_a_shape_of_fractions(target: Target) -> None:
    """A size that is no whole number is 400."""
    shape = target.request()["inputs"][0]["shape"]
    target.infer(_changed(target, shape=[1.5, *shape[1:]])).refused()


def c6_unknown_datatype(target: Target) -> None:
    """An unknown datatype is 400."""
    target.infer(_changed(target, datatype="FP17")).refused()


def c6_another_datatype(target: Target) -> None:
    """A datatype that is not the model's is 400."""
    datatype = target.metadata["inputs"][0]["datatype"]
    other = "INT8" if datatype != "INT8" else "INT16"
    target.infer(_changed(target, datatype=other, data=[1] * len(target.request()["inputs"][0]["data"]))).refused()


def c6_texts_for_numbers(target: Target) -> None:
    """Texts where numbers belong are 400."""
    if target.metadata["inputs"][0]["datatype"] == "BYTES":
        raise NotOffered("the model takes texts")
    data = target.request()["inputs"][0]["data"]
    target.infer(_changed(target, data=["x"] * len(data))).refused()


def c6_numbers_out_of_range(target: Target) -> None:
    """Numbers that do not fit the datatype are 400."""
    if target.metadata["inputs"][0]["datatype"] not in {*FLOATS, "INT8", "INT16", "INT32", "INT64"} - {"FP64"}:
        raise NotOffered("no number is out of range for this datatype")
    data = target.request()["inputs"][0]["data"]
    target.infer(_changed(target, data=[10**300] * len(data))).refused()


def c6_null_is_no_number(target: Target) -> None:
    """null where numbers belong is 400."""
    data = target.request()["inputs"][0]["data"]
    target.infer(_changed(target, data=[None] * len(data))).refused()


def c6_data_that_are_no_list(target: Target) -> None:
    """Data that are not a list are 400."""
    target.infer(_changed(target, data={"a": 1})).refused()


def c6_a_name_is_a_text(target: Target) -> None:
    """The name of an input that is not a text is 400."""
    target.infer(_changed(target, name=7)).refused()


def c9_no_json(target: Target) -> None:
    """A body that is not JSON is 400."""
    for body in (b"", b"{", b"nonsense", b"[]", b'"x"', b"null", b"7"):
        target.send("POST", f"{target.path}/infer", body).refused()


def c9_no_utf8(target: Target) -> None:
    """A body that is not UTF-8 is 400."""
    target.send("POST", f"{target.path}/infer", b'{"id": "\xff\xfe", "inputs": []}').refused()


def c9_deep_nesting(target: Target) -> None:
    """JSON nested a hundred thousand deep is 400, and the server lives on."""
    deep = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": ' + b"[" * 100_000
    target.send("POST", f"{target.path}/infer", deep).refused()
    target.alive()


def c9_deep_parameters(target: Target) -> None:
    """Deeply nested parameters are 400."""
    deep: Any = 1
    for _ in range(150):
        deep = {"a": deep}
    target.infer(target.request(parameters=deep)).refused()
