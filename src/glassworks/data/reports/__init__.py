"""All that is to be known of data before anything is learned from them, for people to look through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from glassworks.config import DataConfig
from glassworks.contracts import Progress
from glassworks.data.reports.interactions import report_interactions
from glassworks.data.reports.pictures import report_pictures
from glassworks.data.reports.records import Report as Report
from glassworks.data.reports.texts import report_texts
from glassworks.errors import DataError

_REPORTS: Mapping[str, Callable[[Any, Progress], Report]] = {
    "pictures": report_pictures,
    "texts": report_texts,
    "interactions": report_interactions,
}


def report_on(data: DataConfig, progress: Progress) -> Report:
    """What is found in the data of a record of their kind. Raises DataError, MissingLibrary and Cancelled."""
    if data.kind not in _REPORTS:
        raise DataError(f"'{data.source}': data of the kind '{data.kind}' are not checked", "check them by their job")
    return _REPORTS[data.kind](data, progress)
