"""Forms that are not read, because reading them runs what they hold or needs their whole framework."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NoReturn

from glassworks.contracts import Importer
from glassworks.errors import Unsupported
from glassworks.packaging.importers._places import PICKLES, refuse_pickle

_OTHERS: Mapping[str, tuple[str, str]] = {
    ".keras": ("an archive of Keras", 'load it in Keras 3, then: model.export("model.onnx", format="onnx")'),
    ".h5": ("an archive of Keras", 'load it in Keras 3, then: model.export("model.onnx", format="onnx")'),
    ".pb": ("a graph of TensorFlow", "make ONNX of it: python -m tf2onnx.convert --saved-model FOLDER --output m.onnx"),
    ".tflite": (
        "a graph of TensorFlow Lite",
        "make ONNX of it: python -m tf2onnx.convert --tflite FILE --output m.onnx",
    ),
    ".pdmodel": ("a graph of PaddlePaddle", "make ONNX of it: paddle2onnx --model_filename FILE --save_file m.onnx"),
    ".skops": ("an archive of skops", 'load it, then: skl2onnx.to_onnx(model, example, options={"zipmap": False})'),
}


class RefusedFile(Importer):
    """Pickles and files of single frameworks: refused, with the way to a form that is read."""

    name: ClassVar[str] = "refused"

    def reads(self, path: Path) -> bool:
        return path.suffix.lower() in (*PICKLES, *_OTHERS)

    def read(self, path: Path) -> NoReturn:
        if path.suffix.lower() in PICKLES:
            refuse_pickle(path)
        what, mend = _OTHERS[path.suffix.lower()]
        raise Unsupported(f"{path} is {what}, which needs that framework to be read", mend)
