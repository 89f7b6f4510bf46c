"""Finds a pretrained encoder with its tokenizer: in a folder, in an installed package, or on the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import require
from glassworks.data.hub import downloaded
from glassworks.data.installed import installed
from glassworks.errors import ConfigError, DataError, InputError
from glassworks.text.tokenization import MOST_WINDOWS

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

TOKENIZER = "tokenizer.json"

_SHORTEST = 8
_OVERLAP = 16
_SCHEMES = "folder:PATH, package:LIBRARY/FOLDER, hf:OWNER/NAME"
_READING = ("*.json", "*.txt", "*.model")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
"""The first form that a folder holds is read. Of the second, an archive of the kind that Python calls pickle, PyTorch
reads tensors and plain values only and calls nothing that the file names."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A folder in Hugging Face's layout: what it says about itself, and its tokenizer without padding and truncation.

    `prefix` and `suffix` are the ids that stand around each text, `most` is the most tokens it reads, `first` whether
    its first state stands for the whole text.
    """

    folder: Path
    config: Any
    tokenizer: Tokenizer
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad: int
    most: int
    first: bool


def find_backbone(source: str) -> Backbone:
    """The encoder that `source` names. Raises ConfigError, DataError, InputError: each with its mend."""
    require(["transformers", "safetensors"], "a pretrained encoder", extra="text")
    folder = _folder(source)
    config = _config(folder)
    if _weights(folder) is None:
        raise DataError(
            f"the encoder's folder {folder} holds neither model.safetensors nor pytorch_model.bin",
            "save its weights into it: model.save_pretrained(FOLDER)",
        )
    tokenizer = _tokenizer(folder)
    prefix, suffix = _around(tokenizer)
    pad = getattr(config, "pad_token_id", None) or 0
    return Backbone(
        folder=folder,
        config=config,
        tokenizer=tokenizer,
        prefix=prefix,
        suffix=suffix,
        pad=pad,
        most=_most(config, pad),
        first=_first(folder),
    )


def reading(found: Backbone, most: int) -> dict[str, Any]:
    """How texts become what the encoder takes, in windows of at most `most` tokens, as `Tokenization` reads it."""
    own = own_reading(min(most, found.most), found.pad)
    return {**own, "prefix": list(found.prefix), "suffix": list(found.suffix)}


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


def pooled(states: Tensor, mask: Tensor | None, *, first: bool) -> Tensor:
    """One vector (N D) of token states (N T D): the first, or the mean of those whose `mask` (N T) is 1."""
    if first:
        return states[:, 0]
    if mask is None:
        return states.mean(1)
    there = mask[:, :, None].to(states.dtype)
    return (states * there).sum(1) / there.sum(1)


def load_encoder(found: Backbone, dropout: float, layers: int | None = None) -> Any:
    """The encoder with its weights, in float32, or its first `layers` layers. Raises ConfigError, InputError."""
    if layers:
        _keep(found, layers)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(found.config, name):
            setattr(found.config, name, dropout)
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
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def _unloadable(folder: Path, error: Exception) -> InputError:
    # So PyTorch calls a file that names functions to call; the class is in a module that nothing here imports.
    if type(error).__name__ == "UnpicklingError":
        return InputError(
            f"the encoder in {folder} cannot be loaded: its weights hold more than tensors, which could run anything",
            "give a copy that is saved as model.safetensors",
        )
    reason = str(error).split("\n")[0][:200]
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
        encoder, info = transformers.AutoModel.from_pretrained(
            found.folder,
            config=found.config,
            attn_implementation="eager",
            dtype="float32",
            use_safetensors=_weights(found.folder) == _WEIGHTS[0],
            weights_only=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()
    return encoder, info


def _weights(folder: Path) -> str | None:
    """The form of the weights that are read."""
    return next((pattern for pattern in _WEIGHTS if any(folder.glob(pattern))), None)


def _folder(source: str) -> Path:
    scheme, separator, rest = source.partition(":")
    if not separator or not rest or scheme not in ("folder", "package", "hf"):
        raise ConfigError(f"'model.backbone' is '{source}'", f"write one of {_SCHEMES}")
    if scheme == "package":
        library, _, inner = rest.partition("/")
        return installed(library, inner)
    folder = Path(rest).expanduser()
    if folder.is_dir():
        return folder
    if scheme == "hf":
        return _downloaded(rest)
    raise DataError(f"there is no folder {folder}", "give the folder of an encoder in Hugging Face's layout")


def _downloaded(name: str) -> Path:
    for weights in _WEIGHTS:
        found = downloaded(name, "encoder", (*_READING, weights), local="folder:PATH")
        if any(found.glob(weights)):
            break
    return found


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no config.json", "give the folder of an encoder in Hugging Face's layout")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(f"{folder}/config.json: {reason}", "give an encoder that transformers knows") from None
    if getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False):
        raise DataError(f"{folder} is no encoder: it writes texts", "give an encoder, such as one of BERT's kind")
    return config


def _tokenizer(folder: Path) -> Tokenizer:
    """`tokenizer.json`, or what transformers makes of an older form."""
    from tokenizers import Tokenizer

    try:
        if (folder / "tokenizer.json").is_file():
            found = Tokenizer.from_file(str(folder / "tokenizer.json"))
        elif any((folder / name).is_file() for name in ("vocab.txt", "vocab.json", "spiece.model")):
            from transformers import AutoTokenizer

            older: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            found = Tokenizer.from_str(older.backend_tokenizer.to_str())
        else:
            raise DataError(
                f"the encoder's folder {folder} holds no tokenizer.json",
                "save the tokenizer into it: tokenizer.save_pretrained(FOLDER)",
            )
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001
        # Both libraries raise plain Exception for whatever is wrong with a file.
        reason = str(error).split("\n")[0][:200]
        raise DataError(f"the tokenizer in {folder} cannot be read: {reason}", "save it again") from None
    found.no_truncation()
    found.no_padding()
    return found


def _around(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens before and behind a text."""
    inner = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(whole) - len(inner) + 1):
        if whole[start : start + len(inner)] == inner:
            return tuple(whole[:start]), tuple(whole[start + len(inner) :])
    return (), ()


def _most(config: Any, pad: int) -> int:
    """Tokens that have a position: RoBERTa's kind counts them from behind the padding's id."""
    positions = getattr(config, "max_position_embeddings", None) or 8192
    counted_from = pad + 1 if "roberta" in str(getattr(config, "model_type", "")) else 0
    return max(_SHORTEST, int(positions) - counted_from)


def _first(folder: Path) -> bool:
    """Whether sentence-transformers' pooling takes the first state; the mean where nothing is said."""
    try:
        said: Mapping[str, Any] = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(said.get("pooling_mode_cls_token")) or said.get("pooling_mode") == "cls"
