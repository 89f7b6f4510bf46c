"""The ledger adds up to what was recorded, whoever dies when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.patience import PATIENCE_S
from tests.unit.serving.access.hands import DAY, Hands

from glassworks.errors import StorageError
from glassworks.serving.access import ledger as ledger_module
from glassworks.serving.access.ledger import Ledger, Usage
from glassworks.serving.supervision import Supervisor, Trouble

USAGE = st.builds(
    Usage,
    key_id=st.sampled_from(["a", "b"]), model=st.sampled_from(["digits", "评论"]), version=st.sampled_from("12"),
    requests=st.integers(0, 5), rows=st.integers(0, 100), tokens=st.integers(0, 10**12),
    compute_us=st.integers(0, 10**9), verb=st.sampled_from(["infer", "explain"]), ok=st.booleans(),
    prompt_tokens=st.integers(0, 10**6), cached_tokens=st.integers(0, 10**6), completion_tokens=st.integers(0, 10**6),
)  # fmt: skip

AMOUNTS = ("rows", "tokens", "compute_us", "prompt_tokens", "cached_tokens", "completion_tokens")


def counted(ledger: Ledger) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for total in ledger.totals():
        group = (total.key_id, total.model, total.version, total.verb)
        for name in ("requests", "errors", *AMOUNTS):
            found[*group, name] += getattr(total, name)
    return +found


def by_hand(entries: list[Usage]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for entry in entries:
        group = (entry.key_id, entry.model, entry.version, entry.verb)
        found[*group, "requests"] += entry.requests
        # More of a request that is counted already may fail too.
        found[*group, "errors"] += 0 if entry.ok else entry.requests or 1
        for name in AMOUNTS:
            found[*group, name] += getattr(entry, name)
    return +found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(st.lists(USAGE, max_size=6), max_size=8), folds=st.sets(st.integers(0, 7)))
def test_everything_adds_up_however_it_is_folded(
    turns: list[list[Usage]], folds: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("home"), Hands().clock, segment_bytes=300)
    for number, turn in enumerate(turns):
        ledger.record(turn)
        if number in folds:
            ledger.fold()
    wanted = by_hand([entry for turn in turns for entry in turn])
    assert counted(ledger) == wanted
    ledger.close()
    ledger.fold()
    assert counted(ledger) == wanted
    assert ledger.fold() == 0


def test_days_are_apart_and_can_be_asked_for(ledger: Ledger, hands: Hands) -> None:
    ledger.record([Usage("a", "digits", "1", rows=2)])
    hands.turn(43_200)
    ledger.record([Usage("a", "digits", "1", rows=5), Usage("b", "other", "1")])
    assert [(total.day, total.rows) for total in ledger.totals(key="a")] == [(DAY, 2), ("2026-01-03", 5)]
    assert [total.key_id for total in ledger.totals(day="2026-01-03", model="other")] == ["b"]
    assert {key: sums.rows for key, sums in ledger.today().items()} == {"a": 5, "b": 1}


def test_a_segment_in_use_is_left_alone(ledger: Ledger, home: Path, hands: Hands) -> None:
    ledger.record([Usage("a", "digits", "1")])
    other = Ledger(home, hands.clock)
    assert other.fold() == 0
    ledger.record([Usage("a", "digits", "1")])
    assert counted(other)["a", "digits", "1", "infer", "requests"] == 2
    ledger.close()
    assert other.fold() == 1


def test_a_half_line_and_a_damaged_one_do_not_count(
    ledger: Ledger, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.record([Usage("a", "digits", "1")])
    ledger.close()
    (path,) = (home / "usage").glob("*.jsonl")
    path.write_bytes(b"{damaged}\n" + path.read_bytes() + path.read_bytes()[:-5])
    assert counted(ledger)["a", "digits", "1", "infer", "requests"] == 1
    assert "line 1 of" in caplog.text


def test_a_full_disk_is_told_once_and_leaves_whole_lines(
    home: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor()
    ledger = Ledger(home, hands.clock, supervisor=supervisor)
    ledger.record([Usage("a", "digits", "1")])
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:7]))
    for _ in range(3):
        with pytest.raises(StorageError, match="the disk is full"):
            ledger.record([Usage("a", "digits", "1", requests=2)])
    monkeypatch.undo()
    ledger.record([Usage("a", "digits", "1")])
    assert ledger.lost == 6
    assert [record.message for record in caplog.records if "is not recorded" in record.message] == [
        f"usage ledger: {supervisor.troubles['usage ledger'].last}"
    ]
    assert supervisor.troubles["usage ledger"] == Trouble(1, supervisor.troubles["usage ledger"].last, "", 6)
    assert counted(ledger)["a", "digits", "1", "infer", "requests"] == 2


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_fold_that_is_cut_counts_once(
    moment: str, ledger: Ledger, home: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fold dies before its transaction, in it, or between it and the deletion of the file."""

    class Cut(BaseException):
        pass

    put = ledger_module._put

    def cut(*arguments: object) -> None:
        if moment == "within":
            put(*arguments)  # type: ignore[arg-type]
        raise Cut

    def keep(self: Path, missing_ok: bool = False) -> None:
        raise Cut

    entries = [Usage("a", "digits", "1", rows=7), Usage("b", "digits", "2", ok=False)]
    ledger.record(entries)
    ledger.close()
    if moment == "after":
        monkeypatch.setattr(Path, "unlink", keep)
    else:
        monkeypatch.setattr(ledger_module, "_put", cut)
    with pytest.raises(Cut):
        ledger.fold()
    monkeypatch.undo()
    other = Ledger(home, hands.clock)
    assert counted(other) == by_hand(entries)
    assert other.fold() == 1
    assert counted(other) == by_hand(entries)
    assert list((home / "usage").glob("*.jsonl")) == []


WRITER = """
import sys
from pathlib import Path
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.ledger import Ledger, Usage
ledger = Ledger(Path(sys.argv[1]), Clock(), segment_bytes=2000)
for number in range(10**9):
    ledger.record([Usage("a", "digits", "1", rows=3)])
    sys.stdout.write("."); sys.stdout.flush()
    if number % 40 == 39:
        ledger.fold()
"""


def test_writers_killed_at_any_moment_lose_nothing_acknowledged(home: Path, hands: Hands) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE) for _ in range(2)]
    acknowledged = 0
    for number, writer in enumerate(writers):
        assert writer.stdout is not None
        acknowledged += len(writer.stdout.read(400 + 37 * number))
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += len(writer.stdout.read())
        writer.wait(timeout=PATIENCE_S)
        writer.stdout.close()
    ledger = Ledger(home, hands.clock)
    for _ in range(2):
        requests = sum(total.requests for total in ledger.totals())
        # Each writer may have been killed between its record and its dot.
        assert acknowledged <= requests <= acknowledged + len(writers)
        assert sum(total.rows for total in ledger.totals()) == 3 * requests
        ledger.fold()
