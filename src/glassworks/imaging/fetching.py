"""Pictures and videos by their address: only from hosts that were named, never by way of another one."""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from glassworks.errors import Forbidden, InputError

_TIMEOUT_S = 30.0
_LARGEST = 4 * 2**30
_CHUNK = 2**20


def is_address(source: str) -> bool:
    """Whether it is http:// or https://."""
    return source.lower().startswith(("http://", "https://"))


@contextmanager
def fetched(address: str, hosts: Sequence[str], largest: int = _LARGEST) -> Iterator[Path]:
    """A file with what lies at the address, while the block runs. Raises Forbidden and InputError.

    `hosts` are names, with `:PORT` where it is not the usual one. An answer that leads elsewhere is not followed.
    """
    parts = urlsplit(address)
    if parts.netloc.lower() not in {host.lower() for host in hosts}:
        raise Forbidden(
            f"nothing may be fetched from '{parts.netloc[:200]}'",
            "name the host: --allow-host HOST, or data.hosts in the job file; or give a file",
        )
    with tempfile.NamedTemporaryFile(suffix=Path(parts.path).suffix[:10]) as file:
        _download(address, file, largest)
        file.flush()
        yield Path(file.name)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        return None


def _download(address: str, file: IO[bytes], largest: int) -> None:
    opener = urllib.request.build_opener(_Stay())
    try:
        with opener.open(address, timeout=_TIMEOUT_S) as answer:
            left = largest
            while chunk := answer.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise InputError(f"{address} is larger than {largest:,} bytes", "fetch it yourself, or cut it")
                file.write(chunk)
    except urllib.error.HTTPError as error:
        error.close()
        where = error.headers.get("Location") if 300 <= error.code < 400 else None
        why = f"leads to {where[:200]}" if where else f"was answered with {error.code}"
        raise InputError(f"{address} {why}", "give the address of the file itself") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{address} cannot be fetched: {error}", "look whether the host answers") from None
