"""Models exported from five frameworks are imported; what the bundle's graph answers is compared with the framework.

    python benchmarks/importing.py            # all that is installed, one line a model
    python benchmarks/importing.py keras_cnn  # some, by name

Makers need torch and transformers, and only here scikit-learn with skl2onnx, LightGBM with onnxmltools, Keras 3 on
PyTorch. Every model is small, random or trained for a moment: what counts is that answers are equal.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("KERAS_BACKEND", "torch")
LABELS = ("ant", "bee", "cat")
BAR = 1e-4
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Exported:
    """A file or folder, how its pixels are prepared, and what the framework answers for pixels N H W C in [0, 1]."""

    path: Path
    shape: tuple[int, int, int]
    probabilities: Callable[[Pixels], NDArray[Any]]
    preprocessing: str = "unit"
    stated: bool = True
    """Whether the preprocessing is stated; the folder says it otherwise."""


def _softmax(scores: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _examples(shape: tuple[int, int, int], count: int = 90) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise with a bright third for the class."""
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 160, (count, *shape), dtype=np.uint8), np.arange(count) % len(LABELS)
    third = shape[0] // 3
    for picture, label in zip(x, y.tolist(), strict=True):
        picture[label * third : (label + 1) * third] += 80
    return x, y


def _torch_network(kind: str) -> Any:
    from torch import nn

    if kind == "cnn":
        body = [
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(288, 3),
        ]
    elif kind == "depthwise":
        body = [nn.Conv2d(3, 8, 1), nn.Hardswish(), nn.Conv2d(8, 8, 3, groups=8, padding=1), nn.ReLU6()]
        body += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)]
    else:
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
        body = [nn.Conv2d(3, 16, 6, 6), nn.Flatten(2), _Transposed(), layer, _Mean(), nn.Linear(16, 3)]
    return nn.Sequential(*body).eval()


def _Transposed() -> Any:  # noqa: N802
    from torch import nn

    class Transposed(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.transpose(1, 2)

    return Transposed()


def _Mean() -> Any:  # noqa: N802
    from torch import nn

    class Mean(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.mean(1)

    return Mean()


def _of_torch(network: Any) -> Callable[[Pixels], NDArray[Any]]:
    import torch

    def ask(x: Pixels) -> NDArray[Any]:
        with torch.no_grad():
            found = network(torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 3, 1))))
        return _softmax(getattr(found, "logits", found).numpy().astype(np.float64))

    return ask


def _torch_onnx(kind: str) -> Callable[[Path], Exported]:
    def make(folder: Path) -> Exported:
        import torch

        torch.manual_seed(0)
        network = _torch_network(kind)
        shapes = ({0: torch.export.Dim("batch")},)
        x = torch.zeros(2, 3, 24, 24)
        torch.onnx.export(network, (x,), str(folder / "m.onnx"), dynamo=True, dynamic_shapes=shapes, verbose=False)
        return Exported(folder / "m.onnx", (24, 24, 3), _of_torch(network))

    return make


def _torch_pt2(kind: str) -> Callable[[Path], Exported]:
    def make(folder: Path) -> Exported:
        import torch

        torch.manual_seed(1)
        network = _torch_network(kind)
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(network, (torch.zeros(2, 3, 24, 24),), dynamic_shapes=shapes)
        torch.export.save(program, str(folder / "m.pt2"))
        return Exported(folder / "m.pt2", (24, 24, 3), _of_torch(network))

    return make


def _transformers(name: str) -> Callable[[Path], Exported]:
    def make(folder: Path) -> Exported:
        import torch
        import transformers

        torch.manual_seed(2)
        labels = {"id2label": dict(enumerate(LABELS)), "label2id": {name: n for n, name in enumerate(LABELS)}}
        if name == "ViT":
            config = transformers.ViTConfig(
                hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=24,
                patch_size=6, **labels,
            )  # fmt: skip
            network = transformers.ViTForImageClassification(config)
        else:
            config = transformers.ResNetConfig(
                embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **labels
            )
            network = transformers.ResNetForImageClassification(config)
        network.eval().save_pretrained(folder / "hf")
        mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.25]
        said = {
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": mean,
            "image_std": std,
        }
        said["size"] = {"height": 24, "width": 24}
        (folder / "hf" / "preprocessor_config.json").write_text(json.dumps(said))
        ask = _of_torch(network)

        def answers(x: Pixels) -> NDArray[Any]:
            return ask(((x - np.float32(mean)) / np.float32(std)).astype(np.float32))

        return Exported(folder / "hf", (24, 24, 3), answers, stated=False)

    return make


def _sklearn(kind: str) -> Callable[[Path], Exported]:
    def make(folder: Path) -> Exported:
        from skl2onnx import to_onnx
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        x, y = _examples((9, 9, 1))
        rows = x.reshape(len(x), -1).astype(np.float32)
        last = {
            "logistic": LogisticRegression(max_iter=200),
            "forest": RandomForestClassifier(10, random_state=0),
            "mlp": MLPClassifier((16,), max_iter=50, random_state=0),
        }[kind]
        # A scaler before a forest, as skl2onnx writes it, differs by a tree: in ONNX Runtime alone too.
        steps = [last] if kind == "forest" else [StandardScaler(), last]
        pipeline = make_pipeline(*steps).fit(rows, np.array(LABELS)[y])
        (folder / "m.onnx").write_bytes(to_onnx(pipeline, rows[:1]).SerializeToString())  # its ZipMap is left out here
        ask = lambda x: pipeline.predict_proba(np.rint(x * 255).reshape(len(x), -1).astype(np.float32))  # noqa: E731
        return Exported(folder / "m.onnx", (9, 9, 1), ask, "bytes")

    return make


def _lightgbm(folder: Path) -> Exported:
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, y = _examples((9, 9, 1))
    rows = x.reshape(len(x), -1).astype(np.float32)
    model = lightgbm.LGBMClassifier(n_estimators=10, num_leaves=7, verbose=-1, random_state=0).fit(rows, y)
    made = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 81]))], zipmap=False, target_opset=15)
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    ask = lambda x: model.predict_proba(np.rint(x * 255).reshape(len(x), -1).astype(np.float32))  # noqa: E731
    return Exported(folder / "m.onnx", (9, 9, 1), ask, "bytes")


def _keras(folder: Path) -> Exported:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((24, 24, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.predict(np.zeros((1, 24, 24, 3)), verbose=0)
    model.export(str(folder / "m.onnx"), format="onnx", verbose=False)
    ask = lambda x: np.asarray(model.predict(np.rint(x * 255), verbose=0))  # noqa: E731
    return Exported(folder / "m.onnx", (24, 24, 3), ask, "bytes")


def _mlflow(folder: Path) -> Exported:
    """The folder as MLflow lays it out, of a network of PyTorch."""
    made = _torch_onnx("cnn")(folder)
    inner = folder / "saved"
    inner.mkdir()
    made.path.rename(inner / "model.onnx")
    for data in folder.glob("m.onnx.data"):
        data.rename(inner / data.name)
    lines = ("flavors:", "  onnx:", "    data: model.onnx", "    onnx_version: 1.18.0", "model_uuid: 0")
    (inner / "MLmodel").write_text("\n".join(lines))
    return Exported(inner, made.shape, made.probabilities)


MODELS: Mapping[str, Callable[[Path], Exported]] = {
    "torch_onnx_cnn": _torch_onnx("cnn"),
    "torch_onnx_depthwise": _torch_onnx("depthwise"),
    "torch_onnx_attention": _torch_onnx("attention"),
    "torch_pt2_cnn": _torch_pt2("cnn"),
    "torch_pt2_attention": _torch_pt2("attention"),
    "transformers_vit": _transformers("ViT"),
    "transformers_resnet": _transformers("ResNet"),
    "sklearn_logistic": _sklearn("logistic"),
    "sklearn_forest": _sklearn("forest"),
    "sklearn_mlp": _sklearn("mlp"),
    "lightgbm": _lightgbm,
    "keras_cnn": _keras,
    "mlflow_onnx": _mlflow,
}


def difference(name: str, folder: Path) -> tuple[float, str]:
    """The largest difference of a probability between the framework and the imported graph, over 90 pictures."""
    from glassworks.catalog import get
    from glassworks.config import Job
    from glassworks.contracts import Family
    from glassworks.data.keys import PictureData
    from glassworks.errors import Unsupported
    from glassworks.families.imported.graph import answers
    from glassworks.progress import Silent

    made = MODELS[name](folder)
    x, y = _examples(made.shape)
    np.savez(folder / "pictures.npz", x=x, y=np.array(LABELS)[y])
    kind = "folder" if made.path.is_dir() else "file"
    model: dict[str, Any] = {"source": f"{kind}:{made.path}", "labels": LABELS, "shape": made.shape}
    if made.stated:
        model["preprocessing"] = made.preprocessing
    job = Job(name="m", family="imported", data=PictureData(source=f"npz:{folder / 'pictures.npz'}"), model=model)
    family = get(Family, "imported")
    brought = family.train(family.prepare(job), job, folder, Silent())
    found = answers(brought.network, x)
    try:
        family.differentiable(brought)
        explained = "gradients"
    except Unsupported as error:
        explained = f"predictions: {error.problem}"
    return float(np.abs(found - made.probabilities(x.astype(np.float32) / 255)).max()), explained


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=sorted(MODELS))
    equal = 0
    names = parser.parse_args().models
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found, explained = difference(name, Path(folder))
            except Exception as error:  # noqa: BLE001
                print(f"{name:24} {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
                continue
        equal += found <= BAR
        print(f"{name:24} largest difference {found:.1e}, explained by {explained}", flush=True)
    print(f"{equal} of {len(names)} equal to {BAR:g}")
    return 0 if equal == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
