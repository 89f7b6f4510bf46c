"""What a data set of the Hugging Face hub says of itself: its parts by files and folders, and the names of classes."""

from __future__ import annotations

import fnmatch
import importlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glassworks.data.assigned import is_part, part_of
from glassworks.data.tabular.cells import Cells
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_FEATURES = "huggingface"
"""The key of a Parquet file's metadata under which the library `datasets` keeps features."""
_UNKNOWN = -1
"""What `datasets` writes for a class that is not known."""


class HubFolder:
    """A folder of Parquet files. Raises DataError without any, and for data sets that have nothing to do together."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.files = folder, sorted(folder.rglob("*.parquet"))
        if not self.files:
            raise DataError(f"{name} holds no Parquet file", "give a data set in Parquet, or convert it to CSV")
        self._about = _of_readme(folder / "README.md")
        configs = [each for each in self._about.get("configs") or () if isinstance(each, dict)]
        if len(configs) > 1:
            names = ", ".join(str(each.get("config_name")) for each in configs[:8])
            raise DataError(
                f"{name} holds {len(configs)} data sets: {names}",
                "give the folder of one: hf:FOLDER/NAME, or parquet:FILE",
            )
        self._files_of = _data_files(configs)

    def part(self, file: Path) -> str:
        """`train`, `validation`, `test` or `unlabeled`; empty where neither the card nor a name says it."""
        path = file.relative_to(self.folder)
        for split, patterns in self._files_of:
            if is_part(split) and any(fnmatch.fnmatch(path.as_posix(), each) for each in patterns):
                return part_of(split, str(path))
        for text in (path.stem, *reversed(path.parts[:-1])):
            for word in re.split(r"[^A-Za-z]+", text):
                if is_part(word):
                    return part_of(word, str(path))
        return ""

    def classes(self, file: Path) -> Mapping[str, Sequence[str]]:
        """Names of classes by columns, as the file says, the folder's `dataset_info.json`, or its card."""
        infos = self._about.get("dataset_info")
        of_card = infos[0] if isinstance(infos, list) and infos else infos
        return classes_of_file(file) or _class_names(_of_info(self.folder)) or _class_names(of_card)


def named_classes(cells: Cells, classes: Mapping[str, Sequence[str]]) -> Cells:
    """With the names of classes where the columns that have them hold numbers; -1 is no label there."""
    if not classes:
        return cells

    def values(name: str) -> list[Any]:
        known = classes.get(name)
        return [_named(value, known) for value in cells.values(name)] if known else cells.values(name)

    shown = tuple(_of_classes(name, known) for name, known in classes.items() if name in cells.names)
    return replace(cells, values=values, findings=(*cells.findings, *shown))


def without_labels(cells: Cells, label: str) -> bool:
    """Whether every label is -1, or none: so parts are written of which no label is known."""
    if label not in cells.names:
        return False
    return all(value is None or value in (_UNKNOWN, "-1", "") for value in cells.values(label))


def classes_of_file(file: Path) -> Mapping[str, Sequence[str]]:
    """Names of classes by columns, as `datasets` writes them into a Parquet file."""
    import polars

    try:
        found = polars.read_parquet_metadata(file).get(_FEATURES, "")
        return _class_names(json.loads(found).get("info")) if found else {}
    except (polars.exceptions.PolarsError, OSError, ValueError, AttributeError):
        return {}


def _named(value: Any, known: Sequence[str]) -> Any:
    if isinstance(value, list | tuple):
        return [_named(each, known) for each in value]
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return known[value] if 0 <= value < len(known) else None if value == _UNKNOWN else value


def _of_classes(name: str, known: Sequence[str]) -> Sentence:
    return sentence("finding.named-classes", column=name, names=", ".join(known[:8]), n=len(known))


def _class_names(info: Any) -> dict[str, list[str]]:
    """Of `features`, which are an object by columns, or in a card a list."""
    features = info.get("features") if isinstance(info, dict) else None
    if isinstance(features, list):
        features = {each.get("name"): each for each in features if isinstance(each, dict)}
    found = {name: _names_of(feature) for name, feature in (features or {}).items()}
    return {str(name): names for name, names in found.items() if names}


def _names_of(feature: Any) -> list[str]:
    """The names of a ClassLabel, or of a list of them."""
    if isinstance(feature, list):
        return _names_of(feature[0]) if feature else []
    if not isinstance(feature, dict):
        return []
    names = feature.get("names")
    if isinstance(names, dict):
        return [str(names[key]) for key in sorted(names, key=lambda key: int(key))]
    if isinstance(names, list):
        return [str(each) for each in names]
    inner = next(
        (feature[key] for key in ("class_label", "dtype", "feature", "sequence", "list") if key in feature), None
    )
    return _names_of(inner) if isinstance(inner, dict | list) else []


def _of_info(folder: Path) -> Any:
    try:
        return json.loads((folder / "dataset_info.json").read_bytes())
    except (OSError, ValueError):
        return None


def _of_readme(path: Path) -> dict[str, Any]:
    """The head of a card, which is YAML between two lines of dashes."""
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        return {}
    try:
        head = re.match(r"\s*---\n(.*?)\n---", path.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
        found = yaml.safe_load(head[1]) if head else {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _data_files(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """(split, patterns of paths) of the only configuration."""
    files = configs[0].get("data_files") if configs else None
    found = []
    for each in files if isinstance(files, list) else ():
        if isinstance(each, dict) and each.get("split"):
            path = each.get("path")
            found.append((str(each["split"]), [str(one) for one in (path if isinstance(path, list) else [path])]))
    return found
