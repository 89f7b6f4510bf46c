"""The tokenizer of a pretrained encoder, as `tokenizers` reads it, whatever form its folder holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import require
from glassworks.errors import DataError, MissingLibrary
from glassworks.families._text.encoder_files import read_json, require_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_OLDER = ("vocab.txt", "vocab.json", "*.model", "*.vocab", "vocab.bpe")
_PADS = ("[PAD]", "<pad>", "<|padding|>", "<|pad|>")
_MOST_NAMED = 5


def read_tokenizer(folder: Path, tokens: int) -> tuple[Tokenizer, tuple[str, ...]]:
    """`tokenizer.json`, or what transformers makes of an older form, without padding and truncation; and what had to be
    mended. `tokens`: how many the encoder has. Raises DataError."""
    notes: tuple[str, ...] = ()
    try:
        if (folder / "tokenizer.json").is_file():
            found, notes = _with_specials(_read(folder / "tokenizer.json"), folder)
        elif older := [path for pattern in _OLDER for path in sorted(folder.glob(pattern))]:
            found, notes = _converted(folder, older[0], tokens), (f"the tokenizer was made of {older[0].name}",)
        else:
            raise DataError(
                f"the encoder's folder {folder} holds no tokenizer.json",
                "save the tokenizer into it: tokenizer.save_pretrained(FOLDER)",
            )
    except (DataError, MissingLibrary):
        raise
    except Exception as error:  # noqa: BLE001
        # Both libraries raise plain Exception for whatever is wrong with a file.
        reason = str(error).split("\n")[0][:160]
        raise DataError(f"the tokenizer in {folder} cannot be read: {reason}", "save it again") from None
    found.no_truncation()
    found.no_padding()
    return found, notes


def _read(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    require_file(path)
    return Tokenizer.from_file(str(path))


def _converted(folder: Path, older: Path, tokens: int) -> Tokenizer:
    require_file(older)
    if older.suffix == ".model":
        require(["sentencepiece"], f"a tokenizer in the form of {older.name}", extra="text")
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2  # noqa: F401  (says what is wrong; transformers does not)

        sentencepiece.SentencePieceProcessor(model_file=str(older))
    found = _by_transformers(folder, older)
    if found.get_vocab_size() < tokens // 2:
        # Where its class reads files of other names, transformers makes a vocabulary of five tokens, and says nothing.
        raise DataError(
            f"the tokenizer that {older} makes has {found.get_vocab_size():,} tokens, the encoder {tokens:,}",
            "save the tokenizer as tokenizer.json: tokenizer.save_pretrained(FOLDER)",
        )
    return found


def _by_transformers(folder: Path, older: Path | None = None) -> Tokenizer:
    import transformers
    from tokenizers import Tokenizer

    more: dict[str, Any] = {}
    if older and older.name == "vocab.txt" and not (folder / "tokenizer_config.json").is_file():
        # transformers lowers the case where nothing is said; a vocabulary with capitals is of an encoder that sees
        # them.
        words = older.read_text(encoding="utf-8").split()
        more["do_lower_case"] = not any(word.isalpha() and word != word.lower() for word in words)
    logging: Any = transformers.utils.logging
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        found: Any = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **more
        )
    finally:
        logging.set_verbosity(before)
    return Tokenizer.from_str(found.backend_tokenizer.to_str())


def _with_specials(found: Tokenizer, folder: Path) -> tuple[Tokenizer, tuple[str, ...]]:
    """With what transformers puts around a text by the class of the tokenizer, where its own file says nothing."""
    if found.post_processor is not None and any(around(found)):
        return found, ()
    try:
        other = _by_transformers(folder)
    except Exception:  # noqa: BLE001
        return found, ()  # a folder without the class of its tokenizer: the file is all there is
    first, last = around(other)
    own = [found.token_to_id(str(other.id_to_token(each))) for each in (*first, *last)]
    if not own or own != [*first, *last]:
        return found, ()  # nothing is added, or tokens that the encoder has never seen
    found.post_processor = other.post_processor
    if around(found) != (first, last):
        return other, ()
    named = " ".join(str(found.id_to_token(each)) for each in (*first, *last))
    return found, (f"tokenizer.json puts nothing around a text: {named} are added, as its class in transformers does",)


def around(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens before and behind a text."""
    whole = tokenizer.encode("a", add_special_tokens=True)
    inner = [index for index, special in enumerate(whole.special_tokens_mask) if not special]
    if not inner:
        return tuple(whole.ids), ()
    return tuple(whole.ids[: inner[0]]), tuple(whole.ids[inner[-1] + 1 :])


def within(tokenizer: Tokenizer, rows: int, folder: Path) -> tuple[Tokenizer, tuple[str, ...]]:
    """Without added tokens for which the weights have no vector: they then are read as the text that they are.

    Raises DataError where tokens of the vocabulary itself have none.
    """
    from tokenizers import Tokenizer

    outside = {token for token, index in tokenizer.get_vocab().items() if index >= rows}
    if not outside:
        return tokenizer, ()
    saved = json.loads(tokenizer.to_str())
    used = json.dumps(saved.get("post_processor"), ensure_ascii=False)
    lost = sorted(outside & set(tokenizer.get_vocab(with_added_tokens=False))) or sorted(
        token for token in outside if json.dumps(token, ensure_ascii=False) in used
    )
    if lost:
        raise DataError(
            f"the tokenizer in {folder} has {tokenizer.get_vocab_size():,} tokens, the weights have vectors for "
            f"{rows:,}: '{lost[0][:40]}' has none",
            "give tokenizer and weights of one model, or give the new tokens vectors: model.resize_token_embeddings",
        )
    saved["added_tokens"] = [each for each in saved["added_tokens"] if each["content"] not in outside]
    named = ", ".join(sorted(outside)[:_MOST_NAMED]) + (", ..." if len(outside) > _MOST_NAMED else "")
    note = f"{len(outside)} added tokens have no vector in the weights and are read as plain text: {named}"
    return Tokenizer.from_str(json.dumps(saved, ensure_ascii=False)), (note,)


def padding(tokenizer: Tokenizer, folder: Path, said: object) -> int:
    """The id that fills rows up: the one that is said, if it is one, else that of the tokenizer's own token, else 0."""
    if isinstance(said, int) and 0 <= said < tokenizer.get_vocab_size():
        return said
    path = folder / "tokenizer_config.json"
    config: Any = read_json(path) if path.is_file() else {}
    own = config.get("pad_token")
    own = own.get("content") if isinstance(own, dict) else own
    ids = (tokenizer.token_to_id(token) for token in (own, *_PADS) if token)
    return next((each for each in ids if each is not None), 0)
