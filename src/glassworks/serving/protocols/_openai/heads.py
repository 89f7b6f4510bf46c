"""What all answers and events of one request for completions say alike."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.serving.protocols._openai.requests import Asked


class Head:
    """Of a request; `prefix` begins its id, `kind` is what answers call themselves."""

    def __init__(self, asked: Asked, fingerprint: str, prefix: str, kind: str) -> None:
        self.asked = asked
        self._common: dict[str, Any] = {
            "id": f"{prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": asked.model,
            "system_fingerprint": fingerprint,
        }
        if asked.tier:
            self._common["service_tier"] = "default"
        if asked.stream and asked.usage:
            self._common["usage"] = None

    def chunk(self, choices: Sequence[Mapping[str, Any]], counts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The content of an answer or an event."""
        content = {**self._common, "choices": choices}
        return content if counts is None else {**content, "usage": counts}
