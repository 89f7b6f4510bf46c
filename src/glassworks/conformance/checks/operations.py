"""Statistics, the repository, configuration, parameters, classification, generate, explain and KServe's V1."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassworks.conformance.target import Failed, NotOffered, Target, plain


def _statistics(target: Target) -> dict[str, Any]:
    target.require("statistics")
    rows = target.get(f"{target.path}/stats").json["model_stats"]
    return max(rows, key=lambda row: row["inference_count"])


def c12_statistics(target: Target) -> None:
    """Statistics give counts, and durations as {"count", "ns"}."""
    row = _statistics(target)
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"):
        duration = row["inference_stats"][name]
        if not (isinstance(duration["count"], int) and isinstance(duration["ns"], int)):
            raise Failed(f"{name} is {duration!r}")


def c12_counts_rows_and_executions(target: Target) -> None:
    """One request of three rows adds 3 to inference_count, 1 to execution_count and 1 to success."""
    if not target.batched():
        raise NotOffered("the model takes no batches")
    before = _statistics(target)
    target.infer(target.request(3)).expect(200)
    after = _statistics(target)
    grown = [after[name] - before[name] for name in ("inference_count", "execution_count")]
    grown.append(after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"])
    if grown != [3, 1, 1]:
        raise Failed(f"inference_count, execution_count and success grew by {grown}")


def c12_counts_batch_sizes(target: Target) -> None:
    """batch_stats count the batches by their size."""
    if not target.batched():
        raise NotOffered("the model takes no batches")
    target.require("statistics")
    target.infer(target.request(3)).expect(200)
    if 3 not in [each["batch_size"] for each in _statistics(target)["batch_stats"]]:
        raise Failed("no batch of 3 rows was counted")


def c12_statistics_of_an_unknown_model(target: Target) -> None:
    """Statistics of an unknown model are 4xx."""
    target.require("statistics")
    target.send("GET", "/v2/models/no-such-model-here/stats").refused(400, 404)


def c13_index(target: Target) -> None:
    """The index, asked with an empty body, is a list of name, version, state and reason."""
    target.require("model_repository")
    rows = target.send("POST", "/v2/repository/index", b"").expect(200).json
    states = {"UNKNOWN", "READY", "UNAVAILABLE", "LOADING", "UNLOADING"}
    if not isinstance(rows, list) or any(not {"name"} <= set(row) or row["state"] not in states for row in rows):
        raise Failed(f"{rows!r}"[:200])


def c13_index_of_what_is_ready(target: Target) -> None:
    """With {"ready": true} only models that are ready are listed."""
    target.require("model_repository")
    rows = target.post("/v2/repository/index", {"ready": True}).expect(200).json
    if any(row["state"] != "READY" for row in rows):
        raise Failed("one is not ready")


def c13_index_with_nonsense(target: Target) -> None:
    """An index with a `ready` that is no truth value is 400."""
    target.require("model_repository")
    target.post("/v2/repository/index", {"ready": "yes"}).refused()


def c13_load_of_an_unknown_model(target: Target) -> None:
    """Loading an unknown model is 4xx."""
    target.require("model_repository")
    target.send("POST", "/v2/repository/models/no-such-model-here/load", b"").refused(400, 401, 403, 404)


def c13_unload_of_an_unknown_model(target: Target) -> None:
    """Unloading an unknown model is 4xx, or nothing to do."""
    target.require("model_repository")
    reply = target.send("POST", "/v2/repository/models/no-such-model-here/unload", b"")
    if reply.status != 200:
        reply.refused(400, 401, 403, 404)


def c14_configuration(target: Target) -> None:
    """A model's configuration gives name, max_batch_size, input and output, as load generators read it."""
    target.require("model_configuration")
    value = target.get(f"{target.path}/config").json
    if value.get("name") != target.model or not isinstance(value.get("max_batch_size"), int):
        raise Failed(f"name {value.get('name')!r}, max_batch_size {value.get('max_batch_size')!r}")
    if len(value["input"]) != len(target.metadata["inputs"]) or not value["output"]:
        raise Failed("inputs or outputs are missing")


def c14_parameters(target: Target) -> None:
    """Parameters that are texts, numbers and truth values are accepted."""
    target.infer(target.request(parameters={"a": "x", "b": 1, "c": 0.5, "d": True})).expect(200)


def c14_parameters_are_scalars(target: Target) -> None:
    """Parameters that are lists or objects are 400."""
    for value in ([1], {"a": 1}):
        target.infer(target.request(parameters={"a": value})).refused()


def c14_reserved_prefix(target: Target) -> None:
    """A parameter that begins with triton_ is 400."""
    target.require("parameters")
    target.infer(target.request(parameters={"triton_x": 1})).refused()


def c14_timeout(target: Target) -> None:
    """A timeout in microseconds is accepted."""
    target.require("schedule_policy")
    target.infer(target.request(parameters={"timeout": 10_000_000})).expect(200)


def c14_timeout_that_is_none(target: Target) -> None:
    """A timeout that is negative or no number is 400."""
    target.require("schedule_policy")
    for timeout in (-1, "soon"):
        target.infer(target.request(parameters={"timeout": timeout})).refused()


def c14_priority(target: Target) -> None:
    """A priority is accepted."""
    target.require("schedule_policy")
    target.infer(target.request(parameters={"priority": 1})).expect(200)


def c15_classification(target: Target) -> None:
    """classification: k gives the k largest of each row as BYTES value:index[:label]."""
    target.require("classification")
    output = target.metadata["outputs"][0]
    scores = target.infer(target.request()).expect(200).tensors()[output["name"]]
    if scores.dtype.kind != "f" or scores.size < 2:
        raise NotOffered("the first output has no scores")
    asked = [{"name": output["name"], "parameters": {"classification": 1}}]
    found = target.infer(target.request(outputs=asked)).expect(200).json["outputs"][0]
    if found["datatype"] != "BYTES":
        raise Failed(f"datatype {found['datatype']}")
    text = np.array(found["data"], object).ravel()[0]
    if int(text.split(":")[1]) != int(scores.reshape(-1).argmax()):
        raise Failed(f"{text!r} is not the largest")


def c15_classification_that_is_none(target: Target) -> None:
    """classification of no positive number is 400."""
    target.require("classification")
    name = target.metadata["outputs"][0]["name"]
    for count in (0, -1, "x"):
        target.infer(target.request(outputs=[{"name": name, "parameters": {"classification": count}}])).refused()


def _fields(target: Target) -> dict[str, Any]:
    target.require("generate")
    return {name: plain(values)[0] for name, values in target.inputs().items()}


def c16_generate(target: Target) -> None:
    """generate takes inputs as fields, and gives model_name and outputs as fields."""
    value = target.post(f"{target.path}/generate", _fields(target)).expect(200).json
    if value.get("model_name") != target.model or not set(value) & {
        each["name"] for each in target.metadata["outputs"]
    }:
        raise Failed(f"fields {sorted(value)}")


def c16_generate_stream(target: Target) -> None:
    """generate_stream answers in server-sent events."""
    reply = target.post(f"{target.path}/generate_stream", _fields(target)).expect(200)
    if not reply.headers.get("content-type", "").startswith("text/event-stream") or not reply.body.startswith(
        b"data: "
    ):
        raise Failed(f"content-type {reply.headers.get('content-type')!r}, body {reply.body[:60]!r}")


def c16_generate_without_inputs(target: Target) -> None:
    """generate without its inputs is 400."""
    target.require("generate")
    target.post(f"{target.path}/generate", {}).refused()


def _explain(target: Target, **parameters: Any) -> Any:
    target.require("glassworks_explain")
    if not target.metadata.get("properties", {}).get("explainers"):
        raise NotOffered("the model has no explainers")
    return target.post(f"{target.path}/explain", target.request(parameters=parameters))


def c17_explain(target: Target) -> None:
    """explain gives the prediction, and attributions of the input's shape, or as many a row as spans or names."""
    found = _explain(target).expect(200).tensors()
    first = target.metadata["inputs"][0]["name"]
    shape = found[f"attributions:{first}"].shape
    spans, names = found.get(f"spans:{first}"), found.get(f"names:{first}")
    expected = target.inputs()[first].shape
    if spans is not None:
        expected = (*expected[:1], *spans.shape[1:-1])
    elif names is not None:
        expected = (*expected[:1], *names.shape[1:])
    if shape != expected or (spans is not None and spans.shape != (*shape, 2)):
        raise Failed(f"attributions of the shape {shape} instead of {expected}")


def c17_explain_is_deterministic(target: Target) -> None:
    """The same seed gives the same attributions."""
    first, second = (_explain(target, seed=3).expect(200).tensors() for _ in range(2))
    if any(not np.array_equal(values, second[name]) for name, values in first.items()):
        raise Failed("they differ")


def c17_unknown_method(target: Target) -> None:
    """An unknown method of explanation is 4xx."""
    _explain(target, method="no such method").refused(400, 404, 422)


def c17_v1_predict(target: Target) -> None:
    """KServe's V1: instances in, as many predictions out."""
    if target.send("GET", "/v1/models").status != 200:
        raise NotOffered("the server does not speak KServe's V1")
    values = target.inputs(2 if target.batched() else 1)
    if len(values) != 1:
        raise NotOffered("the model has several inputs")
    instances = plain(next(iter(values.values())))
    reply = target.post(f"/v1/models/{target.model}:predict", {"instances": instances}).expect(200)
    if len(reply.json["predictions"]) != len(instances):
        raise Failed(f"{len(reply.json['predictions'])} predictions for {len(instances)} instances")
