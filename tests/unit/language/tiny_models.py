"""Tiny decoders with random weights, as transformers builds them."""

from __future__ import annotations

from typing import Any

import torch

SIZES: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def tiny(kind: str, **settings: Any) -> Any:
    """A model of the kind in evaluation mode; `settings` override its configuration."""
    import transformers

    torch.manual_seed(0)
    name = kind.capitalize()
    config = getattr(transformers, f"{name}Config")(**{**SIZES, **settings})
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases too: equal to one and zero they would hide a fault
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def logits(model: Any, ids: list[list[int]]) -> Any:
    """N T V."""
    with torch.no_grad():
        return model(torch.tensor(ids)).logits.numpy()
