"""Starts the service as a process of its own, and stops it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from glassworks.config import ServingConfig
from glassworks.errors import ServingError

_START_S = 120.0
_STOP_S = 15.0
_LOOK_S = 0.5
_LAST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running server process."""

    url: str
    grpc: str | None
    guarded: bool
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Stops the process when the block ends."""
        try:
            yield
        finally:
            self.stop()

    def wait(self) -> None:
        """Until the server ends, Ctrl-C comes, or nobody can read any longer what this process prints."""
        with contextlib.suppress(KeyboardInterrupt):
            while not _reader_is_gone():
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
        with self.process:  # closes its pipes, and waits
            pass


def _reader_is_gone() -> bool:
    """Whether the other end of the standard output is closed: a pipe's, or a terminal's."""
    looking = select.poll()
    looking.register(1, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in looking.poll(0))


def require_free(config: ServingConfig) -> None:
    """Raise ServingError now rather than after training, when a port is taken."""
    _require_free(config.host, config.port, "port")
    following = config.port + 1 if 0 < config.port < _LAST_PORT else 0
    if config.grpc:
        _require_free(config.host, following if config.grpc_port is None else config.grpc_port, "grpc_port")


def _require_free(host: str, port: int, key: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            mend = f"give another port: --set serving.{key}=N, or 0 for any free one"
            if error.errno != errno.EADDRINUSE:
                mend = "give an address of this machine, serving.host, and a port above 1023 that this user may take"
            raise ServingError(f"cannot listen on {host}:{port}: {error.strerror}", mend) from None


def start_service(
    references: str | Sequence[str], config: ServingConfig, environment: Mapping[str, str] | None = None
) -> Service:
    """`glassworks serve` in a process without any training library, which ends with this one; `environment` is added
    to this process's own. Raises ServingError."""
    served = [references] if isinstance(references, str) else list(references)
    options = ["--json", "--end-with-stdin", *options_of(config)]
    # In a process group of its own: Ctrl-C reaches this process alone, which stops the service once, gracefully.
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "glassworks", "serve", *served, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
        env={**os.environ, **(environment or {})},
    )
    try:
        line = _first_line(process)
    except BaseException:
        # Not even an interrupt may leave an unknown server behind.
        process.kill()
        process.wait()
        raise
    if not line:
        process.kill()
        process.wait()
        raise ServingError(
            "the service did not start", f"see why: glassworks serve {' '.join(served)} --port {config.port}"
        )
    up = json.loads(line)
    return Service(url=up["url"], grpc=up["grpc"], guarded=up["keys"], process=process)


def options_of(config: ServingConfig, *, changed: bool = False) -> list[str]:
    """A job's settings as the options of `glassworks serve`, which have the same names; only those that are not the
    usual ones, where `changed`."""
    options: list[str] = []
    for name, value in config:
        if changed and value == type(config).model_fields[name].get_default(call_default_factory=True):
            continue
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            if value != type(config).model_fields[name].default:
                options.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            options += [part for each in value for part in (option, each)]
        elif value not in (None, ""):
            options += [option, str(value)]
    return options


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """What the server says when it is up; empty when it says nothing in time."""
    if process.stdout is None:
        return b""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if select.select([process.stdout], [], [], _LOOK_S)[0]:
            return process.stdout.readline()
    return b""
