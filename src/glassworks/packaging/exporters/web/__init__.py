"""Web: a page that predicts and explains in the browser, opened as a file or from any server, with no network."""

from __future__ import annotations

import base64
import html
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from string import Template
from typing import ClassVar

from glassworks.contracts import Exporter
from glassworks.errors import MissingLibrary
from glassworks.packaging.bundle import Bundle, read_bundle
from glassworks.packaging.export_folder import claim_folder
from glassworks.packaging.picture_graphs import beside, float_graph, gradient_graph, picture_input, used_bits
from glassworks.storage import storage_errors, write_atomically

RUNTIME = "GLASSWORKS_ONNXRUNTIME_WEB"
"""Names the npm package `onnxruntime-web`, as a folder or a .tgz file, to use instead of npm."""
VERSION = "1.30.0"
_MARK = "export.json"
_FILES = ("index.html", "model.js", "runtime.js", _MARK)
_PROGRAM, _BINARY = "dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"
_NPM_S = 300


class WebExporter(Exporter):
    """Writes `index.html` with the graphs and ONNX Runtime's web engine beside it."""

    name: ClassVar[str] = "web"

    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        """Write into `folder`: new, empty, or made by this exporter before.

        Raises what `read_bundle` raises, Unsupported for models without an fp32 ONNX graph over pictures,
        MissingLibrary where the engine cannot be had, InputError for a folder with other content and StorageError.
        """
        opened = read_bundle(bundle)
        model = _model(opened)
        claim_folder(folder, own=_FILES, mark=_MARK)
        with tempfile.TemporaryDirectory() as scratch:
            engine = _engine(Path(scratch))
            program, binary = (engine / name for name in (_PROGRAM, _BINARY))
            contents = {
                _MARK: json.dumps({"exporter": self.name, "bundle_sha256": opened.sha256}).encode() + b"\n",
                "model.js": b"window.GLASSWORKS_MODEL = " + json.dumps(model, ensure_ascii=False).encode() + b";\n",
                "runtime.js": b'window.GLASSWORKS_RUNTIME = "' + base64.b64encode(binary.read_bytes()) + b'";\n',
                "index.html": _page(opened, program.read_text(encoding="utf-8")).encode(),
            }
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # The mark comes first: what an interrupted export leaves can be exported over.
            for name, content in contents.items():
                write_atomically(folder / name, content)
        return tuple(folder / name for name in _FILES)


def _model(bundle: Bundle) -> dict[str, object]:
    graph, gradient, spec = float_graph(bundle, "web"), gradient_graph(bundle), picture_input(bundle, "web")
    graphs = {"predict": graph, **({"gradient": gradient} if gradient else {})}
    _, channels, height, width = spec.shape
    return {
        "labels": list(bundle.manifest.labels),
        "input": spec.name,
        "output": bundle.manifest.signature.outputs[0].name,
        "beside": beside(bundle),
        "channels": channels,
        "height": height,
        "width": width,
        "bits": used_bits(bundle),
        "graphs": {
            role: base64.b64encode((bundle.folder / each.file).read_bytes()).decode() for role, each in graphs.items()
        },
    }


def _page(bundle: Bundle, engine: str) -> str:
    # Everything is one module of the page itself: a browser loads no module from a file.
    exported = engine.rpartition("export{")
    names = dict(each.split(" as ")[::-1] for each in exported[2].partition("}")[0].split(",") if " as " in each)
    if "default" not in names:
        raise MissingLibrary(
            "this onnxruntime-web is built otherwise than the one that is known", f"take version {VERSION} of it"
        )
    program = exported[0] + f"const ort = {names['default']};\n"
    text = _beside("page.html")
    manifest = bundle.manifest
    return Template(text).substitute(
        title=html.escape(manifest.name),
        license=html.escape(manifest.license),
        sha256=bundle.sha256,
        runtime=program,
        program=_beside("program.js"),
    )


def _engine(folder: Path) -> Path:
    """The unpacked npm package. Raises MissingLibrary."""
    given = os.environ.get(RUNTIME)
    package = Path(given) if given else _from_npm(folder)
    if package.is_file():
        with tarfile.open(package) as archive:
            archive.extractall(folder, filter="data")
        package = folder / "package"
    missing = [name for name in (_PROGRAM, _BINARY) if not (package / name).is_file()]
    if missing:
        raise MissingLibrary(
            f"{given or package} is no npm package onnxruntime-web: it lacks {missing[0]}",
            f"let {RUNTIME} name version {VERSION} of it, as a folder or a .tgz file",
        )
    return package


def _from_npm(folder: Path) -> Path:
    mend = f"install npm, or let {RUNTIME} name the package onnxruntime-web {VERSION} (a folder or a .tgz file)"
    npm = shutil.which("npm")
    if npm is None:
        raise MissingLibrary("the web page needs the npm package onnxruntime-web, and there is no npm", mend)
    command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--silent"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_NPM_S)  # noqa: S603 - npm, with fixed words
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingLibrary(f"npm did not give onnxruntime-web {VERSION}: {type(error).__name__}", mend) from None
    return next(folder.glob("*.tgz"))


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
