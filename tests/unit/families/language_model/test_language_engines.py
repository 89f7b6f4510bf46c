"""What a job may ask of engines, and what a model is exported as for vLLM, which need not be installed for that."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from glassworks.catalog import found, get
from glassworks.contracts import Model, Opened, Pass, Runtime
from glassworks.errors import ConfigError, MissingLibrary
from glassworks.families._language.bringing import export
from glassworks.families._language.settings import LanguageModelConfig
from glassworks.families._language.synthetic import write_model
from glassworks.families.language_model.bringing import model_of
from glassworks.job_files import job_of
from glassworks.language.settings import read_settings
from glassworks.progress import Silent


def brought(tmp_path: Path, **config: object) -> Model:
    write_model(tmp_path / "model", seed=0)
    asked = {"source": f"folder:{tmp_path / 'model'}", **config}
    job = job_of({"name": "m", "family": "language_model", "model": asked}, where="here")
    return model_of(job, LanguageModelConfig.model_validate(asked), None, tmp_path, Silent())


def test_a_share_of_a_gpu_is_for_vllm(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is for vllm"):
        brought(tmp_path, gpu_memory=0.5)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vllm is installed")
def test_without_vllm_the_library_and_its_mend_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingLibrary, match="needs the library 'vllm'") as caught:
        brought(tmp_path, engine="vllm")
    assert caught.value.mend == "pip install 'glassworks[vllm]'"
    with pytest.raises(MissingLibrary, match="runtime 'vllm' needs the library 'vllm'"):
        get(Runtime, "vllm")


def test_for_vllm_a_folder_is_exported_that_one_pass_takes(tmp_path: Path) -> None:
    model = brought(tmp_path)
    settings = model.network.settings.model_copy(update={"engine": "vllm", "gpu_memory": 0.5})
    folder = tmp_path / "exported"
    folder.mkdir()
    artifact = export(replace(model, network=replace(model.network, settings=settings)), folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {artifact.file, *artifact.beside} == files
    assert read_settings(folder).gpu_memory == settings.gpu_memory
    assert [name for name, runtime in found(Runtime).items() if artifact.format in runtime.accepts] == ["vllm"]
    passes = [each for each in found(Pass).values() if artifact.format in each.accepts]
    made = [each.apply(Opened(artifact=artifact, folder=folder), []) for each in passes]
    assert [(each.made_by, each.precision, each.file) for each in made] == [("bf16_safetensors", "bf16", artifact.file)]
