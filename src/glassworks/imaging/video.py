"""Videos, cameras and animated pictures as frames in their order, and frames as a video, through PyAV (FFmpeg)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.catalog import require
from glassworks.data.pictures import MAX_PIXELS, too_many_pixels
from glassworks.errors import InputError, Unsupported
from glassworks.imaging.frame_times import FrameTimes
from glassworks.imaging.tone_mapping import NAMES, is_high, mapped
from glassworks.imaging.upright import square, turn_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

VIDEOS = frozenset(
    [
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"),
        *(".3gp", ".ogv", ".vob", ".m2v", ".h264", ".264", ".h265", ".265", ".hevc"),
    ]
)
"""Suffixes of files that are read as videos; others when a video is asked for."""
_CODECS = {
    ".mp4": "libx264",
    ".m4v": "libx264",
    ".mov": "libx264",
    ".mkv": "libx264",
    ".webm": "libvpx-vp9",
    ".avi": "mpeg4",
    ".gif": "gif",
}
_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "21"}, "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}}
_FORMATS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,gif,h264,hevc"
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}
_USUAL_RATE = Fraction(25)
_MICROSECONDS = 1_000_000
"""In which FFmpeg counts the times of whole files."""
_JOINS = 0x200
"""Of a format's flags: recordings are joined by writing one behind the other (AVFMT_TS_DISCONT)."""


@dataclass(frozen=True)
class Frame:
    """`pixels` are uint8 H W 3, red first, upright and square; `time` counts in the source's `time_base` from its
    beginning."""

    pixels: Pixels
    time: int


class VideoReader:
    """Frames of a file (`PATH`) or a camera (`camera:0`); `broken` counts those that could not be decoded.

    Raises InputError for what is no video or holds no frames, Unsupported for a missing codec.
    """

    def __init__(self, source: str, threads: int = 1) -> None:
        require(("av",), "reading videos", extra="video")
        self.source, self.broken = source, 0
        self._container = _opened(source)
        with contextlib.ExitStack() as undo:
            undo.callback(self._container.close)
            self._stream = _video_of(self._container, source)
            self._stream.codec_context.thread_count = threads
            self.width, self.height, note = self._size(self._stream.codec_context)
            if self.width * self.height > MAX_PIXELS:
                raise too_many_pixels(self.width, self.height, MAX_PIXELS)
            undo.pop_all()
        self.time_base = Fraction(self._stream.time_base or 1 / _USUAL_RATE)
        timed = self._stream.start_time is not None
        rates = (self._stream.average_rate if timed else None, self._stream.guessed_rate, _USUAL_RATE)
        self.rate = Fraction(next(rate for rate in rates if rate))
        start = Fraction(self._container.start_time or 0, _MICROSECONDS) / self.time_base
        self._times = FrameTimes(self.time_base, round(start), self.rate, bool(self._container.format.flags & _JOINS))
        self._notes = dict.fromkeys([note] if note else [])
        self.frames = int(self._stream.frames)
        """The number that its header states; 0 without one."""

    def __iter__(self) -> Iterator[Frame]:
        """Each frame once. A broken one is counted and left out."""
        found = 0
        for decoded in self._decoded():
            if decoded.is_corrupt:
                self.broken += 1
                continue
            found += 1
            yield Frame(self._upright(decoded), self._times.next(decoded.pts, decoded.duration))
        if not found:
            raise InputError(
                f"{self.source} holds no frame that can be decoded ({self.broken} are broken)", "give a whole video"
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the frames that were read: what was made up, mapped, or left as it is."""
        return (*self._notes, *self._times.notes)

    def _size(self, stored: Any) -> tuple[int, int, str]:
        """Of stored frames with square pixels."""
        return square(stored.width, stored.height, self._stream.sample_aspect_ratio)

    def _upright(self, decoded: Any) -> Pixels:
        width, height, _ = self._size(decoded)
        high, turn = is_high(decoded), turn_of(decoded)
        pixels = decoded.to_ndarray(format="rgb48le" if high else "rgb24", width=width, height=height)
        if high:
            transfer = int(decoded.color_trc)
            pixels = mapped(pixels, transfer, int(decoded.color_primaries or 0))
            self._notes[f"its high dynamic range ({NAMES[transfer]}) is mapped to that of usual screens"] = None
        if turn.note:
            self._notes[turn.note] = None
        return turn.of(pixels)

    def close(self) -> None:
        """Close the file or the camera."""
        self._container.close()

    def _decoded(self) -> Iterator[Any]:
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                decoded = [] if packet is None else packet.decode()
            except av.error.InvalidDataError:
                self.broken += 1
                continue
            except av.error.FFmpegError as error:
                raise InputError(f"{self.source} cannot be read on: {error.strerror}", "give a whole video") from None
            if packet is None:
                return
            yield from decoded


class VideoWriter:
    """Writes frames as they come; the suffix of the path says in which form. The first frame says the size.

    Sides that are odd get one row or column more, as most players want. What was there before stays until the new
    video is whole, so that one may be written over the one that is read.
    """

    def __init__(self, path: Path, time_base: Fraction, rate: Fraction) -> None:
        require(("av",), "writing videos", extra="video")
        import av

        self._path, self._time_base, self._rate = path, time_base, rate
        self._beside = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._codec = _CODECS.get(path.suffix.lower(), "")
        if not self._codec:
            raise InputError(f"a video cannot be written as '{path.suffix or path.name}'", f"use {', '.join(_CODECS)}")
        if self._codec not in av.codecs_available:
            raise Unsupported(f"FFmpeg here has no encoder '{self._codec}'", f"use another of {', '.join(_CODECS)}")
        if not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent}", "make it first, or give another path")
        try:
            self._container = av.open(str(self._beside), "w")
        except (OSError, av.error.FFmpegError) as error:
            raise InputError(f"cannot write {path}: {error}", "give a path in a folder that is there") from None
        self._stream: Any = None

    def write(self, pixels: Pixels, time: int) -> None:
        """One frame, uint8 H W 1 or H W 3."""
        import av

        pixels = _even(pixels)
        if self._stream is None:
            self._stream = self._begun(pixels.shape[1], pixels.shape[0])
        gray = pixels.shape[2] == 1
        frame = av.VideoFrame.from_ndarray(pixels[:, :, 0] if gray else pixels, format="gray" if gray else "rgb24")
        frame.pts, frame.time_base = time, self._time_base
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what is left, and close."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        self._beside.replace(self._path)

    def give_up(self) -> None:
        """Close, and remove the incomplete video."""
        self._container.close()
        self._beside.unlink(missing_ok=True)

    def _begun(self, width: int, height: int) -> Any:
        stream: Any = self._container.add_stream(self._codec, rate=self._rate, options=_OPTIONS.get(self._codec, {}))
        stream.width, stream.height = width, height
        stream.pix_fmt = "rgb8" if self._codec == "gif" else "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = 1 / self._rate if self._codec in ("gif", "mpeg4") else self._time_base
        return stream


def is_video(source: str) -> bool:
    """Whether a name stands for a camera or a file of frames."""
    return source.startswith("camera:") or Path(source).suffix.lower() in VIDEOS


def _opened(source: str) -> Any:
    import av

    try:
        if source.startswith("camera:"):
            form, device = _CAMERAS.get(sys.platform, _CAMERAS["linux"])
            return av.open(device.format(source.removeprefix("camera:")), format=form)
        # One file of this machine alone: playlists, which name others and addresses, are not read.
        options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
        return av.open(f"file:{source}", options=options)
    except av.error.EOFError:
        raise InputError(f"{source} is empty: it holds no frames", "give a whole video") from None
    except (OSError, av.error.FFmpegError, ValueError) as error:
        what = "the camera" if source.startswith("camera:") else "the video"
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, av.error.ArgumentError):
            reason = "its form is not among those that are read, such as MP4, MOV, MKV, WebM or AVI"
        raise InputError(f"{what} {source} cannot be opened: {reason}", "give a video file, or camera:0") from None


def _video_of(container: Any, source: str) -> Any:
    """The video of a file; the picture on the cover of a film or a song is none."""
    from av.stream import Disposition

    covers = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
    videos = [stream for stream in container.streams.video if stream not in covers]
    if not videos:
        kinds = {"a cover picture" if stream in covers else str(stream.type) for stream in container.streams}
        names = ", ".join(sorted(kinds)) or "nothing"
        raise InputError(f"{source} holds no video (it holds: {names})", "give a file with a video")
    # A cover may not be marked as one: it has one frame, or FFmpeg finds another one to be in motion.
    moving = [stream for stream in videos if stream.frames != 1] or videos
    best = container.streams.best("video")
    stream = best if best in moving else moving[0]
    if stream.codec_context is None:
        raise Unsupported(f"FFmpeg here has no decoder for the video of {source}", "convert it to H.264 first")
    return stream


def _even(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(pixels)
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
