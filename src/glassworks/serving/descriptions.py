"""How the Open Inference Protocol describes server and models, for every transport."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.serving.core.work import LEVELS

if TYPE_CHECKING:
    from glassworks.contracts import Task, TensorSpec
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.statistics import Duration

EXTENSIONS = (
    "binary_tensor_data", "classification", "generate", "glassworks_explain", "model_configuration",
    "model_repository", "model_repository(unload_dependents)", "parameters", "schedule_policy", "statistics",
)  # fmt: skip
_LABELS = 1000
_TYPES = {"BYTES": "TYPE_STRING"}


def metadata(model: LoadedModel, versions: object) -> dict[str, Any]:
    """The protocol's metadata of a model."""
    manifest = model.manifest
    return {
        "name": model.name,
        "versions": versions,
        "platform": f"glassworks_{model.opened.bundle.artifact('predict').artifact.runtime}",
        "inputs": [spec.model_dump(mode="json") for spec in manifest.signature.inputs],
        "outputs": [spec.model_dump(mode="json") for spec in manifest.signature.outputs],
        "properties": {
            "task": manifest.task,
            "family": manifest.family,
            "labels": _line(manifest.labels[:_LABELS]),
            "labels_json": json.dumps(manifest.labels[:_LABELS], ensure_ascii=False),
            **asked_by(model.opened.task, manifest.preprocessing),
            "explainers": ",".join(manifest.explainers),
            "bundle_sha256": model.opened.bundle.sha256,
        },
    }


def asked_by(task: Task, preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """What an object that is asked with may hold: the parts of a text, the features of a user."""
    names = {
        "text_parts_json": task.aliases(preprocessing),
        "user_features_json": preprocessing.get("user_features"),
    }
    return {name: json.dumps(each, ensure_ascii=False) for name, each in names.items() if each}


def _line(labels: Sequence[str]) -> str:
    """A line of CSV (RFC 4180): a label with a comma, a quotation mark or a line break stands in quotes."""
    line = io.StringIO()
    csv.writer(line).writerow(labels)
    return line.getvalue().removesuffix("\r\n")


def model_statistics(model: LoadedModel) -> dict[str, Any]:
    """The protocol's statistics of one version."""
    counted = model.statistics
    requests = counted.success.count
    nothing = {"count": 0, "ns": 0}
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counted.last_ms,
        "inference_count": counted.rows,
        "execution_count": counted.executions,
        "inference_stats": {
            "success": _duration(counted.success),
            "fail": _duration(counted.fail),
            "queue": {"count": requests, "ns": counted.queue.total},
            "compute_input": {"count": requests, "ns": counted.input_ns},
            "compute_infer": {"count": requests, "ns": counted.infer_ns},
            "compute_output": {"count": requests, "ns": counted.output_ns},
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "response_stats": {},
        "batch_stats": [
            {"batch_size": rows, "compute_input": nothing, "compute_infer": _duration(spent), "compute_output": nothing}
            for rows, spent in sorted(counted.batches.items())
        ],
        "memory_usage": [],
        "explanations": _duration(counted.explain),
    }


def model_configuration(model: LoadedModel) -> dict[str, Any]:
    """The protocol's configuration of a model, as its load generators read it. The first dimension is the batch."""
    signature = model.manifest.signature
    runtime = model.opened.bundle.artifact("predict").artifact.runtime
    return {
        "name": model.name,
        "platform": f"glassworks_{runtime}",
        "backend": runtime,
        "version_policy": {"specific": {"versions": [int(model.version)]}},
        "max_batch_size": model.batching.max_rows,
        "input": [{**_tensor(spec), "optional": False} for spec in signature.inputs],
        "output": [_tensor(spec) for spec in signature.outputs],
        "dynamic_batching": {
            "preferred_batch_size": [],
            "max_queue_delay_microseconds": 0,
            "preserve_ordering": False,
            "priority_levels": LEVELS,
        },
        "instance_group": [{"name": model.name, "kind": "KIND_CPU", "count": 1}],
        "model_transaction_policy": {"decoupled": model.streams},
        "response_cache": {"enable": False},
        "parameters": {"task": {"string_value": model.manifest.task}},
        "labels": json.dumps(list(model.manifest.labels[:1000]), ensure_ascii=False),
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "data_type": data_type(spec.datatype), "dims": list(spec.shape[1:])}


def data_type(datatype: str) -> str:
    """The configuration's name of a datatype."""
    return _TYPES.get(datatype, f"TYPE_{datatype}")


def _duration(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": duration.ns}
