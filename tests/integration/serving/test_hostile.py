"""Whoever attacks a real server for a moment: it lives, keeps its memory in bounds, and answers others as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.hostile import attacks
from tests.hostile.fuzzing import fuzz
from tests.hostile.place import Place
from tests.hostile.watching import watching
from tests.integration.serving.running import Server, request, serving

from glassworks.packaging.bundle import Bundle

ATTACK_S = 0.5
FUZZ_S = 60.0
MOST_MB = 300
"""More memory than before, whatever happens."""


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(Path(tmp_path_factory.mktemp("home")), str(tiny_bundle.folder)) as running:
        yield running


@pytest.fixture(scope="module")
def place(server: Server, tiny_bundle: Bundle) -> Place:
    http, grpc = (int(address.rpartition(":")[2]) for address in (server.address, server.grpc))
    shape = tuple(tiny_bundle.manifest.signature.inputs[0].shape[1:])
    return Place(http=http, grpc=grpc, pid=server.process.pid, model=server.model, shape=shape)


def scores(server: Server) -> np.ndarray:
    """The answer to one good request."""
    status, answer = server.post("infer", request())
    assert status == 200
    return np.array(answer["outputs"][0]["data"])


def troubled(server: Server) -> dict[str, int]:
    """Parts of the service in which something failed that nobody expected."""
    return {told["part"]: told["failures"] for told in server.get("/v2/health/ready")["troubles"]}


@pytest.mark.parametrize("name", sorted(attacks()))
def test_others_are_answered_as_before(name: str, server: Server, place: Place) -> None:
    wanted = scores(server)
    with watching(place) as seen:
        attacks()[name](place, ATTACK_S)
    assert server.process.poll() is None
    assert seen.failed == 0
    assert seen.grown < MOST_MB
    assert np.allclose(scores(server), wanted, atol=1e-5)
    assert not troubled(server)


def test_a_minute_of_changed_requests_changes_nothing(server: Server, place: Place) -> None:
    wanted = scores(server)

    def check() -> None:
        assert server.process.poll() is None
        assert np.allclose(scores(server), wanted, atol=1e-5)

    with watching(place) as seen:
        assert fuzz(place, seed=20261130, seconds=FUZZ_S, check=check) > 100
    assert seen.failed == 0
    assert seen.grown < MOST_MB
    assert not troubled(server)
