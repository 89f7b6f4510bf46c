"""The header of a GGUF file, walked once: its counts and lengths stay within the file.

The format's own library believes them, and would read on and on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from glassworks.errors import InputError

_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of values by the number of their type."""
_MOST_DIMENSIONS = 8


def check_header(path: Path) -> None:
    """Raises InputError."""
    try:
        with path.open("rb") as file:
            _Header(path.stat().st_size, file.read, file.seek, file.tell).walk()
    except (OSError, ValueError, struct.error) as error:
        raise InputError(f"{path.name} is no whole GGUF file: {error}", "download it again") from None


class _Header:
    def __init__(
        self, size: int, read: Callable[[int], bytes], seek: Callable[[int], int], tell: Callable[[], int]
    ) -> None:
        self._size, self._read, self._seek, self._tell, self._order = size, read, seek, tell, "<"

    def walk(self) -> None:
        if self._read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        version = self._read(4)
        self._order = ">" if version[:2] == b"\0\0" else "<"
        tensors, fields = self._number("Q"), self._number("Q")
        for _ in range(fields):
            self._skip(self._number("Q"))
            self._value(self._number("I"))
        for _ in range(tensors):
            self._skip(self._number("Q"))
            dimensions = self._number("I")
            if dimensions > _MOST_DIMENSIONS:
                raise ValueError(f"a tensor has {dimensions} dimensions")
            self._skip(8 * dimensions + 4 + 8)

    def _value(self, kind: int) -> None:
        if kind == _STRING:
            self._skip(self._number("Q"))
        elif kind == _ARRAY:
            self._array(self._number("I"), self._number("Q"))
        else:
            self._skip(self._bytes(kind))

    def _array(self, kind: int, count: int) -> None:
        if kind == _ARRAY:
            raise ValueError("it has arrays of arrays")
        if kind == _STRING:
            for _ in range(count):
                self._skip(self._number("Q"))
        else:
            self._skip(self._bytes(kind) * count)

    def _bytes(self, kind: int) -> int:
        if kind not in _SIZES:
            raise ValueError(f"it has a value of the type {kind}")
        return _SIZES[kind]

    def _number(self, form: str) -> int:
        return int(struct.unpack(self._order + form, self._read(struct.calcsize(form)))[0])

    def _skip(self, size: int) -> None:
        if self._tell() + size > self._size:
            raise ValueError("its header goes on after its end")
        self._seek(self._tell() + size)
