"""Which part of a prompt drove an answer: against scoring every whole prompt with no cache, and enumerated orders."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from glassworks.contracts import Budget
from glassworks.errors import InputError
from glassworks.families._language.synthetic import write_model
from glassworks.language.attribution import PromptAttribution, attribute
from glassworks.language.attribution.asking import question_and_aim
from glassworks.language.attribution.subject import PromptSubject
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.session import LanguageSession

TEXT = "The red cat sees 今天天气好。 A bird sleeps."
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "What is <|im_end|> red?"},
    {"role": "assistant", "content": ""},
    {"role": "user", "content": [{"type": "text", "text": "Say"}, {"type": "text", "text": "it."}]},
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageSession]:
    folder = tmp_path_factory.mktemp("attributed")
    write_model(folder / "model", seed=3)
    (folder / "written").mkdir()
    write(bring(folder / "model", "here"), folder / "written")
    opened = LanguageSession(folder / "written", folder / "written", EngineSettings(cache_tokens=4096, threads=1))
    yield opened
    opened.close()


def explained(session: LanguageSession, text: str = TEXT, how: Any = None, **asked: Any) -> PromptAttribution:
    return attribute(session, *question_and_aim(text, asked), grade=False, **(how or {}))


def likelihood(session: LanguageSession, text: str, answer: str, messages: Any = None) -> float:
    """Of an answer after a prompt that is scored as a whole, by the plain way."""
    if messages is None:
        prompt = session.prompt_ids(text, {}) if text else [session.first_token]
    else:
        prompt = session.prompt_ids("", {"messages": messages})
    ids = session.tokenizer.encode(answer)
    scores = session.scorer().score([*prompt, *ids])[-len(ids) :]
    return sum(score.log_probability for score in scores)


def test_leave_one_out_is_what_a_whole_prompt_without_the_part_loses(session: LanguageSession) -> None:
    found = explained(session, answer="a bird")
    assert "".join(part["item"] for part in found.parts) == TEXT
    whole = likelihood(session, TEXT, "a bird")
    for part, value in zip(found.parts, found.values, strict=True):
        left = TEXT[: part["start"]] + TEXT[part["end"] :]
        assert value == pytest.approx(whole - likelihood(session, left, "a bird"), abs=1e-4)
    assert found.score == pytest.approx(whole, abs=1e-4)
    assert found.calls < 0.75 * len(found.parts)


def test_turns_without_their_words_keep_the_template(session: LanguageSession) -> None:
    found = explained(session, "", messages=CHAT, answer="ok", parts="turns")
    assert [(part["message"], part["item"]) for part in found.parts] == [
        (0, "Be short."),
        (1, "What is <|im_end|> red?"),
        (3, "Say\nit."),
    ]
    whole = likelihood(session, "", "ok", CHAT)
    for part, value in zip(found.parts, found.values, strict=True):
        left = [{**each, "content": ""} if number == part["message"] else each for number, each in enumerate(CHAT)]
        assert value == pytest.approx(whole - likelihood(session, "", "ok", left), abs=1e-4)


def test_shapley_is_the_mean_over_all_orders_and_adds_up(session: LanguageSession) -> None:
    text, answer, other = "one two three four five", "six", "dog"
    found = explained(session, text, {"method": "partition_shapley"}, answer=answer, against=other)
    parts = [part["item"] for part in found.parts]
    assert len(parts) == 5

    def worth(kept: frozenset[int]) -> float:
        left = "".join(part for number, part in enumerate(parts) if number in kept)
        return likelihood(session, left, answer) - likelihood(session, left, other)

    worths = {
        frozenset(kept): worth(frozenset(kept)) for size in range(6) for kept in itertools.combinations(range(5), size)
    }
    expected = np.zeros(5)
    for order in itertools.permutations(range(5)):
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            expected[player] += (worths[before | {player}] - worths[before]) / math.factorial(5)
    assert found.values == pytest.approx(expected, abs=2e-4)
    assert sum(found.values) == pytest.approx(found.score - (found.baseline_score or 0), abs=2e-4)
    assert found.against == other


def test_spans_of_the_answer_add_up_to_the_whole_and_its_tokens_are_told(session: LanguageSession) -> None:
    found = explained(session, answer="好 ab", spans=[[0, 1], [1, 4]], top=3)
    assert np.sum(found.span_values, axis=0) == pytest.approx(np.array(found.values), abs=1e-4)
    assert [(token["start"], token["end"]) for token in found.tokens] == [(0, 1)] * 3 + [(1, 2), (2, 3), (3, 4)]
    for token in found.tokens:
        assert 0 < token["probability"] <= 1
        assert 0 < token["entropy"] <= math.log(session.tokenizer.size)
        assert len(token["runners_up"]) >= 3
    alone = explained(session, answer="好 ab", span=[1, 4])
    assert alone.values == pytest.approx(found.span_values[1], abs=1e-6)


def test_a_written_answer_is_the_models_own_and_grades_beat_nothing_by_chance(session: LanguageSession) -> None:
    found = attribute(session, *question_and_aim(TEXT, {"max_tokens": 4, "parts": "sentences"}), seed=1)
    ids, text, _ = session.answered(TEXT, {"max_tokens": 4})
    assert found.answer.encode() == text
    assert [token["id"] for token in found.tokens] == ids
    assert {"comprehensiveness", "sufficiency", "faithfulness_z"} <= found.quality.keys()


def test_a_budget_makes_parts_coarser_and_says_so(session: LanguageSession) -> None:
    text = "Some words here. " * 12
    found = explained(session, text, {"budget": Budget(max_rows=8)}, answer="x")
    assert len(found.parts) <= 6
    assert "".join(part["item"] for part in found.parts) == text
    assert any("48 words" in note and "groups of sentences" in note for note in found.notes)


def test_rows_of_a_budget_hold_the_grade_too(session: LanguageSession) -> None:
    for method in ("leave_one_out", "partition_shapley", "kernel_shap"):
        for rows in (5, 60, 90):
            found = attribute(
                session,
                *question_and_aim(TEXT, {"answer": "x"}),
                method=method,
                budget=Budget(max_rows=rows),
            )
            assert found.rows <= rows
            assert bool(found.quality) == (rows == 90)


def test_a_check_ends_it_between_two_calls(session: LanguageSession) -> None:
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise InterruptedError

    question, aim = question_and_aim(TEXT, {"answer": "x"})
    subject = PromptSubject(session, question, aim, Budget(), check)
    view = subject.view("predict")
    with pytest.raises(InterruptedError):
        for rows in (view.example, view.baseline, view.example * 0):
            view.session.run({"parts": rows})
            view.session.run({"parts": np.eye(len(subject.names), dtype=np.float32)[:, None]})
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"parts": "letters"}, "parts is 'letters'"),
        ({"span": [0, 9], "answer": "ab"}, "the span"),
        ({"span": [2, 1], "answer": "ab"}, "the span"),
        ({"answer": ""}, "answer is ''"),
        ({"against": ""}, "against is ''"),
        ({"passages": [[0, 3], [2, 4]]}, "overlap"),
        ({"passages": [[0, 0, 3]]}, "in no message"),
        ({"spans": [[0]]}, "spans holds"),
        ({"tools": [1]}, "without messages"),
        ({"answer": "x" * 600}, "context_length_exceeded"),
        ({"else": 1}, "'else' is not known"),
    ],
)
def test_what_cannot_be_explained_is_refused_by_name(session: LanguageSession, asked: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        explained(session, **asked)
