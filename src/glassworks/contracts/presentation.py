"""An answer as people see it, whatever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """What a terminal or a page shows of one answer.

    `headline` says it in a few words. `row` has its values by column, for a table of many answers. An answer of
    several parts also has a table of its own: `columns` and `rows`, under `title`, with sentences as `notes` below.
    `decision` is what is answered, without how sure that is, and `probability` is how sure: two models agree where
    their decisions are the same. It is empty where nothing is decided, as of pictures and vectors.
    """

    headline: str
    row: Mapping[str, Any]
    title: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    decision: tuple[str, ...] = ()
    probability: float | None = None
