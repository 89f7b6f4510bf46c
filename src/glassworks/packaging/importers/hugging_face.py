"""Folders in Hugging Face's layout that hold a classifier of pictures, with weights as safetensors."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from glassworks.contracts import Imported, Importer
from glassworks.errors import DataError, InputError, Unsupported
from glassworks.packaging.importers._graphs import imported, load_graph
from glassworks.packaging.importers._metadata import labels_in
from glassworks.packaging.importers._places import require_file, require_folder

_CONFIG, _PIXELS = "config.json", "preprocessor_config.json"
_KIND = "ForImageClassification"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_LARGEST = 16 * 1024**2
_LAYOUT = "give the folder that model.save_pretrained(FOLDER) wrote"


class HuggingFaceFolder(Importer):
    """A folder in Hugging Face's layout with a classifier of pictures."""

    name: ClassVar[str] = "huggingface"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "torch", "transformers", "safetensors")
    extra: ClassVar[str] = "text"

    def reads(self, path: Path) -> bool:
        if not path.is_dir() or not (path / _CONFIG).is_file():
            return False
        try:
            return any(str(name).endswith(_KIND) for name in _table(path / _CONFIG).get("architectures") or ())
        except InputError:
            return False

    def read(self, path: Path) -> Imported:
        require_folder(path)
        config = _table(path / _CONFIG)
        _require_tensors_alone(path, config)
        pixels = _table(path / _PIXELS) if (path / _PIXELS).is_file() else {}
        said = _preprocessing(pixels, config)
        size = said.get("size")
        if size is None:
            raise DataError(f"{path} does not say the size of its pictures", f"add {_PIXELS} with its size")
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "model.onnx"
            _write(path, written, int(config.get("num_channels", 3)), size)
            found = imported(load_graph(written), self.name, path)
        return Imported(
            form=self.name,
            graph=found.graph,
            task="image-classification",
            labels=_labels(config),
            preprocessing=said,
            scores=True,
            notes=(*found.notes, *_notes(pixels)),
        )


def _require_tensors_alone(path: Path, config: Mapping[str, Any]) -> None:
    """Raises Unsupported where reading the folder would run code."""
    if not any((path / name).is_file() for name in _WEIGHTS):
        raise Unsupported(
            f"{path} holds no {_WEIGHTS[0]}; other files of weights may run code when they are read",
            "save it again: model.save_pretrained(FOLDER, safe_serialization=True)",
        )
    if "auto_map" in config:
        raise Unsupported(
            f"{path} wants code of its own to be run (auto_map)", "give a model that transformers itself knows"
        )


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    labels = labels_in(json.dumps(config["id2label"])) if isinstance(config.get("id2label"), dict) else ()
    if all(name == f"LABEL_{number}" for number, name in enumerate(labels)):
        return ()  # what the library writes where nobody named them
    return labels


def _write(path: Path, target: Path, channels: int, size: tuple[int, int]) -> None:
    """Export the model's scores. Raises InputError, Unsupported."""
    import torch

    from glassworks.onnx_graphs.export import write_onnx

    class Scores(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> Any:
            return self.model(pixel_values=pixels).logits

    network, example = Scores(_loaded(path)).eval(), torch.zeros(2, channels, *size)
    try:
        write_onnx(network, (example,), target, inputs=("pixels",), outputs=("scores",))
    except Exception as error:  # noqa: BLE001
        reason = " ".join(str(error).split())[:160]
        raise Unsupported(f"the model in {path} cannot be written as ONNX: {reason}", "export it as ONNX") from None


def _loaded(path: Path) -> Any:
    """The model with its weights. Raises InputError for what the library cannot load, or would make up."""
    import torch
    from transformers import AutoModelForImageClassification

    options = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
    try:
        model, info = AutoModelForImageClassification.from_pretrained(
            str(path), **options, output_loading_info=True, dtype=torch.float32
        )
    except Exception as error:  # noqa: BLE001
        # Three libraries raise what they like for whatever is wrong with a file.
        reason = str(error).split("\n")[0][:160]
        raise InputError(f"the model in {path} cannot be loaded: {reason}", _LAYOUT) from None
    if missing := sorted(map(str, info["missing_keys"] or info.get("mismatched_keys") or ())):
        raise InputError(
            f"the weights in {path} lack {len(missing)} parts of the model, such as {missing[0]}",
            "give weights and config.json of one model",
        )
    return model


def _preprocessing(pixels: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """`mean`, `std`, `scale` and `size`, where the folder says them. Raises DataError for what are no numbers."""
    found: dict[str, Any] = {}
    channels = int(config.get("num_channels", 3))
    try:
        if pixels.get("do_rescale", True) is False:
            found["scale"] = 1.0
        elif "rescale_factor" in pixels:
            found["scale"] = float(pixels["rescale_factor"])
        if pixels.get("do_normalize", bool(pixels.get("image_mean"))) and pixels.get("image_mean"):
            found["mean"] = [float(each) for each in pixels["image_mean"]]
            found["std"] = [float(each) for each in pixels["image_std"]]
        elif pixels:
            found["mean"], found["std"] = [0.0] * channels, [1.0] * channels
        own = pixels.get("crop_size") if pixels.get("do_center_crop") else pixels.get("size")
        size = _size(own) or _size(config.get("image_size"))
    except (TypeError, ValueError, KeyError) as error:
        raise DataError(
            f"{_PIXELS} is not readable: {error}", "save it again: processor.save_pretrained(FOLDER)"
        ) from None
    return {**found, "size": size} if size else found


def _size(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, list) and len(value) == 2:
        return int(value[0]), int(value[1])
    if not isinstance(value, dict):
        return None
    if "height" in value:
        return int(value["height"]), int(value["width"])
    return (int(value["shortest_edge"]),) * 2 if "shortest_edge" in value else None


def _notes(pixels: Mapping[str, Any]) -> tuple[str, ...]:
    if pixels.get("do_center_crop"):
        return ("its own processor cuts the middle out of pictures; here the whole picture is scaled to fit",)
    return ()


def _table(path: Path) -> Mapping[str, Any]:
    """A JSON object. Raises DataError."""
    require_file(path, _LARGEST)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}", _LAYOUT) from None
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no JSON object", _LAYOUT)
    return found
