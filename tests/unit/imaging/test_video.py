"""Videos: frames in their order with their times, faults reported or counted, stages that end together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.errors import InputError, Unsupported
from glassworks.imaging.stages import run_stages
from glassworks.imaging.video import VideoReader, VideoWriter, is_video

Pixels = NDArray[Any]
BASE = Fraction(1, 1000)


def shade(number: int, height: int = 48, width: int = 64, channels: int = 3) -> Pixels:
    """A frame that is recognized by its brightness."""
    return np.full((height, width, channels), 20 + 10 * number, np.uint8)


def written(path: Path, times: list[int], **size: int) -> Path:
    writer = VideoWriter(path, BASE, Fraction(25))
    for number, when in enumerate(times):
        writer.write(shade(number, **size), when)
    writer.finish()
    return path


def numbers(reader: VideoReader) -> list[tuple[int, float]]:
    """Which frame each is, and its time in milliseconds."""
    return [
        (round((float(frame.pixels.mean()) - 20) / 10), float(frame.time * reader.time_base * 1000)) for frame in reader
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm", ".gif"])
def test_frames_come_back_in_their_order(suffix: str, tmp_path: Path) -> None:
    reader = VideoReader(str(written(tmp_path / f"clip{suffix}", list(range(0, 800, 40)))))
    assert [number for number, _ in numbers(reader)] == list(range(20))
    assert reader.broken == 0
    assert (reader.width, reader.height) == (64, 48)
    reader.close()


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 50, 200, 201, 900]
    reader = VideoReader(str(written(tmp_path / "clip.mp4", times)))
    found = numbers(reader)
    assert [number for number, _ in found] == list(range(6))
    assert [when for _, when in found] == pytest.approx(times, abs=0.1)
    reader.close()


@pytest.mark.parametrize("channels", [1, 3])
def test_odd_sides_get_one_more(channels: int, tmp_path: Path) -> None:
    reader = VideoReader(str(written(tmp_path / "clip.mp4", [0, 40], height=47, width=63, channels=channels)))
    assert (reader.width, reader.height) == (64, 48)
    assert len(numbers(reader)) == 2
    reader.close()


def test_a_broken_frame_is_counted_and_left_out(tmp_path: Path) -> None:
    """Still pictures in a row, so that damage in one does not reach the next."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade(number), format="rgb24")))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    third = [index for index in range(len(content)) if content[index : index + 3] == b"\xff\xd8\xff"][2]
    content[third : third + 600] = bytes(600)  # all of it: a decoder may know the tables at its head from before
    path.write_bytes(bytes(content))
    reader = VideoReader(str(path))
    assert [number for number, _ in numbers(reader)] == [0, 1, 3, 4, 5]
    assert reader.broken == 1
    reader.close()


def test_a_video_without_frames_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 48
        container.start_encoding()
    with pytest.raises(InputError, match="is empty: it holds no frames"):
        VideoReader(str(path))


def test_sound_alone_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(InputError, match=r"holds no video \(it holds: audio\)"):
        VideoReader(str(path))


def test_a_codec_that_is_not_there_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "clip.avi", [0, 40, 80])
    content = path.read_bytes()
    assert b"FMP4" in content
    path.write_bytes(content.replace(b"FMP4", b"QQ9Z"))
    with pytest.raises(Unsupported, match="no decoder for the video of"):
        VideoReader(str(path))


@pytest.mark.parametrize(
    ("source", "reported"),
    [
        ("nothing.mp4", "the video nothing.mp4 cannot be opened: No such file"),
        ("camera:77", "the camera camera:77 cannot be opened"),
        ("http://127.0.0.1/x.mp4", "cannot be opened"),
        ("concat:a.mp4|b.mp4", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_reported(source: str, reported: str) -> None:
    with pytest.raises(InputError, match=reported):
        VideoReader(source)


def test_a_list_that_names_an_address_opens_none(tmp_path: Path) -> None:
    """FFmpeg's playlists may name other files: none but plain files are opened."""
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n")
    with pytest.raises(InputError):
        list(VideoReader(str(path)))


def test_an_unknown_kind_and_a_missing_folder_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written as '\.xyz'"):
        VideoWriter(tmp_path / "clip.xyz", BASE, Fraction(25))
    with pytest.raises(InputError, match="there is no folder"):
        VideoWriter(tmp_path / "nowhere" / "clip.mp4", BASE, Fraction(25))


def test_half_a_video_is_not_left(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", BASE, Fraction(25))
    writer.write(shade(0), 0)
    writer.give_up()
    assert list(tmp_path.iterdir()) == []


def test_a_video_may_be_written_over_the_one_that_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "clip.mp4", [0, 40, 80])
    before = path.read_bytes()
    reader, writer = VideoReader(str(path)), VideoWriter(path, BASE, Fraction(25))
    for frame in reader:
        writer.write(255 - frame.pixels, frame.time)
    assert path.read_bytes() == before
    reader.close()
    writer.finish()
    assert list(tmp_path.iterdir()) == [path]
    again = VideoReader(str(path))
    assert [round(float(frame.pixels.mean()) / 10) for frame in again] == [24, 22, 22]
    again.close()


def test_names_of_videos() -> None:
    assert is_video("a/B.MP4") and is_video("camera:0") and not is_video("a.png") and not is_video("mp4")


def test_stages_keep_the_order_and_few_items() -> None:
    begun, most = 0, 0
    written_items: list[int] = []

    def read() -> Iterator[int]:
        nonlocal begun
        for number in range(60):
            begun += 1
            yield number

    def write(number: int) -> None:
        nonlocal most
        most = max(most, begun - len(written_items))
        time.sleep(0.001)
        written_items.append(number)

    run_stages(read(), lambda number: number * 2, write)
    assert written_items == [2 * number for number in range(60)]
    assert most <= 13


@pytest.mark.parametrize("failing", ["read", "work", "write"])
def test_a_stage_that_fails_ends_all(failing: str) -> None:
    def fail(stage: str, number: int) -> int:
        if stage == failing and number == 7:
            raise ValueError(f"in {stage}")
        return number

    before, kept = threading.active_count(), list[int]()
    with pytest.raises(ValueError, match=f"in {failing}"):
        run_stages(
            (fail("read", number) for number in range(1000)),
            lambda number: fail("work", number),
            lambda number: kept.append(fail("write", number)),
        )
    assert threading.active_count() == before
