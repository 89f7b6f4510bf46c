"""Packed examples are scored as each would be alone, and as transformers scores it; none sees another."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassworks.families._language.synthetic import write_model
from glassworks.families.tuned_language_model.network import Tuned, decoder_of, merged, tunable
from glassworks.families.tuned_language_model.packing import rows_of
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.language.examples import Example
from glassworks.language.importing import Brought, bring
from glassworks.machine import usable_cpus
from glassworks.training.parallel import THREADS, Processors

LENGTHS = (5, 17, 9, 30, 2, 12)


@pytest.fixture(scope="module", params=["llama", "qwen2", "qwen3"])
def brought(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Brought:
    folder = tmp_path_factory.mktemp(request.param) / "model"
    write_model(folder, seed=0, kind=request.param, tied_embeddings=request.param != "qwen2")
    return bring(folder, f"folder:{folder}")


def examples() -> list[Example]:
    random = np.random.default_rng(0)
    made = [random.permutation(250)[:size] for size in LENGTHS]
    return [Example(ids=ids, learned=np.arange(len(ids)) >= len(ids) // 2) for ids in made]


def test_rows_hold_every_example_once_within_their_length() -> None:
    rows = rows_of(examples(), 40)
    assert max(row.ids.shape[1] for row in rows) <= 40
    assert sum(row.ids.shape[1] for row in rows) == sum(LENGTHS)
    assert sorted(member for row in rows for member in row.members) == [*range(len(LENGTHS))]
    longest = rows_of(examples(), 10)
    assert max(row.ids.shape[1] for row in longest) == max(LENGTHS)
    assert [row.ids.shape[1] for row in rows_of(examples(), 500)] == [sum(LENGTHS)]
    two = [row.ids.shape[1] for row in rows_of(examples(), 500, parts=2)]
    assert len(two) == 2 and max(two) <= 0.75 * sum(LENGTHS)
    assert rows_of([], 40) == []


def test_beginnings_that_are_the_same_stand_once() -> None:
    """Whatever they are followed by: a tree, of which each example is one way."""
    texts = [[1, 2, 3, 4, 5], [1, 2, 3, 9], [1, 2, 3, 4, 6], [7, 2, 3], [1, 2, 3, 4, 5]]
    made = [Example(ids=np.array(ids), learned=np.arange(len(ids)) >= 2) for ids in texts]
    (row,) = rows_of(made, 500)
    assert row.ids.shape[1] == len({tuple(ids[:end]) for ids in texts for end in range(1, len(ids) + 1)})
    ends = np.cumsum(row.sizes)
    for member, end, size in zip(row.members, ends, row.sizes, strict=True):
        last = int(row.asked[end - 1])
        seen = row.mask[0, 0, last].nonzero()[:, 0]
        assert row.ids[0, seen].tolist() == texts[member][:-1]
        assert row.positions[0, seen].tolist() == [*range(len(texts[member]) - 1)]
        assert row.targets[end - size : end].tolist() == texts[member][2:]
    assert [len(rows_of(made, most)) for most in (11, 8, 5)] == [1, 2, 4]


def test_packed_as_alone_and_as_transformers(brought: Brought) -> None:
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    theirs = auto.from_pretrained(brought.files[0].parent, dtype=torch.float32)
    network = Tuned(decoder_of(brought))
    with torch.inference_mode():
        expected = 0.0
        for example in examples():
            labels = torch.from_numpy(np.where(example.learned, example.ids, -100))[None]
            count = int(example.learned[1:].sum())
            expected += float(theirs(torch.from_numpy(example.ids)[None], labels=labels).loss) * count
        alone = sum(float(network.loss(next(iter(rows_of([each], 99))))) for each in examples())
        packed = sum(float(network.loss(row)) for row in rows_of(examples(), 40))
    assert alone == pytest.approx(expected, rel=1e-5)
    assert packed == pytest.approx(expected, rel=1e-5)


def test_another_neighbor_changes_nothing(brought: Brought) -> None:
    network = Tuned(decoder_of(brought))
    first, *others = examples()
    with torch.inference_mode():
        (one,) = rows_of([*others, first], 500)
        changed = [Example(ids=(each.ids + 1) % 250, learned=each.learned) for each in others]
        (two,) = rows_of([*changed, first], 500)
        scores = [network.scores(row) for row in (one, two)]
    places = [(row.asked, row.ids[0]) for row in (one, two)]
    start = next(at for at in range(len(places[0][1])) if places[0][1][at : at + 5].tolist() == first.ids.tolist())
    chosen = [(asked >= start) & (asked < start + len(first)) for asked, _ in places]
    torch.testing.assert_close(scores[0][chosen[0]], scores[1][chosen[1]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_merged_weights_say_what_the_tuned_network_said(brought: Brought, method: str) -> None:
    config = TunedLanguageModelConfig.model_validate({"source": "folder:x", "method": method, "rank": 4})
    torch.manual_seed(0)
    network = tunable(brought, config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    (row,) = rows_of(examples(), 500)
    with torch.inference_mode():
        tuned = network.scores(row)
        whole = Tuned(decoder_of(merged(network, brought))).scores(row)
        before = Tuned(decoder_of(brought)).scores(row)
    torch.testing.assert_close(whole, tuned, rtol=1e-3, atol=1e-3)
    assert float((tuned - before).abs().max()) > 0.05


def test_low_rank_matrices_begin_with_the_model_as_it_was_and_are_all_that_is_kept(brought: Brought) -> None:
    config = TunedLanguageModelConfig(source="folder:x", rank=4)
    network = tunable(brought, config)
    (row,) = rows_of(examples(), 500)
    with torch.inference_mode():
        torch.testing.assert_close(network.scores(row), Tuned(decoder_of(brought)).scores(row))
    kept = sum(tensor.numel() for tensor in network.state_dict().values())
    assert kept == sum(each.numel() for each in network.parameters() if each.requires_grad)
    assert kept < brought.settings.architecture.parameters


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_parts_beside_each_other_have_the_gradient_of_all_and_its_bits(brought: Brought, method: str) -> None:
    """With beginnings that are shared, against each example alone; one thread after the other, against three."""
    config = TunedLanguageModelConfig.model_validate({"source": "folder:x", "method": method, "rank": 4})
    torch.manual_seed(0)
    network = tunable(brought, config)
    begin = np.arange(20, 40)
    given = [
        Example(ids=np.append(begin, each.ids), learned=np.append(np.zeros(20, np.bool_), each.learned))
        for each in examples()
    ]

    def gradient(calls: list[Any], processors: Processors) -> list[torch.Tensor]:
        network.zero_grad()
        processors.differentiated(network, calls)
        return [each.grad for each in network.parameters() if each.grad is not None]

    alone = gradient([partial(network.loss, row) for each in given for row in rows_of([each], 99)], Processors())
    rows = rows_of(given, 40, parts=3)
    assert sum(row.ids.shape[1] for row in rows) < sum(map(len, given))
    calls = [partial(network.loss, row) for row in rows]
    one, three = gradient(calls, Processors()), gradient(calls, Processors(parts=3))
    assert len(alone) == len(one) > 0
    for expected, first, other in zip(alone, one, three, strict=True):
        torch.testing.assert_close(first, expected, rtol=1e-3, atol=1e-4)
        assert torch.equal(first, other)


def test_a_run_goes_on_in_as_many_parts_as_it_began(tmp_path: Path) -> None:
    first = Processors.of_run(tmp_path, None, 8)
    assert first.parts == min(8, usable_cpus())
    (tmp_path / THREADS).write_text(json.dumps({"parts": 7, "threads": 3}))
    assert Processors.of_run(tmp_path, None, 8) == Processors(parts=7, threads=3)
    assert Processors.of_run(tmp_path, 12, 8) == Processors(parts=8, threads=1)
    assert Processors.of_run(tmp_path, 4, 1) == Processors(parts=1, threads=4)
    (tmp_path / THREADS).write_text("2")  # as older versions wrote it
    assert Processors.of_run(tmp_path, None, 8) == Processors(parts=1, threads=2)


def test_what_fails_in_a_part_fails_in_the_step() -> None:
    def broken() -> torch.Tensor:
        raise ValueError("of a part")

    with pytest.raises(ValueError, match="of a part"):
        Processors(parts=2).differentiated(torch.nn.Linear(1, 1), [broken] * 4)
