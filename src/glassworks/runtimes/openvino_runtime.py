"""OpenVINO: quickest for larger graphs and batches, and for int8 and bfloat16."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from glassworks.contracts import Datatype, Device, Layer, Opened, Precision, Runtime, Session, Signature, TensorSpec
from glassworks.errors import BundleError, Unsupported
from glassworks.runtimes._flushing import Flushing
from glassworks.runtimes._layers import of_openvino
from glassworks.runtimes._settings import fewer_threads, setting

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_DATATYPES: Mapping[str, str] = MappingProxyType(
    {
        "f32": "FP32",
        "f64": "FP64",
        "f16": "FP16",
        "bf16": "BF16",
        "boolean": "BOOL",
        "string": "BYTES",
        **{
            f"{kind}{bits}": f"{word}{bits}" for kind, word in (("i", "INT"), ("u", "UINT")) for bits in (8, 16, 32, 64)
        },
    }
)
_STATIC = "static_rows"
"""A second form of the graph for so many rows a call, which knows its shapes beforehand."""
_STREAMS, _FLOATS = "streams", "float_precision"
_FLOAT_KINDS = ("f32", "bf16")
"""What an int8 graph computes its other layers in."""


class OpenVino(Runtime):
    """Opens `.onnx` files and OpenVINO IR on the CPU."""

    name: ClassVar[str] = "openvino"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx", "openvino"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType(
        {"fp32": "", "fp16": "", "bf16": "", "int8": "", "int4": ""}
    )
    needs: ClassVar[tuple[str, ...]] = ("openvino",)

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        if device != "cpu":
            raise Unsupported(
                f"the runtime 'openvino' runs on cpu, not on {device}", "choose the runtime 'onnxruntime'"
            )
        fixed = setting(opened.artifact, _STATIC, ("1",), "")
        return _OpenVinoSession(_compiled(opened), {1: _compiled(opened, rows=1)} if fixed else {})

    def space(self, opened: Opened) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {_STATIC: ("", "1")}
        if opened.artifact.threads > 1:
            found[_STREAMS] = ("1", *reversed(fewer_threads(opened.artifact)[:-1]))
        if opened.artifact.precision not in ("fp32", "bf16") and _computes_bf16():
            found[_FLOATS] = _FLOAT_KINDS
        return found

    def layers(self, opened: Opened) -> tuple[Layer, ...]:
        return of_openvino(_compiled(opened).get_runtime_model())


def _computes_bf16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compiled(opened: Opened, rows: int = 0) -> Any:
    """The compiled model, for so many rows alone where a number is given. Raises BundleError, Unsupported."""
    import openvino

    artifact = opened.artifact
    floats = "bf16" if artifact.precision == "bf16" else setting(artifact, _FLOATS, _FLOAT_KINDS, "f32")
    if floats == "bf16" and not _computes_bf16():
        raise Unsupported("this processor has no bfloat16 arithmetic", "use the fp32 or int8 artifact")
    settings: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": artifact.threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Without this OpenVINO rounds fp32 graphs to bfloat16 where the processor can.
        "INFERENCE_PRECISION_HINT": floats,
    }
    if _STREAMS in artifact.settings:
        settings["NUM_STREAMS"] = int(setting(artifact, _STREAMS, fewer_threads(artifact), "1"))
    core = openvino.Core()
    try:
        model = core.read_model(str(opened.path))
        if rows:
            model.reshape({port: _with_rows(port.get_partial_shape(), rows) for port in model.inputs})
        # The engine's own threads inherit the mode from the one that compiles.
        with Flushing():
            return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise BundleError(f"OpenVINO cannot open {opened.path.name}: {reason}", "package the model again") from error


def _with_rows(shape: Any, rows: int) -> Any:
    if shape.rank.is_static and len(shape) and shape[0].is_dynamic:
        shape[0] = rows
    return shape


class _OpenVinoSession(Session):
    """One infer request a thread: a request is not safe to share, its results are copied out."""

    def __init__(self, compiled: Any, fixed: Mapping[int, Any]) -> None:
        """`fixed` are compiled for a number of rows each, `compiled` for any."""
        self._compiled, self._fixed = compiled, fixed
        self._local = threading.local()
        self._names = [port.get_any_name() for port in compiled.outputs]
        self.signature = Signature(
            inputs=tuple(_spec(port) for port in compiled.inputs),
            outputs=tuple(_spec(port) for port in compiled.outputs),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        local = self._local
        rows = len(next(iter(tensors.values()))) if self._fixed else 0
        if rows not in self._fixed:
            rows = 0
        requests = getattr(local, "requests", None)
        if requests is None:
            requests = local.requests = {}
            local.flushing = Flushing()
        request = requests.get(rows)
        if request is None:
            request = requests[rows] = self._fixed.get(rows, self._compiled).create_infer_request()
        with local.flushing:
            results = request.infer(dict(tensors), share_inputs=True)
        names = self._names if outputs is None else outputs
        return {name: results[name] for name in names}


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else -1 for size in port.get_partial_shape())
    datatype = cast(Datatype, _DATATYPES[port.get_element_type().get_type_name()])
    return TensorSpec(name=port.get_any_name(), datatype=datatype, shape=shape)
