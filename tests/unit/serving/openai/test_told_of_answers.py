"""What is told of an answer beside it: how sure it is, and what it is like of what the model learned from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.integration.serving.running import Server
from tests.patience import PATIENCE_S

from glassworks.flow import predict
from glassworks.language.confidence import LONGEST
from glassworks.registry import Registry

ASKED: dict[str, Any] = {
    "model": "tiny-language-model",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
    "max_tokens": 6,
}


def told(of: Any) -> Any:
    return (of.model_extra or {}).get("glassworks")


def ask(client: openai.OpenAI, asked: Any, **more: Any) -> Any:
    return client.chat.completions.create(**{**ASKED, **more, "extra_body": {"glassworks": asked}})


def test_whole_and_in_parts_the_same_is_told(language_client: openai.OpenAI) -> None:
    wanted = {"confidence": True, "nearest": 2}
    (choice,) = ask(language_client, wanted, logprobs=True).choices
    found = told(choice)
    assert found["confidence"]["value"] is None  # it was cut
    assert "cut at its longest" in found["confidence"]["note"]
    own = math.fsum(each.logprob for each in choice.logprobs.content)
    assert found["confidence"]["log_probability"] == pytest.approx(own, abs=1e-3)
    assert [each["messages"][0]["content"] for each in found["nearest"]][:1] == ["Hello"]
    parts = [each for chunk in ask(language_client, wanted, stream=True) for each in chunk.choices]
    *before, last = map(told, parts)
    assert before == [None] * (len(parts) - 1)
    # A prompt is read in pieces that depend on how busy the machine is, so the last digits of its sums differ.
    near = pytest.approx(found["confidence"]["log_probability"], abs=1e-4)
    assert last == {**found, "confidence": {**found["confidence"], "log_probability": near}}
    assert parts[-1].finish_reason == "length"
    assert "".join(part.delta.content or "" for part in parts) == choice.message.content


def test_an_answer_that_ends_is_told_how_often_such_ones_are_right(language_client: openai.OpenAI) -> None:
    ends = {"258": 100}  # the token that ends an answer
    found = told(ask(language_client, {"confidence": True}, logit_bias=ends, n=2).choices[1])["confidence"]
    assert found["value"] == pytest.approx(math.exp(found["log_probability"]), rel=1e-3)  # slope 1, offset 0
    assert (found["examples"], found["tokens"]) == (200, 0)
    assert "asked for otherwise" in found["note"]


def test_of_continued_texts_too(language_client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": ASKED["model"], "prompt": "Hello", "max_tokens": 4, "temperature": 0}
    extra = {"glassworks": {"confidence": True, "nearest": 1}}
    whole = language_client.completions.create(**asked, extra_body=extra).choices[0]
    parts = list(language_client.completions.create(**asked, stream=True, extra_body=extra))
    assert told(whole)["nearest"][0]["messages"][1] == {"role": "assistant", "content": "Good day"}
    assert told(parts[-1].choices[0]) == told(whole)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"confidence": "yes"}, "glassworks.confidence"),
        ({"nearest": 21}, "glassworks.nearest"),
        ({"nearest": True}, "glassworks.nearest"),
        ({"near": 2}, "glassworks.near"),
        ("all", "glassworks"),
    ],
)
def test_wrong_options_are_refused_by_name(language_client: openai.OpenAI, asked: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(language_client, asked)
    assert caught.value.param == param


TALK: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "the red cat sees"}]


def test_an_answer_is_explained_whole_and_behind_its_parts(language_client: openai.OpenAI) -> None:
    wanted = {"explain": {"parts": "words", "spans": [[0, 1]], "seed": 3}}
    (choice,) = ask(language_client, wanted, messages=TALK).choices
    found = told(choice)["explanation"]
    assert (found["answer"], found["kind"], found["seed"]) == (choice.message.content, "words", 3)
    assert "".join(part["item"] for part in found["parts"]) == "Be brief.the red cat sees"
    assert {(part["message"], part["role"]) for part in found["parts"]} == {(0, "system"), (1, "user")}
    for part in found["parts"]:
        assert TALK[part["message"]]["content"][part["start"] : part["end"]] == part["item"]
    assert len(found["span_values"][0]) == len(found["parts"])
    assert all(0 <= token["probability"] <= 1 and token["runners_up"] for token in found["tokens"])
    assert found["trust"]
    parts = list(ask(language_client, wanted, messages=TALK, stream=True, stream_options={"include_usage": True}))
    assert parts[-1].usage.completion_tokens == 6
    (last,) = parts[-2].choices
    assert parts[-3].choices[0].finish_reason == "length"
    again = told(last)["explanation"]
    assert [part["value"] for part in again["parts"]] == pytest.approx([part["value"] for part in found["parts"]])


def test_a_continuation_is_explained_too(language_client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": ASKED["model"], "prompt": "the red cat", "max_tokens": 4, "temperature": 0}
    extra = {"glassworks": {"explain": True}}
    found = told(language_client.completions.create(**asked, extra_body=extra).choices[0])["explanation"]
    assert "".join(part["item"] for part in found["parts"]) == "the red cat"
    parts = list(language_client.completions.create(**asked, stream=True, extra_body=extra))
    assert told(parts[-1].choices[0])["explanation"]["answer"] == found["answer"]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ("all", "glassworks.explain"),
        ({"parts": "letters"}, "glassworks.explain.parts"),
        ({"method": "magic"}, "glassworks.explain.method"),
        ({"budget_ms": -1}, "glassworks.explain.budget_ms"),
        ({"budget_rows": 0}, "glassworks.explain.budget_rows"),
        ({"seed": "x"}, "glassworks.explain.seed"),
        ({"answer": "mine"}, "glassworks.explain.answer"),
        ({"methods": "leave_one_out"}, "glassworks.explain.methods"),
    ],
)
def test_wrong_ways_to_explain_are_refused_before_anything_is_answered(
    language_client: openai.OpenAI, asked: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(language_client, {"explain": asked}, stream=True)
    assert caught.value.param == param


def test_what_is_found_out_only_behind_the_answer_does_not_lose_it(language_client: openai.OpenAI) -> None:
    (choice,) = ask(language_client, {"explain": {"span": [0, 5000]}}).choices
    assert choice.message.content
    assert "is none of the answer" in told(choice)["explanation"]["error"]


def test_answers_of_the_verb_predict_say_how_often_they_are_right(language_home: Path) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(language_home)})
    (answer,) = predict("tiny-language-model", "Hello", registry)
    assert set(answer) == {"generated", "finish_reason", "confidence"}
    sure = answer["confidence"]
    assert sure["examples"] == 200
    assert (sure["value"] is None) == (answer["finish_reason"] == "length" or sure["tokens"] > LONGEST)
    assert sure["note"]


def test_over_the_open_protocol_they_do_where_it_is_asked_for(language_server: Server) -> None:
    inputs = [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["Hello"]}]
    asked = {"inputs": inputs, "parameters": {"confidence": True, "max_tokens": 3}}
    url = f"http://{language_server.address}/v2/models/tiny-language-model/infer"
    outputs = {each["name"]: each["data"] for each in httpx.post(url, json=asked, timeout=PATIENCE_S).json()["outputs"]}
    assert json.loads(outputs["confidence"][0])["tokens"] == 3
