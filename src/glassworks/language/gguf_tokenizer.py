"""The tokenizer that a GGUF file holds, exact or refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from glassworks.errors import InputError, Unsupported

if TYPE_CHECKING:
    from glassworks.language.gguf import GgufFile

_CONTROL, _USER_DEFINED = 3, 4
"""Types of tokens, as llama.cpp numbers them."""
_MEND = "import the model from its Hugging Face folder instead"
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def tokenizer_of(file: GgufFile) -> Tokenizer:
    """Raises Unsupported for a kind that is not known to the letter, InputError for a damaged one."""
    kind, rule = file.field("tokenizer.ggml.model", ""), file.field("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or rule not in _RULES:
        raise Unsupported(f"{file.path.name} has a tokenizer of the kind '{kind}', '{rule}'", _MEND)
    tokens, types = file.field("tokenizer.ggml.tokens"), file.field("tokenizer.ggml.token_type")
    merges = file.field("tokenizer.ggml.merges")
    if not tokens or not types or merges is None or not len(tokens) == len(types) <= file.architecture.vocabulary:
        raise InputError(f"{file.path.name} holds no whole tokenizer", _MEND)
    tokenizer = Tokenizer(_bpe(tokens, merges, file.path.name))
    tokenizer.pre_tokenizer = _RULES[rule]()
    if rule == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(_added(tokens, types, _CONTROL))
    tokenizer.add_tokens(_added(tokens, types, _USER_DEFINED))
    _begin(tokenizer, file, tokens)
    return tokenizer


def _bpe(tokens: list[str], merges: list[str], name: str) -> Any:
    try:
        pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
        return models.BPE({token: number for number, token in enumerate(tokens)}, pairs)
    except Exception as error:  # noqa: BLE001 - the library raises no class of its own
        raise InputError(f"{name} holds no whole tokenizer: {error}", _MEND) from None


def _added(tokens: list[str], types: list[int], wanted: int) -> list[AddedToken]:
    return [AddedToken(token, normalized=False) for token, type_ in zip(tokens, types, strict=True) if type_ == wanted]


def _begin(tokenizer: Tokenizer, file: GgufFile, tokens: list[str]) -> None:
    """Let prompts begin with the token that the model wants there."""
    number = file.field("tokenizer.ggml.bos_token_id")
    if file.field("tokenizer.ggml.add_bos_token", False) and number is not None:
        first = tokens[number]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A", special_tokens=[(first, number)])


def _split(digits: str) -> Any:
    split = pre_tokenizers.Split(Regex(_WORDS % digits), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _single_digits() -> Any:
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])


_RULES: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
        "smollm": _single_digits,
        "qwen2": lambda: _split(""),
        "llama-bpe": lambda: _split("{1,3}"),
    }
)
"""How texts are cut before tokens are merged, by llama.cpp's name of the rule."""
