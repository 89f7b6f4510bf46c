"""What a session that answers bit by bit gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.contracts.records import Tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The next part of an answer.

    `outputs` are the tensors of this part alone. The counts are those of the whole request so far, 0 for a model
    without tokens: `cached_tokens` are those of the prompt that were not computed again, `reasoning_tokens` those of
    the answer that thought. The first chunk comes before any work, so that `max_tokens`, the most that the answer may
    have, can be checked. `finish_reason` is empty until the last chunk, which says why it is the last: `stop`,
    `length`, `tool_calls`.
    """

    outputs: Tensors
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    max_tokens: int = 0
    finish_reason: str = ""
