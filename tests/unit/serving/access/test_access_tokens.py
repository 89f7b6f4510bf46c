"""Tokens: files of before them are read and completed, and no order of answers uses more than a day has."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from tests.unit.serving.access.hands import Hands

from glassworks.errors import LimitExceeded
from glassworks.serving.access.budgets import Streams, Tokens
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import Key, KeyStore
from glassworks.serving.access.ledger import Ledger, Usage
from glassworks.serving.access.limits import Allowance

BEFORE = """
CREATE TABLE folded (segment VARCHAR NOT NULL, PRIMARY KEY (segment));
CREATE TABLE keys (id VARCHAR(8) NOT NULL, name VARCHAR(63) NOT NULL, secret_sha256 BLOB NOT NULL,
    created_at VARCHAR(40) NOT NULL, expires_at VARCHAR(40), revoked_at VARCHAR(40), models JSON NOT NULL,
    roles JSON NOT NULL, requests_per_s FLOAT, requests_per_day BIGINT, rows_per_day BIGINT, PRIMARY KEY (id));
CREATE UNIQUE INDEX live_names ON keys (name) WHERE revoked_at IS NULL;
CREATE TABLE usage (day VARCHAR(10) NOT NULL, key_id VARCHAR(9) NOT NULL, model VARCHAR NOT NULL,
    version VARCHAR NOT NULL, verb VARCHAR NOT NULL, requests BIGINT NOT NULL, errors BIGINT NOT NULL,
    rows BIGINT NOT NULL, tokens BIGINT NOT NULL, compute_us BIGINT NOT NULL,
    PRIMARY KEY (day, key_id, model, version, verb));
INSERT INTO keys VALUES ('0123abcd', 'shop', x'00', '2025-12-01T12:00:00+00:00', NULL, NULL, '[]', '["infer"]', NULL,
    7, NULL);
INSERT INTO usage VALUES ('2026-01-02', '0123abcd', 'm', '1', 'infer', 3, 1, 4, 50, 600);
"""
GROUP = ["0123abcd", "m", "1", "infer"]


@pytest.fixture
def before(home: Path) -> Path:
    """A home as the version without kinds of tokens left it: a table, and a segment that nobody has folded."""
    (home / "usage").mkdir(parents=True)
    with sqlite3.connect(home / "access.db") as connection:
        connection.executescript(BEFORE)
    connection.close()
    line = {"day": "2026-01-02", "usage": [[GROUP, [1, 0, 1, 20, 30]]]}
    (home / "usage" / "0.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return home


def test_a_ledger_of_before_is_read_and_goes_on(before: Path) -> None:
    ledger = Ledger(before, Hands().clock)
    (total,) = ledger.totals()
    assert (total.requests, total.errors, total.rows, total.tokens, total.compute_us) == (4, 1, 5, 70, 630)
    assert (total.prompt_tokens, total.cached_tokens, total.completion_tokens) == (0, 0, 0)
    more = Usage("0123abcd", "m", "1", tokens=12, prompt_tokens=8, cached_tokens=2, completion_tokens=4)
    ledger.record([more])
    ledger.close()
    assert ledger.fold() == 2
    (total,) = Ledger(before, Hands().clock).totals()
    assert (total.requests, total.tokens, total.prompt_tokens) == (5, 82, 8)
    assert (total.cached_tokens, total.completion_tokens) == (2, 4)


def test_keys_of_before_have_no_limits_that_they_were_not_given(before: Path) -> None:
    store = KeyStore(before, Hands().clock)
    (key,) = store.list()
    assert (key.requests_per_day, key.tokens_per_day, key.concurrent_streams, key.max_context) == (7, None, None, None)
    made, _ = store.create("bank", tokens_per_day=5)
    assert store.list() == (key, made)


def test_many_complete_a_file_of_before_at_the_same_time(before: Path) -> None:
    def names(number: int) -> list[str]:
        store = KeyStore(before, Hands().clock)
        store.create(f"key-{number}", max_context=number + 1)
        return [key.name for key in store.list()]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(names, range(8)))
    assert max(map(len, found)) == 9
    assert sorted(key.max_context or 0 for key in KeyStore(before, Hands().clock).list()) == list(range(9))


def test_what_was_used_before_a_start_counts(home: Path) -> None:
    hands = Hands()
    store, ledger = KeyStore(home, hands.clock), Ledger(home, hands.clock)
    key, secret = store.create("shop", tokens_per_day=100)
    ledger.record([Usage(key.id, "m", "1", tokens=60, prompt_tokens=40, completion_tokens=20)])
    gate = Gate(store, ledger, hands.clock, required=True)
    tokens = gate.tokens(secret.encode())
    with pytest.raises(LimitExceeded, match="has used 60, 40 are left"):
        tokens.reserve(20, 21)
    tokens.reserve(20, 20)
    left = gate.left(secret.encode())
    assert left is not None
    assert (left.tokens, left.tokens_per_day) == (0, 100)


def test_an_answer_over_midnight_counts_for_the_day_in_which_it_is_used() -> None:
    hands = Hands()
    clock = hands.clock
    allowance = Allowance(_key(tokens_per_day=100), clock.monotonic())
    tokens = Tokens(allowance, clock)
    tokens.reserve(10, 80)
    tokens.use(30)
    hands.turn(86_400)
    tokens.use(5)
    assert (allowance.tokens, allowance.reserved) == (5, 55)
    tokens.close()
    tokens.close()
    assert (allowance.tokens, allowance.reserved) == (5, 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["reserve", "use", "close"]), st.integers(1, 60)), max_size=60
    )
)
def test_no_order_of_answers_uses_more_than_a_day_has(steps: list[tuple[int, str, int]]) -> None:
    clock, limit, used = Hands().clock, 100, 0
    allowance = Allowance(_key(tokens_per_day=limit), clock.monotonic())
    answers: dict[int, tuple[Tokens, int]] = {}
    for number, step, count in steps:
        if step == "reserve" and number not in answers:
            tokens = Tokens(allowance, clock)
            try:
                tokens.reserve(count, 10)
            except LimitExceeded:
                assert used + sum(left for _, left in answers.values()) + count + 10 > limit
            else:
                answers[number] = tokens, count + 10
        elif step == "use" and number in answers:
            tokens, left = answers[number]
            now = min(count, left)
            tokens.use(now)
            used, answers[number] = used + now, (tokens, left - now)
        elif step == "close" and number in answers:
            answers.pop(number)[0].close()
        assert allowance.tokens == used <= limit
        assert allowance.reserved == sum(left for _, left in answers.values())


def test_streams_are_as_many_as_are_free() -> None:
    allowance = Allowance(_key(concurrent_streams=3), 0.0)
    first, second = Streams(allowance, 2), Streams(allowance, 5)
    assert (first.count, second.count) == (2, 1)
    with pytest.raises(LimitExceeded, match="may have 3 answers under way, and has 3"):
        Streams(allowance, 1)
    first.close()
    first.close()
    assert Streams(allowance, 9).count == 2


def _key(**limits: int) -> Key:
    return Key.model_validate({"id": "0" * 8, "name": "shop", "created_at": "2026-01-01T00:00:00Z", **limits})
