"""Pictures and videos by their address: only from hosts that were named, never by way of another one."""

from __future__ import annotations

import http.client
import socket
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from glassworks.errors import Forbidden, InputError

_TIMEOUT_S = 30.0
"""Between two packets."""
_TOTAL_S = 600.0
_LARGEST = 4 * 2**30
_CHUNK = 2**20


def is_address(source: str) -> bool:
    """Whether it is http:// or https://."""
    return source.lower().startswith(("http://", "https://"))


@contextmanager
def fetched(address: str, hosts: Sequence[str], largest: int = _LARGEST, total_s: float = _TOTAL_S) -> Iterator[Path]:
    """A file with what lies at the address, while the block runs. Raises Forbidden and InputError.

    `hosts` are names, with `:PORT` where it is not the usual one. An answer that leads elsewhere is not followed, one
    that is larger than `largest` bytes or not whole after `total_s` seconds is given up.
    """
    host, suffix = _parts(address)
    if host not in {each.lower() for each in hosts}:
        raise Forbidden(
            f"nothing may be fetched from '{host[:200]}'",
            "name the host: --allow-host HOST, or data.hosts in the job file; or give a file",
        )
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        _download(address, file, largest, total_s)
        file.flush()
        yield Path(file.name)


def _parts(address: str) -> tuple[str, str]:
    """The host, with its port where one is given, and how the name of the file ends."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # looked at here: what is no number is refused
        parts.netloc.encode("idna")
    except ValueError as error:
        raise InputError(f"'{address[:200]}' is no address: {error}", "give one such as https://HOST/FILE") from None
    suffix = Path(parts.path).suffix[:10]
    return parts.netloc.lower(), suffix if suffix[1:].isalnum() and suffix.isascii() else ""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        return None


class _Watched(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Keeps the sockets that it opens, so that another thread can end them: a host may send its head a byte a time."""

    def __init__(self) -> None:
        super().__init__()
        self._sockets: list[socket.socket] = []
        self.late = False

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._kept(http.client.HTTPConnection), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._kept(http.client.HTTPSConnection), request)

    def _kept(self, kind: type[http.client.HTTPConnection]) -> Callable[..., http.client.HTTPConnection]:
        def made(host: str, **more: Any) -> http.client.HTTPConnection:
            connection = kind(host, **more)
            connect = connection.connect

            def watched() -> None:
                connect()
                self._sockets.append(connection.sock)

            connection.connect = watched  # type: ignore[method-assign]
            return connection

        return made

    def end(self) -> None:
        """Whoever reads from the sockets gets an error."""
        self.late = True
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _download(address: str, file: IO[bytes], largest: int, total_s: float) -> None:
    watched = _Watched()
    timer = threading.Timer(total_s, watched.end)
    timer.daemon = True
    timer.start()
    try:
        _copy(urllib.request.build_opener(_Stay(), watched), address, file, largest)
        if watched.late:  # what ended early may look whole
            raise TimeoutError
    except urllib.error.HTTPError as error:
        error.close()
        where = error.headers.get("Location") if 300 <= error.code < 400 else None
        why = f"leads to {where[:200]}" if where else f"was answered with {error.code}"
        raise InputError(f"{address} {why}", "give the address of the file itself") from None
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
        if watched.late:
            raise InputError(f"{address} was not whole after {total_s:g} s", "fetch it yourself") from None
        reason = str(error) or type(error).__name__
        raise InputError(f"{address} cannot be fetched: {reason}", "look whether the host answers") from None
    finally:
        timer.cancel()


def _copy(opener: urllib.request.OpenerDirector, address: str, file: IO[bytes], largest: int) -> None:
    with opener.open(address, timeout=_TIMEOUT_S) as answer:
        left, length = largest, answer.headers.get("Content-Length")
        while chunk := answer.read1(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise InputError(f"{address} is larger than {largest:,} bytes", "fetch it yourself, or cut it")
            file.write(chunk)
    if length is not None and length.isdigit() and int(length) != largest - left:
        raise http.client.IncompleteRead(b"", int(length) - (largest - left))
