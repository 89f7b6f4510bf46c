"""OpenCV: runs pipelines of classical operators, and takes the gradient of their answers back to the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Device, Opened, Precision, Runtime, Session, Signature, TensorSpec
from glassworks.errors import BundleError, Unsupported

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors
    from glassworks.imaging.pipeline import Pipeline

_IMAGE, _PICTURE = "image", "picture"
_FIXED = "operators compute in the numbers that they are declared with"


class OpenCv(Runtime):
    """Opens pipelines (`.json`). OpenCV has one number of threads for the process: that of the model opened last."""

    name: ClassVar[str] = "opencv"
    accepts: ClassVar[frozenset[str]] = frozenset({"operators"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType({"fp32": "", "bf16": _FIXED, "int8": _FIXED})
    needs: ClassVar[tuple[str, ...]] = ("cv2",)
    extra: ClassVar[str] = "video"

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        import cv2

        from glassworks.imaging.pipeline import from_json

        if device != "cpu":
            raise Unsupported(f"the runtime 'opencv' runs on cpu, not on {device}", "leave the device out")
        try:
            content = opened.path.read_bytes()
        except OSError as error:
            raise BundleError(f"cannot read {opened.path.name}: {error}", "package the model again") from error
        pipeline = from_json(content, opened.path.name)
        cv2.setNumThreads(opened.artifact.threads)
        if opened.artifact.role == "gradient":
            return _GradientSession(pipeline)
        return _OpenCvSession(pipeline, opened.artifact.threads)


class _OpenCvSession(Session):
    """image (N H W C) -> picture (N h w c)."""

    def __init__(self, pipeline: Pipeline, threads: int) -> None:
        from glassworks.imaging.execution import Execution
        from glassworks.imaging.pipeline import signature_of

        self._execution = Execution(pipeline, threads)
        self.signature = signature_of(pipeline)

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        import numpy as np

        made = [self._execution.run(picture) for picture in tensors[_IMAGE]]
        return {_PICTURE: made[0][None] if len(made) == 1 else np.stack(made)}

    def close(self) -> None:
        self._execution.close()


class _GradientSession(Session):
    """image (N H W C), region (x, y, width, height) -> scores (N 1), gradient (N H W C), field (N H W C)."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        shape = (-1, -1, -1, pipeline.picture.channels)
        self.signature = Signature(
            inputs=(
                TensorSpec(name=_IMAGE, datatype="FP32", shape=shape),
                TensorSpec(name="region", datatype="INT64", shape=(4,)),
            ),
            outputs=(
                TensorSpec(name="scores", datatype="FP32", shape=(-1, 1)),
                TensorSpec(name="gradient", datatype="FP32", shape=shape),
                TensorSpec(name="field", datatype="FP32", shape=shape),
            ),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        import numpy as np

        from glassworks.imaging.differentiation import Region, Traced

        region = Region(*(int(each) for each in tensors["region"].tolist()))
        names = [spec.name for spec in self.signature.outputs] if outputs is None else list(outputs)
        found: dict[str, list[Array]] = {name: [] for name in names}
        for picture in np.asarray(tensors[_IMAGE], np.float32):
            traced = Traced(self._pipeline, np.ascontiguousarray(picture))
            for name in names:
                if name == "scores":
                    found[name].append(np.array([traced.score(region)], np.float32))
                elif name == "gradient":
                    found[name].append(traced.gradient(region))
                else:
                    field = traced.field(region)[:, :, None].astype(np.float32)
                    found[name].append(np.broadcast_to(field, picture.shape))
        return {name: np.stack(values) for name, values in found.items()}
