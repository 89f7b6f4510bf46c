"""`sample:NAME`: texts that ship in an installed package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glassworks.data.text.samples import load

if TYPE_CHECKING:
    from glassworks.data.text.sources import Columns

SUMMARY = "texts that ship in an installed package, by their name"


def read(name: str, columns: Columns) -> Iterable[tuple[str, str, str]]:
    """The sample's rows. Raises DataError for an unknown name, MissingLibrary with what to install."""
    return load(name)
