"""Starts the service as a process of its own, asks it over HTTP as any client would, and stops it."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.config import ServingConfig
from glassworks.errors import ServingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.flow import Release

_START_S = 30.0
_STOP_S = 15.0
_LOOK_S = 0.5
_ANSWER_S = 60.0
_KEY_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running server process."""

    url: str
    grpc: str | None
    guarded: bool
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    @contextlib.contextmanager
    def kept(self, after: bool) -> Iterator[None]:
        """Stops the process when the block ends, unless it is to be left running and nothing failed."""
        try:
            yield
        except BaseException:
            self.stop()
            raise
        if not after:
            self.stop()

    def wait(self) -> None:
        """Until the server ends. Ctrl-C reaches it too; it stops gracefully by itself."""
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(_LOOK_S)
                    return

    def stop(self) -> None:
        """Ask it to stop; after a while, end it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What the service said about one test example, and the files that show it.

    `truth` is empty where nobody knows it; `said` is the answer in words, `label` what its explanation is about.
    """

    truth: str
    label: str
    said: str
    explanation: Mapping[str, Any]
    rows: Sequence[Sequence[tuple[str, str]]]
    input: Path
    drawn: Path
    request: Path


def require_free(host: str, port: int) -> None:
    """Raise ServingError now rather than after training, when the port is taken."""
    if port == 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServingError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                f"give another port: --set serving.port={port + 1}, or 0 for any free one",
            ) from None


def start_service(reference: str, config: ServingConfig) -> Service:
    """`glassworks serve` in a process without any training library. Raises ServingError."""
    command = [sys.executable, "-m", "glassworks", "serve", reference, "--json", *_options(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    try:
        line = _first_line(process)
    except BaseException:
        # Not even an interrupt may leave a server behind that nobody knows of.
        process.kill()
        process.wait()
        raise
    if not line:
        process.kill()
        process.wait()
        raise ServingError("the service did not start", f"see why: glassworks serve {reference} --port {config.port}")
    up = json.loads(line)
    return Service(url=up["url"], grpc=up["grpc"], guarded=up["keys"], process=process)


def _options(config: ServingConfig) -> list[str]:
    """The job's settings as the options of `glassworks serve`, which have the same names."""
    options: list[str] = []
    for name, value in config:
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            if value != type(config).model_fields[name].default:
                options.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            options += [part for each in value for part in (option, each)]
        elif value not in (None, ""):
            options += [option, str(value)]
    return options


def _first_line(process: subprocess.Popen[str]) -> str:
    """What the server says when it is up; empty when it says nothing in time."""
    if process.stdout is None:
        return ""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if select.select([process.stdout], [], [], _LOOK_S)[0]:
            return process.stdout.readline()
    return ""


@contextlib.contextmanager
def passing_key(service: Service, home: Path) -> Iterator[str | None]:
    """A key for a question or two where the service asks for keys; it is revoked afterwards."""
    if not service.guarded:
        yield None
        return
    from glassworks.serving.access.clock import Clock
    from glassworks.serving.access.keys import KeyStore

    store = KeyStore(home, Clock())
    key, secret = store.create(f"up-{uuid.uuid4().hex[:8]}", expires_in_s=_KEY_S)
    try:
        yield secret
    finally:
        store.revoke(key.id)


def ask(service: Service, made: Release, method: str, folder: Path, key: str | None = None) -> Answered:
    """Send one example of the test split as a file; predict and explain over the public API."""
    from glassworks.cli.drawing import as_file, draw

    test, labels = made.dataset.splits["test"], made.dataset.classes
    example = test.x[0]
    file, suffix, value = as_file(example)
    name = made.bundle.manifest.signature.inputs[0].name
    body: dict[str, Any] = {"inputs": [{"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}]}
    model = f"{service.url}/v2/models/{made.version.name}"
    said = _post(f"{model}/infer", body, key)
    answer = _post(f"{model}/explain", {**body, "parameters": {"method": method}}, key)
    values = _tensor(answer, f"attributions:{name}")[0]
    spans = [_tensor(answer, each["name"])[0] for each in answer["outputs"] if each["name"] == f"spans:{name}"]
    names = [_tensor(answer, each["name"])[0] for each in answer["outputs"] if each["name"] == f"names:{name}"]
    label = str(answer["parameters"]["label"])
    parts = (each[0].tolist() if each else () for each in (spans, names))
    drawn = draw(example, values, next(parts), label, method, next(parts))
    written = {f"input.{suffix}": file, f"why.{drawn.suffix}": drawn.file, "request.json": json.dumps(body).encode()}
    files = list(_write(folder / made.version.reference, written).values())
    return Answered(
        truth=_truth(test.y[0], labels) if labels else "",
        label=label,
        said=_in_words(said, label),
        explanation=answer["parameters"],
        rows=drawn.rows,
        input=files[0],
        drawn=files[1],
        request=files[2],
    )


def _in_words(answer: Mapping[str, Any], label: str) -> str:
    """The label with its probability, the label alone of answers in words, or else the sizes of what came out."""
    if any(output["name"] == "probabilities" for output in answer["outputs"]):
        return f"{label} (probability {float(_tensor(answer, 'probabilities')[0].max()):.4f})"
    if all(output["datatype"] == "BYTES" for output in answer["outputs"]):
        return label
    return ", ".join(
        f"{each['name']} of {' x '.join(str(size) for size in each['shape'][1:])}" for each in answer["outputs"]
    )


def _truth(target: Any, labels: Sequence[str]) -> str:
    """A label, or several."""
    if getattr(target, "ndim", 0):
        return ", ".join(label for label, there in zip(labels, target, strict=True) if there) or "none"
    return labels[int(target)]


def _write(stem: Path, contents: Mapping[str, bytes]) -> Mapping[str, Path]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = {kind: stem.with_name(f"{stem.name}-{kind}") for kind in contents}
    for kind, content in contents.items():
        files[kind].write_bytes(content)
    return files


def _post(url: str, body: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    # The service is our own process on this machine: its certificate is for those who come from elsewhere.
    own = ssl._create_unverified_context()  # noqa: S323
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=own))
    try:
        with opener.open(request, timeout=_ANSWER_S) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        raise ServingError(
            f"{url} answered {error.code}: {error.read(500).decode()}", "see the service's log above"
        ) from None
    except OSError as error:
        raise ServingError(f"{url} does not answer: {error}", "see the service's log above") from None
    return answer


def _tensor(answer: Mapping[str, Any], name: str) -> NDArray[Any]:
    import numpy as np

    found = next(output for output in answer["outputs"] if output["name"] == name)
    kind = object if found["datatype"] == "BYTES" else np.float32
    return np.asarray(found["data"], kind).reshape(found["shape"])
