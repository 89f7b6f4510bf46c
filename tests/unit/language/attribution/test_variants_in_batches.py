"""Variants of a prompt in batches: each as if it were scored alone, with what they share computed once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.families._language.synthetic import write_model
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.engine import Row
from glassworks.language.forcing import BatchedVariants
from glassworks.language.importing import bring, write
from glassworks.language.session import LanguageSession
from glassworks.language.variant_plan import batched, branched, common

PARTS = [list(range(begin, begin + 20)) for begin in (3, 30, 50, 70)]
ROWS = [
    Row([1, 2, *itertools.chain(*kept), 90], [91, 92, 93][: 1 + len(kept) % 3])
    for size in range(5)
    for kept in itertools.combinations(PARTS, size)
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageSession]:
    folder = tmp_path_factory.mktemp("variants")
    write_model(folder / "model", seed=3)
    (folder / "written").mkdir()
    write(bring(folder / "model", "here"), folder / "written")
    opened = LanguageSession(folder / "written", folder / "written", EngineSettings(cache_tokens=4096, threads=1))
    yield opened
    opened.close()


def variants(session: LanguageSession, base: Sequence[int] = ROWS[-1].prompt) -> BatchedVariants:
    found = session.scorer().variants(base)
    assert isinstance(found, BatchedVariants)
    return found


def alone(session: LanguageSession, row: Row) -> list[float]:
    scores = session.scorer().score([*row.prompt, *row.answer])[-len(row.answer) :]
    return [score.log_probability for score in scores]


def close(session: LanguageSession, found: Sequence[NDArray[np.float64]], rows: Sequence[Row] = ROWS) -> bool:
    return all(np.allclose(one, alone(session, row), atol=1e-4) for one, row in zip(found, rows, strict=True))


def test_each_is_scored_as_if_it_were_alone_and_what_they_share_once(session: LanguageSession) -> None:
    scored = variants(session)
    assert close(session, scored.score(ROWS))
    prefixes = {tuple(row.prompt[:end]) for row in ROWS for end in range(1, len(row.prompt) + 1)}
    fewest = len(prefixes) + sum(len(row.answer) for row in ROWS) - len(ROWS)  # nothing twice, nothing filled up
    whole = sum(len(row.prompt) + len(row.answer) - 1 for row in ROWS)
    assert fewest <= scored.tokens < fewest + 0.5 * (whole - fewest)
    assert scored.calls < len(ROWS)


def test_what_describes_the_answer_reads_the_prompt(session: LanguageSession) -> None:
    scored = variants(session)
    described = scored.describe(ROWS[-1], 3)
    assert [each.log_probability for each in described] == pytest.approx(alone(session, ROWS[-1]), abs=1e-4)
    assert (scored.calls, scored.tokens) == (1, len(ROWS[-1].prompt) + len(ROWS[-1].answer) - 1)
    assert close(session, scored.score([ROWS[-1], ROWS[3]]), [ROWS[-1], ROWS[3]])
    assert scored.tokens < len(ROWS[-1].prompt) + 2 * len(ROWS[3].prompt) + 12


def test_with_memory_for_nothing_all_is_computed_again(
    session: LanguageSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassworks.language.forcing._CACHE_BYTES", 0)
    assert close(session, variants(session).score(ROWS[:4]), ROWS[:4])


def test_calls_are_as_short_as_they_have_to_be(session: LanguageSession) -> None:
    hurried, free = variants(session), variants(session)
    assert close(session, hurried.score(ROWS, lambda: 0.0))
    assert close(session, free.score(ROWS, lambda: None))
    assert hurried.tokens / hurried.calls <= 16 < free.tokens / free.calls


def test_the_pace_is_that_of_the_fastest_call(session: LanguageSession) -> None:
    scored = variants(session)
    assert scored.pace == float("inf")
    scored.describe(ROWS[-1], 0)
    first = scored.pace
    scored.score(ROWS)
    assert 0 < scored.pace <= first


def test_batches_are_of_rows_that_share_as_much() -> None:
    base = list(range(100))
    rows = [Row([*base[:at], 500 + at, *base[at:]], [1]) for at in (10, 11, 12, 90, 91, 92)]
    shared = {index: common(row.prompt, base) for index, row in enumerate(rows)}
    assert list(shared.values()) == [10, 11, 12, 90, 91, 92]
    assert sorted(map(sorted, batched(rows, shared, range(6), 10**6))) == [[0, 1, 2], [3, 4, 5]]
    assert max(map(len, batched(rows, shared, range(6), 205))) == 2  # two rows of about 101 tokens
    assert sorted(itertools.chain(*batched(rows, shared, range(6), 1))) == [0, 1, 2, 3, 4, 5]


def test_prompts_that_share_more_with_each_other_branch_off_where_there_is_room() -> None:
    base, other = list(range(100)), list(range(200, 260))
    rows = [Row([*base[:10], *other[:end], 7], [1]) for end in (60, 40, 0)]
    shared = dict.fromkeys(range(3), 10)
    assert branched(rows, shared, 1000) == ([2], [(0, [1])])
    assert branched(rows, shared, 50) == ([0, 1, 2], [])


def test_prompts_that_are_alike_go_on_together() -> None:
    """Their last token is always computed: to read one of them first would save nothing."""
    rows = [Row([*range(50)], [number]) for number in range(40)]
    assert branched(rows, dict.fromkeys(range(40), 49), 1000) == ([*range(40)], [])
    assert branched(rows, dict.fromkeys(range(40), 0), 1000) == ([], [(0, [*range(1, 40)])])
