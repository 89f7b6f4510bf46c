"""The decoder in PyTorch: its weights as they were brought, and what of them learns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.families.tuned_language_model.packing import Row
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.language.hf_writing import config_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.language.importing import Brought

_PRODUCTS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_HEAD, _EMBEDDINGS = "lm_head.weight", "model.embed_tokens.weight"


class Tuned(nn.Module):
    """Holds the decoder; its own parameters, and what its state is, are only what learns."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self._decoder = (decoder,)  # in a tuple it is no submodule: a checkpoint has no frozen weights
        for name, parameter in decoder.named_parameters():
            if parameter.requires_grad:
                self.register_parameter(name.replace(".", "/"), parameter)

    @property
    def decoder(self) -> Any:
        """The network of transformers, or peft's around it."""
        return self._decoder[0]

    @property
    def causal(self) -> Any:
        """The network of transformers itself; low-rank matrices are within it."""
        return self.decoder.get_base_model() if hasattr(self.decoder, "get_base_model") else self.decoder

    def train(self, mode: bool = True) -> Tuned:
        super().train(mode)
        self.decoder.train(mode)
        return self

    def scores(self, row: Row) -> Tensor:
        """Logits (A V) at the places that are asked: the product with the vocabulary, a fifth of a small model, is
        computed nowhere else."""
        causal = self.causal
        device = causal.device
        found = causal.model(
            input_ids=row.ids.to(device),
            attention_mask=row.mask.to(device),
            position_ids=row.positions.to(device),
            use_cache=False,
        )
        logits: Tensor = causal.lm_head(found.last_hidden_state[0, row.asked.to(device)])
        return logits.float()

    def loss(self, row: Row) -> Tensor:
        """The sum of the negative log-probabilities of a row's targets."""
        scores = self.scores(row)
        return functional.cross_entropy(scores, row.targets.to(scores.device), reduction="sum")

    def log_probabilities(self, row: Row) -> Tensor:
        """Of each example of a row the sum over its targets (E)."""
        scores = self.scores(row)
        each = -functional.cross_entropy(scores, row.targets.to(scores.device), reduction="none")
        return torch.stack([part.sum() for part in torch.split(each, list(row.sizes))])


def tunable(brought: Brought, config: TunedLanguageModelConfig) -> Tuned:
    """The decoder with what learns, low-rank matrices at random (PyTorch's generator). Raises Unsupported for a model
    without weights.
    """
    decoder = decoder_of(brought)
    if config.method == "full":
        return Tuned(decoder)
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=config.rank,
        lora_alpha=2 * config.rank,
        lora_dropout=config.dropout,
        use_dora=config.method == "dora",
        target_modules=_PRODUCTS,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Tuned(get_peft_model(decoder, lora))


def decoder_of(brought: Brought) -> Any:
    """transformers' network in float32 with exactly the weights that were brought."""
    import transformers

    architecture = brought.settings.architecture
    described = {name: value for name, value in config_of(architecture).items() if name != "model_type"}
    config = transformers.AutoConfig.for_model(architecture.kind, **described)
    auto: Any = transformers.AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        decoder = auto.from_config(config, attn_implementation="sdpa", dtype=torch.float32)
    own = dict(decoder.named_parameters())
    with torch.no_grad():
        for name, _ in architecture.weights():
            own[name].copy_(torch.from_numpy(np.array(brought.weight(name), np.float32)))
    return decoder


def merged(tuned: Tuned, brought: Brought) -> Brought:
    """The model as it is after training, low-rank matrices added into the weights that they stand beside."""
    decoder = tuned.decoder
    if hasattr(decoder, "merge_and_unload"):
        decoder = decoder.merge_and_unload(safe_merge=True)
    weights = {name: tensor.detach().cpu() for name, tensor in decoder.state_dict().items()}
    return replace(brought, weight=_reader(weights), files=(), graph=None, config=None)


def _reader(weights: Mapping[str, Tensor]) -> Callable[[str], NDArray[Any]]:
    def read(name: str) -> NDArray[Any]:
        values: NDArray[Any] = weights[name].numpy()
        return values

    return read
