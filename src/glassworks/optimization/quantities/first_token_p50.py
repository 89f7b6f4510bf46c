"""The usual wait for the first token."""

from __future__ import annotations

from typing import ClassVar

from glassworks.optimization.quantities._speeds import Speed


class FirstTokenP50(Speed):
    """Milliseconds from a request to the first token of its answer, for half of the requests at most."""

    name: ClassVar[str] = "first_token_p50"
