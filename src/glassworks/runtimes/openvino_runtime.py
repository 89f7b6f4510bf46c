"""OpenVINO: quickest for larger graphs and batches, and for int8 and bfloat16."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from glassworks.contracts import Datatype, Device, Opened, Precision, Runtime, Session, Signature, TensorSpec
from glassworks.errors import BundleError, Unsupported
from glassworks.runtimes._flushing import Flushing

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


class OpenVino(Runtime):
    """Opens `.onnx` files and OpenVINO IR on the CPU."""

    name: ClassVar[str] = "openvino"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx", "openvino"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType({"fp32": "", "bf16": "", "int8": ""})
    needs: ClassVar[tuple[str, ...]] = ("openvino",)

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        import openvino

        if device != "cpu":
            raise Unsupported(
                f"the runtime 'openvino' runs on cpu, not on {device}", "choose the runtime 'onnxruntime'"
            )
        artifact = opened.artifact
        core = openvino.Core()
        if artifact.precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise Unsupported("this processor has no bfloat16 arithmetic", "use the fp32 or int8 artifact")
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": artifact.threads,
            "PERFORMANCE_HINT": "LATENCY",
            # Without this OpenVINO rounds fp32 graphs to bfloat16 where the processor can.
            "INFERENCE_PRECISION_HINT": "bf16" if artifact.precision == "bf16" else "f32",
        }
        try:
            # The engine's own threads inherit the mode from the one that compiles.
            with Flushing():
                compiled = core.compile_model(str(opened.path), "CPU", settings)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1][:200]
            raise BundleError(
                f"OpenVINO cannot open {opened.path.name}: {reason}", "package the model again"
            ) from error
        return _OpenVinoSession(compiled)


class _OpenVinoSession(Session):
    """One infer request a thread: a request is not safe to share, its results are copied out."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._local = threading.local()
        self._names = [port.get_any_name() for port in compiled.outputs]
        self.signature = Signature(
            inputs=tuple(_spec(port) for port in compiled.inputs),
            outputs=tuple(_spec(port) for port in compiled.outputs),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        local = self._local
        request = getattr(local, "request", None)
        if request is None:
            request = local.request = self._compiled.create_infer_request()
            local.flushing = Flushing()
        with local.flushing:
            results = request.infer(dict(tensors), share_inputs=True)
        names = self._names if outputs is None else outputs
        return {name: results[name] for name in names}


def _spec(port: Any) -> TensorSpec:
    shape = tuple(size.get_length() if size.is_static else -1 for size in port.get_partial_shape())
    datatype = cast(Datatype, _DATATYPES[port.get_element_type().get_type_name()])
    return TensorSpec(name=port.get_any_name(), datatype=datatype, shape=shape)
