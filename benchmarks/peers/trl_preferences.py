"""Steps of trl's DPOTrainer on batches of token ids: `rows.json` and the folder `model`, in full and float32."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

home = Path(sys.argv[1])
given = json.loads((home / "rows.json").read_text())
torch.set_num_threads(1)


def opened():
    return AutoModelForCausalLM.from_pretrained(home / "model", dtype=torch.float32)


tokenizer = AutoTokenizer.from_pretrained(home / "model")
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
config = DPOConfig(
    output_dir=str(home / "out"), per_device_train_batch_size=given["batch"], beta=0.1, use_cpu=True, bf16=False,
    gradient_checkpointing=False, max_length=512, report_to=[],
)  # fmt: skip
words = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}] * 8)
trainer = DPOTrainer(model=opened(), ref_model=opened(), args=config, train_dataset=words, processing_class=tokenizer)
reference, trainer.precompute_ref_logps = trainer.ref_model, True
rows, losses, times = given["rows"], [], []
with torch.inference_mode():
    for row in rows:
        batch = trainer.data_collator([row])
        chosen, rejected = trainer.compute_ref_log_probs(reference, batch)
        row["ref_chosen_logps"], row["ref_rejected_logps"] = float(chosen[0]), float(rejected[0])
trainer.ref_model = None
del reference
trainer.model.train()
optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=5e-6, weight_decay=0.0)
for start in range(0, len(rows), given["batch"]):
    begun = time.perf_counter()
    optimizer.zero_grad()
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(rows[start : start + given["batch"]]))
    loss.backward()
    optimizer.step()
    losses.append(float(loss.detach()))
    times.append(time.perf_counter() - begun)
print(json.dumps({"losses": losses, "times": times}))
