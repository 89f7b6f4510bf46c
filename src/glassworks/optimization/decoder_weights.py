"""Weights of a decoder in 8 or 4 bits (NNCF); what is computed with them stays in fp32.

Files of a model are large, and writing an answer token by token reads all of them for each: fewer bits make it smaller
and quicker. Products keep their names, so that what looks for them in the graph (adapters, scoring) finds them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Artifact, Opened, Precision
from glassworks.errors import Unsupported
from glassworks.optimization.quiet_nncf import quiet_nncf

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_GROUPS = (64, 32, 16)
"""Weights that share a scale; NNCF leaves products in 8 bits whose width is no multiple."""
_TEXTS, _TOKENS = 32, 128
FEW_BITS = "few_bits"
"""In `Artifact.settings`: the type of a file's weights, where most were in 4 bits or fewer."""
_BITS = ("u8", "i8", "u4", "i4")


def compressed(opened: Opened, name: str, precision: Precision, mode: str, **options: Any) -> Artifact:
    """Write the graph with compressed weights into the folder `name`. `mode` and `options` are those of
    `nncf.compress_weights`. Raises Unsupported where the weights are in few bits already.
    """
    import openvino

    graph = openvino.Core().read_model(opened.path)
    before = _few_bits(graph)
    with quiet_nncf() as nncf:
        if "sensitivity_metric" in options:
            options["sensitivity_metric"] = nncf.SensitivityMetric[options["sensitivity_metric"]]
        if "dataset" in options:
            options["subset_size"] = len(options["dataset"])
            options["dataset"] = nncf.Dataset(options["dataset"])
        made = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode[mode], **options)
    if _few_bits(made) == before:
        raise Unsupported(f"{mode.lower()} found no weights to compress", "keep the exported artifact")
    file = PurePosixPath(name, PurePosixPath(opened.artifact.file).name)
    (opened.folder / name).mkdir(exist_ok=True)
    openvino.save_model(made, opened.folder / file, compress_to_fp16=False)
    return _artifact(opened.artifact, file, precision)


def _artifact(exported: Artifact, file: PurePosixPath, precision: Precision) -> Artifact:
    """The record of the graph in `file`, with its own weights beside it."""
    weights = str(PurePosixPath(exported.file).with_suffix(".bin"))
    beside = tuple(str(file.with_suffix(".bin")) if each == weights else each for each in exported.beside)
    return exported.model_copy(update={"file": str(file), "beside": beside, "precision": precision})


def require_whole(opened: Opened) -> None:
    """Raise Unsupported for weights that were in 4 bits before they were brought, unless the job allows it."""
    if kind := opened.artifact.settings.get(FEW_BITS):
        raise Unsupported(
            f"its weights were in 4 bits before ({kind}): in another form of 4 bits perplexity rose by 15 % and more; "
            "model.requantize = true tries it all the same",
            "keep it in 8 bits",
        )


def group_size(opened: Opened) -> int:
    """The largest group that divides the width of every product. Raises Unsupported."""
    import openvino

    graph = openvino.Core().read_model(opened.path)
    products = (node for node in graph.get_ordered_ops() if node.get_type_name() == "MatMul")
    shapes = (node.input(1).get_partial_shape() for node in products)
    width = math.gcd(*(shape.to_shape()[-1] for shape in shapes if shape.is_static))
    found = next((size for size in _GROUPS if width and width % size == 0), None)
    if found is None:
        raise Unsupported(f"products of this model share no group of {_GROUPS[-1]} weights", "keep it in 8 bits")
    return found


def rows(calibration: Sequence[Tensors]) -> list[Mapping[str, Any]]:
    """The beginnings of some texts as the graph takes them. Raises Unsupported without texts."""
    import numpy as np

    found: list[Mapping[str, Any]] = []
    for tensors in calibration[:_TEXTS]:
        ids = np.asarray(tensors["input_ids"])[:, :_TOKENS]
        count = ids.shape[1]
        more = {"attention_mask": np.ones((1, count), np.int64), "position_ids": np.arange(count)[None]}
        found.append({"input_ids": ids, **more, "beam_idx": np.zeros(1, np.int32)})
    if not found:
        raise Unsupported("no texts to find the weights that matter by", "give data with texts: data.source")
    return found


def _few_bits(graph: Any) -> int:
    """How many constants are stored in 8 bits or fewer."""
    constants = (node for node in graph.get_ordered_ops() if node.get_type_name() == "Constant")
    return sum(node.get_element_type().get_type_name() in _BITS for node in constants)
