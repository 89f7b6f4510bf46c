"""FeedbackMemory: durable, once by event id, and known to the next answer; also when the process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.recommendation.shops import ask, bundle, opened, shop, weights

import glassworks
from glassworks.errors import InputError, StorageError
from glassworks.recommendation.feedback import FeedbackMemory

WRITER = """
import sys
from pathlib import Path
from glassworks.recommendation.feedback import FeedbackMemory
memory = FeedbackMemory(Path(sys.argv[1]))
for number in range(100000):
    memory.learn({"events": [{"id": f"{number}-{part}", "user": 1, "item": number} for part in "ab"]})
    print(number, flush=True)
"""


def event(name: str, item: int, **more: Any) -> dict[str, Any]:
    return {"id": name, "user": 104, "item": item, **more}


def test_the_next_answer_uses_it_and_an_event_counts_once(tmp_path: Path) -> None:
    session = opened(weights(), shop(), tmp_path)
    memory = FeedbackMemory(tmp_path / "feedback.sqlite")
    session.remember(memory)
    (before,) = ask(session, {"user": 104, "k": 5})
    first = before["items"][0]["item"]
    assert memory.learn({"events": [event("e1", first)]}) == {"accepted": 1, "repeated": 0}
    (after,) = ask(session, {"user": 104, "k": 5})
    assert first not in [each["item"] for each in after["items"]]
    twice = {"events": [event("e1", first), event("e2", 9999), event("e2", 9999)]}
    assert memory.learn(twice) == {"accepted": 1, "repeated": 2}
    (last,) = ask(session, {"user": 104, "k": 5})
    assert last["items"] == after["items"]
    assert last["unknown_items"] == [9999]
    memory.close()
    again = opened(weights(), shop(), tmp_path)
    again.remember(FeedbackMemory(tmp_path / "feedback.sqlite"))
    assert ask(again, {"user": 104, "k": 5}) == [last]


def test_who_was_not_known_is_known_by_what_was_reported(tmp_path: Path) -> None:
    session = opened(weights(), shop(), tmp_path)
    session.remember(memory := FeedbackMemory(tmp_path / "feedback.sqlite"))
    memory.learn({"events": [{"id": "n1", "user": "new", "item": 30}]})
    reported, given = ask(session, {"user": "new", "k": 4}, {"history": [30], "k": 4})
    assert reported["basis"] == "history"
    assert reported["items"] == given["items"]


def test_the_latest_word_about_an_item_counts_whatever_the_order(tmp_path: Path) -> None:
    memory = FeedbackMemory(tmp_path / "feedback.sqlite")
    memory.learn({"events": [event("late", 10, weight=0, time=200), event("early", 10, weight=1, time=100)]})
    assert memory.of(104) == [(10, 0.0)] == memory.of("104")
    memory.learn({"events": [event("later", 10, weight=0.5, time=300)]})
    assert memory.of(104) == [(10, 0.5)]


@pytest.mark.parametrize("others", [0, 3_000])
def test_an_answer_reads_what_is_new_of_its_user_and_a_start_reads_nothing(others: int, tmp_path: Path) -> None:
    file = tmp_path / "feedback.sqlite"
    memory, steps = FeedbackMemory(file), list[int]()
    for begin in range(0, 4_000, 2_000):
        memory.learn({"events": [event(f"a{k}", k) for k in range(begin, begin + 2_000)]})
    if others:
        memory.learn({"events": [{"id": f"b{k}", "user": k, "item": k} for k in range(others)]})
    again = FeedbackMemory(file)
    assert not again._known
    assert len(again.of(104)) == 4_000
    memory.learn({"events": [event("last", 9_999)]})
    again._reader.set_progress_handler(lambda: steps.append(1), 10)
    assert len(again.of(104)) == 4_001
    assert len(again.of(104)) == 4_001
    assert len(steps) < 50


def test_of_very_many_items_those_met_last_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.recommendation.feedback._MOST", 10)
    monkeypatch.setattr("glassworks.recommendation.feedback._CACHED", 25)
    memory = FeedbackMemory(tmp_path / "feedback.sqlite")
    for user in range(5):
        for begin in range(0, 30, 10):
            reported = [{"id": f"{user}-{k}", "user": user, "item": k} for k in range(begin, begin + 10)]
            memory.learn({"events": reported})
    for _ in range(2):
        for user in range(5):
            assert [item for item, _ in memory.of(user)] == list(range(20, 30))
            assert memory._cached == sum(len(reported.items) for reported in memory._known.values()) <= 25


@pytest.mark.skipif(os.name != "posix", reason="modes of files are of POSIX")
def test_only_the_owner_reads_what_people_did(tmp_path: Path) -> None:
    file = tmp_path / "feedback" / "shop.sqlite"
    memory = FeedbackMemory(file)
    memory.learn({"events": [event("e1", 10)]})
    modes = {each.name: each.stat().st_mode & 0o777 for each in file.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    memory.close()
    file.chmod(0o644)  # as older versions left it
    FeedbackMemory(file).close()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "feedback.sqlite"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(40)] if process.stdout else []
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read() if process.stdout else ""
    acknowledged = int((rest.split() or lines)[-1])
    memory = FeedbackMemory(file)
    kept = [item for item, _ in memory.of(1)]
    assert kept[: acknowledged + 1] == list(range(acknowledged + 1))
    # An acknowledged event is known; what was not acknowledged is kept whole or not at all.
    parts = [{"id": f"{kept[-1]}-{part}", "user": 1, "item": kept[-1]} for part in "ab"]
    assert memory.learn({"events": parts}) == {"accepted": 0, "repeated": 2}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": []},
        {"events": [{"id": "", "user": 1, "item": 1}]},
        {"events": [{"id": "x", "user": 1}]},
        {"events": [{"id": "x", "user": 1, "item": 1, "weight": -1}]},
        {"events": [event("good", 10), {"id": "x", "user": 1, "item": 1.5}]},
        {"events": [event("x", 1)], "more": 1},
        {"events": [event("x", 10**30)]},
        {"events": [event("x", "\ud800")]},  # type: ignore[arg-type]
        {"events": [{**event("x", 1), "user": "\ud800"}]},
    ],
)
def test_what_is_no_event_is_refused_and_nothing_of_it_kept(tmp_path: Path, body: dict[str, Any]) -> None:
    memory = FeedbackMemory(tmp_path / "feedback.sqlite")
    with pytest.raises(InputError) as caught:
        memory.learn(json.loads(json.dumps(body)))
    assert caught.value.mend.startswith("send ")
    assert not memory.of(104)
    assert memory.learn({"events": [event("next", 10)]}) == {"accepted": 1, "repeated": 0}


def test_an_event_that_cannot_be_written_leaves_the_next_ones_a_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = FeedbackMemory(tmp_path / "feedback.sqlite")
    with monkeypatch.context() as broken, pytest.raises(OverflowError):
        broken.setattr(FeedbackMemory, "_insert", lambda self, event: (10**30).to_bytes(1))
        memory.learn({"events": [event("e1", 10)]})
    assert memory.learn({"events": [event("e1", 10)]}) == {"accepted": 1, "repeated": 0}


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "feedback.sqlite"
    file.write_bytes(b"no database at all " * 100)
    with pytest.raises(StorageError, match="cannot open the feedback"):
        FeedbackMemory(file)


def test_another_process_is_heard_and_none_waits_for_the_other(tmp_path: Path) -> None:
    file = tmp_path / "feedback.sqlite"
    one, other = FeedbackMemory(file), FeedbackMemory(file)
    assert not other.of(104)
    one.learn({"events": [event("e1", 10)]})
    assert other.of(104) == [(10, 1.0)] == one.of(104)
    other.learn({"events": [event("e2", 20), event("e1", 30)]})
    assert one.of(104) == [(10, 1.0), (20, 1.0)]


def test_python_reports_and_asks_as_a_service_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    model = str(bundle(tmp_path / "shop"))
    (before,) = glassworks.predict(model, b'{"user": "new", "k": 5}')
    assert before["basis"] == "popularity"
    reported = [{"id": "e1", "user": "new", "item": 30}]
    assert glassworks.feedback(model, reported) == {"accepted": 1, "repeated": 0}
    assert glassworks.feedback(model, reported) == {"accepted": 0, "repeated": 1}
    (after,) = glassworks.predict(model, b'{"user": "new", "k": 5}')
    assert after["basis"] == "history"
    explanation, _ = glassworks.explain(model, b"new", method="history_contributions")
    assert [name["item"] for name in explanation.names] == [30]
    with pytest.raises(InputError):
        glassworks.feedback(model, [])
