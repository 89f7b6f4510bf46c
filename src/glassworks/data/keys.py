"""The keys of `[data]` for pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

from glassworks.data.split_keys import Split, SplitData


class PictureData(SplitData):
    """Pictures, in files or arrays."""

    kind: ClassVar[str] = "pictures"
    hosts: tuple[str, ...] = ()
    """Hosts, `NAME` or `NAME:PORT`, from which `predict` may fetch pictures and videos by their address."""
    bits: Literal[0, 8, 10, 12, 14, 16] = 0
    """Bits that pictures of 16 bits a channel use where their files do not say it; 0: measured over all of them."""
    separator: str = ""
    """What separates the labels of a picture in one cell of `labels.csv`; left out, `;` and `|`, else a comma."""
    split: Split = ""
    """`folders`, where the folders at the top are `train`, `validation` and `test`; or a column of `labels.csv` that
    says the part of each picture; or a folder or file for each part. Left out, parts are dealt here."""
    group: str = ""
    """A column of `labels.csv` whose equal values stay in one part, such as the patient of a picture."""
