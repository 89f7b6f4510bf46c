"""The folder of a pretrained encoder: where it is, and whether its files are what they seem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glassworks.data.hub import downloaded
from glassworks.data.installed import installed
from glassworks.errors import ConfigError, DataError

SCHEMES = "folder:PATH, package:LIBRARY/FOLDER, hf:OWNER/NAME"
LAYOUT = "give the folder of an encoder in Hugging Face's layout"

_READING = ("*.json", "*.txt", "*.model")
_WANTED = ("model*.safetensors", "pytorch_model*.bin")
_FORMS = ("model.safetensors", "pytorch_model.bin")
"""The first form that a folder holds is read. Of the second, an archive of the kind that Python calls pickle, PyTorch
reads tensors and plain values only and calls nothing that the file names."""
_LAYERS = ("*/model.safetensors", "*/pytorch_model.bin")
"""Of dense layers behind an encoder, small."""
_POINTER = b"version https://git-lfs"
_OTHERS = {
    "adapter_model.*": ("an adapter (LoRA), not the encoder it belongs to", "merge_and_unload() of peft, then"),
    "tf_model*.h5": ("weights of TensorFlow alone", "load it with transformers 4 and from_tf=True, then"),
    "flax_model*": ("weights of Flax alone", "load it with transformers 4 and from_flax=True, then"),
    "**/*.onnx": ("a graph of ONNX alone", "take the folder that it was made from, or"),
    "*.gguf": ("weights of GGUF alone", "take the folder that it was made from, or"),
}


def folder_of(source: str) -> Path:
    """Raises ConfigError, DataError."""
    scheme, separator, rest = source.partition(":")
    if not separator or not rest or scheme not in ("folder", "package", "hf"):
        raise ConfigError(f"'model.backbone' is '{source}'", f"write one of {SCHEMES}")
    if scheme == "package":
        library, _, inner = rest.partition("/")
        return installed(library, inner)
    folder = Path(rest).expanduser()
    if folder.is_dir():
        return folder
    if scheme == "hf":
        return _downloaded(rest)
    raise DataError(f"there is no folder {folder}", LAYOUT)


def _downloaded(name: str) -> Path:
    for weights in _WANTED:
        found = downloaded(name, "encoder", (*_READING, weights, *_LAYERS), local="folder:PATH")
        if any(found.glob(weights)):
            break
    return found


def weights_of(folder: Path) -> str:
    """Which form of weights is read. Raises DataError where none is whole, with what is there instead."""
    missing: DataError | None = None
    for form in _FORMS:
        try:
            if _whole(folder, form):
                return form
        except DataError as error:
            missing = missing or error
    if missing:
        raise missing
    for pattern, (what, how) in _OTHERS.items():
        if any(folder.glob(pattern)):
            raise DataError(f"the folder {folder} holds {what}", f"{how} model.save_pretrained(FOLDER)")
    raise DataError(
        f"the encoder's folder {folder} holds neither model.safetensors nor pytorch_model.bin",
        "save its weights into it: model.save_pretrained(FOLDER)",
    )


def _whole(folder: Path, form: str) -> bool:
    """Whether all of its files are there, in one or in parts. Raises DataError where some are."""
    if (folder / form).is_file():
        require_file(folder / form)
        return True
    if not (folder / f"{form}.index.json").is_file():
        return False
    names = sorted(set(read_json(folder / f"{form}.index.json").get("weight_map", {}).values()))
    if gone := [name for name in names if not (folder / name).is_file()]:
        raise DataError(
            f"{folder} lacks {len(gone)} of the {len(names)} files that {form}.index.json names, such as {gone[0]}",
            "copy them into the folder, or save the model again: model.save_pretrained(FOLDER)",
        )
    for name in names:
        require_file(folder / name)
    return bool(names)


def require_file(path: Path) -> None:
    """Raises DataError for what stands in a clone of a repository for a file that was never fetched."""
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise DataError(
                f"{path} is a pointer of Git LFS of a few lines, not the file itself",
                "fetch it: git lfs pull in the repository it was cloned from, or download the file again",
            )


def read_json(path: Path) -> Any:
    """Raises DataError, for a file that is no JSON."""
    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path} is no JSON: {str(error)[:120]}", "save the model again, or copy the file anew"
        ) from None
