"""A published language model is brought."""

from __future__ import annotations

from typing import ClassVar

from glassworks.runs.works.release import Release


class Import(Release):
    """A published language model: read exactly, measured, compressed within the objective, registered."""

    name: ClassVar[str] = "import"
