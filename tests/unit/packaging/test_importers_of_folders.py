"""Exported programs, folders and other forms that others made: what is read of them, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.unit.packaging.test_importers import model, raw, read, saved

from glassworks.errors import GlassworksError


def program(folder: Path, **replaced: bytes) -> Path:
    """An exported program, with other content in some of its files or with further ones."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(network, (torch.zeros(2, 1, 4, 4),), dynamic_shapes=batch), folder / "whole.pt2"
    )
    with zipfile.ZipFile(folder / "whole.pt2") as whole, zipfile.ZipFile(folder / "m.pt2", "w") as target:
        for name in whole.namelist():
            target.writestr(name, replaced.pop(name.partition("/")[2], b"") or whole.read(name))
        for name, content in replaced.items():
            target.writestr(f"whole/{name}", content)
    return folder / "m.pt2"


def changed(folder: Path, name: str, change: Callable[[str], str]) -> Path:
    """An exported program with a file of text changed."""
    with zipfile.ZipFile(program(folder)) as archive:
        text = archive.read(f"whole/{name}").decode()
    assert change(text) != text
    return program(folder, **{name: change(text).encode()})


def test_an_exported_program_is_read(tmp_path: Path) -> None:
    found = read(program(tmp_path))
    assert (found.form, found.labels, found.scores) == ("pt2", (), True)
    assert not found.graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value


class _Touch:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return os.mkdir, (str(_Touch.target),)

    target = Path()


def test_nothing_in_an_exported_program_is_run(tmp_path: Path) -> None:
    _Touch.target = tmp_path / "was run"
    sample, bad = io.BytesIO(), pickle.dumps(_Touch())
    torch.save(_Touch(), sample)
    read(program(tmp_path, **{"data/sample_inputs/model.pt": sample.getvalue()}))
    guard = f"__import__('os').mkdir({str(_Touch.target)!r})"
    path = changed(
        tmp_path,
        "models/model.json",
        lambda text: text.replace('"guards_code": []', json.dumps({"guards_code": [guard]})[1:-1]) + " ",
    )
    read(path)
    for name in ("data/sample_inputs/model.pt", "data/sample_inputs/other.pt"):
        with contextlib.suppress(GlassworksError):
            read(program(tmp_path, **{name: bad}))
    assert not _Touch.target.exists()


PROGRAMS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no archive": (raw(b"nothing", "m.pt2"), "no whole archive"),
    "an object beside the tensors": (
        lambda folder: program(folder, **{"data/constants/custom_obj_0": b"x"}),
        "more than a graph",
    ),
    "a compiled library": (
        lambda folder: program(folder, **{"data/aotinductor/model/a.so": b"\x7fELF"}),
        "more than a graph",
    ),
    "a pickled weight": (
        lambda folder: changed(
            folder,
            "data/weights/model_weights_config.json",
            lambda text: text.replace('"use_pickle": false', '"use_pickle": true'),
        ),
        "holds a pickle",
    ),
    "a weight outside of the archive": (
        lambda folder: changed(
            folder,
            "data/weights/model_weights_config.json",
            lambda text: text.replace('"weight_0"', '"../../weight_0"'),
        ),
        "names another file",
    ),
    "another function than an operator": (
        lambda folder: changed(
            folder, "models/model.json", lambda text: text.replace("torch.ops.aten.linear.default", "torch.hub.load")
        ),
        "more than ATen operators",
    ),
    "an expression that calls": (
        lambda folder: changed(
            folder,
            "models/model.json",
            lambda text: re.sub(r'"expr_str": "[^"]+"', '"expr_str": "__import__(\'os\').getpid()"', text),
        ),
        "more than ATen operators",
    ),
    "a graph that is no JSON": (lambda folder: program(folder, **{"models/model.json": b"{"}), "damaged"),
    "a graph that is nested without end": (
        lambda folder: program(folder, **{"models/model.json": b"[" * 900 + b"]" * 900}),
        "nested too deeply|damaged",
    ),
    "a weight that is too short": (
        lambda folder: program(folder, **{"data/weights/weight_0": b"1234"}),
        "no exported program",
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_programs_are_refused(name: str, tmp_path: Path) -> None:
    write, problem = PROGRAMS[name]
    path = write(tmp_path)
    with pytest.raises(GlassworksError, match=problem) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_refused_however_it_is_compressed(way: int, tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w", way) as archive:
        archive.writestr("m/models/model.json", bytes(range(256)) * 4)
    whole = path.read_bytes()
    begin = whole.index(b"model.json") + len("model.json")
    for at in range(begin, whole.index(b"PK\x01\x02"), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(GlassworksError, match="damaged") as caught:
            read(path)
        assert len(str(caught.value).splitlines()) == 2


def _bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "m.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data/weights/weight_0", bytes(20_000_000))
    return folder / "m.pt2"


def _climbing(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "m.pt2", "w") as archive:
        archive.writestr("../../m/archive_format", b"pt2")
    return folder / "m.pt2"


def _pickled(name: str) -> Callable[[Path], Path]:
    return raw(pickle.dumps([1]), name)


def hugging_face(folder: Path, **config: object) -> Path:
    """A tiny vision transformer with random weights."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    names = {0: "a", 1: "b", 2: "c"}
    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    made = ViTConfig(**sizes, image_size=8, patch_size=4, id2label=names, label2id={"a": 0, "b": 1, "c": 2})
    ViTForImageClassification(made).save_pretrained(folder / "hf")
    said = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"height": 8, "width": 8}}
    (folder / "hf" / "preprocessor_config.json").write_text(json.dumps(said))
    if config:
        table = json.loads((folder / "hf" / "config.json").read_text())
        (folder / "hf" / "config.json").write_text(json.dumps({**table, **config}))
    return folder / "hf"


def test_a_folder_of_hugging_face_is_read_with_what_it_says(tmp_path: Path) -> None:
    found = read(hugging_face(tmp_path))
    assert (found.form, found.labels, found.scores) == ("huggingface", ("a", "b", "c"), True)
    assert found.preprocessing == {"mean": [0.5] * 3, "std": [0.25] * 3, "size": (8, 8)}


def _without_weights(folder: Path) -> Path:
    path = hugging_face(folder)
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    return path


def _with_link(folder: Path) -> Path:
    path = hugging_face(folder)
    (path / "more.txt").symlink_to("/etc/passwd")
    return path


def _cut(folder: Path) -> Path:
    path = hugging_face(folder)
    (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:-100])
    return path


def mlflow(folder: Path, text: str) -> Path:
    (folder / "saved").mkdir()
    saved(folder / "saved", model())
    saved(folder, model(), "outside.onnx")
    (folder / "saved" / "MLmodel").write_text(text)
    return folder / "saved"


def test_a_folder_of_mlflow_is_read(tmp_path: Path) -> None:
    onnx_flavor = "  onnx:\n    data: model.onnx\n    providers:\n    - CPU\n"
    text = f"artifact_path: m\nflavors:\n{onnx_flavor}  python_function:\n    data: x\n"
    assert read(mlflow(tmp_path, text)).form == "mlflow"


OTHERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "an archive that becomes 200 times as large": (_bomb, "would become"),
    "an archive whose files leave it": (_climbing, "leaves it"),
    "a pickle": (_pickled("m.pkl"), "is a pickle"),
    "a joblib file": (_pickled("m.joblib"), "is a pickle"),
    "a checkpoint of PyTorch": (_pickled("m.pth"), "is a pickle"),
    "an archive of Keras": (raw(b"x", "m.keras"), "archive of Keras"),
    "an archive of skops": (raw(b"x", "m.skops"), "archive of skops"),
    "weights as pickle": (_without_weights, "holds no model.safetensors"),
    "a link in the folder": (_with_link, "symbolic link"),
    "weights that are cut off": (_cut, "cannot be loaded"),
    "code of its own": (lambda folder: hugging_face(folder, auto_map={"AutoModel": "evil.Evil"}), "code of its own"),
    "weights of another model": (lambda folder: hugging_face(folder, num_hidden_layers=2), "lack|cannot be loaded"),
    "MLflow with a pickle": (
        lambda folder: mlflow(folder, "flavors:\n  sklearn:\n    pickled_model: model.pkl\n"),
        "flavors sklearn",
    ),
    "MLflow that leaves its folder": (
        lambda folder: mlflow(folder, "flavors:\n  onnx:\n    data: ../outside.onnx\n"),
        "outside of its folder",
    ),
    "MLflow without a file": (lambda folder: mlflow(folder, "flavors:\n  onnx:\n    x: 1\n"), "does not say where"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_hostile_models_are_refused(name: str, tmp_path: Path) -> None:
    write, problem = OTHERS[name]
    path = write(tmp_path)
    with pytest.raises(GlassworksError, match=problem) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 2
