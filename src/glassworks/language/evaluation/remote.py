"""A judge at an address that the user gives: a server that speaks OpenAI's protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urldefrag, urlsplit

from glassworks.errors import InputError, ServingError

KEY = "GLASSWORKS_JUDGE_KEY"
_TIMEOUT_S, _MOST_BYTES, _SHOWN = 300.0, 2**20, 150
_FORM = "give an address such as http://127.0.0.1:8080/v1#MODEL"


def is_address(judge: str) -> bool:
    """Whether a judge is named by an address."""
    return judge.startswith(("http://", "https://"))


class Remote:
    """A model at an address, `#MODEL` behind it; where the server has one alone it may be left out.

    A key is sent only where GLASSWORKS_JUDGE_KEY has one; no redirect is followed, so that it goes nowhere else.
    """

    at_once = 4

    def __init__(self, address: str, environ: Mapping[str, str] = os.environ) -> None:
        """Raises InputError and ServingError."""
        import httpx

        base, model = urldefrag(address)
        parts = urlsplit(base)
        if not parts.hostname or parts.username is not None:
            raise InputError(f"the judge's address {parts.hostname or base!r:.80} cannot be used", _FORM)
        key = environ.get(KEY, "")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._where = f"{parts.scheme}://{parts.netloc}"
        self._client = httpx.Client(base_url=base.rstrip("/"), headers=headers, timeout=_TIMEOUT_S)
        self.model = model or self._only_model()

    def say(self, messages: list[dict[str, str]], schema: Mapping[str, Any]) -> str:
        """The answer to messages, in the form of a schema where the server can. Raises ServingError."""
        form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema, "strict": True}}
        asked = {"model": self.model, "messages": messages, "temperature": 0, "response_format": form}
        found = self._sent("POST", "/chat/completions", asked)
        try:
            return str(found["choices"][0]["message"]["content"] or "")
        except (KeyError, IndexError, TypeError):
            raise ServingError(f"the judge at {self._where} answered in another form", _FORM) from None

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _only_model(self) -> str:
        found = self._sent("GET", "/models", None).get("data")
        names = [str(each.get("id")) for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        if len(names) != 1:
            raise InputError(f"{self._where} has {len(names)} models: {', '.join(names)[:_SHOWN]}", _FORM)
        return names[0]

    def _sent(self, method: str, path: str, asked: Any) -> dict[str, Any]:
        import httpx

        try:
            with self._client.stream(method, path, json=asked) as response:
                content = b""
                for part in response.iter_bytes():
                    content += part
                    if len(content) > _MOST_BYTES:
                        raise ServingError(f"the judge at {self._where} answers without an end", _FORM)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ServingError(f"the judge at {self._where} cannot be asked: {reason:.100}", _FORM) from None
        if response.status_code != httpx.codes.OK:
            said = content[:_SHOWN].decode("utf-8", "replace")
            mend = f"set {KEY}" if response.status_code in (401, 403) else _FORM
            raise ServingError(f"the judge at {self._where} answered {response.status_code}: {said}", mend)
        try:
            found = json.loads(content)
        except ValueError:
            raise ServingError(f"the judge at {self._where} answered no JSON", _FORM) from None
        return found if isinstance(found, dict) else {}
