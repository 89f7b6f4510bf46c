"""A small encoder with random weights and texts for it, for tests."""

from __future__ import annotations

from pathlib import Path

from glassworks.data.text.synthetic import write_synthetic


def write_encoder(folder: Path, *, seed: int, width: int = 16) -> None:
    """A BERT of one layer in Hugging Face's layout, with a tokenizer of the synthetic words."""
    import csv

    import torch
    from transformers import BertConfig, BertModel

    from glassworks.families._text.tokens import learn_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    write_synthetic(folder / "words.csv", examples=100, seed=seed)
    with (folder / "words.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    tokenizer = learn_tokenizer(texts, 256, "subwords")
    tokenizer.save(str(folder / "tokenizer.json"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=width,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=2 * width,
            max_position_embeddings=64,
            type_vocab_size=1,
        )
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)


def write_texts(path: Path, *, examples: int, seed: int) -> None:
    """Texts in a column `text`."""
    write_synthetic(path, examples=examples, seed=seed)
