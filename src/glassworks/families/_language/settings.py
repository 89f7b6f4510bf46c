"""What the `[model]` table of every language model says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from glassworks.language.settings import EngineName
from glassworks.locations import Location, Naming
from glassworks.record import Record

REGISTERED = "registered:"
SCHEMES: Mapping[str, Naming] = {"gguf": "path", "folder": "path", "hf": "path or name", "registered": "name"}


class LanguageModelConfig(Record):
    """The `[model]` table of a job whose family is `language_model`."""

    source: Annotated[str, Location(SCHEMES)] = Field(min_length=1)
    """The model: `gguf:FILE`, `folder:PATH` (Hugging Face's layout, or OpenVINO's), `package:LIBRARY/FILE`,
    `hf:OWNER/NAME`, or `registered:NAME`, which begins with the weights that the bundle of that model keeps in full."""
    adapter: Annotated[str, Location({"folder": "path"})] = ""
    """An adapter (LoRA or DoRA, in PEFT's layout) that is added into the weights first: `folder:PATH`."""
    context: int | None = Field(default=None, ge=16)
    """Most tokens of prompt and answer together; left out, what the model was made for."""
    streams: int = Field(default=8, ge=1, le=256)
    """Answers at once; further ones wait. The cache has room for so many whole contexts."""
    engine: EngineName = "openvino"
    """What computes the answers: `openvino` on this processor; `vllm`, which has to be installed, on a GPU."""
    gpu_memory: float | None = Field(default=None, gt=0, lt=1)
    """With `vllm` on a GPU: the share of its memory that is taken; left out, as much as weights and the cache need."""
    requantize: bool = False
    """Try forms of 4 bits although the file's weights are in 4 bits already; it costs minutes, and they lose much."""
    max_tokens: int = Field(default=512, ge=1)
    """Tokens of an answer where a request does not say."""
    sources: str = ""
    """The served index of passages, `NAME` or `NAME@VERSION`, that chats answer from unless they say otherwise."""
    chat_template: str = ""
    """A template (Jinja) instead of the model's own."""
    special: dict[str, str] = {}
    """Tokens by the names that templates use, such as `bos_token`, instead of the model's own."""
    stop: tuple[str, ...] = ()
    """Further tokens that end an answer, beside the model's own."""
