"""The fields of a request: each is read once with its type, and one that nobody reads is refused by its name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.serving.failures import WrongParameter

HARMLESS = (
    *("user", "metadata", "store", "service_tier", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
)
"""What changes nothing of an answer: who asks, and what a hosted service would keep or bill."""

_PAIRS, _KEY, _VALUE = 16, 64, 512
_LARGEST = 1e100


class Fields:
    """The fields of a JSON object; null is as good as nothing. `path` is where the object is in the request."""

    def __init__(self, content: Mapping[str, Any], path: str = "") -> None:
        self._left = {name: value for name, value in content.items() if value is not None}
        self._path = f"{path}." if path else ""
        self._known = set[str]()

    @classmethod
    def of(cls, content: object, path: str) -> Fields:
        """Of what must be an object."""
        if not isinstance(content, dict):
            raise WrongParameter(f"{path} is {content!r:.100}", "give an object", path)
        return cls(content, path)

    def take(self, name: str, default: Any = None) -> Any:
        """A field of any type."""
        self._known.add(name)
        return self._left.pop(name, default)

    def needed(self, name: str, mend: str) -> Any:
        """A field that must be there."""
        if name not in self._left:
            path = self._path + name
            raise WrongParameter(f"the request has no '{path}'", mend, path, "missing_required_parameter")
        return self._left.pop(name)

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        value = self.take(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, value, "give a text")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "give true or false")
        return value

    def whole(self, name: str, default: int | None, least: int, most: int) -> int | None:
        """A whole number."""
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(name, value, f"give a whole number from {least} to {most}")
        return value

    def number(self, name: str, default: float) -> float:
        """A number that is not too large to compute with."""
        return self.checked(name, self.take(name, default))

    def checked(self, name: str, value: object) -> float:
        """A value that must be a number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
            raise self.wrong(name, value, "give a number")
        return float(value)

    def metadata(self) -> dict[str, str] | None:
        """What a client notes about what it makes."""
        value = self.take("metadata")
        if value is None:
            return None
        good = isinstance(value, dict) and len(value) <= _PAIRS
        if not good or not all(_fits(name, _KEY) and _fits(each, _VALUE) for name, each in value.items()):
            mend = f"give at most {_PAIRS} texts of at most {_VALUE} characters, by names of at most {_KEY}"
            raise self.wrong("metadata", value, mend)
        return dict(value)

    def rows(self, name: str) -> Sequence[Mapping[str, Any]]:
        """A list of objects; empty for nothing."""
        value = self.take(name, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(name, value, "give a list of objects")
        return value

    def nested(self, name: str) -> Fields | None:
        """An object; None for nothing."""
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(name, value, "give an object")
        return None if value is None else Fields(value, self._path + name)

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the fields that are there, as they are."""
        return {name: self._left.pop(name) for name in names if name in self._left}

    def harmless(self) -> None:
        """Let what changes nothing pass."""
        self.given(*HARMLESS)

    def only(self, name: str, *values: Any) -> None:
        """Let a field pass that asks for what is done anyway; any other value is refused."""
        value = self.take(name)
        if value is not None and value not in values:
            shown = " or ".join(map(repr, values))
            raise self.unsupported(name, f"leave it out, or give {shown}", f"{name} {value!r:.100} is not supported")

    def end(self, **mends: str) -> None:
        """Refuse what is left. `mends` say of known fields what to do instead."""
        for name in self._left:
            near = difflib.get_close_matches(name, sorted(self._known), n=1)
            mend = f"did you mean '{self._path}{near[0]}'?" if near else "leave it out: it would change nothing here"
            raise self.unsupported(name, mends.get(name, mend))

    def wrong(self, name: str, value: object, mend: str) -> WrongParameter:
        """A value of the wrong type or size."""
        path = self._path + name
        return WrongParameter(f"{path} is {value!r:.200}", mend, path)

    def unsupported(self, name: str, mend: str, problem: str = "") -> WrongParameter:
        """What is not done here."""
        path = (self._path + name)[:200]
        return WrongParameter(
            problem or f"the parameter '{path}' is not supported", mend, path, "unsupported_parameter"
        )


def _fits(text: object, most: int) -> bool:
    return isinstance(text, str) and len(text) <= most
