"""Batches of texts of like length: each text once, none left out for its length."""

from __future__ import annotations

import pytest
import torch

from glassworks.families._text.training import like_length


def lengths_of(count: int) -> torch.Tensor:
    return torch.randint(1, 300, (count,), generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(("count", "batch"), [(3, 8), (16, 16), (79, 16), (500, 16), (2047, 32)])
def test_each_text_comes_once(count: int, batch: int) -> None:
    found = like_length(torch.randperm(count), lengths_of(count), batch)
    assert found.sort().values.tolist() == [*range(count)]


@pytest.mark.parametrize(("count", "batch"), [(31, 4), (79, 16), (511, 16)])
def test_what_fills_no_batch_is_another_each_time(count: int, batch: int) -> None:
    """The loop leaves it out: were it the longest texts, they would never be learned from."""
    torch.manual_seed(0)
    lengths, whole = lengths_of(count), count - count % batch
    longest = set(lengths.argsort()[-batch:].tolist())
    seen: set[int] = set()
    for _ in range(60):
        seen |= set(like_length(torch.randperm(count), lengths, batch)[:whole].tolist())
    assert longest <= seen
    assert len(seen) == count


def test_texts_of_a_batch_are_of_like_length() -> None:
    torch.manual_seed(0)
    count, batch = 2048, 16
    lengths = lengths_of(count)
    batches = lengths[like_length(torch.randperm(count), lengths, batch)].view(-1, batch)
    spread = (batches.max(dim=1).values - batches.min(dim=1).values).float().mean()
    assert spread < 30 < 200 < lengths.max() - lengths.min()
