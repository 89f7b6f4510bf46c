"""What one client may take of the service."""

from __future__ import annotations

from dataclasses import dataclass

from glassworks.serving.failures import TooLarge


def too_large(limit: int) -> TooLarge:
    """A body over the limit in bytes."""
    return TooLarge(f"the body is larger than {limit} bytes", "send less, or raise the limit: --max-body-bytes")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    max_body_bytes: int = 64 * 2**20
    max_receiving_bytes: int = 192 * 2**20
    """Of all connections together, while the rest of their requests has not arrived."""
    max_header_bytes: int = 32 * 2**10
    max_headers: int = 100
    idle_s: float = 75.0
    """Between two requests."""
    receive_s: float = 30.0
    """For a whole request to arrive, and for a client to read on."""
