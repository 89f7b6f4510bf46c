"""Pictures, texts or interactions: what a source holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from glassworks.data.schemes import parts_of, require_scheme
from glassworks.errors import DataError

Kind = Literal["pictures", "texts", "interactions"]


def kind_of(source: str, wanted: Kind | None = None) -> Kind:
    """By its scheme, and by its name where it is a sample; a table is what is `wanted`, else texts.

    Raises DataError for a source that nothing reads, or not as what is wanted.
    """
    known = all_schemes()
    scheme, rest = parts_of(source, known)
    if scheme not in known:
        raise DataError(f"the source '{source}' has the unknown scheme '{scheme}'", f"schemes: {', '.join(known)}")
    if scheme == "sample":
        if rest not in all_samples():
            raise DataError(f"there is no sample '{rest}'", f"samples: {', '.join(all_samples())}")
        if rest in _of_interactions()[0]:
            return "interactions"
        return "texts" if rest in _of_texts()[0] else "pictures"
    if wanted == "interactions":
        require_scheme(scheme, _of_interactions()[1], "interactions")
        return wanted
    return "texts" if scheme in _of_texts()[1] else "pictures"


def all_samples() -> Mapping[str, str]:
    """Name -> what it is, of the data sets that ship in packages."""
    from glassworks.data.sources import samples

    return {**samples(), **_of_texts()[0], **_of_interactions()[0]}


def all_schemes() -> Mapping[str, str]:
    """Scheme -> what it reads."""
    from glassworks.data.sources import schemes

    own = {**schemes(), **_of_interactions()[1], **_of_texts()[1]}
    return {**own, "sample": "a data set that ships in an installed package, by its name"}


def _of_texts() -> tuple[Mapping[str, str], Mapping[str, str]]:
    from glassworks.data.text.samples import summaries
    from glassworks.data.text.sources import schemes

    return summaries(), schemes()


def _of_interactions() -> tuple[Mapping[str, str], Mapping[str, str]]:
    from glassworks.data.interactions.samples import summaries
    from glassworks.data.interactions.sources import schemes

    return summaries(), schemes()
