"""What a key may still do today, as headers that OpenAI's clients read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.serving.access.limits import Left


def limit_headers(left: Left) -> Iterator[tuple[bytes, bytes]]:
    """Limit, rest, and when it begins anew, of requests and tokens; nothing of what has no limit."""
    reset = b"%ds" % math.ceil(left.reset_s)
    counted = (
        (b"requests", left.requests_per_day, left.requests),
        (b"tokens", left.tokens_per_day, left.tokens),
    )
    for name, limit, rest in counted:
        if limit is not None and rest is not None:
            yield b"x-ratelimit-limit-" + name, b"%d" % limit
            yield b"x-ratelimit-remaining-" + name, b"%d" % rest
            yield b"x-ratelimit-reset-" + name, reset
