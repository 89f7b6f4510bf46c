"""What a network in training answers to held-out questions, to read how it learns."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from glassworks.families.tuned_language_model.network import Tuned
from glassworks.storage import storage_errors, write_atomically

if TYPE_CHECKING:
    from glassworks.contracts import Progress
    from glassworks.families.tuned_language_model.conversations import Reading
    from glassworks.language.examples import Example

ANSWERS = "answers.jsonl"
_MOST = 48
"""Tokens of an answer."""


def show_answers(
    network: Tuned, examples: Sequence[Example], reading: Reading, folder: Path, progress: Progress
) -> None:
    """The most probable answer to each example's first question, in `answers.jsonl` of the run and as a value of its
    progress: `question`, `answer`, and what was `expected`.
    """
    for example in examples:
        begin = int(np.argmax(example.learned))
        prompt = example.ids[:begin]
        shown = {
            "question": reading.tokenizer.decode(prompt.tolist()),
            "answer": reading.tokenizer.decode(_written(network, prompt.tolist(), reading.stop_ids)),
            "expected": reading.tokenizer.decode(example.ids[begin:][example.learned[begin:]].tolist()),
        }
        with storage_errors(folder / ANSWERS), (folder / ANSWERS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(shown, ensure_ascii=False) + "\n")
        progress.update(**shown)


def forget_answers(folder: Path, shown: int, history: Sequence[Mapping[str, float]]) -> None:
    """Keep those of the evaluations in `history`, of so many examples each: an interrupted training does again what
    follows its checkpoint. Raises StorageError.
    """
    evaluations = sum("validation_loss" in row for row in history)
    path = folder / ANSWERS
    if path.exists():
        with storage_errors(path):
            lines = path.read_bytes().splitlines(keepends=True)
        write_atomically(path, b"".join(lines[: evaluations * shown]))


def _written(network: Tuned, prompt: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    given = torch.tensor([prompt], device=network.causal.device)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = network.causal.generate(
            given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=_MOST,
            do_sample=False,
            eos_token_id=list(stop_ids) or None,
            pad_token_id=0,
        )
    return [int(each) for each in found[0, len(prompt) :].tolist()]
