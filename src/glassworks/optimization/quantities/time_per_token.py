"""How long a token takes."""

from __future__ import annotations

from typing import ClassVar

from glassworks.contracts import Candidate, Load
from glassworks.optimization.quantities._speeds import Speed


class TimePerToken(Speed):
    """Milliseconds for each token of an answer after its first one: 1000 / `tokens_per_second`."""

    name: ClassVar[str] = "time_per_token"

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        rate = candidate.speeds.get("tokens_per_second")
        return 1e3 / rate if rate else None
