"""The keys of `[data]` for pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

from glassworks.config import DataConfig


class PictureData(DataConfig):
    """Pictures, in files or arrays."""

    kind: ClassVar[str] = "pictures"
    hosts: tuple[str, ...] = ()
    """Hosts, `NAME` or `NAME:PORT`, from which `predict` may fetch pictures and videos by their address."""
    bits: Literal[0, 8, 10, 12, 14, 16] = 0
    """Bits that pictures of 16 bits a channel use where their files do not say it; 0: measured over all of them."""
