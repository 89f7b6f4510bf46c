"""A model as its publisher brings it: the same ids, weights and settings from a GGUF file and from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tests.unit.language.test_chat_template import CHAT, CHATML
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.test_tokenizer import TEXTS, byte_level
from tests.unit.language.tiny_models import logits, tiny
from tokenizers import Tokenizer, pre_tokenizers

from glassworks.errors import GlassworksError, InputError, Unsupported
from glassworks.families._language.bringing import require_weights
from glassworks.families._language.synthetic import write_model
from glassworks.language.chat_template import ChatTemplate
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.gguf import GgufFile
from glassworks.language.gguf_tokenizer import tokenizer_of
from glassworks.language.importing import bring, write
from glassworks.language.scoring import Scorer
from glassworks.language.session import INPUT, LanguageSession
from glassworks.language.settings import TOKENIZER, read_settings
from glassworks.language.tokenizer import LanguageTokenizer

IDS = [5, 9, 200, 33, 7]


def add_tokenizer(path: Path, tokenizer: Tokenizer, rule: str = "gpt-2", **fields: Any) -> None:
    """Write a file's content again, with the tokenizer; `fields` override what it says of that."""
    described = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(described["vocab"], key=described["vocab"].__getitem__)
    reader, writer = gguf.GGUFReader(path), gguf.GGUFWriter(path.with_suffix(".new"), "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            writer.add_key_value(name, field.contents(), field.types[0])
    special = LanguageTokenizer(byte_level()).special
    values = {
        "model": "gpt2",
        "pre": rule,
        "tokens": tokens,
        "token_type": [3 if token in special else 1 for token in tokens],
        "merges": [" ".join(pair) for pair in described["merges"]],
        **fields,
    }
    writer.add_tokenizer_model(values["model"])
    writer.add_tokenizer_pre(values["pre"])
    writer.add_token_list(values["tokens"])
    writer.add_token_types(values["token_type"])
    writer.add_token_merges(values["merges"])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_chat_template(CHATML)
    writer.add_license("apache-2.0")
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    path.with_suffix(".new").replace(path)


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny("llama", vocab_size=330)


@pytest.fixture(scope="module", params=["file", "folder"])
def imported(request: pytest.FixtureRequest, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was written of the model from either form."""
    path = tmp_path_factory.mktemp("model")
    if request.param == "file":
        write_gguf(path / "m.gguf", model, "llama")
        add_tokenizer(path / "m.gguf", byte_level())
        brought = bring(path / "m.gguf", "here")
    else:
        model.save_pretrained(path)
        byte_level().save(str(path / "tokenizer.json"))
        described = {"bos_token": "<|endoftext|>", "eos_token": {"content": "<|im_end|>"}, "chat_template": CHATML}
        (path / "tokenizer_config.json").write_text(json.dumps(described))
        (path / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
        (path / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
        brought = bring(path, "here")
    written = tmp_path_factory.mktemp("written")
    write(brought, written)
    return written


def test_settings_are_the_models_own(imported: Path) -> None:
    settings = read_settings(imported)
    assert settings.stop_ids == (1, 2)
    assert settings.chat_template == CHATML
    assert settings.special["eos_token"] == "<|im_end|>"
    assert (settings.license, settings.context, settings.source) == ("apache-2.0", 64, "here")
    assert sum(settings.stored.values()) == settings.architecture.parameters


def test_texts_and_conversations_become_the_same_ids(imported: Path) -> None:
    settings, tokenizer = read_settings(imported), LanguageTokenizer.read(imported / TOKENIZER)
    plain = LanguageTokenizer(byte_level())
    for text in TEXTS:
        assert tokenizer.encode(text) == plain.encode(text)
    expected = ChatTemplate(CHATML, plain, {}).ids(CHAT)
    assert ChatTemplate(settings.chat_template, tokenizer, settings.special).ids(CHAT) == expected


def test_the_graph_answers_as_the_model(imported: Path, model: Any) -> None:
    found = Scorer(imported, threads=1).score(IDS, alternatives=1)
    theirs = logits(model, [IDS])[0, :-1]
    assert [each.alternatives[0][0] for each in found] == theirs.argmax(-1).tolist()


def test_digits_stand_alone_where_the_rule_says_so(model: Any, tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", model, "llama")
    trained = byte_level()
    add_tokenizer(tmp_path / "m.gguf", trained, rule="smollm")
    digits = pre_tokenizers.Digits(individual_digits=True)
    trained.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    found = tokenizer_of(GgufFile(tmp_path / "m.gguf"))
    assert found.encode("in 2026, 365 days").ids == trained.encode("in 2026, 365 days").ids


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pre": "tekken"}, "a tokenizer of the kind 'gpt2', 'tekken'"),
        ({"model": "llama"}, "a tokenizer of the kind 'llama', 'gpt-2'"),
        ({"merges": ["a b c"]}, "holds no whole tokenizer"),
        ({"merges": ["zzz yyy"]}, "holds no whole tokenizer"),
        ({"token_type": [1]}, "holds no whole tokenizer"),
    ],
)
def test_tokenizers_that_are_not_known_to_the_letter_are_refused(
    fields: dict[str, Any], said: str, model: Any, tmp_path: Path
) -> None:
    write_gguf(tmp_path / "m.gguf", model, "llama")
    add_tokenizer(tmp_path / "m.gguf", byte_level(), **fields)
    with pytest.raises(GlassworksError) as refused:
        bring(tmp_path / "m.gguf", "here")
    assert said in refused.value.problem


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    for path, said in ((tmp_path / "a.bin", "neither"), (tmp_path, "config.json"), (tmp_path / "no.gguf", "no whole")):
        with pytest.raises(GlassworksError) as refused:
            bring(path, "here")
        assert said in refused.value.problem


def _misshapen() -> dict[str, tuple[str, Any]]:
    return {
        "a base that is no number": ("config.json", {"rope_theta": "abc"}),
        "a base that is not finite": ("config.json", {"rope_theta": float("nan")}),
        "a base of nothing": ("config.json", {"rope_theta": 0}),
        "scaling that is a text": ("config.json", {"rope_scaling": "x"}),
        "scaling without a factor": ("config.json", {"rope_scaling": {"type": "linear"}}),
        "scaling by nothing": ("config.json", {"rope_scaling": {"type": "linear", "factor": 0}}),
        "architectures that are a number": ("config.json", {"architectures": 5}),
        "layers beyond the weights": ("config.json", {"num_hidden_layers": 2**24 - 1}),
        "layers without end": ("config.json", {"num_hidden_layers": 10**9}),
        "an end that is a text": ("config.json", {"eos_token_id": "x"}),
        "an end below all tokens": ("config.json", {"eos_token_id": -5}),
        "an end beyond all tokens": ("config.json", {"eos_token_id": 10**9}),
        "a template without a text": ("tokenizer_config.json", {"chat_template": [{"name": "default"}]}),
        "a token without a text": ("tokenizer_config.json", {"eos_token": {"x": 1}}),
    }


@pytest.mark.parametrize("case", _misshapen())
def test_misshapen_folders_are_refused(case: str, tmp_path: Path) -> None:
    write_model(tmp_path, 1)
    bring(tmp_path, "here")
    name, changed = _misshapen()[case]
    path = tmp_path / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(InputError):
        bring(tmp_path, "here")


def test_files_nested_without_end_and_letters_that_are_none_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path, 1)
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="misshapen"):
        bring(tmp_path, "here")
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="misshapen"):
        bring(tmp_path, "here")


def test_tokens_without_embeddings_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path, 1)
    path = tmp_path / "tokenizer.json"
    described = json.loads(path.read_text())
    described["model"]["vocab"]["\u4e00"] = 5000
    path.write_text(json.dumps(described))
    with pytest.raises(InputError, match="has the token 5000, the weights end at 258"):
        bring(tmp_path, "here")


def test_tokens_that_were_added_without_embeddings_are_text(tmp_path: Path) -> None:
    """As many publish a model whose trainer wanted a token to fill up with."""
    write_model(tmp_path, 1)
    plain = LanguageTokenizer(bring(tmp_path, "here").tokenizer)
    added = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    added.add_special_tokens(["<pad>", "<tool>"])
    added.save(str(tmp_path / "tokenizer.json"))
    brought = bring(tmp_path, "here")
    assert brought.notes == ("tokens that were added without an embedding are read as any text: <pad>, <tool>",)
    text = "a <pad> of <tool>s"
    assert LanguageTokenizer(brought.tokenizer).encode(text) == plain.encode(text)


def test_a_graph_without_weights_cannot_be_changed(tmp_path: Path) -> None:
    write_model(tmp_path / "model", 1)
    (tmp_path / "written").mkdir()
    write(bring(tmp_path / "model", "here"), tmp_path / "written")
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / "written" / name).write_bytes((tmp_path / "model" / name).read_bytes())
    with pytest.raises(Unsupported, match="is a graph"):
        require_weights(bring(tmp_path / "written", "folder:written"))
    require_weights(bring(tmp_path / "model", "folder:model"))


def test_embeddings_that_are_filled_up_answer_as_others(tmp_path: Path) -> None:
    """More rows than tokens, as publishers round their number up: a token that has no text writes none."""
    write_model(tmp_path / "model", 1, vocabulary=300)
    (tmp_path / "written").mkdir()
    write(bring(tmp_path / "model", "here"), tmp_path / "written")
    assert read_settings(tmp_path / "written").architecture.vocabulary == 300
    session = LanguageSession(tmp_path / "written", tmp_path / "written", EngineSettings(cache_tokens=1024, threads=1))
    row = np.empty(1, object)
    row[0] = b"hello"
    *_, last = session.stream({INPUT: row}, {"max_tokens": 40, "temperature": 1.5, "seed": 1})
    session.close()
    assert last.completion_tokens > 0
