"""transformers in float32 as a contender of `language.py`: `generate`, as its users call it.

python benchmarks/peers/transformers_writer.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from worker import Rounds, serve

torch.set_num_threads(1)
MODEL: Any = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)


def write(prompts: Sequence[Sequence[int]], tokens: int) -> Rounds:
    """Prompts must be of one length; the first token is asked for alone, so that reading is told apart from writing."""
    ids = torch.tensor(prompts)
    settings = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0, "attention_mask": torch.ones_like(ids)}
    with torch.inference_mode():
        first = MODEL.generate(ids, max_new_tokens=1, return_dict_in_generate=True, **settings)
        yield [[int(row[-1])] for row in first.sequences]
        longer = first.sequences
        settings["attention_mask"] = torch.ones_like(longer)
        whole = MODEL.generate(longer, max_new_tokens=tokens - 1, past_key_values=first.past_key_values, **settings)
        yield whole[:, longer.shape[1] :].tolist()


if __name__ == "__main__":
    serve(write, f"transformers on torch {torch.__version__}")
