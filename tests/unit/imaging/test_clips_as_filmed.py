"""Clips as cameras and people make them: turned, joined, raw, with a cover, in HDR, with pixels that are no squares."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Transpose

from glassworks.errors import InputError
from glassworks.imaging.frame_times import FrameTimes
from glassworks.imaging.tone_mapping import HLG, PQ, mapped
from glassworks.imaging.upright import square
from glassworks.imaging.video import VideoReader, VideoWriter

Pixels = NDArray[Any]
HEIGHT, WIDTH, FRAMES = 96, 64, 6
ONE = 0x10000
CORNERS = ((0, 0, (255, 0, 0)), (0, 1, (0, 255, 0)), (1, 0, (0, 0, 255)), (1, 1, (255, 255, 255)))


def upright() -> Pixels:
    """A picture whose four corners differ, on gray."""
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for down, across, color in CORNERS:
        pixels[down * 72 : down * 72 + 24, across * 40 : across * 40 + 24] = color
    return pixels


def clip(path: Path, frames: Sequence[Pixels], form: str | None = None, codec: str = "libx264", **more: Any) -> Path:
    """A file of these frames, ten a second."""
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuvj420p"
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def read(path: Path) -> tuple[list[Pixels], list[float], VideoReader]:
    """The frames, their times in seconds, and their reader."""
    reader = VideoReader(str(path))
    frames = list(reader)
    reader.close()
    return [frame.pixels for frame in frames], [float(frame.time * reader.time_base) for frame in frames], reader


def near(a: Pixels, b: Pixels) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(int) - b.astype(int)).mean()) < 6


MATRICES: dict[str, tuple[tuple[int, int, int, int], Transpose | None]] = {
    # a, b, c, d of the file, and what Pillow calls the way from the upright picture to the one that is stored.
    "as it is": ((1, 0, 0, 1), None),
    "a quarter": ((0, 1, -1, 0), Transpose.ROTATE_90),
    "half": ((-1, 0, 0, -1), Transpose.ROTATE_180),
    "three quarters": ((0, -1, 1, 0), Transpose.ROTATE_270),
    "mirrored": ((-1, 0, 0, 1), Transpose.FLIP_LEFT_RIGHT),
    "upside down": ((1, 0, 0, -1), Transpose.FLIP_TOP_BOTTOM),
    "transposed": ((0, 1, 1, 0), Transpose.TRANSPOSE),
    "transposed the other way": ((0, -1, -1, 0), Transpose.TRANSVERSE),
}


def with_matrix(path: Path, matrix: Sequence[float]) -> Path:
    """The file with another matrix in the head of its track (ISO 14496-12, 8.3.2)."""
    a, b, c, d = (round(each * ONE) for each in matrix)
    content = bytearray(path.read_bytes())
    plain = np.array([ONE, 0, 0, 0, ONE, 0, 0, 0, 0x40000000], ">i4").tobytes()
    place = content.index(plain, content.index(b"tkhd"))
    content[place : place + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 0x40000000], ">i4").tobytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("how", MATRICES)
def test_a_turned_clip_is_read_upright(how: str, suffix: str, tmp_path: Path) -> None:
    matrix, stored = MATRICES[how]
    picture = Image.fromarray(upright())
    frame = np.asarray(picture if stored is None else picture.transpose(stored))
    path = with_matrix(clip(tmp_path / f"clip{suffix}", [frame] * FRAMES), matrix)
    frames, _, reader = read(path)
    assert len(frames) == FRAMES
    assert all(near(pixels, upright()) for pixels in frames)
    assert reader.notes == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_what_is_written_is_upright_and_says_nothing_of_a_turn(suffix: str, tmp_path: Path) -> None:
    stored = np.asarray(Image.fromarray(upright()).transpose(Transpose.ROTATE_90))
    path = with_matrix(clip(tmp_path / "clip.mp4", [stored] * FRAMES), (0, 1, -1, 0))
    reader, out = VideoReader(str(path)), tmp_path / f"out{suffix}"
    writer = VideoWriter(out, reader.time_base, reader.rate)
    for frame in reader:
        writer.write(frame.pixels, frame.time)
    writer.finish()
    reader.close()
    with av.open(str(out)) as container:
        first = next(container.decode(video=0))
        assert (first.width, first.height, first.rotation) == (WIDTH, HEIGHT, 0)
    assert float(np.abs(read(out)[0][0].astype(int) - upright()).mean()) < 12  # H.264 and VP9 halve the colors


@pytest.mark.parametrize("degrees", [45, 10, 100])
def test_another_angle_is_said_and_left(degrees: float, tmp_path: Path) -> None:
    turn = np.deg2rad(degrees)
    matrix = (np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn))
    frames, _, reader = read(with_matrix(clip(tmp_path / "clip.mp4", [upright()] * 2), matrix))
    assert near(frames[0], upright())
    (note,) = reader.notes
    assert f"turned by {degrees} degrees" in note
    assert "read as it is stored" in note


def test_joined_recordings_follow_each_other(tmp_path: Path) -> None:
    one = clip(tmp_path / "one.ts", [upright()] * FRAMES, "mpegts").read_bytes()
    (tmp_path / "joined.ts").write_bytes(one * 3)
    frames, times, reader = read(tmp_path / "joined.ts")
    assert len(frames) == 3 * FRAMES
    assert times == pytest.approx([each / 10 for each in range(3 * FRAMES)], abs=1e-3)
    assert any("3 joined recordings" in note for note in reader.notes)
    assert read(tmp_path / "one.ts")[2].notes == ()


@pytest.mark.parametrize(("form", "codec"), [("h264", "libx264"), ("mpeg2video", "mpeg2video")])
def test_a_stream_without_times_gets_those_of_its_rate(form: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / ("raw.mpg" if form == "mpeg2video" else "raw.h264")
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for _ in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(upright(), format="rgb24")))
        container.mux(stream.encode(None))
    _, times, reader = read(path)
    assert len(times) == FRAMES
    assert np.diff(times) == pytest.approx([0.04] * (FRAMES - 1), abs=1e-3)
    if form == "h264":
        assert any("the file holds no times: they are made up, 0.04 s" in note for note in reader.notes)


def times_of(given: Sequence[int | None], **more: Any) -> tuple[list[int], tuple[str, ...]]:
    kept = FrameTimes(Fraction(1, 1000), more.get("start", 0), Fraction(10), more.get("joins", False))
    return [kept.next(each, None) for each in given], kept.notes


@pytest.mark.parametrize(
    ("given", "wanted", "notes"),
    [
        ([0, 100, 900, 950], [0, 100, 900, 950], 0),
        ([None, None, None], [0, 100, 200], 1),
        ([0, None, 200], [0, 100, 200], 1),
        ([0, 100, 100, 99, 300], [0, 100, 101, 102, 300], 0),
        ([0, 100, 200, 0, 100, 200, 0], [0, 100, 200, 300, 400, 500, 600], 1),
        ([0, 50_000], [0, 50_000], 0),
    ],
)
def test_times_grow_and_what_is_made_up_is_said(given: list[int | None], wanted: list[int], notes: int) -> None:
    found, said = times_of(given)
    assert (found, len(said)) == (wanted, notes)


def test_times_count_from_the_beginning_and_a_jump_of_joined_recordings_is_closed() -> None:
    assert times_of([5000, 5100], start=5000)[0] == [0, 100]
    found, said = times_of([0, 100, 50_000, 50_100], joins=True)
    assert (found, len(said)) == ([0, 100, 200, 300], 1)


def cover(container: Any, marked: bool) -> list[Any]:
    stream = container.add_stream("mjpeg", rate=1)
    stream.height, stream.width, stream.pix_fmt = 32, 32, "yuvj420p"
    if marked:
        stream.disposition = Disposition.attached_pic
    red = np.full((32, 32, 3), (200, 30, 30), np.uint8)
    return [*stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")), *stream.encode(None)]


@pytest.mark.parametrize(("suffix", "marked"), [(".mp4", True), (".mkv", False), (".mov", False)])
def test_a_cover_is_not_taken_for_the_film(suffix: str, marked: bool, tmp_path: Path) -> None:
    path = tmp_path / f"film{suffix}"
    with av.open(str(path), "w") as container:
        pictures = cover(container, marked)
        stream: Any = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv444p"
        container.mux(pictures)
        for _ in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(upright(), format="rgb24")))
        container.mux(stream.encode(None))
    frames, _, _ = read(path)
    assert len(frames) == FRAMES
    assert near(frames[0], upright())


def test_a_song_with_a_cover_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound: Any = container.add_stream("aac", rate=16000)
        pictures = cover(container, True)
        container.mux(pictures)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, number * 1024
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with pytest.raises(InputError, match=r"holds no video \(it holds: a cover picture, audio\)"):
        VideoReader(str(path))


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (HEIGHT, WIDTH)), (Fraction(1, 2), (HEIGHT * 2, WIDTH // 2))]
)
def test_pixels_become_square(aspect: Fraction, size: tuple[int, int], tmp_path: Path) -> None:
    narrow = np.asarray(Image.fromarray(upright()).resize((WIDTH // 2, HEIGHT)))
    frames, _, _ = read(clip(tmp_path / "clip.mp4", [narrow] * 2, sample_aspect_ratio=aspect))
    assert frames[0].shape[:2] == size
    wanted = np.asarray(Image.fromarray(upright()).resize((size[1], size[0])))
    assert float(np.abs(frames[0].astype(int) - wanted.astype(int)).mean()) < 9


@pytest.mark.parametrize(
    ("aspect", "found"),
    [(None, (64, 96)), (Fraction(0), (64, 96)), (Fraction(16, 11), (93, 96)), (Fraction(10, 11), (64, 106))],
)
def test_the_size_with_square_pixels(aspect: Fraction | None, found: tuple[int, int]) -> None:
    assert square(64, 96, aspect) == (*found, "")


def test_an_aspect_that_nobody_means_is_said() -> None:
    width, height, note = square(64, 96, Fraction(100))
    assert (width, height) == (64, 96)
    assert "taken as square" in note


def codes(*values: float) -> NDArray[np.uint16]:
    signal: NDArray[np.float64] = np.array(values)[None, :, None].repeat(3, axis=2)
    return np.rint(signal * 65535).astype(np.uint16)


def test_both_kinds_of_hdr_have_the_same_white() -> None:
    """BT.2408, table 1: 203 cd/m2 is a signal of 58 % in PQ and of 75 % in HLG; 26 cd/m2 38 % and 38 %."""
    by_pq, by_hlg = mapped(codes(0.5807, 0.38), PQ, 9)[0, :, 0], mapped(codes(0.75, 0.38), HLG, 9)[0, :, 0]
    assert np.abs(by_pq.astype(int) - by_hlg.astype(int)).max() <= 4
    assert by_pq[0] > 215
    for transfer in (PQ, HLG):
        ramp = mapped(codes(*np.linspace(0, 1, 65)), transfer, 9)[0, :, 0].astype(int)
        assert (ramp[0], ramp[-1]) == (0, 255)
        assert (np.diff(ramp) >= 0).all()


def pq(nits: Pixels) -> NDArray[np.uint16]:
    """The inverse of its transfer function (BT.2100, table 4)."""
    power = (np.asarray(nits) / 10_000) ** (2610 / 16384)
    code = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return np.rint(65535 * code).astype(np.uint16)


def test_what_is_not_brighter_than_the_knee_keeps_its_light_and_color() -> None:
    shares = np.array([0.02, 0.1, 0.2, 0.3])
    gray = mapped(pq(203 * shares[None, :, None].repeat(3, axis=2)), PQ, 9)[0, :, 0]
    assert np.abs(gray - 255 * shares ** (1 / 2.4)).max() <= 1
    red = np.array([0.6274, 0.0691, 0.0164])  # of BT.709, in BT.2020 (BT.2087)
    found = mapped(pq(203 * 0.25 * red[None, None]), PQ, 9)[0, 0].astype(int)
    assert abs(found[0] - 255 * 0.25 ** (1 / 2.4)) <= 2
    assert found[1:].max() <= 12


def test_a_clip_in_hdr_is_mapped_and_it_is_said(tmp_path: Path) -> None:
    light = (upright() / 255.0) ** 2.4 * 203
    with av.open(str(tmp_path / "hdr.mkv"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv444p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(pq(light), format="rgb48le").reformat(
                format="yuv444p10le", dst_colorspace=9
            )
            frame.color_primaries, frame.color_trc, frame.colorspace = 9, 16, 9
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, _, reader = read(tmp_path / "hdr.mkv")
    assert frames[0].dtype == np.uint8
    assert frames[0][84, 52].min() > 215  # white
    assert abs(int(frames[0][48, 32, 1]) - 90) < 8  # gray below the knee is as it was
    assert reader.notes == ("its high dynamic range (PQ) is mapped to that of usual screens",)
