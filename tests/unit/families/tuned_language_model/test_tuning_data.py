"""What people send to learn from: each bad line is named by number and reason, nothing leaks, too little is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from glassworks.data.conversations.keys import ConversationData
from glassworks.errors import ConfigError, DataError
from glassworks.families._language.synthetic import write_model
from glassworks.families.tuned_language_model.conversations import Reading, prepare
from glassworks.language.importing import bring

WORDS = tuple(
    "amber birch cedar dune ember fjord grove heath inlet jetty knoll lagoon marsh nook oasis pier quarry reef".split()  # noqa: SIM905
)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    folder = tmp_path_factory.mktemp("published") / "model"
    write_model(folder, seed=0)
    return Reading.of(bring(folder, "folder:model"))


def chat(question: str, answer: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def good(count: int = 40) -> list[dict[str, Any]]:
    pairs = [(one, other) for one in WORDS for other in WORDS if one != other]
    return [chat(f"{one} and {other}, which?", one) for one, other in pairs[:: len(pairs) // count][:count]]


def write(folder: Path, rows: Sequence[Any]) -> ConversationData:
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "chats.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ConversationData(source=f"jsonl:{folder / 'chats.jsonl'}")


def test_every_conversation_is_in_one_part(reading: Reading, tmp_path: Path) -> None:
    dataset = prepare(write(tmp_path, [*good(), good()[0]]), reading)
    items = [item for split in dataset.splits.values() for item in split.x.tolist()]
    assert len(items) == len(set(items)) == len(good())
    assert "1 copies are left out" in " ".join(dataset.findings)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('{"messages": [', "line 41: it is no JSON object"),
        ('["a"]', "line 41: it is no JSON object"),
        ({"text": "a"}, "line 41: it has neither 'messages' nor 'prompt'"),
        (chat("a?", ""), r"line 41: messages\[1\] is an empty answer"),
        (chat("a?", None), r"line 41: messages\[1\] has the content None"),
        ({"messages": "hello"}, "line 41: a cell is no JSON"),
        ({"messages": []}, r"line 41: messages are \[\]"),
        ({"messages": [{"role": "bot", "content": "a"}]}, "line 41: messages.0. has the role 'bot'"),
        ({"messages": chat("a?", "b")["messages"][:1]}, "line 41: no message is the assistant's"),
        (chat("long " * 400, "b"), "line 41: it has [0-9,]+ tokens, the context holds 512"),
        ({"prompt": " ", "completion": "b"}, "line 41: 'prompt' or 'completion' is empty"),
    ],
)
def test_a_bad_line_is_left_out_by_number_and_reason(reading: Reading, tmp_path: Path, row: Any, why: str) -> None:
    dataset = prepare(write(tmp_path, [*good(), row]), reading)
    assert dataset.examples == len(good())
    (finding,) = dataset.findings
    assert finding.startswith("1 conversations are left out")
    assert re.search(why, finding), finding


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no conversation"),
        (good()[:5], "holds 5 distinct conversations, 10 are the fewest"),
        ([chat(f"{word}?", "yes") for word in WORDS], "answers everything alike: 'yes'"),
        ([*good(20), *["{"] * 5], "5 of 25 conversations cannot be used: line 21: it is no JSON object"),
    ],
)
def test_too_little_to_learn_from_is_refused(reading: Reading, tmp_path: Path, rows: list[Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        prepare(write(tmp_path, rows), reading)


def test_questions_and_answers_in_columns(reading: Reading, tmp_path: Path) -> None:
    rows = [{"prompt": each["messages"][0]["content"], "completion": each["messages"][1]["content"]} for each in good()]
    data = write(tmp_path, rows).model_copy(update={"system": "Be brief."})
    item = prepare(data, reading).splits["train"].x[0]
    assert [each["role"] for each in json.loads(item)["messages"]] == ["system", "user", "assistant"]


def test_near_copies_are_on_one_side_unless_all_are(reading: Reading, tmp_path: Path) -> None:
    twins = [chat(f"{each['messages'][0]['content']} Say it!", each["messages"][1]["content"]) for each in good()[:6]]
    dataset = prepare(write(tmp_path, [*good(), *twins]), reading)
    part = {json.loads(item)["messages"][0]["content"]: name for name, s in dataset.splits.items() for item in s.x}
    for twin in twins:
        question = twin["messages"][0]["content"]
        assert part[question] == part[question.removesuffix(" Say it!")]
    form = "which of the two following words would you rather have for your breakfast tomorrow morning"
    alike = [chat(f"{form}: {each['messages'][0]['content']}", each["messages"][1]["content"]) for each in good()]
    (finding,) = prepare(write(tmp_path, alike), reading).findings
    assert "near copies of each other: they are on all sides" in finding


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "model", seed=0)
    described = tmp_path / "model" / "tokenizer_config.json"
    described.write_text(json.dumps({"eos_token": "<|im_end|>"}))
    with pytest.raises(ConfigError, match="no chat template"):
        Reading.of(bring(tmp_path / "model", "folder:model"))


def test_files_and_a_column_say_the_parts_of_conversations(reading: Reading, tmp_path: Path) -> None:
    rows = good(40)
    for name, some in (("learn", rows[:30]), ("measure", rows[28:])):
        (tmp_path / name).mkdir()
        write(tmp_path / name, some)
    files = {"train": f"jsonl:{tmp_path}/learn/chats.jsonl", "test": f"{tmp_path}/measure/chats.jsonl"}
    dataset = prepare(ConversationData.model_validate({"split": files}), reading)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sizes["test"] == 12 and sum(sizes.values()) == 40
    assert any(each.startswith("2 examples are copies") for each in dataset.findings)
    parts = [{**row, "fold": "test" if n >= 28 else "train"} for n, row in enumerate(rows)]
    data = write(tmp_path, parts).model_copy(update={"split": "fold"})
    assert len(prepare(data, reading).splits["test"]) == 12
    with pytest.raises(DataError, match="line 1: the part is empty"):
        prepare(write(tmp_path, rows).model_copy(update={"split": "fold"}), reading)


def test_tables_of_pandas(reading: Reading, tmp_path: Path) -> None:
    path = tmp_path / "chats.csv"
    rows = [f"{one} {number}?,{one if number else 'NaN'}" for number, one in enumerate(WORDS)]
    path.write_text("\n".join(["Prompt, Completion", *rows]) + "\n", encoding="utf-8")
    dataset = prepare(ConversationData(source=f"csv:{path}"), reading)
    items = " ".join(item for split in dataset.splits.values() for item in split.x.tolist())
    assert "NaN" not in items
    assert "1 conversations are left out: row 1" in " ".join(dataset.findings)
