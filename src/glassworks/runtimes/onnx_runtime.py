"""ONNX Runtime: quickest for small graphs at batch 1."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from glassworks.contracts import (
    Artifact,
    Datatype,
    Device,
    Layer,
    Opened,
    Precision,
    Runtime,
    Session,
    Signature,
    TensorSpec,
)
from glassworks.errors import BundleError
from glassworks.machine import instruction_set
from glassworks.runtimes._layers import of_onnx
from glassworks.runtimes._settings import THREADS, WEIGHT_BITS, fewer_threads, setting, threads_of

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
_LEVEL, _LEVELS = "graph_level", ("all", "extended")
"""How far ONNX Runtime rewrites a graph: `all` changes layouts, which some small graphs lose by; `basic` leaves int8
graphs in floats."""
_ADDS_IN_32_BITS = frozenset({"avx512_vnni", "avx_vnni"})


class OnnxRuntime(Runtime):
    """Opens `.onnx` files in ONNX Runtime."""

    name: ClassVar[str] = "onnxruntime"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType(
        {"fp32": "", "fp16": "", "int8": "", "int4": "", "bf16": "ONNX Runtime does not compute in bfloat16 on a CPU"}
    )
    devices: ClassVar[tuple[Device, ...]] = ("cpu", "cuda")
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
        return _OnnxSession(_engine(opened, providers))

    def space(self, opened: Opened) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {_LEVEL: _LEVELS}
        if opened.artifact.threads > 1:
            found[THREADS] = fewer_threads(opened.artifact)
        return found

    def layers(self, opened: Opened) -> tuple[Layer, ...]:
        if importlib.util.find_spec("onnx") is None:
            return ()
        import onnx

        with tempfile.TemporaryDirectory() as folder:
            optimized = Path(folder, "optimized.onnx")
            _engine(opened, ["CPUExecutionProvider"], optimized)
            return of_onnx(onnx.load(optimized, load_external_data=False))


def _engine(opened: Opened, providers: list[str], optimized: Path | None = None) -> Any:
    """The engine's own session; writes the graph as it is computed into `optimized`. Raises BundleError."""
    import onnxruntime

    artifact, options = opened.artifact, onnxruntime.SessionOptions()
    level = setting(artifact, _LEVEL, _LEVELS, "all")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.__members__[f"ORT_ENABLE_{level.upper()}"]
    options.intra_op_num_threads = threads_of(artifact)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 4
    # Spinning threads would take the core on which requests are read.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if needs_exact_products(artifact, instruction_set()):
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(str(opened.path), options, providers=providers)
    except Exception as error:
        # The engine raises many classes of its own, without a common base but Exception.
        reason = str(error).splitlines()[0][:200]
        raise BundleError(
            f"ONNX Runtime cannot open {opened.path.name}: {reason}", "package the model again"
        ) from error


def needs_exact_products(artifact: Artifact, instructions: Collection[str]) -> bool:
    """Whether products of int8 must be made exact, which takes two to three times as long.

    Without VNNI they are added in pairs in 16 bits, which those of 8 bits overflow and those of 7 do not. With it they
    are added in 32 bits; other processors than x86 do so, too, and do not know the setting.
    """
    fits = artifact.precision == "fp32" or artifact.settings.get(WEIGHT_BITS) == "7"
    return "avx" in instructions and not _ADDS_IN_32_BITS.intersection(instructions) and not fits


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
