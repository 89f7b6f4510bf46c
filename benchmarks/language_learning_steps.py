"""What tuning a language model costs, and that nothing ends it: SmolLM2-135M-Instruct on work orders of a repair shop.

    python benchmarks/language_learning_steps.py answers      the published graph against the tuned network in PyTorch
    python benchmarks/language_learning_steps.py trl [steps]  against trl's SFTTrainer, the same recipe, step by step
    python benchmarks/language_learning_steps.py shared       a step where half of the processors are taken
    python benchmarks/language_learning_steps.py kills        20 times SIGKILL in one tuning of a tiny model

The data are those of `language_learning.py`. `trl` needs trl beside this package: a virtual environment of its own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from language_learning import EXAMPLES, SOURCE, conversations
from report import publish

CONTEXT, BATCH, RATE = 512, 8, 1e-3
UNSEEN, AT_ONCE, LONGEST = 220, 16, 24
"""Notes to answer beside the test split, as many of them together, and tokens of an answer."""


def _job(folder: Path, rows: Sequence[Mapping[str, Any]], **more: Any) -> Any:
    from glassworks.job_files import job_of

    (folder / "orders.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = {"name": "orders", "family": "tuned_language_model", "data": {"source": f"jsonl:{folder}/orders.jsonl"}}
    return job_of({**table, "model": {"source": SOURCE, "context": CONTEXT}, **more}, where="the benchmark")


def answers() -> None:
    """The most probable answers of the served graph, int8 where the objective chose it, and of the merged network."""
    from glassworks import flow
    from glassworks.data.intervals import wilson
    from glassworks.packaging.opened import OpenedBundle

    with tempfile.TemporaryDirectory() as name:
        os.environ["GLASSWORKS_HOME"] = name
        release = flow.release(_job(Path(name), conversations(0)))
        notes = [json.loads(item)["messages"][:-1] for item in release.dataset.splits["test"].x.tolist()]
        notes += [row["messages"][:-1] for row in conversations(0, EXAMPLES + UNSEEN)[EXAMPLES:]]
        opened = OpenedBundle(release.bundle)
        session = opened.session("predict")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = [{"messages": note, "max_tokens": LONGEST, "temperature": 0.0} for note in notes]
            served = list(pool.map(partial(_streamed, session), asked))
        opened.close()
        network = _generated(release.model.network, notes)
    same = [one == other for one, other in zip(served, network, strict=True)]
    differing = [pair for pair in zip(served, network, strict=True) if pair[0] != pair[1]]
    low, high = wilson(sum(same), len(same))
    values = {"same": float(np.mean(same)), "interval": (low, high), "answers": len(same)}
    chosen = release.report.chosen if release.report is not None else "fp32"
    rows = [
        ("answers that are the same", f"{values['same']:.3f} [{low:.3f}, {high:.3f}] of {len(same)}", "at least 0.98"),
        ("training, s", f"{release.model.seconds:.0f}", "at most 600"),
        ("served", str(chosen), ""),
    ]
    publish("language_learning_answers", {**values, "chosen": str(chosen), "differing": differing}, rows)


def _streamed(session: Any, parameters: dict[str, Any]) -> str:
    from glassworks.language.session import INPUT, OUTPUT

    row = np.empty(1, object)
    row[0] = b""
    parts = [chunk.outputs[OUTPUT].tolist()[0] for chunk in session.stream({INPUT: row}, parameters) if chunk.outputs]
    return b"".join(parts).decode()


def _generated(brought: Any, notes: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """By transformers' own loop; prompts of the same length together, so that none is padded."""
    import torch

    from glassworks.families.tuned_language_model.conversations import Reading
    from glassworks.families.tuned_language_model.network import decoder_of

    reading, network = Reading.of(brought), decoder_of(brought).eval()
    stops, found = sorted(reading.stop_ids), dict[int, str]()
    alike: dict[int, list[tuple[int, list[int]]]] = {}
    for index, note in enumerate(notes):
        ids = reading.template.ids(note)
        alike.setdefault(len(ids), []).append((index, ids))
    for group in alike.values():
        for start in range(0, len(group), AT_ONCE):
            indices, prompts = zip(*group[start : start + AT_ONCE], strict=True)
            given = torch.tensor(prompts)
            with torch.inference_mode():
                said = network.generate(
                    given, attention_mask=torch.ones_like(given), max_new_tokens=LONGEST, do_sample=False,
                    eos_token_id=stops, pad_token_id=stops[0],
                )  # fmt: skip
            for index, ids in zip(indices, said[:, given.shape[1] :].tolist(), strict=True):
                end = next((place for place, each in enumerate(ids) if each in stops), len(ids))
                found[index] = reading.tokenizer.decode(ids[:end])
    return [found[index] for index in range(len(notes))]


class Ours:
    """Steps of the product, asked for one by one."""

    def __init__(self, folder: Path, examples: int, parts: int) -> None:
        import torch

        from glassworks.contracts import Progress
        from glassworks.families._language.bringing import find_model
        from glassworks.families.tuned_language_model import TunedLanguageModel
        from glassworks.families.tuned_language_model.conversations import Reading, as_split
        from glassworks.families.tuned_language_model.network import tunable
        from glassworks.families.tuned_language_model.objective import Course
        from glassworks.families.tuned_language_model.supervised import Supervised
        from glassworks.training.parallel import Processors

        rows = conversations(0)[: examples + 32]
        job = _job(folder, rows)
        config = TunedLanguageModel().settings(job)
        self.brought = find_model(job, config, Progress())
        items = [json.dumps({**row, "tools": []}) for row in rows]
        splits = {"train": as_split(items[:examples]), "validation": as_split(items[examples:])}
        self.processors = Processors(parts=parts)
        course = Course(
            job=job, config=config, folder=folder, progress=Progress(), started=0.0, reading=Reading.of(self.brought),
            dataset=_Splits(splits), processors=self.processors,
        )  # fmt: skip
        self.learner = Supervised(course)
        torch.manual_seed(0)
        self.network = tunable(self.brought, config)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=0.0, fused=True)

    def step(self, rows: Sequence[int], factor: float = 1.0) -> None:
        import torch

        self.network.train()
        self.optimizer.param_groups[0]["lr"] = RATE * factor
        self.optimizer.zero_grad()
        self.processors.differentiated(self.network, self.learner.parts(self.network, rows))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()


class _Splits:
    def __init__(self, splits: Mapping[str, Any]) -> None:
        self.splits = splits


def trl(steps: int, parts: int) -> None:
    """Theirs and ours take turns, a step each with the same examples; both begin with the same matrices."""
    with tempfile.TemporaryDirectory() as name:
        ours = Ours(Path(name), 96, parts)
        trainer, network = _trainer(ours, Path(name), steps, parts)
        taken: dict[str, list[tuple[float, float]]] = {"trl": [], "glassworks": []}
        trainer.add_callback(_turns(ours, taken, steps))
        trainer.train()
        losses = {
            "trl": ours.learner.validate(network)["validation_loss"],
            "glassworks": ours.learner.validate(ours.network)["validation_loss"],
        }
    pairs = list(zip(taken["glassworks"][2:], taken["trl"][2:], strict=True))
    wall, cpu = (statistics.median(one[kind] / other[kind] for one, other in pairs) for kind in (0, 1))
    apart = abs(losses["glassworks"] / losses["trl"] - 1)
    rows = [
        (f"time of a step, {parts} processors, ratio (median)", f"{wall:.2f}", "at most 0.8"),
        ("its processor time, ratio (median)", f"{cpu:.2f}", ""),
        ("held-out loss after the last step", f"{losses['glassworks']:.4f} against {losses['trl']:.4f}", ""),
        ("difference", f"{apart:.2%}", "at most 1 %"),
    ]
    publish(f"language_learning_trl_{parts}", {"taken": taken, "losses": losses, "wall": wall, "cpu": cpu}, rows)


def _order(steps: int) -> list[int]:
    order: list[int] = []
    while len(order) < steps * BATCH:
        order += random.Random(len(order)).sample(range(96), 96)
    return order[: steps * BATCH]


def _factor(step: int, steps: int) -> float:
    from glassworks.training.plan import cosine

    return cosine(warm_up=0.1, end=0.05)(step / steps)


def _trainer(ours: Ours, folder: Path, steps: int, threads: int) -> tuple[Any, Any]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from trl import SFTConfig, SFTTrainer

    from glassworks.families.tuned_language_model.network import Tuned, decoder_of

    examples = [
        example for item in ours.learner.course.items("train") for example in ours.learner.course.reading.examples(item)
    ]
    columns = {
        "input_ids": [examples[row].ids.tolist() for row in _order(steps)],
        "completion_mask": [examples[row].learned.astype(int).tolist() for row in _order(steps)],
    }
    torch.manual_seed(0)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model: Any = get_peft_model(
        decoder_of(ours.brought),
        LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=targets, task_type="CAUSAL_LM"),
    )
    network = Tuned(model)
    network.load_state_dict(ours.network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _factor(step, steps))
    config = SFTConfig(
        output_dir=str(folder / "trl"), per_device_train_batch_size=BATCH, max_steps=steps, max_grad_norm=1.0,
        gradient_checkpointing=False, bf16=False, fp16=False, use_cpu=True, report_to=[], save_strategy="no",
        logging_steps=1000, completion_only_loss=True, max_length=CONTEXT, packing=False, disable_tqdm=True,
        dataloader_num_workers=0,
    )  # fmt: skip

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    trainer = InOrder(
        model=model, args=config, train_dataset=Dataset.from_dict(columns), optimizers=(optimizer, schedule),
        processing_class=_tokenizer(ours.brought),
    )  # fmt: skip
    torch.set_num_threads(threads)
    return trainer, network


def _tokenizer(brought: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=brought.tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")


def _turns(ours: Ours, taken: dict[str, list[tuple[float, float]]], steps: int) -> Any:
    import torch
    from transformers import TrainerCallback

    class Turns(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            torch.set_num_threads(ours.processors.parts)
            self.begun = time.perf_counter(), time.process_time()

        def on_step_end(self, args: Any, state: Any, *_: Any, **__: Any) -> None:
            taken["trl"].append((time.perf_counter() - self.begun[0], time.process_time() - self.begun[1]))
            rows = _order(steps)[(state.global_step - 1) * BATCH :][:BATCH]
            taken["glassworks"].append(_timed(partial(ours.step, rows, _factor(state.global_step - 1, steps))))
            sys.stderr.write(f"{state.global_step}: trl {taken['trl'][-1]}, glassworks {taken['glassworks'][-1]}\n")

    return Turns()


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def shared(rounds: int) -> None:
    """Steps on all processors, and while another program computes on half of them without a pause; in turns."""
    processors = sorted(os.sched_getaffinity(0))
    taken: dict[str, list[float]] = {"free": [], "half taken": []}
    with tempfile.TemporaryDirectory() as name, _busy(processors[: len(processors) // 2]) as pause:
        ours = Ours(Path(name), 96, len(processors))
        order = _order(rounds)
        ours.step(order[:BATCH])
        for number in range(rounds):
            for kind in taken:
                pause(kind == "free")
                taken[kind].append(_timed(partial(ours.step, order[number * BATCH :][:BATCH]))[0])
    ratio = statistics.median(two / one for one, two in zip(*taken.values(), strict=True))
    rows = [("time of a step, half of the processors taken against free, ratio (median)", f"{ratio:.2f}", "at most 2")]
    publish("language_learning_shared", {"taken": taken, "ratio": ratio}, rows)


@contextmanager
def _busy(processors: Sequence[int]) -> Iterator[Callable[[bool], None]]:
    """Programs that compute on some processors; what is returned stops them, or lets them go on."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in processors]
    for program, processor in zip(programs, processors, strict=True):
        os.sched_setaffinity(program.pid, {processor})

    def pause(stopped: bool) -> None:
        for program in programs:
            program.send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)

    try:
        yield pause
    finally:
        for program in programs:
            program.kill()
            program.wait()


KILLS = 20
_LATER = ("final.safetensors", "build", "bundle")
"""Files of a run whose training has ended."""


def kills() -> None:
    """A tiny model through the command line, killed at moments that chance chooses: as it starts, between
    checkpoints, and as it is exported and published. Whoever is killed is started again with the same command."""
    from glassworks.families._language.synthetic import write_conversations, write_model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model", seed=0)
        write_conversations(folder / "chats.jsonl", examples=160, seed=0)
        table = '[model]\nsource = "folder:model"\nrank = 4\nanswers_shown = 1\nmax_tokens = 8\nstreams = 2\n'
        training = '[training]\nepochs = 30\ncheckpoint_every = "0.05s"\n[optimization]\nenabled = false\n'
        head = 'name = "tiny"\nfamily = "tuned_language_model"\n[data]\nsource = "jsonl:chats.jsonl"\n'
        (folder / "job.toml").write_text(head + table + training, encoding="utf-8")
        whole = _trained(folder, "whole")
        killed = [_killed(folder, random.Random(number), number) for number in range(KILLS)]
        again = _trained(folder, "killed")
    same = whole["weights_sha256"] == again["weights_sha256"]
    rows = [("kills in one tuning", str(KILLS), "20"), ("the same weights, bit for bit", str(same), "True")]
    publish("language_learning_kills", {"same": same, "moments": killed, "resumed": again["resumed"]}, rows)


def _start(folder: Path, home: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "GLASSWORKS_HOME": str(folder / home)}
    command = [sys.executable, "-m", "glassworks", "train", "job.toml", "--json"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _trained(folder: Path, home: str) -> dict[str, Any]:
    out, err = (process := _start(folder, home)).communicate()
    if process.returncode:
        raise SystemExit(err)
    found: dict[str, Any] = json.loads(out)
    return found


def _killed(folder: Path, chance: random.Random, number: int) -> str:
    """What it had done since it was started."""
    process = _start(folder, "killed")
    wanted = chance.randrange(1, 8) if number % 4 else 0
    later = _LATER[number % len(_LATER)] if number >= KILLS - len(_LATER) else ""
    seen, begun = set[int](), time.monotonic()
    pause = chance.uniform(0, 8) if not wanted and not later else chance.uniform(0, 0.2)
    while process.poll() is None:
        run = next(iter((folder / "killed" / "runs").glob("tiny-*")), folder)
        if (state := run / "state.safetensors").exists():
            seen.add(_changed(state))
        if (later and (run / later).exists()) or (not later and len(seen) >= wanted):
            time.sleep(pause)
            break
        time.sleep(0.002)
    ended = process.poll()
    process.kill()
    process.communicate()
    if ended is not None:
        raise SystemExit(f"the run ended before kill {number + 1}: give it more epochs")
    moment = f"{time.monotonic() - begun:.1f} s, {later or f'{len(seen)} checkpoints'}"
    sys.stderr.write(f"kill {number + 1}: after {moment}\n")
    return moment


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    match sys.argv[1:2]:
        case ["answers"]:
            answers()
        case ["trl"]:
            trl(number or 24, int(sys.argv[3]) if len(sys.argv) > 3 else 2)
        case ["shared"]:
            shared(number or 5)
        case ["kills"]:
            kills()
        case _:
            sys.exit(__doc__)
