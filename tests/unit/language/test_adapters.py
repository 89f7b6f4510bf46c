"""Adapters that peft wrote are added into a model's weights as peft merges them; nothing of one is left out unsaid."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from glassworks.contracts import Progress
from glassworks.errors import GlassworksError, InputError, Unsupported
from glassworks.families._language.bringing import find_model
from glassworks.families._language.settings import LanguageModelConfig
from glassworks.families._language.synthetic import write_model
from glassworks.job_files import job_of
from glassworks.language.adapters import with_adapter
from glassworks.language.importing import bring, write

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    write_model(folder, seed=0, kind="qwen2", tied_embeddings=False)
    return folder


def adapter(base: Path, folder: Path, **settings: Any) -> tuple[Path, Any]:
    """One with random matrices as peft saves it, and the model that peft merges."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    network: Any = auto.from_pretrained(base, dtype=torch.float32)
    given = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "down_proj"], **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers for what it will no longer have
        network = get_peft_model(network, LoraConfig(task_type="CAUSAL_LM", **given))
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    network.save_pretrained(folder)
    return folder, network.merge_and_unload(safe_merge=True)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True, "target_modules": "all-linear"},
        {"use_dora": True},
        {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {"v_proj": 3, "model.layers.1.self_attn.q_proj": 1}},
        {"bias": "all", "modules_to_save": ["lm_head", "embed_tokens"]},
    ],
)
def test_as_peft_merges_it(base: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    folder, theirs = adapter(base, tmp_path / "adapter", **settings)
    plain = bring(base, "folder:base")
    ours, expected = with_adapter(plain, folder), theirs.state_dict()
    changed = 0
    for name, _ in plain.settings.architecture.weights():
        values = expected[name].numpy()
        np.testing.assert_allclose(ours.weight(name), values, rtol=0, atol=2e-6)
        changed += not np.array_equal(plain.weight(name), values)
    assert changed >= 6
    assert ours.sha256() != plain.sha256()
    assert f"added into {14 if 'use_rslora' in settings else 6} weights" in ours.notes[0]


def test_a_job_names_it_and_its_graph_says_what_peft_says(base: Path, tmp_path: Path) -> None:
    from glassworks.language.scoring import Scorer

    folder, theirs = adapter(base, tmp_path / "adapter")
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    config = {"source": f"folder:{base}", "adapter": f"folder:{folder}"}
    job = job_of({"name": "m", "family": "language_model", "model": config}, where="here")
    brought = find_model(job, LanguageModelConfig.model_validate(config), Progress())
    assert brought.settings.chat_template == template
    assert "its chat template takes the place of the model's" in brought.notes[0]
    (tmp_path / "written").mkdir()
    write(brought, tmp_path / "written")
    ids = [5, 9, 200, 33, 7]
    with torch.inference_mode():
        logits = theirs(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = [float(logits[place, token]) for place, token in enumerate(ids[1:])]
    found = Scorer(tmp_path / "written", threads=1).score(ids)
    np.testing.assert_allclose([each.log_probability for each in found], expected, atol=2e-2)


Change = Callable[[dict[str, Any], dict[str, Any]], Any]
QUERY = "base_model.model.model.layers.0.self_attn.q_proj.lora_"


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (lambda c, t: c.update(peft_type="IA3"), Unsupported, "of the kind 'IA3'"),
        (lambda c, t: c.update(alora_invocation_tokens=[3]), Unsupported, "'alora_invocation_tokens' is [3]"),
        (lambda c, t: c.update(init_lora_weights="pissa_niter_4"), Unsupported, "began as a part of its model"),
        (lambda c, t: c.update(alpha_pattern={"(a+)+$": 1}), Unsupported, "names modules as '(a+)+$'"),
        (lambda c, t: c.update(lora_alpha="much"), InputError, "lora_alpha is 'much'"),
        (lambda c, t: t.update({QUERY.replace("0", "9") + "A.weight": t[QUERY + "A.weight"]}),
         InputError, "no place for base_model.model.model.layers.9"),
        (lambda c, t: t.update({"prompt_embeddings": t[QUERY + "A.weight"]}), InputError, "no place for prompt_embedd"),
        (lambda c, t: t.update({QUERY + "A.weight": np.zeros((4, 31), np.float32)}), InputError, "shape (4, 31), this"),
        (lambda c, t: t.pop(QUERY + "B.weight"), InputError, "q_proj' are not all there"),
        (lambda c, t: c.update(use_dora=True), InputError, "are not all there"),
        (lambda c, t: t.clear(), InputError, "no place for an adapter without tensors"),
        (lambda c, t: t.update({QUERY + "A.weight": np.full((4, 32), np.nan, np.float32)}), InputError, "no numbers"),
        (lambda c, t: t.update({"base_model.model.lm_head.weight": np.zeros((9, 32), np.float32)}), InputError,
         "'base_model.model.lm_head.weight' has the shape (9, 32)"),
    ],
)  # fmt: skip
def test_what_does_not_belong_to_the_model_is_named(
    base: Path, written: Path, tmp_path: Path, change: Change, kind: type[GlassworksError], said: str
) -> None:
    config, tensors = json.loads((written / CONFIG).read_text()), load_file(written / WEIGHTS)
    change(config, tensors)
    (tmp_path / CONFIG).write_text(json.dumps(config))
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(kind) as raised:
        with_adapter(bring(base, "folder:base"), tmp_path)
    assert said in raised.value.problem


@pytest.fixture(scope="module")
def written(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter(base, tmp_path_factory.mktemp("written"))[0]


@pytest.mark.parametrize("given", ["nowhere", "gguf:x", "folder:", "folder:nowhere"])
def test_where_none_can_be_is_told(base: Path, given: str) -> None:
    table = {"source": f"folder:{base}", "adapter": given}
    job = job_of({"name": "m", "family": "language_model", "model": table}, where="here")
    with pytest.raises(GlassworksError, match=r"model\.adapter|no folder") as raised:
        find_model(job, LanguageModelConfig.model_validate(job.model), Progress())
    assert "folder" in raised.value.mend


def test_files_that_are_none(base: Path, written: Path, tmp_path: Path) -> None:
    plain = bring(base, "folder:base")
    with pytest.raises(InputError, match=r"has no adapter_model\.safetensors"):
        with_adapter(plain, tmp_path)
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(Unsupported, match="pickled weights") as raised:
        with_adapter(plain, tmp_path)
    assert "save_pretrained" in raised.value.mend
    (tmp_path / CONFIG).write_bytes((written / CONFIG).read_bytes())
    (tmp_path / WEIGHTS).write_bytes((written / WEIGHTS).read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot read"):
        with_adapter(plain, tmp_path)
