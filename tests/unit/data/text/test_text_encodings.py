"""Files of texts in the encodings that Chinese and English readers save."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from glassworks.data.text.encodings import decode, read_text
from glassworks.errors import DataError

TABLE = "text,label\n这本书很好，值得一读,好评\n房间太小，服务态度差,差评\n"
WORDS = st.text(st.sampled_from("的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年abc ,\n"), max_size=80)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_reads_the_same_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TABLE.encode(encoding))
    assert read_text(tmp_path / "t.csv") == TABLE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@given(rest=WORDS)
def test_any_chinese_text_after_a_head_comes_back(encoding: str, rest: str) -> None:
    text = "text,label\n" + TABLE[11:] + rest
    assert decode(text.encode(encoding), "x") == text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"text,label\ngood,\xff\xff\n", "x is not valid UTF-8 or GB18030: byte 16 (line 2)"),
        (TABLE.encode()[:-1] + b"\xff\n", "x is not valid UTF-8: byte 86 (line 3)"),
        (TABLE.encode()[:40] + TABLE.encode()[41:], "x is not valid UTF-8: byte 38 (line 2)"),
        (b"\xff\xfea\0b", "x is not valid UTF-16: byte 4 (line 1)"),
        (b"a\0\0b", "x holds zero bytes: it is not a text file"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        decode(content, "x")
    assert (caught.value.problem, caught.value.mend) == (problem, "save it as UTF-8")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file") as caught:
        read_text(tmp_path / "none.csv")
    assert caught.value.mend == "give the path of a file that exists"
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_text(tmp_path)
