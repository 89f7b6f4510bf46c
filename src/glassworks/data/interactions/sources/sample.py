"""`sample:NAME`: interactions that ship in an installed package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.data.interactions.samples import load

if TYPE_CHECKING:
    import polars

SUMMARY = "interactions that ship in an installed package, by their name"


def scan(name: str) -> polars.LazyFrame:
    """The sample's rows. Raises DataError for an unknown name, MissingLibrary with what to install."""
    return load(name).events.lazy()
