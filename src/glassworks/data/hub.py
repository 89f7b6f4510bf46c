"""Folders of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glassworks.catalog import require
from glassworks.errors import DataError


def downloaded(name: str, what: str, patterns: Sequence[str], *, local: str, kind: str = "model") -> Path:
    """A local copy of the files of OWNER/NAME that match, of a repository of that kind (`model` or `dataset`).

    `what` is what people call it, `local` how they would name a copy of their own. Raises MissingLibrary and DataError.
    """
    require(("huggingface_hub",), "loading from the hub", extra="text")
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.snapshot_download(name, repo_type=kind, allow_patterns=list(patterns)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(
            f"the {what} '{name}' cannot be loaded from the hub: {reason}",
            f"check name and network, or give a local copy: {local}",
        ) from None
