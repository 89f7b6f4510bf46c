"""The keys of `[data]` for pictures."""

from __future__ import annotations

from typing import ClassVar

from glassworks.config import DataConfig


class PictureData(DataConfig):
    """Pictures, in files or arrays."""

    kind: ClassVar[str] = "pictures"
    hosts: tuple[str, ...] = ()
    """Hosts, `NAME` or `NAME:PORT`, from which `predict` may fetch pictures and videos by their address."""
