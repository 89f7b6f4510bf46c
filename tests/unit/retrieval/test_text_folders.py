"""What is read in a folder of texts, and what is left out with a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glassworks.data.text import folders
from glassworks.data.text.html_text import declared_encoding, text_of_html
from glassworks.data.text.reader import Columns, Rows, read_rows
from glassworks.errors import DataError


def read(folder: Path) -> tuple[dict[str, str], str]:
    """Texts by name, and all that was found."""
    rows = read_rows(f"texts:{folder}", Columns().alone())
    assert isinstance(rows, Rows)
    return {row.name: row.text for row in rows}, "; ".join(map(str, rows.findings))


def test_files_of_every_kind_are_read_in_their_own_encodings(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "utf8.txt").write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9\r\nline")
    long = "春天来了，花园里的花都开了。孩子们在草地上跑来跑去，老人坐在树下喝茶聊天，大家都很高兴。" * 3
    (inner / "gbk.md").write_bytes(long.encode("gb18030"))
    page = "<html><head><meta charset='gbk'><script>no()</script></head><body><p>茶 &amp; 水<p>two</body>"
    (inner / "page.HTML").write_bytes(page.encode("gbk"))
    (tmp_path / "rows.csv").write_text("text,label\none,a\ntwo,b\n", encoding="utf-8")
    (tmp_path / "LICENSE").write_text("as is", encoding="utf-8")
    texts, said = read(tmp_path)
    assert texts == {
        "LICENSE": "as is",
        "inner/gbk.md": long,
        "inner/page.HTML": "茶 & 水\ntwo",
        "rows.csv, row 1": "one",
        "rows.csv, row 2": "two",
        "utf8.txt": "café\r\nline",
    }
    assert not said


def test_nothing_outside_is_read_and_nothing_is_left_out_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("the secret", encoding="utf-8")
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "link.txt").symlink_to(secret / "key.txt")
    (folder / "linked").symlink_to(secret)
    (folder / "around").symlink_to("..")
    (folder / ".hidden.txt").write_text("hidden", encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / ".git" / "config.txt").write_text("hidden", encoding="utf-8")
    os.mkfifo(folder / "pipe.txt")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (folder / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(2**30)
    (folder / "good.txt").write_text("read", encoding="utf-8")
    texts, said = read(folder)
    assert texts == {"good.txt": "read"}
    for name in ("link.txt", "linked", "around", ".hidden.txt", ".git", "pipe.txt", "paper.pdf", "photo.jpg"):
        assert name in said
    assert "binary.txt" in said
    assert "other.csv" in said
    assert "huge.txt" in said
    assert "secret" not in said
    monkeypatch.setattr(folders, "MOST_FILES", 1)
    (folder / "second.txt").write_text("read", encoding="utf-8")
    with pytest.raises(DataError, match="more than 1 texts"):
        read(folder)


def test_a_folder_that_is_not_there_or_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("a", encoding="utf-8")
    for name in ("missing", "file.txt"):
        with pytest.raises(DataError) as error:
            read(tmp_path / name)
        assert name in error.value.problem


def test_broken_pages_are_read_as_far_as_they_go() -> None:
    assert text_of_html("<p>a<b>b</p><script>x</script><style>y") == "ab"
    assert text_of_html("no tags & <<<>") == "no tags & <<<>"
    assert text_of_html("<div>" * 2000 + "deep") == "deep"
    assert declared_encoding(b'<meta http-equiv="x" content="text/html; charset=Shift_JIS">') == "Shift_JIS"
    assert declared_encoding(b"<p>") == ""
