"""ONNX Runtime: quickest for small graphs at batch 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from glassworks.contracts import Datatype, Device, Opened, Precision, Runtime, Session, Signature, TensorSpec
from glassworks.errors import BundleError

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_DATATYPES: Mapping[str, str] = MappingProxyType(
    {
        "tensor(float)": "FP32",
        "tensor(double)": "FP64",
        "tensor(float16)": "FP16",
        "tensor(bfloat16)": "BF16",
        "tensor(bool)": "BOOL",
        "tensor(string)": "BYTES",
        **{f"tensor({kind}{bits})": f"{kind.upper()}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    }
)


class OnnxRuntime(Runtime):
    """Opens `.onnx` files in ONNX Runtime."""

    name: ClassVar[str] = "onnxruntime"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType(
        {"fp32": "", "int8": "", "bf16": "ONNX Runtime does not compute in bfloat16 on a CPU"}
    )
    devices: ClassVar[tuple[Device, ...]] = ("cpu", "cuda")
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = opened.artifact.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads would take the core on which requests are read.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Without VNNI, products of int8 are otherwise added in pairs in 16 bits, which saturate. Costs nothing with it.
        options.add_session_config_entry("session.x64quantprecision", "1")
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
        try:
            return _OnnxSession(onnxruntime.InferenceSession(str(opened.path), options, providers=providers))
        except Exception as error:
            # The engine raises many classes of its own, without a common base but Exception.
            reason = str(error).splitlines()[0][:200]
            raise BundleError(
                f"ONNX Runtime cannot open {opened.path.name}: {reason}", "package the model again"
            ) from error


class _OnnxSession(Session):
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._names = [output.name for output in engine.get_outputs()]
        self.signature = Signature(
            inputs=tuple(_spec(value) for value in engine.get_inputs()),
            outputs=tuple(_spec(value) for value in engine.get_outputs()),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        names = self._names if outputs is None else list(outputs)
        return dict(zip(names, self._engine.run(names, tensors), strict=True))


def _spec(value: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return TensorSpec(name=value.name, datatype=cast(Datatype, _DATATYPES[value.type]), shape=shape)
