"""The imported graph between pixels from 0 to 1 and probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import ConfigError, Unsupported
from glassworks.families.imported.pixels import Pixels
from glassworks.tasks.image_classification import INPUT, OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

_PREFIX = "imported."
_ROWS = 64
_PICTURE, _ROW, _TOLERANCE = 4, 2, 1e-3
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class Taken:
    """What the graph takes: pictures of `height`, `width` and `channels`, in the order of `layout`."""

    height: int
    width: int
    channels: int
    layout: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


def taken_by(model: ModelProto, shape: tuple[int, ...]) -> Taken:
    """From the graph's input, and from `shape` (height, width, channels) what it leaves open. Raises ConfigError."""
    (value,) = model.graph.input
    dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    names = f"the model takes {value.name} {[dim or '?' for dim in dims]}"
    if len(dims) == _ROW:
        return _of_row(dims[1], shape, names)
    if len(dims) != _PICTURE:
        raise Unsupported(f"{names}, which is no batch of pictures", "export a model that takes (batch, C, H, W)")
    if dims[1] not in _CHANNELS and dims[3] not in _CHANNELS:
        raise Unsupported(f"{names}: neither 1 nor 3 channels", "only gray and colored pictures are taken")
    layout = "NCHW" if dims[1] in _CHANNELS else "NHWC"
    height, width, channels = dims[2:] + dims[1:2] if layout == "NCHW" else dims[1:]
    wanted = shape or (height, width, channels)
    if not all(wanted):
        raise ConfigError(f"{names}: pictures of any size", "say height, width and channels: --shape 224,224,3")
    if any(own and own != said for own, said in zip((height, width, channels), wanted, strict=True)):
        raise ConfigError(f"{names}, not pictures of {'x'.join(map(str, wanted))}", "leave the shape out: model.shape")
    return Taken(wanted[0], wanted[1], wanted[2], layout)


def _of_row(length: int, shape: tuple[int, ...], names: str) -> Taken:
    """A picture's pixels one after the other, as scikit-learn has them."""
    if not shape:
        raise ConfigError(f"{names}: a row of numbers", "say height, width and channels of a picture: --shape 8,8,1")
    if length and int(np.prod(shape)) != length:
        raise ConfigError(f"{names}, and model.shape has {int(np.prod(shape))} pixels", "give their shape: model.shape")
    return Taken(shape[0], shape[1], shape[2], "row")


def classes_of(model: ModelProto, taken: Taken) -> int:
    """How many numbers the graph puts out, by running it once on gray."""
    plain = wrapped(model, taken, Pixels("unit"), scores=False)
    return int(answers(plain, np.full((2, *taken.shape), 127, np.uint8)).shape[1])


def are_scores(raw: NDArray[Any]) -> bool:
    """Whether outputs (N K) are no probabilities: below 0, or with another sum than 1. Raises Unsupported for those
    between 0 and 1 with another sum: they are neither.
    """
    if (raw < -_TOLERANCE).any() or (raw > 1 + _TOLERANCE).any():
        return True
    if np.abs(raw.sum(axis=1) - 1).max() <= _TOLERANCE:
        return False
    raise Unsupported(
        "the model puts out numbers from 0 to 1 whose sum is not 1: labels that do not exclude each other, or scores",
        "if they are scores of one label: --set model.outputs=scores",
    )


def answers(model: ModelProto, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """What a wrapped graph says of pictures (N H W C)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = [
            session.run([OUTPUT], {INPUT: np.moveaxis(pixels[at : at + _ROWS], 3, 1).astype(np.float32) / 255})[0]
            for at in range(0, len(pixels), _ROWS)
        ]
    except Exception as error:  # noqa: BLE001
        # The engine's own errors have no common class.
        reason = " ".join(str(error).split())[:200]
        raise Unsupported(f"the model does not compute on such pictures: {reason}", "check model.shape") from None
    return np.concatenate(found)


def wrapped(model: ModelProto, taken: Taken, pixels: Pixels, *, scores: bool) -> ModelProto:
    """The graph from `image` (N C H W in [0, 1]) to `probabilities` (N K), one file's worth."""
    import onnx
    from onnx import TensorProto, helper

    body = onnx.compose.add_prefix(model, _PREFIX)
    graph, before = body.graph, _before(body, taken, pixels)
    outputs, last, after = graph.output[0].type.tensor_type, graph.output[0].name, []
    if outputs.elem_type != TensorProto.FLOAT:
        after.append(helper.make_node("Cast", [last], [f"{last}.float"], to=TensorProto.FLOAT))
        last = f"{last}.float"
    end: tuple[str, dict[str, Any]] = ("Softmax", {"axis": 1}) if scores else ("Identity", {})
    after.append(helper.make_node(end[0], [last], [OUTPUT], **end[1]))
    classes = outputs.shape.dim[1].dim_value or "classes"
    shape: list[str | int | None] = ["batch", taken.channels, taken.height, taken.width]
    made = helper.make_graph(
        [*before.nodes, *graph.node, *after],
        "imported",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", classes])],
        [*before.constants, *graph.initializer],
    )
    whole = helper.make_model(made, opset_imports=body.opset_import, ir_version=body.ir_version)
    onnx.checker.check_model(whole)
    return whole


def _before(body: ModelProto, taken: Taken, pixels: Pixels) -> _Before:
    """From `image` to the graph's own input."""
    given = body.graph.input[0]
    before, value = _Before(given.name, given.type.tensor_type.elem_type), INPUT
    if pixels.reverse:
        value = before.add("Gather", value, np.array([2, 1, 0], np.int64), axis=1)
    if any(pixels.mean):
        value = before.add("Sub", value, np.array(pixels.mean, np.float32).reshape(1, -1, 1, 1))
    if any(each != 1 for each in pixels.std):
        factor = 1 / np.array(pixels.std, np.float64)
        value = before.add("Mul", value, factor.astype(np.float32).reshape(1, -1, 1, 1))
    if taken.layout != "NCHW":
        value = before.add("Transpose", value, perm=[0, 2, 3, 1])
    if taken.layout == "row":
        value = before.add("Reshape", value, np.array([-1, int(np.prod(taken.shape))], np.int64))
    before.end(value)
    return before


class _Before:
    """Operators before the graph's own input, whose type may be another than float32."""

    def __init__(self, target: str, kind: int) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._target, self._kind = target, kind

    def add(self, kind: str, value: str, constant: NDArray[Any] | None = None, **attributes: Any) -> str:
        from onnx import helper, numpy_helper

        given, name = [value], f"pixels.{len(self.nodes)}"
        if constant is not None:
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(constant), f"{name}.constant"))
            given.append(self.constants[-1].name)
        self.nodes.append(helper.make_node(kind, given, [name], **attributes))
        return name

    def end(self, value: str) -> None:
        """The graph's own input; pixels for graphs of whole numbers are rounded first, so that none is cut off."""
        from onnx import TensorProto, helper

        if self._kind == TensorProto.FLOAT:
            self.nodes.append(helper.make_node("Identity", [value], [self._target]))
            return
        if self._kind not in (TensorProto.FLOAT16, TensorProto.DOUBLE):
            value = self.add("Round", value)
        self.nodes.append(helper.make_node("Cast", [value], [self._target], to=self._kind))


def scores_value(model: ModelProto) -> tuple[str, bool]:
    """The value of a wrapped graph that explanations take the gradient of: what stands before the last softmax, or
    (second: True) the probabilities themselves, whose logarithm then is taken.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    name = OUTPUT
    while name in makers and makers[name].op_type in ("Identity", "Cast"):
        name = makers[name].input[0]
    if name in makers and makers[name].op_type == "Softmax" and not makers[name].domain:
        return makers[name].input[0], False
    return name, True
