"""Models of this server are asked, behind all that people wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from glassworks.errors import ServingError
from glassworks.evals.grading import Ungraded
from glassworks.serving.batches.asking import Background

_PATH = "/v1/chat/completions"
_HOPELESS = (401, 403, 404)
"""Statuses that all further requests would have, too."""


async def answered(background: Background, owner: str, body: Mapping[str, Any], request_id: str) -> Mapping[str, Any]:
    """The answer of /v1/chat/completions. Raises Ungraded for this one, ServingError for what no request will be
    answered after."""
    answer = await background.answered(owner, _PATH, msgspec.json.encode(body), request_id)
    found: dict[str, Any] = msgspec.json.decode(answer.body or b"null")
    if answer.status == 200:
        return found
    said = str(found["error"]["message"])[:300]
    if answer.status in _HOPELESS:
        problem = f"the model '{body['model']:.80}' cannot be asked: {said}"
        raise ServingError(problem, "mend it, then 'glassworks runs resume' goes on")
    raise Ungraded(said)
