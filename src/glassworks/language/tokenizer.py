"""Text to token ids and back, exact to the byte: special tokens in users' text stay text."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizers import Tokenizer

from glassworks.errors import BundleError, InputError

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SHRINKING = 4
"""At most so many times shorter can a normalized text be (NFC: 3)."""
_WORD_START = "\u2581"
"""How tokens of SentencePiece write a space."""


class LanguageTokenizer:
    """A tokenizer of the `tokenizers` library (`tokenizer.json`). Thread-safe."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # Of a special token's letters in a text, ordinary tokens are made.
        tokenizer.encode_special_tokens = True
        added = tokenizer.get_added_tokens_decoder()
        self.special: dict[str, int] = {token.content: number for number, token in added.items() if token.special}
        """Text of each special token -> its id."""
        self.size = tokenizer.get_vocab_size(with_added_tokens=True)

    @classmethod
    def read(cls, path: Path) -> LanguageTokenizer:
        """From `tokenizer.json`. Raises BundleError."""
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # noqa: BLE001 - the library raises no class of its own
            raise BundleError(f"cannot read the tokenizer {path.name}: {error}", "import the model again") from None

    def require_within(self, characters: int, context: int) -> None:
        """Raise InputError for so long a text that its tokens cannot be `context`, however long each is.

        Asked before the text is cut: nobody else in the process gets on until that is done.
        """
        if characters > context * self._longest * _SHRINKING:
            raise InputError(
                f"context_length_exceeded: the prompt's {characters} characters do not fit into {context} tokens",
                "send a shorter prompt",
            )

    def encode(self, text: str) -> list[int]:
        """Ids of a text as it stands, with nothing added. Raises InputError for half of a surrogate pair."""
        return list(self._encoded(text, added=False).ids)

    def prompt(self, text: str) -> list[int]:
        """Ids of a plain prompt, with what the model wants at its beginning. Raises InputError."""
        return list(self._encoded(text, added=True).ids)

    def with_special(self, text: str, literal: Mapping[str, str] = MappingProxyType({})) -> list[int]:
        """Ids of a text in which special tokens are meant as such, such as a rendered template; `literal` are what
        stands in it for texts that are not. Raises InputError.
        """
        found: list[int] = []
        for part in self._split.split(text) if self.special else [text]:
            if part in self.special:
                found.append(self.special[part])
            elif part:
                for mark, meant in literal.items():
                    part = part.replace(mark, meant)
                found += self.encode(part)
        return found

    def bytes_of(self, number: int) -> bytes:
        """The bytes that a token stands for. Raises InputError for no token."""
        if not 0 <= number < len(self._bytes):
            raise InputError(f"{number} is no token", f"tokens are numbers from 0 to {len(self._bytes) - 1}")
        return self._bytes[number]

    def content(self, number: int) -> bytes:
        """The bytes of an answer's token: none for numbers that only fill up the graph's vocabulary."""
        return self.bytes_of(number) if 0 <= number < self.size else b""

    def described(self, number: int) -> dict[str, Any]:
        """A token as answers show it: id, text (U+FFFD where it is no whole character), exact bytes."""
        content = self.content(number)
        return {"id": number, "token": content.decode("utf-8", "replace"), "bytes": list(content)}

    def scored(self, number: int, log_probability: float) -> dict[str, Any]:
        """A token as answers show it, with its log-probability."""
        return {**self.described(number), "logprob": log_probability}

    def decode(self, ids: Iterable[int]) -> str:
        """The text of tokens without special ones; bytes that are no UTF-8 become U+FFFD."""
        decoder = self.decoder()
        return decoder.feed(ids) + decoder.finish()

    def decoder(self, visible: frozenset[int] = frozenset()) -> StreamDecoder:
        """A new one for one answer; `visible` are special tokens that it reads as text."""
        return StreamDecoder(self, visible)

    @cached_property
    def _longest(self) -> int:
        """Bytes of the longest token."""
        return max(map(len, self._bytes), default=1)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids that never are text."""
        return frozenset(self.special.values())

    @cached_property
    def strips_first_space(self) -> bool:
        """Whether the space before the first word is the tokenizer's, not the text's."""
        return any(part.get("type") == "Strip" for part in self._decoders)

    @cached_property
    def _split(self) -> re.Pattern[str]:
        longest_first = sorted(self.special, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    @cached_property
    def _decoders(self) -> Sequence[dict[str, Any]]:
        decoder = json.loads(self._tokenizer.to_str()).get("decoder") or {}
        parts: Sequence[dict[str, Any]] = decoder.get("decoders", [decoder])
        return parts

    @cached_property
    def _bytes(self) -> list[bytes]:
        """By id. Raises BundleError for a kind of tokenizer whose bytes are not known."""
        kinds = {part.get("type") for part in self._decoders}
        if not kinds & {"ByteLevel", "ByteFallback"}:
            raise BundleError(
                f"the tokenizer decodes by {', '.join(map(str, kinds)) or 'nothing'}",
                "import a model whose tokenizer works on bytes (ByteLevel or ByteFallback)",
            )
        convert = _of_byte_level() if "ByteLevel" in kinds else _of_byte_fallback
        table = [b""] * self.size
        added = self._tokenizer.get_added_tokens_decoder()
        for token, number in self._tokenizer.get_vocab(with_added_tokens=True).items():
            if number < self.size:
                table[number] = token.encode() if number in added else convert(token)
        return table

    def _encoded(self, text: str, *, added: bool) -> Any:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"the text is not valid Unicode: character {error.start} is half of a surrogate pair",
                "send whole characters",
            ) from None
        return self._tokenizer.encode(text, add_special_tokens=added)


class StreamDecoder:
    """Text of tokens as they come; no character is broken, and the parts together are the text of all tokens."""

    def __init__(self, tokenizer: LanguageTokenizer, visible: frozenset[int] = frozenset()) -> None:
        self._tokenizer, self._hidden = tokenizer, tokenizer.special_ids - visible
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._first = tokenizer.strips_first_space

    def feed(self, ids: Iterable[int]) -> str:
        """What can be read now of these further tokens."""
        content = b"".join(self._tokenizer.content(each) for each in ids if each not in self._hidden)
        if self._first and content:
            content, self._first = content.removeprefix(b" "), False
        return self._utf8.decode(content)

    def finish(self) -> str:
        """What was waiting for the rest of a character that does not come."""
        return self._utf8.decode(b"", final=True)


class StopMatcher:
    """Ends a text before the first of some strings; holds back only what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._pending = ""
        self.stopped = ""
        """The string that ended the text."""

    def feed(self, text: str) -> str:
        """What of the text so far can be shown now."""
        if self.stopped or not self._stops:
            return "" if self.stopped else text
        text = self._pending + text
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            at, self.stopped = min(found)
            self._pending = ""
            return text[:at]
        kept = max((overlap(text, stop) for stop in self._stops), default=0)
        self._pending = text[len(text) - kept :]
        return text[: len(text) - kept]

    def finish(self) -> str:
        """What was held back, where the text ends without a stop string."""
        kept, self._pending = self._pending, ""
        return kept


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a proper beginning of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def _of_byte_level() -> Any:
    """Token -> bytes where each letter stands for a byte (Radford et al. 2019, byte-level BPE)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    letters |= {chr(256 + index): byte for index, byte in enumerate(others)}
    return lambda token: bytes(letters[letter] for letter in token if letter in letters)


def _of_byte_fallback(token: str) -> bytes:
    single = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(single[1], 16)]) if single else token.replace(_WORD_START, " ").encode()
