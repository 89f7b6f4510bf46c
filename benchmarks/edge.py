"""Models at the edge: what the folder weighs, how soon it answers, whether the browser's page agrees with the server.

    python benchmarks/edge.py [--pictures 100]

The digits of examples/digits.toml, trained and packaged first. The folder is installed into a new environment by its
own requirements.txt. The page needs npm (or GLASSWORKS_ONNXRUNTIME_WEB), chromium and playwright.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from report import publish

from glassworks.catalog import get
from glassworks.contracts import Exporter
from glassworks.flow import Release, release
from glassworks.job_files import load_job
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

JOB = Path(__file__).parents[1] / "examples" / "digits.toml"
STARTS = 15
ASK = """async (text) => {
  const blob = new Blob([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], { type: "image/png" });
  const answer = await window.glassworks.ask(blob);
  return { label: answer.label, values: Array.from(answer.why.values) };
}"""


def size_mb(folder: Path) -> float:
    """All files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def edge(done: Release, home: Path) -> dict[str, float]:
    """Installed megabytes, and the time from starting Python to the first answer."""
    folder, place = home / "edge", home / "environment"
    get(Exporter, "edge").export(done.bundle.folder, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = (place / "lib").glob("python*/site-packages")
    wanted = ["-r", str(folder / "requirements.txt"), "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *wanted], check=True)
    Image.fromarray(done.dataset.splits["test"].x[0, :, :, 0]).save(home / "digit.png")
    command = [str(place / "bin" / "python"), str(folder / "run.py"), "predict", str(home / "digit.png")]
    # As people start it: Python keeps what it compiled at the first start.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(STARTS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=env)
        times.append(time.perf_counter() - start)
    return {
        "installed_mb": size_mb(site) + size_mb(folder),
        "folder_mb": size_mb(folder),
        "first_s": times[0],
        "cold_start_s": statistics.median(times[1:]),
        "slowest_s": max(times[1:]),
    }


def web(done: Release, home: Path, pictures: int) -> dict[str, float]:
    """Agreement of the page with the served model, and the largest difference of a heat map's value."""
    from playwright.sync_api import sync_playwright

    get(Exporter, "web").export(done.bundle.folder, home / "web")
    opened, same, worst, largest = OpenedBundle(done.bundle), 0, 0.0, 0.0
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_context(offline=True).new_page()
        page.goto((home / "web" / "index.html").as_uri())
        for x in done.dataset.splits["test"].x[:pictures]:
            buffer = io.BytesIO()
            Image.fromarray(x[:, :, 0]).save(buffer, "PNG")
            found = page.evaluate(ASK, base64.b64encode(buffer.getvalue()).decode())
            explanation = opened.explain(x[None], method="integrated_gradients", grade=False)
            same += found["label"] == opened.task.answer(opened.predict(x[None]), opened.manifest.labels)[0]["label"]
            values = explanation.attribution.values.ravel()
            if found["label"] == explanation.label:
                worst = max(worst, float(np.abs(np.array(found["values"]) - values).max()))
            largest = max(largest, float(np.abs(values).max()))
        page.set_input_files("#file", str(home / "digit.png"))
        page.wait_for_selector("#answer:not([hidden])")
        page.screenshot(path=str(home / "page.png"))
        browser.close()
    return {"same": same / pictures, "heat_map_difference": worst, "largest_value": largest, "pictures": pictures}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--screenshot", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        done = release(load_job(JOB), Registry.open({"GLASSWORKS_HOME": str(home / "home")}), Silent())
        small, browsed = edge(done, home), web(done, home, options.pictures)
        if options.screenshot:
            shutil.copy(home / "page.png", options.screenshot)
    served = next(each for each in done.bundle.manifest.artifacts if each.role == "predict")
    publish(
        "edge",
        {"edge": small, "web": browsed, "served": json.loads(served.model_dump_json())},
        [
            ("installed with numpy and onnxruntime, MB", small["installed_mb"], "<= 150"),
            (
                "cold start to first answer, s (median / slowest)",
                f"{small['cold_start_s']:.3f} / {small['slowest_s']:.3f}",
                "<= 0.5",
            ),
            (f"page: the server's class, of {options.pictures}", browsed["same"], "1"),
            ("page: largest difference of a heat map's value", browsed["heat_map_difference"], "<= 1e-3"),
        ],
    )
