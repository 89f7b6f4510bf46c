"""Conversations in the forms in which hubs, tables and services hold them are read as OpenAI's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import pytest

from glassworks.data.conversations.collection import read_again, read_conversations
from glassworks.data.conversations.keys import ConversationData
from glassworks.errors import DataError
from glassworks.language.conversations import messages_of, tools_of

PLAIN = [("user", "Which way?"), ("assistant", "left"), ("user", "And then?"), ("assistant", "右")]
OPENAI = {"messages": [{"role": role, "content": text} for role, text in PLAIN]}
SHARED = {"conversations": [{"from": {"user": "human"}.get(who, "gpt"), "value": text} for who, text in PLAIN]}
CALLING = {
    "conversations": [
        {"from": "human", "value": "Rain in Ulm?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Ulm"}}'},
        {"from": "observation", "value": "rain"},
        {"from": "gpt", "value": "Yes."},
    ],
    "system": "Look it up.",
    "tools": '[{"name": "weather", "description": "of a city", "parameters": {"type": "object"}}]',
}


def check(messages: Any, tools: Any) -> None:
    messages_of(messages), tools_of(tools)


def read(path: Path, **keys: Any) -> list[list[tuple[str, str]]]:
    data = ConversationData(source=f"{path.suffix.removeprefix('.')}:{path}", **keys)
    items = map(read_again, read_conversations(data, check).items)
    return [[(each["role"], each["content"]) for each in messages] for messages, _ in items]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OPENAI),
        json.dumps(SHARED),
        json.dumps(SHARED) + ",",
        json.dumps([SHARED, OPENAI]),
        json.dumps([OPENAI, SHARED], indent=2),
        json.dumps({"data": [OPENAI, SHARED]}, indent=2),
        json.dumps(OPENAI["messages"]) + "\n" + json.dumps(SHARED["conversations"]),
        json.dumps({"Conversation": SHARED["conversations"], "id": float("nan")}),
        json.dumps({"prompt": OPENAI["messages"][:3], "completion": OPENAI["messages"][3:]}),
    ],
)
def test_documents_lines_and_lists(tmp_path: Path, text: str) -> None:
    (tmp_path / "chats.jsonl").write_text(text, encoding="utf-8")
    found = read(tmp_path / "chats.jsonl")
    assert found == [PLAIN] * len(found)
    assert len(found) == (2 if "OPENAI" in text or text.count("Which") == 2 else 1)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "a?", "completion": "b", "system": "Be brief."}, ["Be brief.", "a?", "b"]),
        ({"instruction": "Translate.", "input": "cat", "output": "猫"}, ["Translate.\n\ncat", "猫"]),
        ({"instruction": "Say a word.", "input": "", "output": "cat"}, ["Say a word.", "cat"]),
    ],
)
def test_questions_and_answers(tmp_path: Path, row: Any, expected: list[str]) -> None:
    (tmp_path / "chats.jsonl").write_text(json.dumps([row]), encoding="utf-8")
    assert [[text for _, text in chat] for chat in read(tmp_path / "chats.jsonl")] == [expected]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("form", [OPENAI, SHARED])
@pytest.mark.parametrize("write", [json.dumps, repr, list])
def test_cells_of_tables(tmp_path: Path, suffix: str, form: dict[str, Any], write: Any) -> None:
    """As JSON, as pandas writes a list, and as the lists that Parquet has itself."""
    if suffix == "csv" and write is list:
        write = json.dumps
    table, path = polars.DataFrame({key: [write(value)] for key, value in form.items()}), tmp_path / f"chats.{suffix}"
    table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
    assert read(path) == [PLAIN]


def test_calls_of_tools(tmp_path: Path) -> None:
    (tmp_path / "chats.jsonl").write_text(json.dumps(CALLING), encoding="utf-8")
    (item,) = read_conversations(ConversationData(source=f"jsonl:{tmp_path / 'chats.jsonl'}"), check).items
    messages, tools = read_again(item)
    assert [each["role"] for each in messages] == ["system", "user", "assistant", "tool", "assistant"]
    (call,) = messages[2]["tool_calls"]
    assert (call["function"], messages[3]["tool_call_id"]) == (
        {"name": "weather", "arguments": {"city": "Ulm"}},
        call["id"],
    )
    assert tools[0]["function"]["name"] == "weather"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"messages": []},\n {"messages": [}]', "line 2, column 16: it begins a list of JSON, and is none"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "line 1: it is no JSON object"),
        (json.dumps([1, OPENAI]), "row 1: it is no JSON object: 1"),
        (json.dumps({"conversations": [{"from": "narrator", "value": "a"}]}), "from 'narrator'; known: human"),
        (json.dumps({"conversations": [{"from": "human", "value": 3}]}), "has the content 3"),
        (json.dumps({"conversations": [{"from": "function_call", "value": "rain"}]}), "a cell is no JSON: rain"),
        (json.dumps({"messages": "[" * 300_000}), "a cell is no JSON"),
    ],
)
def test_what_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "chats.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as raised:
        read(tmp_path / "chats.jsonl")
    assert said in raised.value.problem
