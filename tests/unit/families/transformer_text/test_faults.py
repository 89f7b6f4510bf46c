"""What is wrong with an encoder or a job is told in two lines, each with its mend."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.unit.families.transformer_text.encoders import write_encoder

from glassworks.config import DataConfig, Job
from glassworks.errors import ConfigError, DataError, InputError
from glassworks.families._text.encoder import find_backbone, load_encoder
from glassworks.families.transformer_text import TransformerText
from glassworks.job_files import load_job


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


def unknown_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "no_such_kind"}), encoding="utf-8")


def writing_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bart"}), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "problem", "mend"),
    [
        (without_tokenizer, "holds no tokenizer.json", r"tokenizer.save_pretrained"),
        (without_config, "holds no config.json", "Hugging Face's layout"),
        (without_weights, "holds neither model.safetensors nor pytorch_model.bin", r"model.save_pretrained"),
        (broken_tokenizer, "the tokenizer in .* cannot be read", "save it again"),
        (unknown_kind, "no_such_kind", "an encoder that transformers knows"),
        (writing_kind, "is no encoder: it writes texts", "of BERT's kind"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, spoil: Any, problem: str, mend: str) -> None:
    folder = write_encoder(tmp_path / "encoder")
    spoil(folder)
    with pytest.raises(DataError) as caught:
        find_backbone(f"folder:{folder}")
    assert re.search(problem, caught.value.problem)
    assert re.search(mend, caught.value.mend)
    assert len(str(caught.value).splitlines()) == 2


def test_weights_that_are_none(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_encoder(find_backbone(f"folder:{folder}"), 0.0)


class _Runs:
    """What a hostile file can hold: reading it as Python does makes a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._folder),)


@pytest.mark.parametrize("archive", [True, False])
def test_an_older_file_of_weights_runs_nothing(tmp_path: Path, archive: bool) -> None:
    folder, sign = write_encoder(tmp_path / "encoder"), tmp_path / "it ran"
    (folder / "model.safetensors").unlink()
    torch.save({"weight": _Runs(sign)}, folder / "pytorch_model.bin", _use_new_zipfile_serialization=archive)
    with pytest.raises(InputError, match="cannot be loaded: its weights hold more than tensors") as caught:
        load_encoder(find_backbone(f"folder:{folder}"), 0.0)
    assert len(str(caught.value).splitlines()) == 2
    assert not sign.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert sign.exists()


def test_older_files_of_weights_are_read(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    expected = load_encoder(find_backbone(f"folder:{folder}"), 0.0).state_dict()
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = load_encoder(find_backbone(f"folder:{folder}"), 0.0).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_weights_of_another_model(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}), encoding="utf-8")
    with pytest.raises(InputError, match=r"lack \d+ parts of the encoder, such as encoder\.layer\.2"):
        load_encoder(find_backbone(f"folder:{folder}"), 0.0)


@pytest.mark.parametrize(
    ("source", "kind", "problem"),
    [
        ("bert-base", ConfigError, "'model.backbone' is 'bert-base'"),
        ("url:somewhere", ConfigError, "'model.backbone' is 'url:somewhere'"),
        ("folder:/no/such/folder", DataError, "there is no folder /no/such/folder"),
        ("package:no_such_library/model", DataError, "no installed package holds the module 'no_such_library'"),
        ("package:glassworks/no_folder", DataError, "the installed library 'glassworks' has no 'no_folder'"),
        ("package:glassworks/../..", DataError, "has no '../..'"),
    ],
)
def test_a_backbone_that_is_not_there(source: str, kind: type[InputError], problem: str) -> None:
    with pytest.raises(kind) as caught:
        find_backbone(source)
    assert problem in caught.value.problem
    assert caught.value.mend


@pytest.mark.parametrize("older", [False, True])
def test_the_hub_is_asked_for_one_form_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool) -> None:
    there, asked = write_encoder(tmp_path / "encoder"), list[str]()
    torch.save(load_file(there / "model.safetensors"), there / "pytorch_model.bin")
    if older:
        (there / "model.safetensors").unlink()

    def snapshot_download(name: str, *, repo_type: str, allow_patterns: list[str]) -> str:
        assert repo_type == "model"
        (tmp_path / "cache").mkdir(exist_ok=True)
        for path in {path for pattern in allow_patterns for path in there.glob(pattern)}:
            shutil.copy(path, tmp_path / "cache" / path.name)
            asked.append(path.name)
        return str(tmp_path / "cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    found = find_backbone("hf:somebody/something")
    assert load_encoder(found, 0.0).num_parameters() > 0
    assert ("pytorch_model.bin" in asked) is older
    assert ("model.safetensors" in asked) is not older


def test_a_hub_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="the encoder 'nobody/nothing' cannot be loaded from the hub") as caught:
        find_backbone("hf:nobody/nothing")
    assert "folder:PATH" in caught.value.mend


def job(**model: Any) -> Job:
    """A job without data."""
    return Job(name="x", family="transformer_text", data=DataConfig(source="sample:zh-reviews"), model=model)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match=r"'model\.heads' is 5, which does not divide the width 128"):
        TransformerText().settings(job(heads=5))


def test_a_mode_needs_an_encoder() -> None:
    with pytest.raises(ConfigError, match=r"'model\.mode' is 'lora', but there is no pretrained encoder"):
        TransformerText().settings(job(mode="lora"))


def test_a_relative_folder_counts_from_the_job_file(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text(
        'name = "x"\nfamily = "transformer_text"\n[data]\nsource = "csv:texts.csv"\n'
        '[model]\nbackbone = "folder:encoder"\n',
        encoding="utf-8",
    )
    loaded = load_job(file)
    assert loaded.model["backbone"] == f"folder:{tmp_path / 'encoder'}"
    assert loaded.data.source == f"csv:{tmp_path / 'texts.csv'}"
    for kept in ("package:library/folder", "hf:owner/name"):
        assert load_job(file, [f'model.backbone="{kept}"']).model["backbone"] == kept
