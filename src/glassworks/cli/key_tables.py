"""Tables of access keys and of what they used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from glassworks.cli.output import table

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.serving.access.keys import Key
    from glassworks.serving.access.ledger import Total

COUNTS = ("requests", "errors", "rows", "prompt_tokens", "cached_tokens", "completion_tokens")
_TITLES = ("requests", "errors", "rows", "prompt", "cached", "completion")
"""Their columns; the last three are of tokens."""


def show_keys(keys: Sequence[Key], now: datetime, console: Console) -> None:
    """One row a key."""
    rows = []
    for key in keys:
        expired = key.expires_at is not None and key.expires_at <= now
        state = "revoked" if key.revoked_at else "expired" if expired else "valid"
        roles = ", ".join(key.roles)
        rows.append((key.name, key.id, state, roles, f"{key.created_at:%Y-%m-%d}", limits(key)))
    table("access keys", ("name", "id", "state", "roles", "created (UTC)", "allows"), rows, console)


def show_usage(totals: Sequence[Total], names: Mapping[str, str], console: Console) -> None:
    """One row a total, with `names` of keys by their ids, and their sum."""
    if not totals:
        console.print("nothing was used")
        return
    header = ("day (UTC)", "key", "model", "verb", *_TITLES, "compute")
    lines = [
        (
            total.day,
            names.get(total.key_id, total.key_id),
            f"{total.model}@{total.version}",
            total.verb,
            *(f"{getattr(total, name):,}" for name in COUNTS),
            f"{total.compute_us / 1e6:,.3f} s",
        )
        for total in totals
    ]
    sums_of = (f"{sum(getattr(total, name) for total in totals):,}" for name in COUNTS)
    lines.append(("total", "", "", "", *sums_of, f"{sum(total.compute_us for total in totals) / 1e6:,.3f} s"))
    table("usage", header, lines, console)


def limits(key: Key) -> str:
    """What a key allows, in words."""
    parts = [
        f"models {', '.join(key.models)}" if key.models else "all models",
        f"{key.requests_per_s:g} requests/s" if key.requests_per_s is not None else "",
        f"{key.requests_per_day:,} requests/day" if key.requests_per_day is not None else "",
        f"{key.rows_per_day:,} rows/day" if key.rows_per_day is not None else "",
        f"{key.tokens_per_day:,} tokens/day" if key.tokens_per_day is not None else "",
        f"{key.concurrent_streams:,} answer{'s' * (key.concurrent_streams != 1)} at a time"
        if key.concurrent_streams is not None
        else "",
        f"{key.max_context:,} tokens of prompt and answer" if key.max_context is not None else "",
        f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "",
    ]
    return ", ".join(part for part in parts if part)
