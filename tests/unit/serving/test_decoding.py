"""Which files are decoded at once, and that many or large ones keep neither the thread nor the memory from others."""

from __future__ import annotations

import asyncio
import io
import threading
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from tests.patience import PATIENCE_S

from glassworks.errors import InputError, Overloaded
from glassworks.serving.core.decoding import MAX_REQUEST_PIXELS, Decoding, pixels, tiny

Array = NDArray[Any]


def picture(width: int, height: int, kind: str = "PNG", **more: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, kind, **more)
    return stream.getvalue()


def packed_text() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "b" * 1_000_000, zip=True)
    return picture(1, 1, pnginfo=text)


SMALL = picture(28, 28)
MANY_PARTS = SMALL[:33] + (bytes(4) + b"tEXt" + zlib.crc32(b"tEXt").to_bytes(4, "big")) * 100 + SMALL[33:]
LARGE = picture(2000, 3000, "WEBP", lossless=True, quality=0, method=0)


def test_pixels_decide_what_is_tiny_whatever_the_bytes_are() -> None:
    assert len(LARGE) < 100
    assert pixels(LARGE) == 6_000_000
    assert tiny([SMALL])
    assert tiny([SMALL, SMALL])
    for files in (
        [LARGE],
        [SMALL, LARGE],
        [SMALL] * 3,
        [packed_text()],
        [picture(100, 100)],
        [MANY_PARTS],
        [SMALL[:40]],
        [b""],
    ):
        assert not tiny(files)


def run(main: Callable[[Decoding], Awaitable[None]], **more: int) -> None:
    async def whole() -> None:
        decoding = Decoding("decode", 64, **more)
        try:
            await asyncio.wait_for(main(decoding), PATIENCE_S)
        finally:
            decoding.close()

    asyncio.run(whole())


def one(file: bytes) -> Array:
    return np.frombuffer(file, np.uint8)


def all_of(decoded: Sequence[Array]) -> Array:
    return np.stack(decoded)


@pytest.mark.parametrize("cost", [1, 5 * 2**20], ids=["many", "large"])
def test_others_have_their_turn_between_parts(cost: int) -> None:
    async def main(decoding: Decoding) -> None:
        order: list[bytes] = []

        def decode(file: bytes) -> Array:
            order.append(file)
            return one(file)

        count = 1000 if cost == 1 else 20
        many = decoding.files([b"a"] * count, decode, lambda file: cost, all_of)
        few = decoding.files([b"b"], decode, lambda file: cost, all_of)
        found, other = await asyncio.gather(many, few)
        assert (found.shape, other.tolist()) == ((count, 1), [[98]])
        assert order.index(b"b") <= 64

    run(main)


def test_too_many_pixels_together_are_refused_before_any_is_decoded() -> None:
    async def main(decoding: Decoding) -> None:
        with pytest.raises(InputError, match="more than 150,994,944 pixels together"):
            await decoding.files([b"a"] * 1000, lambda file: 1 / 0, lambda file: MAX_REQUEST_PIXELS // 999, all_of)  # type: ignore[arg-type, return-value]

    run(main)


def test_pictures_of_different_sizes_are_refused_at_the_first() -> None:
    async def main(decoding: Decoding) -> None:
        seen: list[bytes] = []

        def decode(file: bytes) -> Array:
            seen.append(file)
            return one(file)

        with pytest.raises(InputError, match="pictures of several sizes"):
            await decoding.files([b"a", b"bb", *[b"c"] * 100], decode, len, all_of)
        assert seen == [b"a", b"bb"]

    run(main)


def test_what_is_decoded_for_requests_that_are_not_whole_is_bounded() -> None:
    async def main(decoding: Decoding) -> None:
        for _ in range(3):  # nothing is left behind of a request that was refused
            with pytest.raises(Overloaded, match="take too much memory"):
                await decoding.files([bytes(500)] * 200, one, len, all_of)
        assert (await decoding.files([bytes(500)] * 100, one, len, all_of)).shape == (100, 500)

    run(main, kept_bytes=60_000)


def test_bodies_that_wait_to_be_read_are_bounded_by_their_bytes() -> None:
    async def main(decoding: Decoding) -> None:
        go_on, kept = threading.Event(), 400_000
        try:
            reading = [asyncio.ensure_future(decoding.read(kept, lambda: go_on.wait(PATIENCE_S))) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="too many large requests"):
                await decoding.read(kept, lambda: 1)
            small = asyncio.ensure_future(decoding.read(1_000, lambda: 2))
            named = asyncio.ensure_future(decoding.read(kept, lambda: 3, "somebody"))
            await asyncio.sleep(0)
            reading[1].cancel()  # its client left
        finally:
            go_on.set()
        assert (await reading[0], await small, await named) == (True, 2, 3)
        assert await decoding.read(2**30, lambda: 4) == 4  # where nothing waits, whatever it takes

    run(main, waiting_bytes=1_000_000)
