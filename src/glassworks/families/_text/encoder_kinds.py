"""Kinds of encoders: what differs between the architectures of transformers, read from the model where it can be."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.errors import DataError, InputError
from glassworks.families._text.encoder_files import LAYOUT, read_json

TRIED = "BERT, RoBERTa, XLM-RoBERTa, DistilBERT, ELECTRA, ALBERT, DeBERTa, MPNet, ModernBERT and T5 encoders are tried"
KNOWN = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "data2vec-text",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "mobilebert",
        "modernbert",
        "mpnet",
        "nomic_bert",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
    }
)
"""Kinds whose graphs a test of this project compares, and which have no forms that it does not: not tried again."""
_SHORTEST = 8
_UNLIMITED = 8192
_DROPOUT = re.compile(r"(?:^|_)(?:dropout|pdrop)(?:_prob|_rate|_p)?$|^(?:dropout|embd|resid|attn)_")
_NO_DROPOUT = re.compile(r"classif|seq_|summary|layerdrop|head|position")
_TWIN_LAYERS = 2
_TWIN_TOKENS = 512


def read_config(folder: Path) -> Any:
    """What a folder says of its encoder. Raises DataError."""
    from transformers import AutoConfig

    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no config.json", LAYOUT)
    read_json(folder / "config.json")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001
        # Each kind checks its own values, and raises what it likes.
        reason = str(error).split("\n")[0][:160]
        raise DataError(f"{folder}/config.json: {reason}", "give an encoder that transformers knows") from None
    if getattr(config, "is_decoder", False) or (getattr(config, "is_encoder_decoder", False) and not _half(config)):
        raise DataError(
            f"{folder} is no encoder: it writes texts ({config.model_type})", f"give an encoder of BERT's kind: {TRIED}"
        )
    return config


def _half(config: Any) -> bool:
    """Whether transformers has the encoder of such an encoder and decoder as a model of its own."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

    return type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING


def class_of(config: Any) -> Any:
    """The class of transformers that loads it."""
    import transformers

    return transformers.AutoModelForTextEncoding if _half(config) else transformers.AutoModel


def skeleton(config: Any, folder: Path) -> Any:
    """The encoder without weights. Raises InputError."""
    try:
        with torch.device("meta"):
            return class_of(config).from_config(copy.deepcopy(config), attn_implementation="eager")
    except Exception as error:  # noqa: BLE001
        reason = str(error).split("\n")[0][:120]
        raise InputError(
            f"the encoder in {folder} ({config.model_type}) cannot be built: {reason}", f"give another encoder: {TRIED}"
        ) from None


def most_tokens(model: nn.Module, config: Any, folder: Path) -> int:
    """Tokens that have a position: of the table of positions in the network, and of what the folder says.

    RoBERTa's kind counts positions from behind the padding's id, others begin at an offset of their own.
    """
    said = getattr(config, "max_position_embeddings", None)
    limits = [int(said)] if isinstance(said, int) and said > 0 else []
    for name, module in model.named_modules():
        table = getattr(module, "weight", None)
        if re.search(r"position|wpe$", name) and "." in name and table is not None and table.ndim == 2:
            padded, offset = getattr(module, "padding_idx", None), getattr(module, "offset", 0)
            limits.append(len(table) - (padded + 1 if isinstance(padded, int) else int(offset)))
    if not limits:
        path = folder / "tokenizer_config.json"
        length = read_json(path).get("model_max_length") if path.is_file() else None
        limits = [int(length)] if isinstance(length, int | float) and _SHORTEST <= length <= 2**20 else [_UNLIMITED]
    return max(_SHORTEST, min([*limits, _exact_up_to(config)]))


def _exact_up_to(config: Any) -> int:
    """BigBird reads short texts with full attention, which is what is exported."""
    if config.model_type == "big_bird" and config.attention_type == "block_sparse":
        return int((5 + 2 * config.num_random_blocks) * config.block_size)
    return 2**20


def set_dropout(config: Any, share: float) -> None:
    """Under whatever names the architecture has it."""
    for name, value in config.to_dict().items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and _DROPOUT.search(name) and not _NO_DROPOUT.search(name):
            setattr(config, name, share)


def prepared(config: Any) -> Any:
    """The config of a form that can be exported and computes the same."""
    if config.model_type == "big_bird":
        config.attention_type = "original_full"
    if hasattr(config, "use_cache"):
        config.use_cache = False
    return config


def adapted(model: Any) -> Any:
    """Without the pooler, which is not used, and with parts that can be exported and compute the same."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = nn.Identity()
    _PARTS.get(model.config.model_type, lambda _: None)(model)
    return model


def twin_config(config: Any) -> Any:
    """Of the same architecture, with two layers and few tokens: for trying in seconds what it can do."""
    small, layers = copy.deepcopy(config), getattr(config, "num_hidden_layers", None)
    if isinstance(layers, int) and layers > _TWIN_LAYERS:
        for name, value in config.to_dict().items():
            if isinstance(value, list) and len(value) == layers:
                setattr(small, name, value[:_TWIN_LAYERS])
        small.num_hidden_layers = _TWIN_LAYERS
    small.vocab_size = min(int(config.vocab_size), _TWIN_TOKENS)
    for name, value in config.to_dict().items():
        if re.search(r"_token_id$|pad_index$", name) and isinstance(value, int) and value >= small.vocab_size:
            setattr(small, name, 0)
    return small


def _longformer(model: Any) -> None:
    for name, module in list(model.named_modules()):
        if type(module).__name__ == "LongformerSelfAttention":
            parent = model.get_submodule(name.rpartition(".")[0])
            parent.self = _BandedAttention(module)
    model._pad_to_window_size = _not_padded


def _not_padded(
    input_ids: Any, attention_mask: Any, token_type_ids: Any, position_ids: Any, inputs_embeds: Any, pad_token_id: Any
) -> tuple[Any, ...]:
    return 0, input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds


class _BandedAttention(nn.Module):
    """Longformer's local attention (Beltagy et al. 2020) as one product with a band as its mask: the same numbers,
    where the original's blocks have sizes that no graph of free length can express."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.query, self.key, self.value = given.query, given.key, given.value
        # Not used where no token is global; kept so that the weights are saved as they were.
        self.query_global, self.key_global, self.value_global = given.query_global, given.key_global, given.value_global
        self.heads, self.reach, self.dropout = given.num_heads, given.one_sided_attn_window_size, given.dropout

    def forward(self, hidden_states: Tensor, attention_mask: Tensor, *_: Any, **__: Any) -> tuple[Tensor]:
        """`attention_mask` (N T) is below 0 where a row is filled up."""
        batch, length, width = hidden_states.shape
        query, key, value = (
            part(hidden_states).view(batch, length, self.heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        positions = torch.arange(length, device=hidden_states.device)
        near = (positions[:, None] - positions[None]).abs() <= self.reach
        seen = near[None, None] & (attention_mask >= 0)[:, None, None, :]
        scores = query @ key.transpose(2, 3) / math.sqrt(width // self.heads)
        shares = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(3)
        mixed = functional.dropout(shares, self.dropout, self.training) @ value
        return (mixed.transpose(1, 2).reshape(batch, length, width),)


def _xlnet(model: Any) -> None:
    """It subtracts the mask from 1.0, which the exporter takes of floating point alone."""
    original = model.forward

    def forward(attention_mask: Tensor | None = None, **given: Any) -> Any:
        mask = None if attention_mask is None else attention_mask.to(model.dtype)
        return original(attention_mask=mask, use_mems=False, **given)

    model.forward = forward


def _deberta(model: Any) -> None:
    """The table of relative positions is read whole: its middle part for a text's length has the same rows at the same
    distances, but a length in the graph."""
    import sys

    module: Any = sys.modules[type(model).__module__]
    module.compute_attention_span = lambda query, key, most: most


_PARTS: Mapping[str, Callable[[Any], None]] = {"deberta": _deberta, "longformer": _longformer, "xlnet": _xlnet}
