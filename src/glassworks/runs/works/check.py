"""What is wrong with data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from glassworks.config import DataConfig, validate
from glassworks.contracts import Progress, Work
from glassworks.data.kinds import kind_of
from glassworks.data.split_keys import SplitData
from glassworks.data.uploads.store import DataStore
from glassworks.errors import ConfigError
from glassworks.job_files import modalities
from glassworks.record import Record


class CheckRequest(Record):
    """`data` has the keys of a job's `[data]`; `kind`, such as `interactions`, where its source can be read in more
    than one way."""

    data: dict[str, Any]
    kind: str | None = None


class Check(Work):
    """Look through data for copies, contradictions, labels that look wrong, and what a leaking split would pretend."""

    name: ClassVar[str] = "check"
    request: ClassVar[type[Record]] = CheckRequest

    def about(self, request: CheckRequest) -> str:
        """What people call the data: the name of what was sent, else the source. Raises ConfigError, DataError and
        NotFound."""
        source = _data(request).source
        scheme, _, name = source.partition(":")
        return DataStore().find(name).name if scheme == "uploaded" else source

    def run(self, request: CheckRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what reading raises."""
        from glassworks.data.reports import report_on

        return report_on(_data(request), progress).model_dump(mode="json")


def _data(request: CheckRequest) -> DataConfig:
    """As a record of its kind."""
    try:
        source = SplitData.completed(request.data).get("source")
    except ValueError as error:
        raise ConfigError(*str(error).split("; ", 1)) from None
    plain = validate(DataConfig, {"source": source}, where="check", prefix="data.")
    kind = kind_of(plain.source, request.kind)
    return validate(modalities()[kind], request.data, where="check", prefix="data.")
