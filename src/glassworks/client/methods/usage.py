"""The operations of the control API on usage.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from typing import Literal

from glassworks.client.transport import Transport
from glassworks.control.resources.usage import Usage


class UsageMethods(Transport):
    """One method for each operation."""

    def get_usage(
        self,
        *,
        first: str = "",
        last: str = "",
        by: str = "day,key,model,version,verb",
        form: Literal["json", "csv"] = "json",
    ) -> Usage:
        """What all keys have used for the role `admin`, else what your own key has."""
        return self.ask("GET", "/usage", Usage, query={"from": first, "to": last, "by": by, "format": form})
