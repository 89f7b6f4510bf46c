"""Programs that `torch.export.save` wrote, read without what could run code.

PyTorch's own reader evaluates guards and expressions as Python and falls back to pickle. So the archive is checked and
written anew first, with tensors and a graph of ATen operators alone (`torch/export/pt2_archive` in PyTorch 2.13).
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Imported, Importer
from glassworks.errors import DataError, InputError, Unsupported
from glassworks.packaging.importers._graphs import imported, load_graph
from glassworks.packaging.importers._places import DAMAGE, members

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_AGAIN = "export it again with torch.export.save(torch.export.export(model, inputs), FILE)"
_KEPT = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|models/model\.json"
    r"|data/(weights|constants)/(weight_\d+|tensor_\d+|model_(weights|constants)_config\.json)"
)
_SAMPLES = "data/sample_inputs/model.pt"
_TARGET = re.compile(r"torch\.ops\.aten\.[A-Za-z0-9_]+\.[A-Za-z0-9_]+|_operator\.[a-z]+")
_EXPRESSION = re.compile(
    r"(?:Symbol\('[su]\d+'|(?:positive|nonnegative|integer)=True|(?:Integer|Add|Mul|Pow|Max|Min|Mod|PythonMod)\("
    r"|(?:FloorDiv|CleanDiv)\(|[su]\d+|\d+|[-+*/(), ])*"
)
"""Sizes as SymPy writes them: symbols, numbers and arithmetic. PyTorch's reader evaluates this text as Python."""
_LARGEST_GRAPH, _DEEPEST = 64 * 1024**2, 200
_CONTAINERS = frozenset((None, "builtins.tuple", "builtins.list", "builtins.dict"))


class ExportedProgramFile(Importer):
    """A `.pt2` file of PyTorch."""

    name: ClassVar[str] = "pt2"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "torch")

    def reads(self, path: Path) -> bool:
        return path.suffix.lower() == ".pt2"

    def read(self, path: Path) -> Imported:
        import torch

        from glassworks.onnx_graphs.export import write_program

        content = _safe(path)
        try:
            program = torch.export.load(content)
            program.example_inputs = (_zeros(program), {})
        except Exception as error:  # noqa: BLE001
            # The reader raises what it likes for what it does not understand.
            raise DataError(f"{path} is no exported program: {_first(error)}", _AGAIN) from None
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "model.onnx"
            names = [each.arg.name for each in program.graph_signature.input_specs if each.kind.name == "USER_INPUT"]
            try:
                write_program(program, written, inputs=names, outputs=("scores",))
            except Exception as error:  # noqa: BLE001
                raise Unsupported(f"{path} cannot be written as ONNX: {_first(error)}", _AGAIN) from None
            return imported(load_graph(written), self.name, path)


def _safe(path: Path) -> io.BytesIO:
    """The archive with what is needed alone. Raises DataError, InputError, Unsupported."""
    sizes = members(path)
    prefixes = {name.partition("/")[0] for name in sizes}
    if len(prefixes) != 1:
        raise DataError(f"{path} is no exported program: it has no folder of its own", _AGAIN)
    (prefix,) = prefixes
    found = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(found, "w") as target:
        for name, size in sizes.items():
            inner = name.partition("/")[2]
            if inner == _SAMPLES:
                target.writestr(name, _no_samples())
            elif _KEPT.fullmatch(inner):
                target.writestr(name, _checked(archive, name, inner, size, path))
            elif inner:
                raise Unsupported(
                    f"{path} holds more than a graph with its tensors: {inner[:100]}", "give a program without objects"
                )
    if f"{prefix}/models/model.json" not in sizes:
        raise DataError(f"{path} holds no exported program", _AGAIN)
    found.seek(0)
    return found


def _checked(archive: zipfile.ZipFile, name: str, inner: str, size: int, path: Path) -> bytes:
    try:
        content = archive.read(name)
    except DAMAGE as error:
        raise DataError(f"{path} is damaged: {_first(error)}", "copy the file again") from None
    if not inner.endswith(".json"):
        return content
    if size > _LARGEST_GRAPH:
        raise Unsupported(f"{path} has a graph of {size:,} bytes; at most {_LARGEST_GRAPH:,} are read", _AGAIN)
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {_first(error)}", "copy the file again") from None
    if inner != "models/model.json":
        _require_plain(table, path)
        return content
    for part in _tables(table, path):
        _require_harmless(part, path)
        if "guards_code" in part:
            part["guards_code"] = []
        if isinstance(part.get("metadata"), dict):
            part["metadata"] = {}
    return json.dumps(table).encode()


def _require_plain(table: Any, path: Path) -> None:
    """Raises for tensors that are stored as pickles, and for files outside of the archive."""
    for part in _tables(table, path):
        if part.get("use_pickle"):
            raise Unsupported(f"{path} holds a pickle: reading one runs whatever its maker wrote into it", _AGAIN)
        name = part.get("path_name", "")
        if not isinstance(name, str) or not re.fullmatch(r"(weight_\d+|tensor_\d+)?", name):
            raise InputError(f"{path} names another file: {str(name)[:100]}", _AGAIN)


def _require_harmless(part: Mapping[str, Any], path: Path) -> None:
    """Raises Unsupported for what the reader would evaluate, or call, beyond arithmetic and ATen operators."""
    for key, allowed in (("target", _TARGET), ("expr_str", _EXPRESSION)):
        value = part.get(key, "")
        if value and not (isinstance(value, str) and allowed.fullmatch(value)):
            if key == "target" and "outputs" not in part:  # of a parameter: its name
                continue
            raise Unsupported(f"{path} calls for more than ATen operators: {str(value)[:100]}", _AGAIN)
    for key in ("in_spec", "out_spec"):
        value = part.get(key)
        if isinstance(value, str):
            _require_containers(value, path)


def _require_containers(text: str, path: Path) -> None:
    try:
        spec = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {_first(error)}", "copy the file again") from None
    for part in _tables(spec, path):
        if ("type" in part and part["type"] not in _CONTAINERS) or any("enum" in str(key) for key in part):
            raise Unsupported(f"{path} takes or gives objects: {str(part.get('type'))[:100]}", _AGAIN)


def _tables(value: Any, path: Path, depth: int = 0) -> Iterator[dict[str, Any]]:
    """All dictionaries in a JSON value."""
    if depth > _DEEPEST:
        raise DataError(f"{path} is nested too deeply", _AGAIN)
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _tables(inner, path, depth + 1)


def _zeros(program: ExportedProgram) -> tuple[Any, ...]:
    """Inputs of an example in the place of those of the file; 2 of what is free."""
    import torch

    names = set(program.graph_signature.user_inputs)
    given = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    shapes = ([size if isinstance(size, int) else 2 for size in value.shape] for value in given)
    return tuple(torch.zeros(shape, dtype=value.dtype) for shape, value in zip(shapes, given, strict=True))


def _no_samples() -> bytes:
    """What the reader takes for inputs of an example: none."""
    import torch

    empty = io.BytesIO()
    torch.save(((), {}), empty)
    return empty.getvalue()


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
