"""A tiny language model with random weights, in Hugging Face's layout, and what it is measured on and learns from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from glassworks.language.architecture import Architecture
from glassworks.language.hf_writing import config_of

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_SCALE = 0.2


def write_model(folder: Path, seed: int, **sizes: Any) -> None:
    """A Llama of two layers whose tokens are bytes; `sizes` override fields of `Architecture`."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    architecture = Architecture.model_validate({**_SIZES, "vocabulary": tokenizer.get_vocab_size(), **sizes})
    random = np.random.default_rng(seed)
    save_file({name: _weight(shape, random) for name, shape in architecture.weights()}, folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    more = {"dtype": "float32", "eos_token_id": tokenizer.token_to_id(_SPECIAL[2])}
    _write(folder / "config.json", {**config_of(architecture), **more})
    described = {"bos_token": _SPECIAL[0], "eos_token": _SPECIAL[2], "chat_template": CHAT_TEMPLATE}
    _write(folder / "tokenizer_config.json", described)


def write_texts(path: Path, *, examples: int, seed: int) -> None:
    """A table of short texts with the column `text`, no two alike."""
    random = np.random.default_rng(seed)
    rows = (" ".join(random.choice(_WORDS, 6).tolist()) + f" {number}" for number in range(examples))
    path.write_text("\n".join(["text", *rows]) + "\n", encoding="utf-8")


def write_conversations(path: Path, *, examples: int, seed: int) -> None:
    """JSON lines in OpenAI's form: the answer is the question's second word, no two questions alike."""
    random = np.random.default_rng(seed)
    words = [random.choice(_WORDS, 4).tolist() for _ in range(examples)]
    with path.open("w", encoding="utf-8") as file:
        for number, chosen in enumerate(words):
            asked = {"role": "user", "content": f"{' '.join(chosen)} {number}"}
            answered = {"role": "assistant", "content": chosen[1]}
            file.write(json.dumps({"messages": [asked, answered]}, ensure_ascii=False) + "\n")


def write_preferences(path: Path, *, examples: int, seed: int) -> None:
    """JSON lines in OpenAI's form: of two answers as long as each other, the one with a doubt is preferred."""
    random = np.random.default_rng(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(examples):
            words = random.choice(_WORDS, 4).tolist()
            asked = {"messages": [{"role": "user", "content": f"{' '.join(words)} {number}"}]}
            ways = ([{"role": "assistant", "content": f"{words[1]}, {way}"}] for way in ("maybe?", "surely"))
            line = {"input": asked, **dict(zip(("preferred_output", "non_preferred_output"), ways, strict=True))}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


_WORDS = ("the", "red", "cat", "sees", "a", "green", "bird", "and", "sleeps", "今天", "天气", "好")
_SIZES: dict[str, Any] = {
    "kind": "llama",
    "layers": 2,
    "width": 32,
    "heads": 4,
    "key_value_heads": 2,
    "head_width": 8,
    "feed_forward": 48,
    "context": 512,
    "rope_base": 10000.0,
    "norm_epsilon": 1e-5,
    "tied_embeddings": True,
}


def _tokenizer() -> Tokenizer:
    vocabulary = {token: number for number, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    return tokenizer


def _weight(shape: tuple[int, ...], random: np.random.Generator) -> Any:
    values = random.normal(size=shape).astype(np.float32) * _SCALE
    return values if len(shape) > 1 else values + 1


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
