"""How fast a model writes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.optimization.quantities._speeds import Speed


class TokensPerSecond(Speed):
    """Tokens in a second of one answer, after its first one."""

    name: ClassVar[str] = "tokens_per_second"
    unit: ClassVar[str] = "tokens/s"
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"": 1.0, "/s": 1.0, "tokens/s": 1.0})
    maximize: ClassVar[bool] = True
