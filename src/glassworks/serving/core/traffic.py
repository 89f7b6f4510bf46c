"""How the requests for one model are split between its versions."""

from __future__ import annotations

import hashlib
import re

from glassworks.errors import InputError
from glassworks.record import Record

_WHOLE = 100.0
_SHARE = re.compile(r"([A-Za-z0-9_-]{1,63})=([0-9]+(?:\.[0-9]+)?|[A-Za-z][A-Za-z0-9_-]*)", re.ASCII)
_SHADOW = "shadow"
_MEND = "write it like champion=90,candidate=10,shadow=candidate; the shares add up to 100"


class Traffic(Record):
    """Shares in percent by version or alias, adding up to 100, and a version that gets a copy of every request."""

    shares: dict[str, float]
    shadow: str | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """All that it names, the shadow last."""
        return tuple(self.shares) if self.shadow is None else (*self.shares, self.shadow)

    def version(self, key: str) -> str:
        """The version or alias for a key: the same key gives the same one, many keys follow the shares."""
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        position = int.from_bytes(digest, "big") / 2**64 * _WHOLE
        end = 0.0
        for version, share in self.shares.items():
            end += share
            if position < end:
                return version
        return next(reversed(self.shares))


def parse_traffic(text: str) -> Traffic:
    """`champion=90,candidate=10,shadow=candidate`. Raises InputError."""
    shares: dict[str, float] = {}
    shadow: str | None = None
    for part in text.split(","):
        match = _SHARE.fullmatch(part.strip())
        if match is None or match[1] in shares:
            raise InputError(f"'{part.strip()[:100]}' is not a share of the traffic", _MEND)
        if match[1] == _SHADOW:
            shadow = match[2]
        elif match[2][0].isdigit():
            shares[match[1]] = float(match[2])
        else:
            raise InputError(f"'{part.strip()[:100]}' is not a share of the traffic", _MEND)
    return checked_traffic(Traffic(shares=shares or {"champion": _WHOLE}, shadow=shadow))


def checked_traffic(traffic: Traffic) -> Traffic:
    """Traffic whose shares add up to 100. Raises InputError."""
    total = sum(traffic.shares.values())
    if not traffic.shares or min(traffic.shares.values()) < 0 or not abs(total - _WHOLE) <= 1e-6:
        raise InputError(f"the shares of the traffic add up to {total:g}", _MEND)
    return traffic
