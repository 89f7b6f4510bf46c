"""Weights of a model that was released here, as its bundle keeps them in full beside smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from glassworks.errors import Unsupported
from glassworks.language.architecture import Architecture
from glassworks.language.hf_folder import HuggingFaceFolder
from glassworks.language.importing import Brought
from glassworks.language.settings import TOKENIZER, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.contracts import Opened

_FULL = (np.float16, np.float32)
_MEND = "bring the model again from its Hugging Face folder or GGUF file (glassworks import), and begin with that"


def reopened(opened: Opened, source: str) -> Brought:
    """The model of a bundle by its exported artifact, with what the bundle says of it; `source` is what it is called.

    Raises Unsupported where the weights were brought in fewer bits, or by an earlier version that named them otherwise.
    """
    settings = read_settings(opened.folder).model_copy(update={"source": source})
    if opened.artifact.format == "safetensors":
        weight, files = _of_folder(opened.path.parent)
    else:
        weight = _of_graph(opened.path, settings.architecture, source)
        files = (opened.path, opened.path.with_suffix(".bin"))
    tokenizer = Tokenizer.from_file(str(opened.folder / TOKENIZER))
    return Brought(settings=settings, tokenizer=tokenizer, files=files, weight=weight)


def _of_folder(path: Path) -> tuple[Callable[[str], NDArray[Any]], tuple[Path, ...]]:
    folder = HuggingFaceFolder(path)
    return folder.weight, folder.files


def _of_graph(path: Path, architecture: Architecture, source: str) -> Callable[[str], NDArray[Any]]:
    import openvino

    graph = openvino.Core().read_model(path)
    wanted = dict(architecture.weights())
    found: Mapping[str, Any] = {
        node.get_friendly_name(): node
        for node in graph.get_ops()
        if node.get_type_name() == "Constant" and node.get_friendly_name() in wanted
    }
    for name, shape in wanted.items():
        if name not in found or found[name].data.dtype not in _FULL or tuple(found[name].data.shape) != shape:
            raise Unsupported(f"{source} keeps no weight '{name}' in full", _MEND)

    def read(name: str) -> NDArray[Any]:
        # The graph is named, so that it is there as long as its weights are read.
        values: NDArray[Any] = np.array(found[name].data) if graph is not None else np.empty(0)
        return values

    return read
