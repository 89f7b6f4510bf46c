"""Edge: a folder that predicts and explains with numpy and onnxruntime alone."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any, ClassVar

from glassworks.contracts import Artifact, Exporter
from glassworks.packaging.bundle import Bundle, read_bundle
from glassworks.packaging.export_folder import claim_folder
from glassworks.packaging.picture_graphs import (
    DECODER,
    beside,
    decoder_files,
    float_graph,
    gradient_graph,
    picture_input,
    standing_alone,
    used_bits,
    with_pixels,
)
from glassworks.storage import storage_errors, write_atomically

_MARK = "export.json"
_PROGRAM, _READER, _PIXELS, _GRADIENT = "run.py", "pictures.py", "pixels.onnx", "gradient.onnx"
_DATA = ("model.onnx", _GRADIENT, _PIXELS, "model.json", "samples.json")
_FILES = (*_DATA, _PROGRAM, _READER, *DECODER, "requirements.txt", "README.md", _MARK)
_SAME, _OTHER = 1e-4, 0.05
"""How far answers may lie from those in the bundle: of the same graph, and of an fp32 graph served in less."""


class EdgeExporter(Exporter):
    """Writes `run.py` with the graphs, sample requests, a page in English and Chinese, and what to install."""

    name: ClassVar[str] = "edge"
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        """Write into `folder`: new, empty, or made by this exporter before.

        Raises what `read_bundle` raises, Unsupported for models without an fp32 ONNX graph over pictures,
        InputError for a folder with other content and StorageError.
        """
        opened = read_bundle(bundle)
        graph, gradient = float_graph(opened, self.name), gradient_graph(opened)
        contents = _contents(opened, graph, gradient)
        claim_folder(folder, own=(*_FILES, "__pycache__"), mark=_MARK)  # which Python itself writes
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                (folder / name).unlink(missing_ok=True)
            # The mark comes first: what an interrupted export leaves can be exported over.
            write_atomically(folder / _MARK, contents.pop(_MARK))
            for name, content in contents.items():
                write_atomically(folder / name, content)
        return tuple(folder / name for name in _FILES if name == _MARK or name in contents)


def _contents(bundle: Bundle, graph: Artifact, gradient: Artifact | None) -> dict[str, bytes]:
    source = bundle.folder
    whole = (source / graph.file).read_bytes()
    spec = picture_input(bundle, "edge")
    return {
        _MARK: _json({"exporter": "edge", "model": bundle.manifest.name, "bundle_sha256": bundle.sha256}),
        "model.onnx": whole,
        **({_GRADIENT: (source / gradient.file).read_bytes()} if gradient else {}),
        _PIXELS: with_pixels(whole, spec),
        "model.json": _json(_description(bundle, graph, gradient)),
        "samples.json": (source / "samples.json").read_bytes() if (source / "samples.json").exists() else b"[]\n",
        # In the folder the files stand side by side.
        _PROGRAM: _beside("program.py").replace(f"{__name__}.pictures", "pictures").encode(),
        _READER: standing_alone(_beside("pictures.py")).encode(),
        **decoder_files(),
        "requirements.txt": f"numpy>={version('numpy')}\nonnxruntime>={version('onnxruntime')}\n".encode(),
        "README.md": _readme(bundle, graph).encode(),
    }


def _description(bundle: Bundle, graph: Artifact, gradient: Artifact | None) -> dict[str, Any]:
    spec, manifest = picture_input(bundle, "edge"), bundle.manifest
    _, channels, height, width = spec.shape
    return {
        "name": manifest.name,
        "bundle_sha256": bundle.sha256,
        "labels": list(manifest.labels),
        "input": spec.name,
        "output": manifest.signature.outputs[0].name,
        "beside": beside(bundle),
        "channels": channels,
        "height": height,
        "width": width,
        "bits": used_bits(bundle),
        "graphs": {"predict": "model.onnx", **({"gradient": _GRADIENT} if gradient else {})},
        "tolerance": _SAME if _served(bundle).precision == "fp32" else _OTHER,
    }


def _served(bundle: Bundle) -> Artifact:
    return next(artifact for artifact in bundle.manifest.artifacts if artifact.role == "predict")


def _readme(bundle: Bundle, graph: Artifact) -> str:
    spec, served = picture_input(bundle, "edge"), _served(bundle)
    other = served.precision != "fp32" or served.file != graph.file
    how = f"{served.precision} ({served.runtime})"
    _, channels, height, width = spec.shape
    page = _beside("page.txt")
    return Template(page).substitute(
        name=bundle.manifest.name,
        sha256=bundle.sha256,
        license=bundle.manifest.license,
        served=f"The server computes it in {how}; here it is the fp32 graph." if other else "",
        served_zh=f"服务端以 {how} 计算，这里是 fp32 计算图。" if other else "",
        channels=channels,
        height=height,
        width=width,
    )


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
