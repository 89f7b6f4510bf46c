"""Templates fill in values, formulas compute, schemas check items: each with bounded work, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from glassworks.evals.formulas import Formula
from glassworks.evals.item_schema import checker
from glassworks.evals.templates import Missing, template
from glassworks.serving.failures import WrongParameter

VALUES: Any = {
    "item": {"q": "2+2", "n": 4, "tags": ["a", {"b": "c"}], "问": "答", "a b": "d", "none": None},
    "sample": {"output_text": "four", "output_json": {"x": 1.5}},
}
NAMES = ["accuracy", "style"]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{item.q}}={{ sample.output_text }}", "2+2=four"),
        ("{{item.n}} {{sample.output_json.x}}", "4 1.5"),
        ("{{item.tags[1].b}} {{item.tags}}", 'c ["a", {"b": "c"}]'),
        ('{{item.问}} {{item["a b"]}} {{item.none}}', "答 d null"),
        ("plain } { text", "plain } { text"),
    ],
)
def test_values_are_filled_in(text: str, filled: str) -> None:
    assert template(text, "input").filled(VALUES) == filled


@settings(max_examples=40)
@given(st.text())
def test_what_is_filled_in_is_not_looked_at_again(text: str) -> None:
    assert template("<{{item.q}}>", "input").filled({"item": {"q": text}}) == f"<{text}>"


@pytest.mark.parametrize(
    "text",
    ["{{item.__class__()}}", "{{7*7}}", "{{item.q|upper}}", "{{config}}", "{{item.q", "{% if x %}{{}}", "{{item..q}}"],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(WrongParameter) as refused:
        template(text, "testing_criteria[0].input")
    assert "{{item.NAME}}" in refused.value.mend


@pytest.mark.parametrize("text", ["{{item.absent}}", "{{item.q.x}}", "{{item.__class__}}", "{{item.tags[9]}}"])
def test_what_is_not_there_is_said(text: str) -> None:
    with pytest.raises(Missing, match="there is no item"):
        template(text, "input").filled(VALUES)


def test_templates_are_bounded() -> None:
    with pytest.raises(WrongParameter, match="names 201 values"):
        template("{{item.q}}" * 201, "input")
    with pytest.raises(Missing, match="more than"):
        template("{{item.q}}" * 100, "input").filled({"item": {"q": "x" * 10_000}})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5 * accuracy + 0.5 * style", 0.75),
        ("accuracy ^ 2 - -style", 1.5),
        ("max(accuracy, style, 3) / 2", 1.5),
        ("sqrt(floor(accuracy + 3.5))", 2.0),
    ],
)
def test_formulas_are_computed(text: str, value: float) -> None:
    assert Formula(text, NAMES, "calculate_output")({"accuracy": 1.0, "style": 0.5}) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "accuracy.real", "other", "(lambda: 1)()", "[1][0]", "'a'", "accuracy and 1",
        "min()", "abs(1, 2)", "-" * 200 + "1", "1 +", "", "10 ^ 1e999", "True",
    ],
)  # fmt: skip
def test_formulas_are_nothing_but_arithmetic(text: str) -> None:
    with pytest.raises(WrongParameter):
        Formula(text, NAMES, "calculate_output")


@pytest.mark.parametrize("text", ["1 / (accuracy - accuracy)", "9 ^ 9 ^ 9 ^ 9", "log(0)", "exp(9999)"])
def test_formulas_that_give_no_number_say_so(text: str) -> None:
    with pytest.raises((ArithmeticError, ValueError)):
        Formula(text, NAMES, "calculate_output")({"accuracy": 1.0, "style": 0.5})


def test_items_are_checked_against_their_schema() -> None:
    answer = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/answer"}}, "$defs": {"answer": answer}}
    check = checker(schema, "item_schema")
    assert check({"a": {"text": "x"}}) == ""
    assert check({"a": {"text": 1}}) == 'a.text: 1 is not of type "string"'
    assert checker({"type": "object", "properties": {"p": {"pattern": "^(a+)+$"}}}, "s")({"p": "a" * 50_000 + "b"})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/hostname"},
        {"$dynamicRef": "#x"},
        {"type": "strange"},
        {"properties": {"p": {"pattern": "(?=a)b"}}},
        {"$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 9} for n in range(30)}, "$ref": "#/$defs/0"},
        {"enum": ["x" * 70_000]},
        [],
    ],
)
def test_schemas_that_never_end_are_refused(schema: Any) -> None:
    with pytest.raises(WrongParameter):
        checker(schema, "item_schema")


def test_a_schema_that_is_nested_beyond_the_parsers_depth_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"properties": {"a": schema}}
    with pytest.raises(WrongParameter, match="s is nested too deeply"):
        checker(schema, "s")
