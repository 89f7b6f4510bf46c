"""The tokens of texts as an encoder counts them, and texts that come as ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassworks.contracts import Tokens
from glassworks.errors import InputError
from glassworks.text.ngrams import load_tokenizer
from glassworks.text.tokenization import Tokenization

_AT_ONCE = 64
_MEND = (
    "send the text itself, or ids of this model's own tokenizer; who makes ids without being asked can be told not to, "
    "LangChain by check_embedding_ctx_length=False"
)


class EncoderTokens(Tokens):
    """Those of the tokenizer in a bundle. The encoder takes texts alone: ids are turned into the text that has them,
    and refused where no text has: ids of another tokenizer would give the vector of something else."""

    def __init__(self, folder: Path, preprocessing: Mapping[str, Any]) -> None:
        self._tokenizer = load_tokenizer(folder / str(preprocessing["tokenizer"]))
        self._prefix, self._suffix = list(preprocessing.get("prefix", ())), list(preprocessing.get("suffix", ()))
        prompt = self._tokenizer.encode(str(preprocessing.get("prompt", "")), add_special_tokens=False)
        self._around = len(self._prefix) + len(self._suffix) + len(prompt.ids)
        self.most = Tokenization(folder, preprocessing).most + self._around

    def count(self, texts: Sequence[str]) -> list[int]:
        found: list[int] = []
        for begin in range(0, len(texts), _AT_ONCE):
            part = list(texts[begin : begin + _AT_ONCE])
            encoded = self._tokenizer.encode_batch_fast(part, add_special_tokens=False)
            found += [len(each.ids) + self._around for each in encoded]
        return found

    def text(self, ids: Sequence[int]) -> str:
        size = self._tokenizer.get_vocab_size()
        if outside := [each for each in ids if not 0 <= each < size]:
            raise InputError(f"the model has {size:,} tokens, and none with the id {outside[0]}", _MEND)
        inner = self._inner(list(ids))
        text = str(self._tokenizer.decode(inner, skip_special_tokens=False))
        if self._tokenizer.encode(text, add_special_tokens=False).ids != inner:
            raise InputError("the ids are not how the model's tokenizer writes any text", _MEND)
        return text

    def _inner(self, ids: list[int]) -> list[int]:
        """Without the special ones around them, where they are all there."""
        begin, end = len(self._prefix), len(ids) - len(self._suffix)
        if self._around and ids[:begin] == self._prefix and ids[end:] == self._suffix and begin <= end:
            return ids[begin:end]
        return ids
