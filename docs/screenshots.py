"""Draws the pictures of the console in docs/images: `python docs/screenshots.py [HOME]`.

It starts a service, trains a model of digits and one of reviews, and opens each page in Chromium (on the path, or
named by CHROMIUM). With HOME what was trained stays there, and is used the next time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from glassworks import Client
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore, Role

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1280, 800
PATIENCE_MS = 120_000
SEARCH = {"minimize": "latency_p99", "within": ["accuracy_drop <= 0.5%"], "budget": "20s"}
JOBS: tuple[dict[str, Any], ...] = (
    {"name": "digits", "family": "convnet", "data": {"source": "sample:mnist-5k"}, "training": {"epochs": 6}},
    {"name": "reviews", "family": "recurrent_text", "data": {"source": "sample:zh-reviews"}, "training": {"epochs": 2}},
)
SEVEN = ((0.28, 0.25), (0.5, 0.24), (0.72, 0.25), (0.6, 0.45), (0.5, 0.62), (0.42, 0.8))
"""A stroke, as parts of the field's sides."""
REVIEW = "房间很干净，服务员也热情，就是早餐太差了。"


def main(home: Path) -> None:
    """All pictures."""
    me, shop = key_of(home, "vera", "admin", "infer"), key_of(home, "web-shop", "infer")
    with serving(home) as address, Client(address, me) as client, sync_playwright() as playwright:
        prepare(client)
        threading.Thread(target=ask, args=(address, shop, me), daemon=True).start()
        executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for locale, views in (("en-US", ENGLISH), ("zh-CN", CHINESE)):
            size: Any = {"width": WIDTH, "height": HEIGHT}
            context = chromium.new_context(viewport=size, locale=locale, color_scheme="light")
            context.request.post(f"{address}/api/v1/session", data={"key": me})
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            for name, view in views.items():
                view(page, address, client)
                keep(page, name)
        chromium.close()


def key_of(home: Path, name: str, *roles: Role) -> str:
    """A new key; another of that name ends."""
    store = KeyStore(home, Clock())
    for key in store.list():
        if key.name == name and key.revoked_at is None:
            store.revoke(key.id)
    return store.create(name, roles=roles)[1]


@contextlib.contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of a service with a worker."""
    command = [sys.executable, "-m", "glassworks", "serve", "--port", "0", "--no-grpc", "--keys", "on", "--json"]
    environ = {**os.environ, "GLASSWORKS_HOME": str(home)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def prepare(client: Client) -> None:
    """Models, a better version of one of them, a split, and a check of data; what is there already stays."""
    known = {each.name for each in client.list_models().items}
    for job in JOBS:
        if job["name"] not in known:
            client.wait(client.submit_run(kind="train", request={"job": job}).id)
            client.load_model(reference=job["name"])
    if "digits" not in known:
        client.wait(client.submit_run(kind="optimize", request={"model": "digits", "objective": SEARCH}).id)
        client.wait(client.check_data("sample:zh-reviews").id)
        client.get_deployment("digits")
        client.change_deployment("digits", shares={"1": 80, "2": 20}, champion=1, if_match=client.etag)


def ask(address: str, *keys: str) -> None:
    """Somebody uses the models all the time, until the service ends."""
    digit = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0.0] * 784}
    with httpx.Client(base_url=address) as http, contextlib.suppress(httpx.TransportError):
        while True:
            for number, key in enumerate(keys):
                headers = {"authorization": f"Bearer {key}"}
                for _ in range(3 - 2 * number):
                    http.post("/v2/models/digits/infer", json={"inputs": [digit]}, headers=headers)
            time.sleep(0.1)


def keep(page: Page, name: str) -> None:
    """What is on the screen, in 256 colors, which none of its pages needs more than."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = shown.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    IMAGES.mkdir(exist_ok=True)
    small.save(IMAGES / f"console-{name}.png", optimize=True)


def go(page: Page, address: str, path: str, awaited: str) -> None:
    """To a page of the console, until it shows what is awaited."""
    page.goto(f"{address}/#/{path}")
    page.wait_for_selector(awaited)


def home(page: Page, address: str, client: Client) -> None:
    """Requests are counted for a while."""
    go(page, address, "home", "tbody tr")
    page.wait_for_timeout(2500)


def data(page: Page, address: str, client: Client) -> None:
    go(page, address, "data/sample%3Azh-reviews", ".bars")


def train(page: Page, address: str, client: Client) -> None:
    go(page, address, "train?data=sample:mnist-5k", ".verdict-line.valid")


def run(page: Page, address: str, client: Client) -> None:
    go(page, address, f"runs/{client.list_runs(kind='train').items[-1].id}", ".chart canvas")


def runs(page: Page, address: str, client: Client) -> None:
    go(page, address, "runs", "tbody tr")


def models(page: Page, address: str, client: Client) -> None:
    go(page, address, "models/digits/2", ".card")


def try_picture(page: Page, address: str, client: Client) -> None:
    """A seven is drawn."""
    go(page, address, "try/digits", "canvas")
    box = page.locator("main canvas").first.bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    page.locator("canvas.heat").first.scroll_into_view_if_needed()


def try_text(page: Page, address: str, client: Client) -> None:
    go(page, address, "try/reviews", "textarea")
    page.fill("main textarea", REVIEW)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".shaded")


def optimize(page: Page, address: str, client: Client) -> None:
    go(page, address, f"optimize/digits?run={client.list_runs(kind='optimize').items[0].id}", ".trade-off .point")


def serve(page: Page, address: str, client: Client) -> None:
    go(page, address, "serve/digits", ".split")


def keys(page: Page, address: str, client: Client) -> None:
    go(page, address, "keys", ".stacked")


ENGLISH = {
    "train": train,
    "run": run,
    "runs": runs,
    "try": try_picture,
    "data": data,
    "models": models,
    "optimize": optimize,
    "serve": serve,
    "keys": keys,
    "home": home,
}
CHINESE = {"try-zh": try_text, "home-zh": home}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
