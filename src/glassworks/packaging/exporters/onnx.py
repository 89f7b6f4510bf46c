"""ONNX: the plain fp32 graph with its labels and a page that runs it, for use without Glassworks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from string import Template
from typing import ClassVar

from glassworks.contracts import Exporter
from glassworks.packaging.bundle import Bundle, read_bundle
from glassworks.packaging.export_folder import claim_folder
from glassworks.packaging.picture_graphs import DECODER, beside, decoder_files, float_graph, picture_input, used_bits
from glassworks.storage import storage_errors, write_atomically
from glassworks.tasks.image_classification import LABEL_SET

_MARK = "export.json"
_FILES = ("model.onnx", "labels.json", "README.md", *DECODER, _MARK)

_README = Template("""# $name

An ONNX model, exported from the Glassworks bundle `$sha256`. License: $license.

- input `$input`: FP32, any x $channels x $height x $width, pixels between 0 and 1
- output `$output`: one value a label; the labels are in `labels.json`, in the same order

It needs `pip install numpy onnxruntime pillow`, and `pi-heif` for HEIC. Files are read and fitted by the decoder that
trains and serves the model, which stands beside it. Run this in this folder, with a picture `picture.png`:

```python
import json

import numpy as np
import onnxruntime

from decoder import decode, fit_picture

with open("picture.png", "rb") as file:
    picture = decode(file.read(), bits=$bits)
pixels = fit_picture(picture, $height, $width, $channels).astype(np.float32)
batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None] / 255)

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
(scores, *others) = session.run([$outputs_literal], {$input_literal: batch})
with open("labels.json", encoding="utf-8") as file:
    labels = json.load(file)
for index in $chosen:
    print(labels[index], float(scores[0, index]))
```
""")
_BEST, _REPORTED = "[int(scores[0].argmax())]", "np.flatnonzero(others[0][0])"


class OnnxExporter(Exporter):
    """Writes `model.onnx`, `labels.json` and a `README.md` whose block of Python runs as it stands."""

    name: ClassVar[str] = "onnx"

    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        """Write into `folder`: new, empty, or made by this exporter before.

        Raises what `read_bundle` raises, Unsupported for models without an fp32 ONNX graph over pictures,
        InputError for a folder with other content and StorageError.
        """
        opened = read_bundle(bundle)
        graph, readme = float_graph(opened, self.name), _readme(opened)
        claim_folder(folder, own=_FILES, mark=_MARK)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            mark = {"exporter": self.name, "model": opened.manifest.name, "bundle_sha256": opened.sha256}
            # The mark comes first: what an interrupted export leaves can be exported over.
            write_atomically(folder / _MARK, _json(mark))
            beside = folder / f"{_FILES[0]}.partial"
            try:
                shutil.copyfile(opened.folder / graph.file, beside)
                beside.replace(folder / _FILES[0])
            finally:
                beside.unlink(missing_ok=True)
            write_atomically(folder / _FILES[1], _json(opened.manifest.labels))
            write_atomically(folder / _FILES[2], readme.encode())
            for name, program in decoder_files().items():
                write_atomically(folder / name, program)
        return tuple(folder / name for name in _FILES)


def _readme(bundle: Bundle) -> str:
    manifest = bundle.manifest
    picture, scores = picture_input(bundle, "onnx"), manifest.signature.outputs[0]
    sets = [name for name in beside(bundle) if name == LABEL_SET]
    _, channels, height, width = picture.shape
    return _README.substitute(
        name=manifest.name,
        sha256=bundle.sha256,
        license=manifest.license,
        input=picture.name,
        input_literal=repr(picture.name),
        output=scores.name,
        outputs_literal=", ".join(repr(name) for name in (scores.name, *sets)),
        chosen=_REPORTED if sets else _BEST,
        channels=channels,
        height=height,
        width=width,
        bits=used_bits(bundle),
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
