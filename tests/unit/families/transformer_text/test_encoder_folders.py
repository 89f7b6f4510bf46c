"""Folders of encoders as people have them: converted, mended, or refused with what they are."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.unit.families.transformer_text.architectures import WORDS, write_architecture

from glassworks.errors import GlassworksError
from glassworks.families._text.encoder import find_backbone, load_encoder

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 400\n"
TEXT = "the excellent lamp arrived on monday"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_architecture(tmp_path / "bert", "bert")


def edit(path: Path, **values: Any) -> None:
    """Keys of a JSON file; None removes one."""
    said = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in said.items() if value != "gone"}), encoding="utf-8")


def states(folder: Path, text: str = TEXT) -> torch.Tensor:
    """What the encoder says of a text by its own tokenizer, read as this project does."""
    found = find_backbone(f"folder:{folder}")
    ids = [*found.prefix, *found.tokenizer.encode(text, add_special_tokens=False).ids, *found.suffix]
    with torch.inference_mode():
        result: torch.Tensor = load_encoder(found, 0.0).eval()(input_ids=torch.tensor([ids])).last_hidden_state
    return result


def by_transformers(folder: Path, text: str = TEXT) -> torch.Tensor:
    import transformers

    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = transformers.AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        result: torch.Tensor = model.eval()(input_ids=torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state
    return result


def test_added_tokens_without_vectors_are_read_as_text(folder: Path) -> None:
    import transformers

    plain = states(folder, "the lamp")
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["[E1]", "lamp arrived"])
    tokenizer.save_pretrained(folder)
    found = find_backbone(f"folder:{folder}")
    assert found.notes == (
        "2 added tokens have no vector in the weights and are read as plain text: [E1], lamp arrived",
    )
    ids = found.tokenizer.encode("the [E1] lamp arrived").ids
    assert max(ids) < load_encoder(found, 0.0).get_input_embeddings().num_embeddings
    assert torch.equal(states(folder, "the lamp"), plain)


def test_a_vocabulary_of_another_model_is_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][:20].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    edit(folder / "config.json", vocab_size=20)
    with pytest.raises(
        GlassworksError, match=r"the tokenizer in .* has \d+ tokens, the weights have vectors for 20"
    ) as caught:
        find_backbone(f"folder:{folder}")
    assert "of one model" in caught.value.mend


@pytest.mark.parametrize("pad", [-1, None, "gone", 10_000])
def test_an_id_of_padding_that_is_none(folder: Path, pad: Any) -> None:
    expected = states(folder)
    edit(folder / "config.json", pad_token_id=pad)
    assert find_backbone(f"folder:{folder}").pad == (0 if pad == "gone" else 1)  # what BERT's kind has as its own
    assert torch.equal(states(folder), expected)


def test_a_tokenizer_without_a_post_processor_has_what_its_class_adds(folder: Path) -> None:
    expected = states(folder)
    edit(folder / "tokenizer.json", post_processor=None)
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    found = find_backbone(f"folder:{folder}")
    assert (found.prefix, found.suffix) == ((0,), (2,))
    assert "<s> </s> are added, as its class in transformers does" in found.notes[0]
    assert torch.equal(states(folder), expected)
    edit(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    assert torch.allclose(states(folder), by_transformers(folder), atol=1e-5)


def test_tokens_that_an_encoder_has_never_seen_are_not_added(folder: Path) -> None:
    said = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = [each | {"content": each["content"].replace("s>", "z>")} for each in said["added_tokens"]]
    vocabulary = {token.replace("s>", "z>"): number for token, number in said["model"]["vocab"].items()}
    model = said["model"] | {"vocab": vocabulary}
    edit(folder / "tokenizer.json", post_processor=None, added_tokens=tokens, model=model)
    (folder / "tokenizer_config.json").unlink()
    found = find_backbone(f"folder:{folder}")
    assert (found.prefix, found.suffix, found.notes) == ((), (), ())


def only_vocabulary(folder: Path, words: list[str]) -> None:
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def test_a_vocabulary_alone_is_converted(tmp_path: Path) -> None:
    folder = write_architecture(tmp_path / "b", "bert", 20)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    only_vocabulary(folder, words)
    found = find_backbone(f"folder:{folder}")
    assert found.tokenizer.encode("The LAMP").tokens == ["[CLS]", "the", "lamp", "[SEP]"]
    only_cased = [*words, "Lamp"]
    (folder / "vocab.txt").write_text("\n".join(only_cased) + "\n", encoding="utf-8")
    found = find_backbone(f"folder:{folder}")
    assert found.tokenizer.encode("the Lamp lamp").tokens == ["[CLS]", "the", "Lamp", "lamp", "[SEP]"]


def sentencepiece_model(**kind: Any) -> bytes:
    spm = pytest.importorskip("sentencepiece")
    made = io.BytesIO()
    lines = [f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS[:4]]
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=made, vocab_size=60, minloglevel=2, hard_vocab_limit=False, **kind
    )
    return made.getvalue()


def without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


@pytest.mark.parametrize("text", ["the lamp arrived", "a  broken BOOK!", "ﬁne paper", "书 cover", "", " x "])
def test_sentencepiece_alone_is_converted_xlm_roberta(tmp_path: Path, text: str) -> None:
    """Fairseq's ids, which that kind has, are those of sentencepiece and one more; its first four are special."""
    folder = write_architecture(tmp_path / "r", "xlm-roberta")
    model = sentencepiece_model()
    without_tokenizer(folder)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    found = find_backbone(f"folder:{folder}")
    wanted = [each + 1 if each else 3 for each in pieces.encode(text)]
    assert found.tokenizer.encode(text, add_special_tokens=False).ids == wanted
    assert (found.prefix, found.suffix) == ((0,), (2,))


@pytest.mark.parametrize(
    ("name", "file", "ids", "around"),
    [
        ("albert", "spiece.model", {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1}, ("[CLS]", "[SEP]")),
        ("deberta-v2", "spm.model", {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}, ("[CLS]", "[SEP]")),
        ("t5", "spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, ("", "</s>")),
    ],
)
def test_sentencepiece_alone_is_converted(tmp_path: Path, name: str, file: str, ids: Any, around: Any) -> None:
    folder = write_architecture(tmp_path / "r", name, 160 if name == "t5" else 0)
    symbols: dict[str, Any] = {"user_defined_symbols": ["[CLS]", "[SEP]", "[MASK]"]} if name == "albert" else {}
    if name == "deberta-v2":
        symbols = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    model = sentencepiece_model(**ids, **symbols)
    without_tokenizer(folder)
    (folder / file).write_bytes(model)
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    found = find_backbone(f"folder:{folder}")
    for text in ("the lamp arrived", "a book on the box", "paper cover broken"):
        assert found.tokenizer.encode(text, add_special_tokens=False).ids == pieces.encode(text)
    said = [found.tokenizer.id_to_token(each) for each in (*found.prefix, *found.suffix)]
    assert said == [each for each in around if each]


@pytest.mark.parametrize(
    ("content", "words"), [(b"\x0a\x0e nothing", "cannot be read"), (b"", r"makes has 5 tokens, the encoder \d+")]
)
def test_a_model_of_sentencepiece_that_is_none_is_refused(folder: Path, content: bytes, words: str) -> None:
    without_tokenizer(folder)
    (folder / "spiece.model").write_bytes(content or sentencepiece_model())
    with pytest.raises(GlassworksError, match=f"the tokenizer .* {words}"):
        find_backbone(f"folder:{folder}")


def shards(folder: Path) -> None:
    import transformers

    model: Any = transformers.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="30KB")


def test_weights_in_parts_are_read(folder: Path) -> None:
    expected = states(folder)
    shards(folder)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert torch.equal(states(folder), expected)


def lost_shard(folder: Path) -> None:
    shards(folder)
    min(folder.glob("model-*.safetensors")).unlink()


def point(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).write_text(POINTER, encoding="utf-8")

    return spoil


def swap(new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / new)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words", "mend"),
    [
        (point("model.safetensors"), r"model\.safetensors is a pointer of Git LFS", "git lfs pull"),
        (point("tokenizer.json"), r"tokenizer\.json is a pointer of Git LFS", "git lfs pull"),
        (point("config.json"), r"config\.json is a pointer of Git LFS", "git lfs pull"),
        (
            lost_shard,
            r"lacks 1 of the \d+ files that model\.safetensors\.index\.json names, such as model-00001",
            "copy",
        ),
        (swap("tf_model.h5"), "holds weights of TensorFlow alone", "from_tf=True"),
        (swap("adapter_model.safetensors"), r"holds an adapter \(LoRA\)", "merge_and_unload"),
        (swap("model.onnx"), "holds a graph of ONNX alone", "save_pretrained"),
        (lambda folder: edit(folder / "config.json", hidden_size=64), "cannot be loaded", "."),
        (lambda folder: edit(folder / "config.json", model_type="gone"), r"config\.json", "transformers knows"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json is no JSON", "."),
        (lambda folder: edit(folder / "config.json", num_attention_heads=5), r"cannot be built|config\.json", "."),
    ],
)
def test_what_a_folder_lacks_is_told(folder: Path, spoil: Callable[[Path], Any], words: str, mend: str) -> None:
    spoil(folder)
    with pytest.raises(GlassworksError, match=words) as caught:
        load_encoder(find_backbone(f"folder:{folder}"), 0.0)
    assert re.search(mend, caught.value.mend)
    assert len(str(caught.value).splitlines()) == 2
    assert all(len(line) <= 300 + len(str(folder)) for line in str(caught.value).splitlines())


def test_a_pointer_beside_the_weights_does_not_matter(folder: Path) -> None:
    expected = states(folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    point("model.safetensors")(folder)
    assert torch.equal(states(folder), expected)


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_older_names_and_precisions_are_read(folder: Path, prefix: str) -> None:
    expected = states(folder)
    weights = load_file(folder / "model.safetensors")
    renamed = {
        prefix + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in weights.items()
    }
    torch.save(renamed, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(states(folder), expected)
    half = {name: value.to(torch.float16) for name, value in weights.items()}
    save_file(half, folder / "model.safetensors")
    assert (states(folder) - expected).abs().max() <= 0.02 * expected.abs().max()
