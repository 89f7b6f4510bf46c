"""What a job of a language model asks for, and what is refused before anything is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Family, Opened, Pass
from glassworks.errors import ConfigError, DataError, InputError, Unsupported
from glassworks.families._language.bringing import export
from glassworks.families._language.settings import LanguageModelConfig
from glassworks.families._language.synthetic import write_model
from glassworks.families.language_model.bringing import model_of
from glassworks.families.language_model.settings import LanguageData
from glassworks.families.language_model.texts import prepare
from glassworks.job_files import job_of
from glassworks.language import memory
from glassworks.language.architecture import Architecture
from glassworks.language.scoring import Scorer
from glassworks.language.settings import read_settings
from glassworks.progress import Silent

IDS = [5, 9, 200, 33, 7]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "model"
    write_model(path, seed=0)
    return path


def job(source: str) -> Job:
    return job_of({"name": "m", "family": "language_model", "model": {"source": source}}, where="here")


def test_a_name_a_family_and_a_source_are_a_job(folder: Path) -> None:
    made = job(f"folder:{folder}")
    assert made.data == LanguageData()
    dataset = prepare(made)
    texts = [text for split in dataset.splits.values() for text in split.x.tolist()]
    assert len(set(texts)) == len(texts)
    for split in dataset.splits.values():
        size = sum(len(text.encode()) for text in split.x[:-1].tolist())
        assert 0 <= size < LanguageData().measured_bytes


def test_other_families_still_need_data() -> None:
    with pytest.raises(ConfigError, match="data"):
        job_of({"name": "m", "family": "convnet"}, where="here")


def brought(folder: Path, tmp_path: Path, **config: object) -> object:
    made = job(f"folder:{folder}")
    settings = LanguageModelConfig.model_validate({"source": f"folder:{folder}", **config})
    return model_of(made, settings, None, tmp_path, Silent())


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"context": 10_000}, "made for 512 tokens"),
        ({"stop": ["<|nothing|>"]}, "is no token"),
        ({"source": "gguf:nowhere.gguf"}, "there is no file nowhere.gguf"),
        ({"source": "model.gguf"}, "write one of: gguf:FILE"),
        ({"source": "package:json/no.gguf"}, "has no 'no.gguf'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_mend(
    folder: Path, tmp_path: Path, config: dict[str, object], words: str
) -> None:
    with pytest.raises((ConfigError, DataError, InputError), match=words):
        brought(folder, tmp_path, **config)


def test_the_job_overrides_what_the_model_says(folder: Path, tmp_path: Path) -> None:
    model = brought(folder, tmp_path, context=64, stop=["<|im_start|>"], chat_template="{{ x }}", max_tokens=100)
    about = model.preprocessing  # type: ignore[attr-defined]
    assert (about["context"], about["max_tokens"], about["chat_template"]) == (64, 64, "{{ x }}")
    assert len(about["stop_ids"]) == 3


def test_a_model_that_does_not_fit_is_refused_with_the_figures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 220 * 2**20)
    with pytest.raises(Unsupported, match=r"needs 0\.24 GB of memory .*cache 0\.03 GB.*0\.23 GB are free"):
        brought(folder, tmp_path, streams=256, context=512)
    brought(folder, tmp_path, streams=1, context=64)


def test_the_cache_of_smollm2() -> None:
    """30 layers of 3 heads of 64, keys and values in four bytes: 46,080 bytes a token."""
    sizes = {"kind": "llama", "layers": 30, "width": 576, "heads": 9, "key_value_heads": 3, "head_width": 64}
    more = {"feed_forward": 1536, "vocabulary": 49152, "context": 8192, "rope_base": 1e5, "norm_epsilon": 1e-5}
    architecture = Architecture.model_validate({**sizes, **more, "tied_embeddings": True})
    assert architecture.parameters == 134_515_008
    assert memory.cache_bytes(architecture, 1) == 46_080
    # Resident memory after 32 tokens was 1,227 MB with float16 weights and 449 MB with int8 ones.
    whole, halved = (memory.needed(architecture, size, 132).total / 2**20 for size in (269_100_744, 135_030_216))
    assert whole == pytest.approx(1227, rel=0.15)
    assert halved == pytest.approx(449, rel=0.15)


def test_a_folder_of_openvino_is_served_as_it_is(folder: Path, tmp_path: Path) -> None:
    model = brought(folder, tmp_path)
    exported = tmp_path / "exported"
    exported.mkdir()
    export(model, exported)  # type: ignore[arg-type]
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (exported / "fp16" / name).write_bytes((folder / name).read_bytes())
    again = brought(exported / "fp16", tmp_path)
    written = tmp_path / "again"
    written.mkdir()
    export(again, written)  # type: ignore[arg-type]
    assert (written / "fp16/openvino_model.bin").read_bytes() == (exported / "fp16/openvino_model.bin").read_bytes()
    scores = [[each.log_probability for each in Scorer(path / "fp16", 1).score(IDS)] for path in (exported, written)]
    assert scores[0] == scores[1]
    assert "F16" in read_settings(written).stored


def test_another_graph_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    import openvino
    from openvino import opset13

    parameter = opset13.parameter([1], openvino.Type.f32, name="x")
    openvino.save_model(openvino.Model([opset13.relu(parameter)], [parameter], "m"), tmp_path / "openvino_model.xml")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="is no decoder with a cache"):
        brought(tmp_path, tmp_path)


def test_the_family_is_in_the_catalog() -> None:
    assert get(Family, "language_model").task == "text-generation"


@pytest.mark.parametrize(
    ("stored", "requantize", "settings"),
    [
        ({"Q4_1": 100, "Q8_0": 30, "F32": 1}, False, {"few_bits": "Q4_1"}),
        ({"Q4_1": 100, "Q8_0": 30}, True, {}),
        ({"Q4_1": 10, "Q8_0": 30}, False, {}),
        ({"Q5_0": 100}, False, {}),
        ({"IQ4_XS": 1}, False, {"few_bits": "IQ4_XS"}),
        ({"F16": 1}, False, {}),
        ({"BF16": 1}, False, {}),
    ],
)
def test_weights_in_four_bits_are_not_put_into_four_bits_again(
    folder: Path, tmp_path: Path, stored: dict[str, int], requantize: bool, settings: dict[str, str]
) -> None:
    model = brought(folder, tmp_path, requantize=requantize)
    network = model.network  # type: ignore[attr-defined]
    before = replace(network, settings=network.settings.model_copy(update={"stored": stored}))
    artifact = export(replace(model, network=before), tmp_path)  # type: ignore[type-var, arg-type]
    assert artifact.settings == settings
    opened = Opened(artifact=artifact, folder=tmp_path)
    if settings:
        with pytest.raises(Unsupported, match=r"were in 4 bits before \(I?Q4_..?\).*model.requantize"):
            get(Pass, "int4_decoder").apply(opened, [])
