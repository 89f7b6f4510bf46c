"""Answers that are known are measured on the graph that is served: as the tuned network scores and writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassworks.contracts import Progress
from glassworks.families._language.synthetic import write_conversations, write_model
from glassworks.families.tuned_language_model.answering import ANSWERS, show_answers
from glassworks.families.tuned_language_model.conversations import Reading
from glassworks.families.tuned_language_model.network import Tuned, decoder_of
from glassworks.families.tuned_language_model.packing import rows_of
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import Brought, bring, write
from glassworks.language.session import INPUT, LOG_LIKELIHOOD, MATCHES, OUTPUT, LanguageSession


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Brought:
    folder = tmp_path_factory.mktemp("published") / "model"
    write_model(folder, seed=0)
    return bring(folder, "folder:model")


@pytest.fixture(scope="module")
def session(brought: Brought, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageSession]:
    folder = tmp_path_factory.mktemp("written")
    write(brought, folder)
    opened = LanguageSession(folder, folder, EngineSettings(cache_tokens=4096, threads=1))
    opened.conversations = True
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("data") / "chats.jsonl"
    write_conversations(path, examples=5, seed=3)
    messages = [json.loads(line)["messages"] for line in path.read_text(encoding="utf-8").splitlines()]
    further = [*messages[0], {"role": "user", "content": "and then?"}, {"role": "assistant", "content": "好"}]
    return [json.dumps({"messages": each, "tools": []}, ensure_ascii=False) for each in [*messages, further]]


def rows(items: list[str]) -> dict[str, Any]:
    found = np.empty(len(items), object)
    found[:] = [item.encode() for item in items]
    return {INPUT: found}


def test_the_likelihood_of_answers_is_that_of_the_network(
    brought: Brought, session: LanguageSession, items: list[str]
) -> None:
    network, reading = Tuned(decoder_of(brought)), Reading.of(brought)
    counts, values = list[int](), list[float]()
    with torch.inference_mode():
        for item in items:
            (example,) = reading.examples(item)
            (row,) = rows_of([example], len(example))
            counts.append(len(row.targets))
            values.append(-float(network.loss(row)))
    found = session.run(rows(items), [LOG_LIKELIHOOD])[LOG_LIKELIHOOD]
    assert found[:, 1].tolist() == counts
    # The served graph has its weights in float16.
    np.testing.assert_allclose(found[:, 0].astype(np.float64), np.array(values), rtol=2e-3)


def test_what_it_writes_itself_matches_and_anything_else_does_not(session: LanguageSession, items: list[str]) -> None:
    asked = [_asked(items[0], f"{word} {number}?") for word in ("red", "cat", "sun") for number in range(12)]
    said = [text.decode() for text in session.run(rows(asked), [OUTPUT])[OUTPUT].tolist()]
    own = [_answered(item, text) for item, text in zip(asked, said, strict=True) if 0 < len(text.encode()) <= 60]
    assert own, "none of the answers is short"
    found = session.run(rows([*items, *own, _answered(items[0], "long " * 80)]), [MATCHES])[MATCHES]
    assert found[: len(items)].tolist() == [0.0] * len(items)
    assert found[len(items) : -1].tolist() == [1.0] * len(own)
    assert np.isnan(found[-1])


def _asked(item: str, question: str) -> str:
    found = json.loads(item)
    found["messages"][-2]["content"] = question
    return json.dumps(found, ensure_ascii=False)


def _answered(item: str, answer: str) -> str:
    found = json.loads(item)
    found["messages"][-1]["content"] = answer
    return json.dumps(found, ensure_ascii=False)


def test_answers_while_it_learns_are_those_that_are_served(
    brought: Brought, session: LanguageSession, items: list[str], tmp_path: Path
) -> None:
    network, reading = Tuned(decoder_of(brought)), Reading.of(brought)
    examples = [reading.examples(item)[0] for item in items[:3]]
    show_answers(network, examples, reading, tmp_path, Progress())
    shown = [json.loads(line) for line in (tmp_path / ANSWERS).read_text(encoding="utf-8").splitlines()]
    assert [each["expected"] for each in shown] == [json.loads(each)["messages"][1]["content"] for each in items[:3]]
    served = [text.decode() for text in session.run(rows(items[:3]), [OUTPUT])[OUTPUT].tolist()]
    assert all(whole.startswith(each["answer"][:4]) for whole, each in zip(served, shown, strict=True))
