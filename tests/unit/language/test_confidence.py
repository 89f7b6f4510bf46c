"""How often answers are right is told as it is: the fit finds what was planted, the score is that of the network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from glassworks.contracts import Chunk
from glassworks.errors import BundleError, InputError, Unsupported
from glassworks.families._language.synthetic import write_model
from glassworks.language.confidence import FEWEST, Confidence, Scored, fit, report
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.nearest import VECTORS, keep, kept
from glassworks.language.session import LanguageSession
from glassworks.tasks._metrics import calibration_error, mean_square


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken")
    write_model(folder / "model", seed=0)
    (folder / "graph").mkdir()
    write(bring(folder / "model", "folder:model"), folder / "graph")
    return folder


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[LanguageSession]:
    opened = LanguageSession(folder / "graph", folder / "graph", EngineSettings(cache_tokens=4096, threads=1))
    yield opened
    opened.close()


def row() -> dict[str, Any]:
    found = np.empty(1, object)
    found[0] = b""
    return {"text": found}


def ask(session: LanguageSession, text: str, **more: Any) -> list[Chunk]:
    return list(session.stream(row(), {"messages": [{"role": "user", "content": text}], "max_tokens": 6, **more}))


def heard(chunk: Chunk, name: str) -> Any:
    return json.loads(chunk.outputs[name].tolist()[0])


def test_the_fit_finds_the_planted_slope_and_offset() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, 20_000)
    right = (random.random(20_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(np.float64)
    log_probabilities = -np.logaddexp(0, -logits)
    found = fit(log_probabilities, right)
    assert found is not None
    assert (found.slope, found.offset) == pytest.approx((0.5, -1), abs=0.05)
    sure = found.of(log_probabilities)
    assert calibration_error(sure, right).value < 0.02 < calibration_error(np.exp(log_probabilities), right).value
    assert mean_square(sure - right).value == pytest.approx(brier_score_loss(right, sure))


def test_the_calibration_error_is_that_of_the_hand() -> None:
    sure, right = np.array([0.95, 0.95, 0.95, 0.2, 0.2]), np.array([1.0, 1, 0, 0, 1])
    by_hand = 3 / 5 * abs(2 / 3 - 0.95) + 2 / 5 * abs(1 / 2 - 0.2)
    assert calibration_error(sure, right).value == pytest.approx(by_hand)


def test_few_or_unanimous_answers_give_nothing_extreme() -> None:
    assert fit(np.full(FEWEST - 1, -0.1), np.ones(FEWEST - 1)) is None
    found = fit(np.full(FEWEST, -0.1), np.ones(FEWEST))
    assert found is not None
    assert 0.9 < found.of(np.array([-0.1]))[0] < 0.999
    assert found.error > 0.02, "20 of 20 right are not 1"
    sure = fit(np.full(FEWEST, -1e-4), np.ones(FEWEST))
    assert sure is not None and sure.error > 0.02, "nor where the model is sure of itself"
    assert np.isfinite(found.of(np.array([0.0, -1e-12, -1e4, -np.inf]))).all()


def drawn(random: np.random.Generator, n: int, copies: int = 1) -> tuple[Any, Any, Any]:
    """Log-probabilities, which are right, and groups of so many near copies, of a model that is too sure of itself."""
    groups = np.arange(n) // copies
    logits = random.normal(1, 2, groups[-1] + 1)[groups]
    chance = random.random(groups[-1] + 1)[groups]
    return -np.logaddexp(0, -logits), (chance < truth(logits)).astype(np.float64), groups


def truth(logits: Any) -> Any:
    return 1 / (1 + np.exp(-(0.4 * logits - 1.5)))


@pytest.mark.parametrize(("n", "copies"), [(50, 1), (200, 1), (400, 10)])
def test_how_far_it_is_off_is_told_by_the_answers_themselves(n: int, copies: int) -> None:
    """Against the distance to the truth, the mean of 60 fits each."""
    random = np.random.default_rng(n)
    logits = random.normal(1, 2, 2000)
    told, real = list[float](), list[float]()
    for _ in range(60):
        found = fit(*drawn(random, n, copies))
        assert found is not None
        told.append(found.error)
        real.append(float(np.abs(found.of(-np.logaddexp(0, -logits)) - truth(logits)).mean()))
    assert np.mean(told) == pytest.approx(np.mean(real), rel=0.25)


def test_too_few_answers_for_what_they_say_are_told_with_how_many_are_needed() -> None:
    random = np.random.default_rng(0)
    few, many = fit(*drawn(random, 40)), fit(*drawn(random, 400))
    assert few is not None and many is not None
    answer = Scored(log_probability=-0.1, tokens=3)
    found = report(few, answer, "stop", usual=True)
    assert found["value"] is None
    assert f"fitted on 40 held-out answers, it would be off by {few.error:.2f} on average" in found["note"]
    assert f"about {few.needed} different ones are needed" in found["note"]
    assert 60 < few.needed < 150
    assert report(many, answer, "stop", usual=True)["value"] == pytest.approx(many.of(np.array([-0.1]))[0])
    copied = fit(*drawn(random, 400, copies=50))
    assert copied is not None and copied.needed > 400, "near copies tell less"


@pytest.mark.parametrize(
    ("reason", "tokens", "usual", "note"),
    [
        ("stop", 3, True, "questions like those that were held out"),
        ("stop", 3, False, "asked for otherwise"),
        ("length", 3, True, "cut at its longest"),
        ("tool_calls", 3, True, "calls of tools"),
        ("stop", 90, True, "longer than those"),
    ],
)
def test_where_it_is_not_known_the_reason_is_told(reason: str, tokens: int, usual: bool, note: str) -> None:
    known = Confidence(slope=1, offset=0, examples=40, right=20)
    found = report(known, Scored(log_probability=np.log(0.5), tokens=tokens), reason, usual=usual)
    assert note in found["note"]
    assert found["value"] == (pytest.approx(0.5) if reason == "stop" and tokens == 3 else None)
    assert report(None, Scored(log_probability=-1.0, tokens=3), "stop", usual=True)["value"] is None


def test_an_answer_is_scored_as_the_network_scores_it(session: LanguageSession, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    theirs = auto.from_pretrained(folder / "model", dtype=torch.float32)
    *_, last = ask(session, "the red cat", confidence=True, logprobs=True)
    prompt = heard(ask(session, "the red cat", tokenize=True)[0], "prompt_tokens")
    said: list[Any] = []
    for chunk in ask(session, "the red cat", logprobs=True):
        said += heard(chunk, "logprobs") if "logprobs" in chunk.outputs else []
    ids = torch.tensor([[token["id"] for token in (*prompt, *said)]])
    with torch.inference_mode():
        scores = theirs(ids).logits[0].log_softmax(-1)
    own = sum(float(scores[at - 1, ids[0, at]]) for at in range(len(prompt), ids.shape[1]))
    found = heard(last, "confidence")
    assert found["tokens"] == len(said)
    assert found["log_probability"] == pytest.approx(own, rel=2e-3)  # the served weights are in float16
    assert last.finish_reason
    assert "generated" not in last.outputs


def test_a_planted_near_copy_is_found_first(session: LanguageSession, tmp_path: Path) -> None:
    words = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "jetty")
    questions = [f"where is the {one} {other}?" for one in words for other in words if one != other]
    items = [item(question, words[number % 7]) for number, question in enumerate(questions)]
    keep(tmp_path, items, session.embed)
    found = kept(tmp_path)
    assert found is not None
    for at in (0, 40, 80):
        near = found.nearest(f"where was the {questions[at][13:]}\n{words[at % 7]}", session.embed, 3)
        assert json.loads(items[at])["messages"] == near[0]["messages"]
        assert [each["similarity"] for each in near] == sorted((each["similarity"] for each in near), reverse=True)


def test_what_is_not_kept_is_refused_before_anything_is_written(session: LanguageSession) -> None:
    with pytest.raises(Unsupported, match="keeps none of what it learned from"):
        next(session.stream(row(), {"messages": [{"role": "user", "content": "a"}], "nearest": 3}))
    with pytest.raises(InputError, match="nearest is 21"):
        next(session.stream(row(), {"nearest": 21}))


def test_files_that_do_not_belong_together_are_refused(session: LanguageSession, tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    keep(tmp_path, [item("a?", "b"), item("c?", "d")], session.embed)
    (tmp_path / VECTORS).write_bytes(b"no vectors")
    with pytest.raises(BundleError, match="cannot be read"):
        kept(tmp_path)


def item(question: str, answer: str) -> str:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages, "tools": []}, ensure_ascii=False)
