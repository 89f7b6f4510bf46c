"""What ONNX files say of themselves: labels, task and preprocessing."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

_LABELS = ("labels", "names", "classes", "class_names", "id2label")
_MOST_LABELS = 1_000_000


def labels_of(model: ModelProto) -> tuple[str, ...]:
    """From the metadata, or from the operators of scikit-learn's classifiers, which hold them."""
    said = {entry.key: entry.value for entry in model.metadata_props}
    for key in _LABELS:
        if key in said:
            return labels_in(said[key])
    for node in model.graph.node:
        if node.domain != "ai.onnx.ml":
            continue
        for key in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
            values = attribute(node, key)
            if values:
                return tuple(each.decode() if isinstance(each, bytes) else str(each) for each in values)
    return ()


def labels_in(text: str) -> tuple[str, ...]:
    """Names of classes from a JSON or Python list, a dictionary of numbers -> names, or words separated by commas.

    Raises InputError where they are none, or two are alike.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found = [part.strip() for part in text.split(",")]
    if isinstance(found, Mapping):
        try:
            numbered = {int(key): value for key, value in found.items()}
        except (TypeError, ValueError):
            raise InputError("the model's labels are not numbered", "give them yourself: --labels FILE") from None
        if sorted(numbered) != list(range(len(numbered))):
            raise InputError("the model's labels leave numbers out", "give them yourself: --labels FILE")
        found = [numbered[key] for key in range(len(numbered))]
    if not isinstance(found, list | tuple) or not 0 < len(found) <= _MOST_LABELS:
        raise InputError("the model's labels are no list", "give them yourself: --labels FILE")
    names = tuple(str(name) for name in found)
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None or not all(names):
        raise InputError(f"two of the labels are alike or empty: '{twice or ''}'", "give each class a name of its own")
    return names


def task_of(said: Mapping[str, str]) -> str:
    named = said.get("task", "").strip().lower().replace("_", "-")
    return {"classify": "image-classification"}.get(named, named)


def preprocessing_of(said: Mapping[str, str]) -> dict[str, Any]:
    """`mean`, `std` and `scale`, where the metadata hold numbers under these names."""
    found: dict[str, Any] = {}
    for key in ("mean", "std", "scale"):
        try:
            value: Any = json.loads(said[key]) if key in said else None
            values = [float(each) for each in (value if isinstance(value, list) else [value])]
        except (TypeError, ValueError, RecursionError):
            continue
        found[key] = values[0] if key == "scale" else values
    return found


def attribute(node: Any, name: str) -> Any:
    import onnx

    value = next((onnx.helper.get_attribute_value(each) for each in node.attribute if each.name == name), None)
    return value.decode() if isinstance(value, bytes) else value
