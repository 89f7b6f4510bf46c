"""Who comes through the gate, and how much of it: rates and quotas against a count by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from tests.unit.serving.access.hands import NOON_S, Hands

from glassworks.errors import Forbidden, LimitExceeded, Unauthenticated
from glassworks.serving.access.gate import Gate, token_of
from glassworks.serving.access.keys import Key, KeyStore
from glassworks.serving.access.ledger import Ledger, Usage
from glassworks.serving.access.limits import Allowance

HALF_DAY_S = 43_200


@pytest.fixture
def gate(store: KeyStore, ledger: Ledger, hands: Hands) -> Gate:
    return Gate(store, ledger, hands.clock, required=True)


def made(store: KeyStore, ledger: Ledger, hands: Hands, **limits: object) -> tuple[Gate, bytes]:
    """A gate that knows one key, and its secret."""
    _, secret = store.create("shop", **limits)  # type: ignore[arg-type]
    return Gate(store, ledger, hands.clock, required=True), secret.encode()


@pytest.mark.parametrize(
    ("authorization", "api_key", "token"),
    [
        (b"Bearer abc", None, b"abc"), (b"bearer  abc ", None, b"abc"), (None, b" abc ", b"abc"),
        (b"Basic abc", b"key", b"key"), (b"Basic abc", None, None), (b"Bearer a", b"b", b"a"), (None, None, None),
    ],
)  # fmt: skip
def test_the_key_is_taken_from_either_header(
    authorization: bytes | None, api_key: bytes | None, token: bytes | None
) -> None:
    sent = {b"authorization": authorization, b"x-api-key": api_key}
    assert token_of({name: value for name, value in sent.items() if value is not None}) == token


def test_who_has_no_valid_key_stays_outside(gate: Gate, store: KeyStore, hands: Hands) -> None:
    _, secret = store.create("shop")
    hands.turn(1)
    assert gate.admit(secret.encode(), "digits", 1).name == "shop"
    for wrong in (None, b"", b"gw_", secret.encode()[:-1], secret.encode() + b"A", b"\xff" * 55):
        with pytest.raises(Unauthenticated):
            gate.admit(wrong, "digits", 1)


def test_a_change_counts_within_a_second(gate: Gate, store: KeyStore, hands: Hands) -> None:
    key, secret = store.create("shop")
    with pytest.raises(Unauthenticated):
        gate.permit(secret.encode(), "infer")
    hands.turn(0.6)
    gate.permit(secret.encode(), "infer")
    store.revoke(key.id)
    hands.turn(0.6)
    with pytest.raises(Unauthenticated):
        gate.permit(secret.encode(), "infer")


def test_keys_stay_in_force_while_they_cannot_be_read(
    store: KeyStore, ledger: Ledger, hands: Hands, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate, secret = made(store, ledger, hands)
    (home / "access.db").write_bytes(b"no database" * 1000)
    for _ in range(5):
        hands.turn(1)
        assert gate.admit(secret, "digits", 1).name == "shop"
    assert [record.message.count("those read last stay in force") for record in caplog.records] == [1]


def test_an_expired_key_is_none(store: KeyStore, ledger: Ledger, hands: Hands) -> None:
    gate, secret = made(store, ledger, hands, expires_in_s=60)
    hands.turn(59.9)
    gate.admit(secret, "digits", 1)
    hands.turn(0.1)
    with pytest.raises(Unauthenticated, match="'shop' has expired"):
        gate.admit(secret, "digits", 1)


def test_models_and_roles_are_kept_apart(store: KeyStore, ledger: Ledger, hands: Hands) -> None:
    gate, secret = made(store, ledger, hands, models=["reviews"])
    gate.admit(secret, "reviews", 1)
    with pytest.raises(Forbidden, match="does not allow the model 'digits'"):
        gate.admit(secret, "digits", 1)
    with pytest.raises(Forbidden, match="has not the role 'admin'"):
        gate.permit(secret, "admin")
    _, admin = store.create("boss", roles=("admin",))
    hands.turn(1)
    assert gate.permit(admin.encode(), "admin").name == "boss"
    with pytest.raises(Forbidden, match="has not the role 'infer'"):
        gate.admit(admin.encode(), "digits", 1)


def test_without_required_keys_strangers_may_ask_but_not_rule(store: KeyStore, ledger: Ledger, hands: Hands) -> None:
    _, secret = store.create("shop", requests_per_day=1)
    gate = Gate(store, ledger, hands.clock, required=False)
    for token in (None, b"EMPTY", b"sk-something"):
        assert gate.admit(token, "digits", 10**6).key_id == "anonymous"
        with pytest.raises(Unauthenticated):
            gate.permit(token, "admin")
    with pytest.raises(Unauthenticated):
        gate.admit(secret.encode()[:-1], "digits", 1)
    gate.admit(secret.encode(), "digits", 1)
    with pytest.raises(LimitExceeded):
        gate.admit(secret.encode(), "digits", 1)


def test_the_day_begins_where_the_ledger_says_and_ends_at_midnight(
    store: KeyStore, ledger: Ledger, hands: Hands
) -> None:
    key, _ = store.create("shop", requests_per_day=3, rows_per_day=100)
    _, secret = store.create("bank", requests_per_day=3, rows_per_day=100)
    bank = store.find(secret.encode())
    assert bank is not None
    ledger.record([Usage(key.id, "digits", "1", requests=3), Usage(bank.id, "digits", "1", rows=60)])
    gate = Gate(store, ledger, hands.clock, required=True)
    with pytest.raises(LimitExceeded) as caught:
        gate.admit(secret.encode(), "digits", 41)
    assert caught.value.retry_after_s == HALF_DAY_S
    assert "send at most 40 rows more today" in caught.value.mend
    gate.admit(secret.encode(), "digits", 40)
    hands.turn(HALF_DAY_S)
    gate.admit(secret.encode(), "digits", 100)


def test_limits_stay_used_when_keys_are_read_again(store: KeyStore, ledger: Ledger, hands: Hands) -> None:
    gate, secret = made(store, ledger, hands, requests_per_day=1)
    gate.admit(secret, "digits", 1)
    store.create("bank")
    hands.turn(1)
    with pytest.raises(LimitExceeded):
        gate.admit(secret, "digits", 1)


@given(
    rate=st.floats(0.1, 1000),
    steps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_no_span_of_time_holds_more_than_burst_and_rate(rate: float, steps: list[float]) -> None:
    allowance, now, admitted = Allowance(_key(requests_per_s=rate), 0.0), 0.0, list[float]()
    for step in steps:
        now += step
        try:
            allowance.take(1, now, NOON_S + now)
        except LimitExceeded as error:
            # Nothing is promised too early: after that time the next one is admitted.
            allowance.take(1, now + error.retry_after_s, NOON_S)
            return
        admitted.append(now)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            allowed = max(1.0, 2 * rate) + (admitted[last] - admitted[first]) * rate
            assert last - first + 1 <= allowed + 1e-6


@given(limit=st.integers(1, 50), rows=st.lists(st.integers(0, 20), max_size=40))
def test_a_quota_is_used_to_the_last_row_and_not_beyond(limit: int, rows: list[int]) -> None:
    allowance, used = Allowance(_key(rows_per_day=limit), 0.0), 0
    for count in rows:
        if used + count <= limit:
            allowance.take(count, 0.0, NOON_S)
            used += count
        else:
            with pytest.raises(LimitExceeded):
                allowance.take(count, 0.0, NOON_S)
        assert allowance.rows == used


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    allowance = Allowance(_key(requests_per_s=1.0), 100.0)
    for now in (100.0, 50.0):
        allowance.take(1, now, NOON_S)
    with pytest.raises(LimitExceeded) as caught:
        allowance.take(1, 100.0, NOON_S)
    assert caught.value.retry_after_s == math.ceil(1.0)


def _key(**limits: float | int) -> Key:
    return Key.model_validate({"id": "0" * 8, "name": "shop", "created_at": "2026-01-02T00:00:00Z", **limits})


def test_what_stands_in_for_a_key_has_its_rights_and_its_end(store: KeyStore, ledger: Ledger, hands: Hands) -> None:
    key, _ = store.create("shop", models=["digits"], requests_per_day=2)
    gate, other = (Gate(store, ledger, hands.clock, required=True) for _ in range(2))
    token = gate.standing_in(key.id)
    assert gate.admit(token, "digits", 1).key_id == key.id
    with pytest.raises(Forbidden, match="does not allow the model"):
        gate.admit(token, "letters", 1)
    gate.admit(token, "digits", 1)
    with pytest.raises(LimitExceeded):
        gate.admit(token, "digits", 1)
    changed = token[:-4] + (b"AAAA" if token[-4:] != b"AAAA" else b"BBBB")
    for wrong in (other.standing_in(key.id), gate.standing_in("00000000"), changed, token[:-1]):
        with pytest.raises(Unauthenticated):
            gate.admit(wrong, "digits", 1)
    store.revoke(key.id)
    hands.turn(0.6)
    with pytest.raises(Unauthenticated):
        gate.permit(token, "infer")
