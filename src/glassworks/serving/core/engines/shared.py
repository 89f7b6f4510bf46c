"""Memory that a server and its engine process share: arrays go from one to the other without a pipe between."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from glassworks.contracts import Array

_ALIGNMENT = 64
_STEP = 2**20
"""Bytes by which the memory grows at least."""
_KEPT = 64 * 2**20
"""Bytes that stay for the next message."""


class SharedMemory:
    """A file without a name that both processes map: one writes a message's arrays, the other reads them.

    It holds the arrays of one message at a time. The operating system frees it when both have ended, however they end.
    """

    def __init__(self, file: int | None = None) -> None:
        """Of an inherited file descriptor, else new."""
        self.file = _new_file() if file is None else file
        self._map: mmap.mmap | None = None
        self._size = self._end = 0

    def write(self, values: Array) -> int:
        """Put an array of numbers behind those of the same message; its offset. Raises OSError without memory."""
        begin = -(-self._end // _ALIGNMENT) * _ALIGNMENT
        end = begin + values.nbytes
        if end > self._size:
            self._grow(end)
        target = np.frombuffer(self._mapped(end), values.dtype, values.size, begin)
        target.reshape(values.shape)[...] = values
        self._end = end
        return begin

    def read(self, begin: int, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
        """An array that the other process has written, without a copy: it changes with the next message."""
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self._mapped(begin + count * dtype.itemsize), dtype, count, begin).reshape(shape)

    def clear(self) -> None:
        """Begin another message. What an unusually large one took goes back to the system."""
        if self._end > _KEPT and self._map is not None and sys.platform == "linux":
            self._map.madvise(mmap.MADV_REMOVE)
        self._end = 0

    def close(self) -> None:
        """Give the file back; arrays that were read stay as they are."""
        self._map = None
        os.close(self.file)

    def _grow(self, size: int) -> None:
        size = max(-(-size // _STEP) * _STEP, 2 * self._size)
        os.ftruncate(self.file, size)
        self._size = size

    def _mapped(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            # An older map lives as long as arrays that were read from it.
            self._map = mmap.mmap(self.file, os.fstat(self.file).st_size)
        return self._map


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("glassworks", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
