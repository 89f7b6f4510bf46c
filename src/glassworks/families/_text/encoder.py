"""Finds a pretrained encoder with its tokenizer: in a folder, in an installed package, or on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from glassworks.catalog import require
from glassworks.errors import ConfigError, InputError
from glassworks.families._text.encoder_files import folder_of, weights_of
from glassworks.families._text.encoder_kinds import (
    adapted,
    class_of,
    most_tokens,
    prepared,
    read_config,
    set_dropout,
    skeleton,
)
from glassworks.families._text.encoder_tokenizer import around, padding, read_tokenizer, within
from glassworks.families._text.pooling import Sentence
from glassworks.families._text.sentence import SentenceFolder, prompt_of, read_sentence_folder, sentence_of
from glassworks.text.tokenization import MOST_WINDOWS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"

_OVERLAP = 16
_USUAL = 256
"""Tokens of a window where neither job nor folder says how many."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A folder in Hugging Face's layout: what it says about itself, and its tokenizer without padding and truncation.

    `prefix` and `suffix` are the ids that stand around each text, `most` is the most tokens it reads, `sentence` what
    it has behind its states, `notes` what had to be mended.
    """

    folder: Path
    config: Any
    tokenizer: Tokenizer
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad: int
    most: int
    sentence: SentenceFolder
    notes: tuple[str, ...] = ()


def find_backbone(source: str) -> Backbone:
    """The encoder that `source` names. Raises ConfigError, DataError, InputError: each with its mend."""
    require(["transformers", "safetensors"], "a pretrained encoder", extra="text")
    sentence = read_sentence_folder(folder_of(source))
    folder = sentence.transformer
    config = prepared(read_config(folder))
    weights_of(folder)
    tokenizer, notes = read_tokenizer(folder, int(config.vocab_size))
    pad = padding(tokenizer, folder, getattr(config, "pad_token_id", None))
    config.pad_token_id = pad
    model = skeleton(config, folder)
    tokenizer, more = within(tokenizer, len(model.get_input_embeddings().weight), folder)
    prefix, suffix = around(tokenizer)
    if sentence.lowercase:
        _lower(tokenizer)
    return Backbone(
        folder=folder,
        config=config,
        tokenizer=tokenizer,
        prefix=prefix,
        suffix=suffix,
        pad=pad,
        most=most_tokens(model, config, folder),
        sentence=sentence,
        notes=(*notes, *more),
    )


def _lower(tokenizer: Tokenizer) -> None:
    """As sentence-transformers does by `do_lower_case`: before what the tokenizer itself does."""
    from tokenizers import normalizers

    own = tokenizer.normalizer
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *([own] if own is not None else [])])


def reading(found: Backbone, most: int | None, prompt: str | None = None) -> dict[str, Any]:
    """How texts become what the encoder takes, in windows of at most `most` tokens, as `Tokenization` reads it."""
    said = (found.sentence.most or found.most) if found.sentence.declared else _USUAL
    own = own_reading(min(most or said, found.most), found.pad)
    before = prompt_of(found.sentence, prompt)
    return {
        **own,
        "prefix": list(found.prefix),
        "suffix": list(found.suffix),
        **({"prompt": before} if before else {}),
    }


def own_reading(most: int, pad: int) -> dict[str, Any]:
    """The same for an encoder whose texts have nothing around them."""
    return {
        "tokenizer": TOKENIZER,
        "inputs": {"ids": "ids", "mask": "mask"},
        "max_tokens": most,
        "overlap": min(_OVERLAP, most // 8),
        "max_windows": MOST_WINDOWS,
        "prefix": [],
        "suffix": [],
        "pad": pad,
    }


def sentence_layers(found: Backbone, pooling: str, how: Mapping[str, Any]) -> Sentence:
    """What the folder has behind the encoder's states; `how` is its `reading`. Raises ConfigError, DataError."""
    prompt = str(how.get("prompt", ""))
    skipped = len(found.prefix) + len(found.tokenizer.encode(prompt, add_special_tokens=False).ids) if prompt else 0
    return sentence_of(found.sentence, int(found.config.hidden_size), pooling, skipped)


def load_encoder(found: Backbone, dropout: float, layers: int | None = None) -> Any:
    """The encoder with its weights, in float32, or its first `layers` layers. Raises ConfigError, InputError."""
    if layers:
        _keep(found, layers)
    set_dropout(found.config, dropout)
    try:
        encoder, info = _loaded(found)
    except Exception as error:  # noqa: BLE001
        # Three libraries raise what they like for whatever is wrong with a file.
        raise _unloadable(found.folder, error) from None
    # What the library does not find it makes up at random; only the pooler is not used here.
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name)
    if missing:
        raise InputError(
            f"the weights in {found.folder} lack {len(missing)} parts of the encoder, such as {missing[0]}",
            "give weights and config.json of one model",
        )
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    return adapted(encoder)


def _unloadable(folder: Path, error: Exception) -> InputError:
    # So PyTorch calls a file that names functions to call; the class is in a module that nothing here imports.
    if type(error).__name__ == "UnpicklingError":
        return InputError(
            f"the encoder in {folder} cannot be loaded: its weights hold more than tensors, which could run anything",
            "give a copy that is saved as model.safetensors: where you trust the file, model.save_pretrained(FOLDER)",
        )
    reason = str(error).split("\n")[0][:160]
    return InputError(f"the encoder in {folder} cannot be loaded: {reason}", "give an encoder that transformers knows")


def _keep(found: Backbone, layers: int) -> None:
    """Of layers the first ones (Sajjad et al. 2020); the library then reads no others."""
    there = getattr(found.config, "num_hidden_layers", None)
    if there is None or layers > there:
        count = f"has {there}" if there else "does not say how many it has"
        raise ConfigError(
            f"'model.layers' is {layers}, but the encoder in {found.folder} {count}",
            f"give 1 to {there}, or leave it out" if there else "leave it out",
        )
    found.config.num_hidden_layers = layers


def _loaded(found: Backbone) -> tuple[Any, Mapping[str, Any]]:
    """The encoder, and what the library reports of its weights; nothing is printed."""
    import transformers

    logging: Any = transformers.utils.logging
    before = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        # The plain form of attention: it is the one whose gradient can be traced.
        encoder, info = class_of(found.config).from_pretrained(
            found.folder,
            config=found.config,
            attn_implementation="eager",
            dtype="float32",
            use_safetensors=weights_of(found.folder) == "model.safetensors",
            weights_only=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()
    return encoder, info
