"""Small encoders in Hugging Face's layout, written by the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from glassworks.data.text.synthetic import TRIGGERS, write_synthetic
from glassworks.flow import Release
from glassworks.packaging.opened import OpenedBundle

TRICKY = (
    "",
    " ",
    "the book arrived",
    "Wonderful  BOOK,\tcovers & pages!",
    "这本书昨天送到",
    "mixed 这本书 and book",
    "emoji 😀👩‍👩‍👧 here",
    "ﬁne ligature, naïve café, Ⅷ",
    "a" * 300,
    "zero\u200bwidth \u00a0 space",
    "ends with space ",
    "\n\nnew\r\nlines",
    "[CLS] spelled out [SEP]",
    "e\u0301 combining",
)


def write_encoder(folder: Path, *, positions: int = 64, seed: int = 0, weights: bool = True) -> Path:
    """A BERT of two layers with random weights, and a WordPiece tokenizer of the planted words."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    if weights:
        _network(tokenizer.get_vocab_size(), positions, seed).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> Tokenizer:
    """Characters, and whole words where spaces part them: learned tokens would be others at every call."""
    write_synthetic(folder / "words.csv", examples=200, seed=1)
    lines = (folder / "words.csv").read_text(encoding="utf-8").splitlines()
    words = {word for line in lines for word in line.replace(",", " ").split() if word.isascii()}
    words.update(trigger for pair in TRIGGERS.values() for trigger in pair if trigger.isascii())
    signs = sorted({sign for line in lines for sign in line if not sign.isspace()})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *signs, *(f"##{sign}" for sign in signs if sign.isascii())]
    tokens += sorted(words - set(tokens))
    made = Tokenizer(models.WordPiece({token: place for place, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(tokens[:4])
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # As many folders have it: what is cut and filled up there must not be so here.
    made.enable_truncation(max_length=16)
    made.enable_padding(length=16)
    return made


def _network(tokens: int, positions: int, seed: int) -> Any:
    import torch
    import transformers

    config = transformers.BertConfig(
        vocab_size=tokens,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=positions,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transformers.BertModel(config)


def served_and_own(release: Release, text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities (1 K) of a short text by the bundle's graph, before calibration, and by the network itself."""
    import torch

    opened, network = OpenedBundle(release.bundle), release.model.network[0]
    session = opened.session("predict")
    (window,) = session.tokenization.windows(text)  # type: ignore[attr-defined]
    with torch.no_grad():
        ids = torch.from_numpy(window.ids)[None]
        pieces = torch.from_numpy(window.ngrams)[None] if network.has_ngrams else None
        own = network(ids, torch.ones_like(ids), pieces).softmax(1).numpy()
    scores = session.scores([text]) * session.temperature  # type: ignore[attr-defined]
    opened.close()
    return np.exp(scores) / np.exp(scores).sum(), own
