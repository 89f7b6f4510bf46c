"""`glassworks predict` on pictures, folders, videos and addresses, for a pipeline of operators and for a classifier."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from glassworks.catalog import get
from glassworks.cli.app import build
from glassworks.contracts import Family
from glassworks.errors import Forbidden, GlassworksError, InputError, Unsupported
from glassworks.flow import train, watch
from glassworks.imaging.files import read_picture, write_png
from glassworks.imaging.video import VideoReader, VideoWriter
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.frames import Watcher
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry

Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("operators")
    job = get(Family, "image_operators").tiny(folder)
    return train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")})).bundle


def picture(seed: int = 0, height: int = 48, width: int = 64) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def edges(pixels: Pixels) -> Pixels:
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=5), cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=5)
    return cv2.threshold(cv2.magnitude(across, down), 100, 255, cv2.THRESH_BINARY)[1].astype(np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve frames at uneven times."""
    path = tmp_path / "clip.mp4"
    writer = VideoWriter(path, Fraction(1, 1000), Fraction(25))
    for number in range(12):
        writer.write(picture(number), number * 40 + number % 3)
    writer.finish()
    return path


def predict(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(build(), ["predict", *arguments, "--json"])
    if done.exception:
        raise done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_picture_is_written(operators: Bundle, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(write_png(picture()))
    for suffix in (".png", ".jpg", ".npy"):
        found = predict(str(operators.folder), str(tmp_path / "in.png"), "-o", str(tmp_path / f"out{suffix}"))
        assert found["outputs"]["height"] == 48
    assert np.array_equal(read_picture((tmp_path / "out.png").read_bytes(), 1)[:, :, 0], edges(picture()))
    assert np.array_equal(np.load(tmp_path / "out.npy")[:, :, 0], edges(picture()))
    with pytest.raises(InputError, match=r"cannot be written as '\.xyz'"):
        predict(str(operators.folder), str(tmp_path / "in.png"), "-o", str(tmp_path / "out.xyz"))


def test_a_folder_is_answered_and_what_cannot_be_read_is_named(operators: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    (source / "a.png").write_bytes(write_png(picture(1)))
    (source / "deep" / "b.png").write_bytes(write_png(picture(2)))
    (source / "c.jpg").write_bytes(b"no picture")
    rows = predict(str(operators.folder), str(source), "-o", str(tmp_path / "out"))["pictures"]
    assert [row["file"] for row in rows] == ["a.png", "c.jpg", "deep/b.png"]
    assert "are not a picture" in rows[1]["error"]
    written = read_picture((tmp_path / "out" / "deep" / "b.png").read_bytes(), 1)[:, :, 0]
    assert np.array_equal(written, edges(picture(2)))
    with pytest.raises(InputError, match="holds no picture file"):
        (tmp_path / "empty").mkdir()
        predict(str(operators.folder), str(tmp_path / "empty"))


def test_no_result_of_a_folder_takes_the_place_of_another(operators: Bundle, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    names = ("page.png", "page.jpg", "Page.bmp", "page.jpg.png", "other.tif", "deep/page.png")
    for seed, name in enumerate(names):
        form = f".{name.rpartition('.')[2]}"
        ok, content = cv2.imencode(form, picture(seed)[:, :, ::-1])
        assert ok
        (source / name).write_bytes(content.tobytes())
    rows = predict(str(operators.folder), str(source), "-o", str(output))["pictures"]
    written = {row["file"]: Path(row["output"]) for row in rows}
    assert len(set(written.values())) == len(list(output.rglob("*.png"))) == len(names)
    assert written["other.tif"] == output / "other.png"
    assert written["deep/page.png"] == output / "deep" / "page.png"
    for name, path in written.items():
        wanted = edges(read_picture((source / name).read_bytes(), 3))
        assert np.array_equal(read_picture(path.read_bytes(), 1)[:, :, 0], wanted)
    first = predict(str(operators.folder), str(source), "-o", str(output), "--limit", "2")["pictures"]
    assert [Path(row["output"]) for row in first] == [written[row["file"]] for row in first]


@pytest.mark.parametrize("deep", [False, True])
def test_what_is_read_is_not_written_over(deep: bool, operators: Bundle, tmp_path: Path) -> None:
    place = tmp_path / "in" / "deep" if deep else tmp_path / "in"
    place.mkdir(parents=True)
    content = write_png(picture(1))
    (place / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="would be written over"):
        predict(str(operators.folder), str(tmp_path / "in"), "-o", str(tmp_path / "in"))
    assert (place / "a.png").read_bytes() == content


def test_a_turned_clip_is_answered_upright_and_what_was_made_up_is_said(
    operators: Bundle, clip: Path, tmp_path: Path
) -> None:
    content = bytearray(clip.read_bytes())
    plain = np.array([2**16, 0, 0, 0, 2**16, 0, 0, 0, 2**30], ">i4").tobytes()
    start = content.index(plain, content.index(b"tkhd"))
    content[start : start + 36] = np.array([0, 2**16, 0, -(2**16), 0, 0, 0, 0, 2**30], ">i4").tobytes()
    clip.write_bytes(content)
    found = predict(str(operators.folder), str(clip), "-o", str(tmp_path / "out.mp4"))["video"]
    assert "notes" not in found
    made = VideoReader(str(tmp_path / "out.mp4"))
    frames = list(made)
    made.close()
    assert {frame.pixels.shape for frame in frames} == {(64, 48, 3)}
    wanted = np.rot90(edges(picture(0)), -1)
    assert np.mean((frames[0].pixels[:, :, 0] > 127) == (wanted > 127)) > 0.95
    with av.open(str(clip)) as source, av.open(str(tmp_path / "raw.h264"), "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    raw = predict(str(operators.folder), str(tmp_path / "raw.h264"), "--frames", str(tmp_path / "lines.jsonl"))["video"]
    assert any("the file holds no times" in note for note in raw["notes"])
    times = [json.loads(line)["time_s"] for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert len(set(np.diff(times).round(4))) == 1
    assert times[1] - times[0] > 0.01


def test_a_clip_and_its_lines_are_two_files(operators: Bundle, clip: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out.mp4")
    with pytest.raises(InputError, match="give each a file of its own"):
        try:
            predict(str(operators.folder), str(clip), "-o", out, "--frames", out)
        except InputError as error:
            raise InputError(f"{error.problem}; {error.mend}", "") from None


def test_a_clip_becomes_a_clip_with_the_same_times(operators: Bundle, clip: Path, tmp_path: Path) -> None:
    found = predict(str(operators.folder), str(clip), "-o", str(tmp_path / "out.mp4"))["video"]
    assert (found["frames"], found["broken"]) == (12, 0)
    given, made = (VideoReader(str(path)) for path in (clip, tmp_path / "out.mp4"))
    for before, after in zip(given, made, strict=True):
        assert float(before.time * given.time_base) == pytest.approx(float(after.time * made.time_base), abs=1e-3)
        wanted = edges(before.pixels)
        assert np.mean((after.pixels[:, :, 0] > 127) == (wanted > 127)) > 0.97  # H.264 loses a little
    given.close()
    made.close()


def test_a_classifier_tells_of_frames_and_of_the_clip(tiny_bundle: Bundle, clip: Path, tmp_path: Path) -> None:
    lines, out = tmp_path / "frames.jsonl", tmp_path / "out.mp4"
    reference = str(tiny_bundle.folder)
    found = predict(reference, str(clip), "--frames", str(lines), "-o", str(out))["video"]
    frames = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [each["frame"] for each in frames] == list(range(12))
    assert frames[4]["time_s"] == pytest.approx(0.161, abs=1e-3)
    scores = [dict(each["top"]) for each in frames]
    for label, mean in found["clip"]["top"]:
        assert mean == pytest.approx(np.mean([each[label] for each in scores]), abs=1e-5)
    smooth = tmp_path / "smooth.jsonl"
    again = predict(reference, str(clip), "--frames", str(smooth), "--smoothing", "0.8")["video"]
    assert again["clip"]["top"] == found["clip"]["top"]
    changes = [
        np.abs(np.diff([dict(json.loads(line)["top"])["down"] for line in path.read_text().splitlines()])).sum()
        for path in (lines, smooth)
    ]
    assert changes[1] < 0.5 * changes[0]
    shown, plain = (next(iter(VideoReader(str(path)))).pixels.astype(int) for path in (out, clip))
    assert np.abs(shown[:10] - plain[:10]).mean() > 10  # the band with the label
    assert np.abs(shown[20:] - plain[20:]).mean() < 8  # it was compressed once more


def test_smoothing_is_exponential(tiny_bundle: Bundle) -> None:
    opened = OpenedBundle(tiny_bundle)
    alone, smooth = Watcher(opened), Watcher(opened, 0.75)
    own = [dict(alone.see(picture(seed)).answer["top"]) for seed in range(3)]
    wanted = {label: 0.75 * (0.75 * own[0][label] + 0.25 * own[1][label]) + 0.25 * own[2][label] for label in own[0]}
    answers = [dict(smooth.see(picture(seed)).answer["top"]) for seed in range(3)]
    assert answers[-1] == pytest.approx(wanted, abs=1e-5)


def test_only_so_many_frames(operators: Bundle, clip: Path) -> None:
    assert predict(str(operators.folder), str(clip), "--limit", "5")["video"]["frames"] == 5


def test_an_animated_gif_is_a_picture_or_a_video(operators: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    writer = VideoWriter(path, Fraction(1, 100), Fraction(10))
    for number in range(4):
        writer.write(picture(number), number * 10)
    writer.finish()
    reference = str(operators.folder)
    assert predict(reference, str(path))["outputs"]["width"] == 64
    assert predict(reference, str(path), "-o", str(tmp_path / "out.mp4"))["video"]["frames"] == 4


def test_a_clip_that_fails_leaves_nothing(operators: Bundle, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video at all")
    with pytest.raises(InputError, match="cannot be opened"):
        watch(str(operators.folder), str(tmp_path / "clip.mp4"), tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_model_of_texts_looks_at_no_video() -> None:
    class Texts:
        task = type("task", (), {"pictures": False, "name": "text-classification"})

    with pytest.raises(Unsupported, match="a model for text-classification looks at no pictures"):
        Watcher(Texts())  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """A web server with a picture, and an address that leads elsewhere."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "in.png").write_bytes(write_png(picture()))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/elsewhere.png":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/in.png")
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing."""

    handler: type[BaseHTTPRequestHandler] = functools.partial(Handler, directory=str(tmp_path / "web"))  # type: ignore[assignment]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_addresses_are_fetched_from_named_hosts_alone(operators: Bundle, host: str) -> None:
    reference, address = str(operators.folder), f"http://{host}/in.png"
    with pytest.raises(Forbidden, match=r"nothing may be fetched from '127\.0\.0\.1"):
        predict(reference, address)
    with pytest.raises(Forbidden):
        predict(reference, address, "--allow-host", "example.org")
    assert predict(reference, address, "--allow-host", host)["outputs"]["width"] == 64
    faults = {"elsewhere.png": "leads to http://127.0.0.1:1/in.png", "nothing.png": "was answered with 404"}
    for name, told in faults.items():
        with pytest.raises(InputError, match=told):
            predict(reference, f"http://{host}/{name}", "--allow-host", host)


def test_a_job_may_name_hosts(host: str, tmp_path: Path) -> None:
    job = get(Family, "image_operators").tiny(tmp_path)
    job = job.model_copy(update={"data": job.data.model_copy(update={"hosts": (host,)})})
    made = train(job, Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")})).bundle
    assert predict(str(made.folder), f"http://{host}/in.png")["outputs"]["height"] == 48


def test_a_host_that_does_not_answer_is_told(operators: Bundle) -> None:
    with pytest.raises(GlassworksError, match="cannot be fetched"):
        predict(str(operators.folder), "http://127.0.0.1:1/x.png", "--allow-host", "127.0.0.1:1")
