"""Classical operators and video: against plain OpenCV, served, through a clip, and how much memory a long clip takes.

    python benchmarks/vision.py [edges] [served] [video] [memory]

Without names everything is measured. Contenders take turns in one run; only ratios count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from report import publish

from glassworks.contracts import Opened
from glassworks.data.samples import load
from glassworks.flow import train
from glassworks.imaging.files import write_jpeg, write_png
from glassworks.imaging.video import VideoReader, VideoWriter
from glassworks.job_files import load_job
from glassworks.packaging.frames import Watcher
from glassworks.packaging.opened import OpenedBundle
from glassworks.packaging.video import watch
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.runtimes import open_session

JOB = Path(__file__).parents[1] / "examples" / "edges.toml"
WIDTH, HEIGHT = 1920, 1080
Row = tuple[str, object, str]


def frames(count: int) -> list[Any]:
    """A photograph under a moving window, 1920 x 1080."""
    photograph = cv2.resize(load("photographs")[0][0], (2400, 1400), interpolation=cv2.INTER_CUBIC)
    places = ((2 * number, 4 * number) for number in range(count))
    return [np.ascontiguousarray(photograph[y : y + HEIGHT, x : x + WIDTH]) for y, x in places]


def plain(frame: Any) -> Any:
    """The pipeline as it is written with OpenCV."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=5), cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=5)
    return cv2.compare(cv2.magnitude(across, down), 100, cv2.CMP_GT)


def in_turns(calls: Sequence[Callable[[], object]], rounds: int, block: int = 1) -> list[list[float]]:
    """Seconds of each call; in each round `block` of each, and one more before them that warms the caches."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for taken, call in zip(times, calls, strict=True):
            call()
            for _ in range(block):
                start = time.perf_counter()
                call()
                taken.append(time.perf_counter() - start)
    return times


def edges(bundle: OpenedBundle) -> tuple[dict[str, Any], list[Row]]:
    """One frame, called as a library, with one and with two threads; a frame in color, and one that is gray already."""
    frame, result, rows = frames(1)[0], {}, []
    for threads in (1, 2):
        opened = bundle.bundle.artifact("predict")
        artifact = opened.artifact.model_copy(update={"threads": threads})
        session = open_session(bundle.task, Opened(artifact=artifact, folder=opened.folder), {})
        if not np.array_equal(np.asarray(session.run({"image": frame[None]})["picture"])[0, :, :, 0], plain(frame)):
            raise SystemExit("the pipeline differs from plain OpenCV")
        ours, theirs = in_turns([lambda s=session: s.run({"image": frame[None]}), lambda: plain(frame)], 12, 10)
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        median = statistics.median
        result[f"threads_{threads}"] = {
            "ratio": median(ratios),
            "ms": 1e3 * median(ours),
            "opencv_ms": 1e3 * median(theirs),
        }
        shown = f"{median(ratios):.2f} ({1e3 * median(ours):.2f} : {1e3 * median(theirs):.2f} ms)"
        rows.append((f"edges, 1080p, over plain OpenCV, {threads} thread(s)", shown, "<= 1.0"))
        session.close()
    return result, rows


@contextmanager
def server(bundle: OpenedBundle, home: str) -> Iterator[HTTPConnection]:
    """`glassworks serve` on the second core, where there is one."""
    command = [sys.executable, "-m", "glassworks", "serve", str(bundle.bundle.folder), "--port", "0", "--json"]
    environment = {**os.environ, "GLASSWORKS_HOME": home}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            address = json.loads(process.stdout.readline())["url"].partition("://")[2]  # type: ignore[union-attr]
            connection = HTTPConnection(address)
            yield connection
            connection.close()
        finally:
            process.terminate()


def served(bundle: OpenedBundle, home: str) -> tuple[dict[str, Any], list[Row]]:
    """A JPEG in and a PNG out over HTTP, against decoding, operating and encoding by hand in this process."""
    file = write_jpeg(frames(1)[0])
    name, cv_threads = bundle.manifest.name, 1
    cv2.setNumThreads(cv_threads)
    session = bundle.session("predict")

    def by_hand() -> bytes:
        frame = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)
        return write_png(np.asarray(session.run({"image": frame[None]})["picture"])[0])

    with server(bundle, home) as connection:

        def asked() -> bytes:
            connection.request("POST", f"/v2/models/{name}/picture", file)
            return connection.getresponse().read()

        if asked() != by_hand():
            raise SystemExit("the served picture differs")
        ours, hand = in_turns([asked, by_hand], 12, 10)
    median, rounds = statistics.median, range(0, len(ours), 10)
    added = median([1e3 * (median(ours[at : at + 10]) - median(hand[at : at + 10])) for at in rounds])
    result = {"added_ms": added, "by_hand_ms": 1e3 * median(hand)}
    shown = f"{added:.2f} ms over {1e3 * median(hand):.2f} ms"
    return result, [("served, 1080p JPEG in and PNG out, added", shown, "<= 1 ms or 5 %")]


def video(bundle: OpenedBundle, folder: Path, count: int = 240) -> tuple[dict[str, Any], list[Row]]:
    """A clip through the pipeline, against its slowest stage alone."""
    source = folder / "clip.mp4"
    writer = VideoWriter(source, Fraction(1, 30), Fraction(30))
    for number, frame in enumerate(frames(120) * (count // 120)):
        writer.write(frame, number)
    writer.finish()
    few = list(VideoReader(str(source)))[:60]
    watcher = Watcher(bundle)
    seen = [watcher.see(frame.pixels).shown for frame in few]

    def encode() -> None:
        out = VideoWriter(folder / "alone.mp4", Fraction(1, 30), Fraction(30))
        for number, picture in enumerate(seen):
            out.write(picture, number)
        out.finish()

    stages = {
        "decode": lambda: sum(1 for _ in VideoReader(str(source))) / count,
        "operator": lambda: [watcher.see(frame.pixels) for frame in few],
        "encode": encode,
    }
    sizes = {"decode": count, "operator": len(few), "encode": len(few)}
    whole = lambda: watch(bundle, str(source), folder / "out.mp4", Silent())  # noqa: E731
    times = in_turns([*stages.values(), whole], 1, 2)
    alone = {name: 1e3 * min(taken) / sizes[name] for name, taken in zip(stages, times, strict=False)}
    together = 1e3 * min(times[-1]) / count
    share = max(alone.values()) / together
    shown = f"{share:.2f} ({together:.1f} ms a frame; {', '.join(f'{k} {v:.1f}' for k, v in alone.items())})"
    result = {"share_of_slowest": share, "ms_a_frame": together, "alone_ms": alone}
    return result, [("1080p video, edges: share of its slowest stage alone", shown, ">= 0.90")]


def memory(bundle: OpenedBundle, folder: Path, minutes: int = 10) -> tuple[dict[str, Any], list[Row]]:
    """What a process holds while it goes through a long clip: ten seconds of a moving square, again and again."""
    source = folder / "long.mp4"
    _repeated(_square(folder / "short.mp4"), source, minutes * 6)
    few = VideoReader(str(source))
    held: list[float] = []
    watch(bundle, str(source), folder / "warm.mp4", Silent(), limit=5)
    start, ended = _rss_mb(), threading.Event()

    def look() -> None:
        while not ended.wait(0.5):
            held.append(_rss_mb())

    looking = threading.Thread(target=look)
    looking.start()
    found = watch(bundle, str(source), folder / "out.mp4", Silent())
    ended.set()
    looking.join()
    half = len(held) // 2
    growth = statistics.mean(held[half:]) - statistics.mean(held[len(held) // 10 : half])
    result = {"above_start_mb": max(held) - start, "second_half_over_first_mb": growth, **found, "told": few.frames}
    few.close()
    shown = f"{max(held) - start:.0f} MB; second half {growth:+.1f} MB"
    return result, [(f"memory above start, {found['frames']:,} frames of 1080p", shown, "<= 300 MB, flat")]


def _square(path: Path) -> Path:
    writer = VideoWriter(path, Fraction(1, 25), Fraction(25))
    for number in range(250):
        frame = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        frame[400:600, 4 * number : 4 * number + 300] = 200
        writer.write(frame, number)
    writer.finish()
    return path


def _repeated(short: Path, path: Path, times: int) -> None:
    """The packets of a clip again and again, later each time: nothing is encoded."""
    with av.open(str(path), "w") as out:
        stream: Any = None
        for round_number in range(times):
            with av.open(str(short)) as given:
                video = given.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                for packet in given.demux(video):
                    if packet.dts is None:
                        continue
                    shift = round(10 / float(packet.time_base) * round_number)
                    packet.pts, packet.dts, packet.stream = (packet.pts or 0) + shift, packet.dts + shift, stream
                    out.mux(packet)


def _rss_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["edges", "served", "video", "memory"]
    with tempfile.TemporaryDirectory() as home:
        made = train(load_job(JOB), Registry.open({"GLASSWORKS_HOME": home}), Silent()).bundle
        bundle, place = OpenedBundle(made), Path(home)
        parts: dict[str, Callable[[], tuple[dict[str, Any], list[Row]]]] = {
            "edges": lambda: edges(bundle),
            "served": lambda: served(bundle, home),
            "video": lambda: video(bundle, place),
            "memory": lambda: memory(bundle, place),
        }
        for part in wanted:
            publish(f"vision_{part}", *parts[part]())
