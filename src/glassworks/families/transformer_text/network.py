"""The network. Shapes: N windows, T tokens, M n-grams, D values a token, K labels."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from torch import Tensor, nn

from glassworks.families._text.ngrams import WithNgrams
from glassworks.families._text.pooling import Sentence


class TransformerText(WithNgrams):
    """An encoder of transformers, pooling as sentence encoders have it, and a linear head; n-grams where they help.

    The pooled vector is brought to the length of the square root of D, so that the head meets values near 1 whatever
    the encoder.
    """

    def __init__(self, encoder: Any, sentence: Sentence, labels: int, *, dropout: float) -> None:
        super().__init__(labels)
        self.encoder, self.sentence = encoder, sentence
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(sentence.width, labels)

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (N T D) of tokens, before positions are added."""
        found = self.encoder.get_input_embeddings()(ids)
        # I-BERT's table returns its scale too.
        vectors: Tensor = found[0] if isinstance(found, tuple) else found
        return vectors

    def forward(self, ids: Tensor, mask: Tensor, ngrams: Tensor | None = None) -> Tensor:
        """Scores (N K), with `ngrams` (N M) those of both; `mask` (N T) is 0 where a row is filled up."""
        deep = self.classify(self.pool(self.embed(ids), mask))
        return deep if ngrams is None else self.together(deep, self.linear(ngrams))

    def pool(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """One vector (N D) a row of token vectors (N T D)."""
        if mask is not None:
            # Some kinds look at the neighbors of a token, and must find nothing behind the last one.
            vectors = vectors * mask[:, :, None].to(vectors.dtype)
        states = self.encoder(inputs_embeds=vectors, attention_mask=mask).last_hidden_state
        one = self.sentence(states, mask).float()
        found: Tensor = one / one.square().mean(1, keepdim=True).clamp_min(1e-12).sqrt()
        return found

    def classify(self, pooled: Tensor) -> Tensor:
        """Scores (N K) of pooled vectors."""
        scores: Tensor = self.head(self.dropout(pooled))
        return scores


class FromVectors(nn.Module):
    """Token vectors (N T D) without padding to scores (N K): what gradients are traced of.

    With n-grams a token's row ends with what they say for each label (N T D + K).
    """

    def __init__(self, network: TransformerText) -> None:
        super().__init__()
        self.network = network

    def forward(self, vectors: Tensor) -> Tensor:
        network = self.network
        if not network.has_ngrams:
            return network.classify(network.pool(vectors))
        width = vectors.shape[2] - network.head.out_features
        deep = network.classify(network.pool(vectors[:, :, :width]))
        return network.share * deep + (1 - network.share) * network.bias + vectors[:, :, width:].sum(1)


class Embedding(nn.Module):
    """Tokens (N T) to their vectors, and n-grams (N M) to what each adds to the scores (N M K)."""

    def __init__(self, network: TransformerText) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, ngrams: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        network = self.network
        vectors = network.embed(ids)
        return vectors if ngrams is None else (vectors, (1 - network.share) * network.said(ngrams))


def small_encoder(tokens: int, width: int, layers: int, heads: int, most: int, dropout: float) -> Any:
    """An encoder of BERT's kind with random weights (PyTorch's generator)."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=tokens,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=most,
        type_vocab_size=1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    # The plain form of attention: it is the one whose gradient can be traced.
    auto: Any = transformers.AutoModel
    return auto.from_config(config, attn_implementation="eager", add_pooling_layer=False)


def with_lora(network: TransformerText, rank: int, dropout: float) -> None:
    """Freeze the encoder and add rank-stabilized low-rank matrices (Hu et al. 2021; Kalajdzievski 2023) to it."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=round(2 * rank**0.5), lora_dropout=dropout, use_rslora=True, target_modules="all-linear"
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that has become another.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing")
        network.encoder = get_peft_model(network.encoder, config)


def merged(network: TransformerText) -> TransformerText:
    """The same function without LoRA's matrices: they are added into the encoder's own."""
    if not hasattr(network.encoder, "merge_and_unload"):
        return network
    whole = copy.copy(network)
    whole._modules = dict(network._modules)
    whole.encoder = network.encoder.merge_and_unload(safe_merge=True)
    return whole
