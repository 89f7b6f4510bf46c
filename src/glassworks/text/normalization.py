"""Tokenizer files, and the characters that a tokenizer's normalizer makes of a text."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError
from glassworks.text.ngrams import code_points

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer

_CHARACTERS = 65_536


class Normalizer:
    """Normalizes as the tokenizer does; results for single characters are cached."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._normalizer = tokenizer.normalizer
        if self._normalizer is not None:
            self._one = functools.lru_cache(maxsize=_CHARACTERS)(self._normalizer.normalize_str)

    def points(self, text: str) -> NDArray[np.uint32]:
        """Code points alone, which is fast for any normalizer."""
        return code_points(self._normal(text))

    def __call__(self, text: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Code points, and the position in `text` of the character that each comes from."""
        from tokenizers import PreTokenizedString

        before, normal = code_points(text), self._normal(text)
        after = code_points(normal)
        if len(normal) == len(text):
            changed = (before != after).nonzero()[0].tolist()
            # Each character became one, as nearly always.
            if all(self._one(text[position]) == normal[position] for position in changed):
                return after, np.arange(len(text))
        parts = PreTokenizedString(text)
        parts.normalize(self._normalizer.normalize)
        _single_characters().pre_tokenize(parts)
        splits = parts.get_splits(offset_referential="original", offset_type="char")
        return after, np.array([position for _, (position, _), _ in splits], np.int64)

    def _normal(self, text: str) -> str:
        return text if self._normalizer is None else str(self._normalizer.normalize_str(text))


@functools.cache
def _single_characters() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")


@functools.lru_cache(maxsize=64)
def _loaded(path: Path, changed_ns: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001
        # The library raises plain Exception for whatever is wrong with the file.
        raise BundleError(f"{path.name} is not a tokenizer: {error}", "package the model again") from None


def load_tokenizer(path: Path) -> Tokenizer:
    """A file of the library tokenizers, parsed once. Raises BundleError."""
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        raise BundleError(f"{path.name} is missing", "package the model again") from None
    return _loaded(path, changed_ns)
