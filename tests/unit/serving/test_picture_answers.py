"""The answer in a header: JSON in ASCII, whatever the labels are."""

from __future__ import annotations

import json

import pytest

from glassworks.serving.protocols.pictures import _one_line


@pytest.mark.parametrize("label", ["cat", "鸟", "\U0001f600", "two\nlines\r\nSet-Cookie: x"])
def test_a_header_holds_any_label(label: str) -> None:
    line = _one_line({"label": label})
    assert json.loads(line) == {"label": label}
    assert line.isascii()
    assert not {b"\r", b"\n"} & {line[place : place + 1] for place in range(len(line))}
