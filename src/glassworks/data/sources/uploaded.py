"""`uploaded:ID`: data that were sent to this machine, through the console or the control API."""

from __future__ import annotations

from typing import ClassVar

from glassworks.contracts import Reader, Source
from glassworks.data.conversations.reader import ConversationReader
from glassworks.data.interactions.reader import InteractionReader
from glassworks.data.reader import PictureReader
from glassworks.data.text.reader import TextReader
from glassworks.data.uploads.readers import reader_of_item
from glassworks.data.uploads.store import DataStore
from glassworks.locations import Naming


class Uploaded(Source):
    """Data that were uploaded, by their id or the beginning of it."""

    name: ClassVar[str] = "uploaded"
    naming: ClassVar[Naming] = "name"

    def kinds(self) -> tuple[str, ...]:
        return PictureReader.kind, TextReader.kind, InteractionReader.kind, ConversationReader.kind

    def reader(self, what: str) -> Reader:
        return reader_of_item(DataStore().find(what))
