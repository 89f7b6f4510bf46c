"""Parts of an answer's text: however it is cut, it reads as the whole, and no markup is shown."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from glassworks.language.answer_text import AnswerText, Reasoning
from glassworks.language.sections import Trimmed
from glassworks.language.tool_calls import Call, Form, form_of

MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<|python_tag|>", "<", "</", "<think", "</tool_call")
CALLS = ('{"name": "f", "arguments": {"a": [1, "</x>"]}}', '{"name": "g", "parameters": {}}', '{"name": 1}', '{"a": 1}')
PARTS = (*MARKS, *CALLS, "{", "}", ";", ",", " ", "\n", "text", "零", '"name"', "nul")
FORMS: tuple[Form | None, ...] = ("tags", "json", None)
Read = tuple[str, str, list[Call]]


def read(parts: list[str], *, reasoning: bool, inside: bool, form: Form | None) -> Read:
    text = AnswerText(reasoning=reasoning, inside=inside, form=form)
    found = [each for part in parts for each in text.feed(part)]
    found += text.finish()
    content = "".join(each for each in found if isinstance(each, str))
    thought = "".join(each.text for each in found if isinstance(each, Reasoning))
    return content, thought, [each for each in found if isinstance(each, Call)]


@given(
    drawn=st.lists(st.sampled_from(PARTS), max_size=12),
    cuts=st.sets(st.integers(0, 200)),
    reasoning=st.booleans(),
    inside=st.booleans(),
    form=st.sampled_from(FORMS),
)
def test_any_cutting_reads_as_the_whole(
    drawn: list[str], cuts: set[int], reasoning: bool, inside: bool, form: Form | None
) -> None:
    whole = "".join(drawn)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    parts = [whole[start:end] for start, end in pairwise(bounds)]
    settings = {"reasoning": reasoning, "inside": inside and reasoning}
    expected = read([whole], form=form, **settings)
    assert read(parts, form=form, **settings) == expected
    assert read(list(whole), form=form, **settings) == expected


CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
F, G = Call(name="f", arguments='{"a": 1}'), Call(name="g", arguments="{}")


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("plain  text \n", "tags", ("plain  text \n", "", [])),
        (CALL, "tags", ("", "", [F])),
        (f"I look.\n{CALL}\n{CALL}\n", "tags", ("I look.", "", [F, F])),
        ("\n" + CALL[:-12], "tags", ("", "", [])),
        ("<tool_call>\nnot JSON\n</tool_call>", "tags", ("not JSON", "", [])),
        (CALL.replace('{"a": 1}', json.dumps('{"a": 1}')), "tags", ("", "", [F])),
        ("a <tool_cal", "tags", ("a <tool_cal", "", [])),
        (CALL, None, (CALL, "", [])),
        ('{"name": "f", "parameters": {"a": 1}}', "json", ("", "", [F])),
        (
            '<|python_tag|>{"name": "f", "parameters": {"a": 1}}; {"name": "g", "parameters": {}}',
            "json",
            ("", "", [F, G]),
        ),
        ('{"name": "f", "parame', "json", ("", "", [])),
        ('{"city": "Paris"}', "json", ('{"city": "Paris"}', "", [])),
        ('{"name": 1}', "json", ('{"name": 1}', "", [])),
        ("{ braces", "json", ("{ braces", "", [])),
        ("text {", "json", ("text {", "", [])),
    ],
)
def test_calls(text: str, form: Form | None, expected: Read) -> None:
    assert read([text], reasoning=False, inside=False, form=form) == expected


@pytest.mark.parametrize(
    ("text", "inside", "expected"),
    [
        ("<think>\nhm, so\n</think>\n\nyes ", False, ("yes ", "hm, so", [])),
        ("hm, so\n</think>\n\nyes", True, ("yes", "hm, so", [])),
        ("hm, so", True, ("", "hm, so", [])),
        ("<think>hm <thi", False, ("", "hm <thi", [])),
        ("<think>\n\n</think>\n\nyes", False, ("yes", "", [])),
        ("a < b", False, ("a < b", "", [])),
        (f"<think>a</think>\n{CALL}", False, ("", "a", [F])),
    ],
)
def test_reasoning(text: str, inside: bool, expected: Read) -> None:
    assert read([text], reasoning=True, inside=inside, form="tags") == expected


@given(st.lists(st.text(" \na", max_size=4)))
def test_trimmed_is_the_text_without_its_ends(parts: list[str]) -> None:
    trimmed = Trimmed()
    assert "".join(trimmed.feed(part) for part in parts) == "".join(parts).strip()


def test_forms_are_known_from_templates() -> None:
    assert form_of('<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>') == "tags"
    assert form_of('Respond in the format {"name": function name, "parameters": dictionary of argument}') == "json"
    assert form_of("<tool_call>\n<function=example>") is None
    assert form_of("{{ tools | tojson }}") is None
