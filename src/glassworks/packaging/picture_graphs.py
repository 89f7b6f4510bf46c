"""What exporters need of models over one picture: the plain graph, and how the picture is prepared for it."""

from __future__ import annotations

from pathlib import Path

from glassworks.contracts import Artifact, TensorSpec
from glassworks.data import decoder
from glassworks.errors import Unsupported
from glassworks.packaging.bundle import Bundle
from glassworks.tasks.image_classification import LABEL_SET, NOVELTY

# Exported programs follow these keys only; a model with others would answer differently there.
_FOLLOWED = frozenset({"height", "width", "channels", "thresholds", "bits"})
_CHANNELS = (1, 3)
DECODER = ("decoder.py", "bit_depth.py")
"""The server's rules for picture files, which stand in exported folders too."""


def decoder_files() -> dict[str, bytes]:
    """The server's own decoder, to stand side by side in a folder."""
    folder = Path(decoder.__file__).parent
    return {name: standing_alone((folder / name).read_text(encoding="utf-8")).encode() for name in DECODER}


def standing_alone(program: str) -> str:
    """A program that imports the decoder from beside it."""
    return program.replace(f"{decoder.__name__.rpartition('.')[0]}.", "")


def float_graph(bundle: Bundle, exporter: str) -> Artifact:
    """The fp32 ONNX graph that gives pictures labels. Raises Unsupported where the bundle has none."""
    picture_input(bundle, exporter)  # the error that packaging again cannot solve comes first
    roles = {artifact.role: artifact for artifact in bundle.manifest.artifacts}
    graph = roles.get("reference") or roles.get("predict")
    if graph is None or (graph.format, graph.precision) != ("onnx", "fp32"):
        there = ", ".join(f"{each.role} ({each.format}, {each.precision})" for each in roles.values()) or "nothing"
        raise Unsupported(
            f"the bundle '{bundle.manifest.name}' holds no fp32 ONNX graph; it holds: {there}",
            "package the model again: the fp32 graph is then kept beside the served one",
        )
    return graph


def gradient_graph(bundle: Bundle) -> Artifact | None:
    """The ONNX graph of scores and their gradient, where the bundle has one."""
    return next((each for each in bundle.manifest.artifacts if (each.role, each.format) == ("gradient", "onnx")), None)


def picture_input(bundle: Bundle, exporter: str) -> TensorSpec:
    """The one input, pictures of a fixed size (N C H W in [0, 1]). Raises Unsupported for other models."""
    signature, name, labels = bundle.manifest.signature, bundle.manifest.name, len(bundle.manifest.labels)
    spec = signature.inputs[0] if len(signature.inputs) == 1 and signature.outputs else None
    fixed = spec and len(spec.shape) == 4 and spec.shape[1] in _CHANNELS and min(spec.shape[2:]) > 0
    if not (spec and fixed and spec.datatype == "FP32" and labels):
        given = ", ".join(f"{each.name} {each.datatype} {list(each.shape)}" for each in signature.inputs) or "nothing"
        raise Unsupported(
            f"the exporter '{exporter}' writes models that label one picture; '{name}' takes {given}, has {labels} "
            "labels",
            "serve the bundle, or take the graph out of it",
        )
    if more := sorted(bundle.manifest.preprocessing.keys() - _FOLLOWED):
        raise Unsupported(
            f"the exporter '{exporter}' cannot write down the preprocessing of '{name}': {', '.join(more)}",
            "serve the bundle instead",
        )
    return spec


def used_bits(bundle: Bundle) -> int:
    """How many of 16 bits its pictures used where their files did not say it; 0 where they all did."""
    bits = bundle.manifest.preprocessing.get("bits")
    return bits if isinstance(bits, int) else 0


def beside(bundle: Bundle) -> list[str]:
    """What exported programs answer beside probabilities: which of several labels a picture has, and whether it is
    unlike the training data.
    """
    return [spec.name for spec in bundle.manifest.signature.outputs if spec.name in (LABEL_SET, NOVELTY)]


def with_pixels(graph: bytes, spec: TensorSpec) -> bytes:
    """The graph with its preparation inside: `pixels`, uint8 N H W C, instead of floats N C H W in [0, 1]."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_from_string(graph)
    _, channels, height, width = spec.shape
    (given,) = [each for each in model.graph.input if each.name == spec.name]
    model.graph.input.remove(given)
    shape: list[str | int | None] = ["n", height, width, channels]
    model.graph.input.insert(0, helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape))
    model.graph.initializer.append(helper.make_tensor("pixels.white", TensorProto.FLOAT, [], [255.0]))
    nodes = [
        helper.make_node("Cast", ["pixels"], ["pixels.float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels.float", "pixels.white"], ["pixels.scaled"]),
        helper.make_node("Transpose", ["pixels.scaled"], [spec.name], perm=[0, 3, 1, 2]),
    ]
    for index, node in enumerate(nodes):
        model.graph.node.insert(index, node)
    onnx.checker.check_model(model)
    whole: bytes = model.SerializeToString()
    return whole
