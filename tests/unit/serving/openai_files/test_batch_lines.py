"""The input of a batch is looked at whole before anything is asked, and its answers survive any kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glassworks.serving.batches.journal import Journal
from glassworks.serving.batches.lines import body_of, read_lines

ENDPOINT = "/v1/embeddings"


def line(number: int = 1, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "input": f"text {number}"}
    return {"custom_id": f"id-{number}", "method": "POST", "url": ENDPOINT, "body": body, **more}


def written(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines))
    return path


def test_requests_are_found_with_their_bodies(tmp_path: Path) -> None:
    path = written(tmp_path / "in", line(1), b"", b"  \r", line(2, body={"model": "m", "input": "这本书"}), b"")
    found, errors = read_lines(path, ENDPOINT)
    assert errors == []
    assert [(each.number, each.custom_id) for each in found] == [(1, "id-1"), (4, "id-2")]
    assert [json.loads(body_of(path, each))["input"] for each in found] == ["text 1", "这本书"]


@pytest.mark.parametrize(
    ("content", "code", "param", "text"),
    [
        (b"{", "invalid_json_line", None, "the line is not valid JSON"),
        (b"\xff", "invalid_json_line", None, "the line is not valid JSON"),
        (b"[" * 100_000, "invalid_request", None, "give custom_id, method, url and body"),
        (b"[]", "invalid_request", None, "give custom_id, method, url and body"),
        ({"custom_id": "a"}, "invalid_request", "method", "missing required field `method`"),
        (line(priority=1), "invalid_request", "priority", "unknown field `priority`"),
        (line(custom_id=3), "invalid_request", "custom_id", "Expected `str`"),
        (line(custom_id=""), "invalid_custom_id", "custom_id", "1 to 512"),
        (line(custom_id="x" * 513), "invalid_custom_id", "custom_id", "1 to 512"),
        (line(method="GET"), "invalid_method", "method", "send POST"),
        (line(url="/v1/models"), "mismatched_url", "url", "the batch is for /v1/embeddings alone"),
        (line(body=[]), "invalid_request", None, "body: Expected `object`"),
        (line(body={}), "invalid_request", "body.model", "missing required field `model`"),
        (line(body={"model": ""}), "missing_required_parameter", "body.model", "names no model"),
        (line(body={"model": "m", "stream": True}), "unsupported_parameter", "body.stream", "leave stream out"),
        (line(9), "duplicate_custom_id", "custom_id", "is that of line 1; give each its own"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(
    tmp_path: Path, content: Any, code: str, param: str | None, text: str
) -> None:
    _, errors = read_lines(written(tmp_path / "in", line(9), b"", content), ENDPOINT)
    assert [(each.code, each.line, each.param) for each in errors] == [(code, 3, param)]
    assert text in errors[0].message


def test_a_hundred_errors_are_enough(tmp_path: Path) -> None:
    _, errors = read_lines(written(tmp_path / "in", *[b"{"] * 500), ENDPOINT)
    assert [each.line for each in errors] == list(range(1, 101))


def test_nothing_and_too_much_are_errors_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [each.code for each in read_lines(written(tmp_path / "in", b" \n"), ENDPOINT)[1]] == ["empty_file"]
    monkeypatch.setattr("glassworks.serving.batches.lines.MOST_LINES", 3)
    lines = [line(number) for number in range(4)]
    assert read_lines(written(tmp_path / "in", *lines[:3]), ENDPOINT)[1] == []
    assert [each.code for each in read_lines(written(tmp_path / "in", *lines), ENDPOINT)[1]] == ["too_many_requests"]


def kept(identity: str) -> dict[str, bytes]:
    return {identity: json.dumps({"custom_id": identity, "response": "x" * 50}).encode()}


@pytest.mark.parametrize("cut", [0, 1, 10, 60, 70])
def test_a_torn_line_is_cut_off_and_all_others_stay(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, "b").open()
    journal.keep(kept("one"), failed=False)
    journal.keep(kept("two") | kept("three"), failed=False)
    journal.keep(kept("four"), failed=True)
    journal.close()
    whole = journal.answers.read_bytes()
    torn = kept("five")["five"] + b"\n"
    journal.answers.write_bytes(whole + torn[: len(torn) - 1 - cut])
    again = Journal(tmp_path, "b").open()
    assert (again.answered, again.failed) == ({"one", "two", "three"}, {"four"})
    again.keep(kept("five"), failed=False)
    again.close()
    assert journal.answers.read_bytes() == whole + torn


def test_zeros_behind_a_power_failure_are_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "b").open()
    journal.keep(kept("one"), failed=False)
    journal.close()
    whole = journal.answers.read_bytes()
    journal.answers.write_bytes(whole + bytes(4096) + b"\n")
    again = Journal(tmp_path, "b").open()
    again.close()
    assert again.answered == {"one"}
    assert journal.answers.read_bytes() == whole
