"""The `[model]` tables of recommenders."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glassworks.record import Record

Algorithm = Literal["auto", "popularity", "user_knn", "item_knn", "rp3beta", "ease", "ials"]


class _Chosen(Record):
    """What all have."""

    tune: bool = True
    """Choose what is left out by validation, within `training.budget` (30 s without it)."""
    trials: int = Field(default=24, ge=1, le=10_000)
    """Most settings to try, the default one included."""
    refit: bool = True
    """After measuring, fit the chosen settings once more on everything; else what is served ends at the cut."""


class CollaborativeConfig(_Chosen):
    """The `[model]` table of a job whose family is `collaborative`; what is left out, tuning decides."""

    algorithm: Algorithm = "auto"
    """`auto` takes by the size of the data what can be afforded, and says why."""
    neighbors: int | None = Field(default=None, ge=1, le=10_000)
    """kNN and RP3beta: how many of the most alike count."""
    shrinkage: float | None = Field(default=None, ge=0)
    """kNN: how far similarities of what is rarely met are shrunk to 0."""
    regularization: float | None = Field(default=None, gt=0)
    """EASE and iALS: the penalty."""
    factors: int | None = Field(default=None, ge=1, le=4096)
    """iALS: values an item."""
    alpha: float | None = Field(default=None, gt=0)
    """iALS: confidence of a like; RP3beta: the power of the walk's steps."""
    iterations: int | None = Field(default=None, ge=1, le=10_000)
    """iALS: rounds."""
    beta: float | None = Field(default=None, ge=0)
    """RP3beta: how far popular items are held back."""
    days: float | None = Field(default=None, ge=0)
    """Popularity: of the last so many days; 0 is of all time."""
    met: float | None = Field(default=None, ge=0, le=1)
    """EASE: what an item counts that was met and not liked, where a like counts 1."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory to plan with; left out, that of the machine."""


class ContentConfig(_Chosen):
    """The `[model]` table of a job whose family is `content_based`."""

    words: int = Field(default=20_000, ge=1, le=1_000_000)
    """Most different words of descriptions and titles."""
    titles: bool = False
    """Whether titles count as descriptions do."""
    embedding: str = ""
    """A registered model of texts, `NAME` or `NAME@VERSION`: descriptions are compared by its vectors, not by words."""
    popularity: float | None = Field(default=None, ge=0)
    """The part of popularity, in standard deviations of both; left out, validation decides."""


class HybridConfig(CollaborativeConfig):
    """The `[model]` table of a job whose family is `hybrid_recommender`."""

    words: int = Field(default=20_000, ge=1, le=1_000_000)
    """Most different words of descriptions and titles."""
    titles: bool = False
    """Whether titles count as descriptions do."""
    embedding: str = ""
    """A registered model of texts, `NAME` or `NAME@VERSION`: descriptions are compared by its vectors, not by words."""
    content: float | None = Field(default=None, ge=0)
    """The part of what items are; left out, validation decides: 0 where it does not help."""
    factorization: float | None = Field(default=None, ge=0, lt=1)
    """EASE only: the part of iALS beside it; left out, validation decides: 0 where it does not help."""
