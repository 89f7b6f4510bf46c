"""Headers that lie about what follows are refused at once, and never read on and on."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.tiny_models import tiny

from glassworks.errors import InputError
from glassworks.language.gguf import GgufFile
from glassworks.language.gguf_header import check_header

KEY = struct.pack("<Q", 1) + b"a"
REST = b"\0" * 64


def header(tensors: int, fields: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, fields)


LIES = {
    "nothing": b"",
    "another file": b"PK\3\4" + REST,
    "magic alone": b"GGUF",
    "many tensors": header(2**60, 0) + REST,
    "many fields": header(0, 2**60) + REST,
    "a long key": header(0, 1) + struct.pack("<Q", 2**62) + REST,
    "a long text": header(0, 1) + KEY + struct.pack("<IQ", 8, 2**62) + REST,
    "many numbers": header(0, 1) + KEY + struct.pack("<IIQ", 9, 4, 2**60) + REST,
    "many texts": header(0, 1) + KEY + struct.pack("<IIQ", 9, 8, 2**60) + REST,
    "arrays of arrays": header(0, 1) + KEY + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 9, 1) * 3000,
    "an unknown type": header(0, 1) + KEY + struct.pack("<I", 77) + REST,
    "many dimensions": header(1, 0) + KEY + struct.pack("<I", 2**31) + REST,
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_refused(lie: str, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(LIES[lie])
    with pytest.raises(InputError, match="no whole GGUF file"):
        GgufFile(tmp_path / "m.gguf")


def test_a_whole_file_passes_and_its_beginning_does_not(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, tiny("llama"), "llama")
    check_header(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="no whole GGUF file"):
        check_header(path)
