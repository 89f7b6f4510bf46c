"""Cookies that stand for keys."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from glassworks.errors import Forbidden, Unauthenticated
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.access.sessions import COOKIE, LASTS_S, Sessions


class Signed:
    """A gate with one key, its sessions, and a clock that is turned by hand."""

    def __init__(self, home: Path) -> None:
        self.now = 1e9
        self.clock = Clock(monotonic=lambda: self.now, wall=lambda: self.now)
        self.store = KeyStore(home, self.clock)
        self.key, _ = self.store.create("ada", roles=("viewer",))
        self.gate = Gate(self.store, Ledger(home, self.clock), self.clock, required=True)
        self.sessions = Sessions(home, self.gate, self.clock)

    def key_of(self, cookie: str, **headers: str) -> bytes | None:
        sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        return self.sessions.key({b"host": b"a:1", b"cookie": f"x=1; {COOKIE}={cookie}; y=2".encode(), **sent})


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    return Signed(tmp_path)


def test_a_cookie_stands_for_its_key_until_it_ends(signed: Signed) -> None:
    cookie, end = signed.sessions.begin(signed.key.id)
    token = signed.key_of(cookie)
    assert signed.gate.permit(token, "viewer").name == "ada"
    with pytest.raises(Forbidden, match="has not the role 'operator'"):
        signed.gate.permit(token, "operator")
    assert end == 1e9 + LASTS_S
    signed.now = end
    assert signed.key_of(cookie) is None


def test_a_revoked_key_has_no_session(signed: Signed) -> None:
    cookie, _ = signed.sessions.begin(signed.key.id)
    signed.store.revoke("ada")
    signed.now += 10
    with pytest.raises(Unauthenticated):
        signed.gate.permit(signed.key_of(cookie), "viewer")


def test_what_is_not_signed_here_counts_as_nothing(signed: Signed, tmp_path: Path) -> None:
    cookie, end = signed.sessions.begin(signed.key.id)
    key_id, when, signature = cookie.split(".")
    others = [f"{key_id}.{int(when) + 1}.{signature}", f"00000000.{when}.{signature}", f"{key_id}.{when}.{'A' * 43}"]
    assert [signed.key_of(other) for other in (*others, "", "x", cookie + "A")] == [None] * 6
    elsewhere = Signed(tmp_path / "elsewhere")
    assert elsewhere.key_of(cookie) is None
    again = Sessions(tmp_path, signed.gate, signed.clock)
    assert again.begin(signed.key.id) == (cookie, end)


def test_a_key_that_is_sent_counts_before_a_cookie(signed: Signed) -> None:
    cookie, _ = signed.sessions.begin(signed.key.id)
    assert signed.key_of(cookie, authorization="Bearer gw_x") is None
    assert signed.key_of(cookie, x_api_key="gw_x") is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://a:2"},
        {"origin": "null"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_a_page_of_another_origin_cannot_use_it(headers: dict[str, str], signed: Signed) -> None:
    cookie, _ = signed.sessions.begin(signed.key.id)
    with pytest.raises(Forbidden, match="another origin"):
        signed.key_of(cookie, **headers)
    assert signed.key_of(cookie, origin="http://a:1", sec_fetch_site="same-origin")


def test_its_secret_is_its_owners(signed: Signed, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "session.key").stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".session*"))
