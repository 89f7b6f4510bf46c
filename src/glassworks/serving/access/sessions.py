"""Signing in with a browser: a key is sent once, and a cookie stands for it from then on.

The cookie is signed (HMAC-SHA-256 under a secret of this home, which only its owner may read) and holds the id of the
key and an end; the key itself is not in it. It is refused as soon as the key is revoked or ends. Scripts cannot read
it (`HttpOnly`), other sites cannot let it be sent (`SameSite=Strict`), and since a site is a host with all of its
ports, a page of another origin is refused as well.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.errors import Forbidden
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from glassworks.serving.access.clock import Clock
    from glassworks.serving.access.gate import Gate

LASTS_S = 12 * 3600
COOKIE = "glassworks_session"
_COOKIE = re.compile(rb"(?:^|;\s*)glassworks_session=([0-9a-f]{8})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})(?:;|$)")
_SECRET_BYTES = 32
_OWN = frozenset({b"same-origin", b"none"})


class Sessions:
    """Cookies for the keys of a gate. One without an end, or with a wrong signature, counts as none."""

    def __init__(self, home: Path, gate: Gate, clock: Clock) -> None:
        """Raises StorageError."""
        self._secret, self._gate, self._wall = _secret(home / "session.key"), gate, clock.wall

    def begin(self, key_id: str) -> tuple[str, float]:
        """The value of a cookie for a key, and when it ends, in seconds since 1970."""
        end = int(self._wall()) + LASTS_S
        return f"{key_id}.{end}.{self._signature(key_id.encode(), b'%d' % end).decode()}", end

    def key(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        """What stands for the key of a request's cookie; None for one without, or with a key of its own.

        Raises Forbidden for a page of another origin.
        """
        cookie = headers.get(b"cookie")
        if cookie is None or b"authorization" in headers or b"x-api-key" in headers:
            return None
        match = _COOKIE.search(cookie)
        if match is None:
            return None
        key_id, end, signature = match.groups()
        if not hmac.compare_digest(signature, self._signature(key_id, end)) or self._wall() >= int(end):
            return None
        _check_page(headers)
        return self._gate.standing_in(key_id.decode())

    def _signature(self, key_id: bytes, end: bytes) -> bytes:
        digest = hmac.digest(self._secret, b"session " + key_id + b" " + end, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=")


def _check_page(headers: Mapping[bytes, bytes]) -> None:
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"none").lower()
    own = origin is None or origin.partition(b"://")[2].lower() == headers.get(b"host", b"").lower()
    if not own or site not in _OWN:
        raise Forbidden(
            "a page of another origin may not use the session of this service",
            "open the console at the service's own address, or send a key",
        )


def _secret(path: Path) -> bytes:
    """Kept, so that a restart ends no session. Raises StorageError."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
            try:
                os.link(beside, path)
            finally:
                beside.unlink()
        return path.read_bytes()
