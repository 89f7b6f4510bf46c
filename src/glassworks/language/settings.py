"""What a bundle says of a language model beside its graph, in `language.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from glassworks.language.architecture import Architecture
from glassworks.record import Record
from glassworks.storage import write_atomically

FILE = "language.json"
GRAPH = "openvino_model.xml"
TOKENIZER = "tokenizer.json"


EngineName = Literal["openvino", "vllm"]


class LanguageSettings(Record):
    """`special` are texts that chat templates name, such as `bos_token`; an answer ends at one of `stop_ids`.

    `context` is the most tokens of prompt and answer together, `streams` are the answers at once that the cache has
    room for, and `max_tokens` those of an answer where a request does not say; `stored` counts weights by the type of
    the file they came from; an empty `chat_template` means that the model holds no conversations. `engine` computes
    the answers, on a GPU within the share `gpu_memory` of it, 0: with a cache for `streams` contexts.
    """

    architecture: Architecture
    source: str
    stored: dict[str, int]
    license: str = "unspecified"
    chat_template: str = ""
    special: dict[str, str] = {}
    stop_ids: tuple[int, ...]
    context: int
    streams: int = 8
    max_tokens: int = 512
    requantize: bool = False
    engine: EngineName = "openvino"
    gpu_memory: float = 0.0


def write_settings(folder: Path, settings: LanguageSettings) -> None:
    """Raises StorageError."""
    write_atomically(folder / FILE, settings.model_dump_json(indent=2).encode())


def read_settings(folder: Path) -> LanguageSettings:
    """What `write_settings` wrote."""
    return LanguageSettings.model_validate_json((folder / FILE).read_bytes())
