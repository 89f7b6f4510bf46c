"""What a session that answers bit by bit gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.contracts.records import Tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The next part of an answer.

    `outputs` are the tensors of this part alone. `prompt_tokens` and `completion_tokens` are counts of the whole
    request so far, 0 for a model without tokens. `finish_reason` is empty until the last chunk, which says why it is
    the last: `stop`, `length`.
    """

    outputs: Tensors
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = ""
