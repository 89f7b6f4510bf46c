"""An empty home with its keys and its ledger, under a clock that tests turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.serving.access.hands import Hands

from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path, hands: Hands) -> KeyStore:
    return KeyStore(home, hands.clock)


@pytest.fixture
def ledger(home: Path, hands: Hands) -> Iterator[Ledger]:
    ledger = Ledger(home, hands.clock)
    yield ledger
    ledger.close()
