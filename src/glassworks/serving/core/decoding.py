"""Files of a request become arrays: tiny pictures at once, others on a thread, in parts between which others go."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from glassworks.data.pictures import MAX_PIXELS, is_tiny_png, picture_size
from glassworks.errors import InputError, Overloaded
from glassworks.serving.core.room import Room
from glassworks.serving.core.worker import Worker

if TYPE_CHECKING:
    from glassworks.contracts import Array

_T = TypeVar("_T")
_TINY_FILES, _TINY_BYTES, _TINY_PIXELS = 2, 4096, 1024
"""What is decoded in less time than the way to a thread and back takes twice: about 0.1 ms a file."""
_PART_FILES, _PART_PIXELS = 64, 4 * 2**20
"""What one call decodes at most, a larger picture aside: about a quarter of a second."""
_PART_HEADS = 256
_WAITING_BYTES = 192 * 2**20
"""Of bodies that have arrived whole and are not read; as much as may be kept of those that have not."""
MAX_REQUEST_PIXELS = 3 * MAX_PIXELS
"""Of all pictures of a request: a dozen photographs of 12 megapixels."""
_KEPT_BYTES = 2**30
"""Decoded for requests of which other files are not, over all requests."""


def tiny(files: Sequence[bytes]) -> bool:
    """Whether the files may be decoded on the event loop: what counts are their pixels, however few bytes they take."""
    return (
        len(files) <= _TINY_FILES
        and sum(map(len, files)) <= _TINY_BYTES
        and all(is_tiny_png(file, _TINY_PIXELS) for file in files)
    )


def pixels(file: bytes) -> int:
    """How many a picture file holds, from its head. Raises InputError."""
    width, height = picture_size(file)
    return width * height


class Decoding(Worker):
    """A worker on which files are decoded. Many files never keep it for themselves, nor all the memory."""

    def __init__(
        self, name: str, limit: int, kept_bytes: int = _KEPT_BYTES, waiting_bytes: int = _WAITING_BYTES
    ) -> None:
        super().__init__(name, limit)
        self._decoded, self._bodies = Room(kept_bytes), Room(waiting_bytes)

    def another(self) -> Decoding:
        """A worker like this one, with which it shares the memory that they may take."""
        other = Decoding(self.name, self.limit)
        other._decoded, other._bodies = self._decoded, self._bodies
        return other

    async def read(self, size_bytes: int, call: Callable[[], _T], caller: str | None = None) -> _T:
        """What the call makes of a large body, which is kept while it waits. Raises what it raises, and Overloaded."""
        if not self._bodies.fits(caller, size_bytes):
            raise Overloaded("too many large requests wait to be read", "try again later, or send less at once")
        self._bodies.enter(caller, size_bytes)
        try:
            return await self.run(call)
        finally:
            self._bodies.leave(caller, size_bytes)

    async def files(
        self,
        files: Sequence[bytes],
        decode: Callable[[bytes], Array],
        cost: Callable[[bytes], int],
        finish: Callable[[Sequence[Array]], _T],
    ) -> _T:
        """What `finish` makes of the decoded files; `cost` gives a file's pixels. Raises InputError and Overloaded."""
        if len(files) == 1:
            return await self.run(lambda: finish([decode(files[0])]))
        request = _Request(files, decode, cost, finish)
        try:
            await self.each(self._parts(request))
            return request.result[0]
        finally:
            self._decoded.leave(None, request.kept_bytes)

    def _parts(self, request: _Request[_T]) -> Iterator[Callable[[], None]]:
        """The calls for a request, each made when the one before is done: this runs on the event loop."""
        for first in range(0, len(request.files), _PART_HEADS):
            yield functools.partial(request.measure, first)
        while len(request.decoded) < len(request.files):
            yield request.decode_some
            grown = request.size_bytes() - request.kept_bytes
            request.kept_bytes += grown
            self._decoded.enter(None, grown)
            if self._decoded.taken > self._decoded.size:
                raise Overloaded("the pictures of all requests take too much memory", "try again later, with fewer")
        yield request.end


class _Request(Generic[_T]):
    """The files of one request, and what was made of them."""

    def __init__(
        self,
        files: Sequence[bytes],
        decode: Callable[[bytes], Array],
        cost: Callable[[bytes], int],
        finish: Callable[[Sequence[Array]], _T],
    ) -> None:
        self.files, self._decode, self._cost, self._finish = files, decode, cost, finish
        self.decoded: list[Array] = []
        self.kept_bytes = 0
        self.result: list[_T] = []
        self._pixels: list[int] = []

    def measure(self, first: int) -> None:
        """Look at the heads of some files, before any is decoded. Raises InputError."""
        self._pixels += map(self._cost, self.files[first : first + _PART_HEADS])
        if sum(self._pixels) > MAX_REQUEST_PIXELS:
            raise InputError(
                f"the pictures of the request have more than {MAX_REQUEST_PIXELS:,} pixels together",
                "send fewer a request, or scale them down",
            )

    def decode_some(self) -> None:
        """Decode the next files, until it has taken a while."""
        start, spent = len(self.decoded), 0
        while len(self.decoded) < len(self.files) and spent < _PART_PIXELS:
            if len(self.decoded) - start >= _PART_FILES:
                break
            spent += self._pixels[len(self.decoded)]
            self.decoded.append(self._decode(self.files[len(self.decoded)]))
            require_one_size(self.decoded[0], self.decoded[-1])

    def size_bytes(self) -> int:
        """What is kept of decoded files: they are all of one size."""
        return self.decoded[0].nbytes * len(self.decoded)

    def end(self) -> None:
        """Make of all of them what was asked for."""
        self.result.append(self._finish(self.decoded))


def require_one_size(first: Array, other: Array) -> None:
    """Raise InputError for pictures that cannot stand in one tensor."""
    if first.shape != other.shape:
        raise InputError("the request holds pictures of several sizes", "send one request for each size")
