"""Verdicts: proven, kept and not proven, broken, each with what the data prove."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from glassworks.contracts import Candidate, ExampleScores, Load, Measurement
from glassworks.errors import BundleError
from glassworks.optimization.certificate.drops import Discordant, drop_bound
from glassworks.optimization.certificate.evidence import Evidence, Pair, Series
from glassworks.optimization.certificate.judging import figures, judge
from glassworks.optimization.certificate.paired import worsening
from glassworks.optimization.certificate.record import Certificate, Promise
from glassworks.optimization.objective import parse_objective
from glassworks.packaging.bundle import write_bundle
from glassworks.packaging.certified import certificate_of
from glassworks.packaging.manifest import Manifest

N = 1200


def candidate(name: str, size_bytes: int = 1000, right: int = 1140) -> Candidate:
    return Candidate(
        name=name,
        engine="e",
        precision="fp32",
        latency_p50_ms={1: 1.0},
        latency_p99_ms={1: 2.0},
        size_bytes=size_bytes,
        metrics={"accuracy": Measurement(value=right / N, interval=(0.9, 0.99), examples=N)},
        measured={
            "memory": Measurement(value=100.0, interval=(100, 100), examples=1),
            "explanation_agreement": Measurement(value=0.97, interval=(0.96, 0.98), examples=32),
        },
    )


def scores(worse: int, better: int) -> tuple[ExampleScores, ExampleScores]:
    """Of the candidate and the reference, who differ on so many examples."""
    ours, theirs = np.ones(N), np.ones(N)
    ours[:worse] = 0
    theirs[worse : worse + better] = 0
    return ExampleScores(values=ours), ExampleScores(values=theirs)


def pair(ours_ms: float, theirs_ms: float, n: int = 2000) -> Pair:
    random = np.random.default_rng(0)

    def series(ms: float) -> Series:
        seconds = ms / 1e3 * random.gamma(50, 1 / 50, n)
        return Series(seconds, seconds, 1)

    return Pair(series(ours_ms), series(theirs_ms))


def promises(within: list[str], worse: int = 0, better: int = 0, ours_ms: float = 1.0, n: int = 2000) -> list[Promise]:
    evidence = Evidence(
        candidate=candidate("int8", 290),
        reference=candidate("fp32"),
        examples=N,
        pairs={Load(1): pair(ours_ms, 2.0, n)},
        scores={"accuracy": scores(worse, better)},
    )
    return list(judge(parse_objective("latency_p99", within), evidence))


@pytest.mark.parametrize(
    ("limit", "worse", "better", "verdict"),
    [
        ("accuracy_drop <= 0.5%", 0, 0, "proven"),
        ("accuracy_drop <= 2%", 12, 2, "proven"),
        ("accuracy_drop <= 0.5%", 7, 4, "kept, not proven"),
        ("accuracy_drop <= 0.5%", 9, 2, "broken"),
        ("size <= 30%", 0, 0, "proven"),
        ("size <= 28%", 0, 0, "broken"),
        ("latency_p50 <= 1.2ms", 0, 0, "proven"),
        ("latency_p50 <= 60%", 0, 0, "proven"),
        ("latency_p99 <= 40%", 0, 0, "broken"),
        ("throughput@1 >= 900/s", 0, 0, "proven"),
        ("throughput@1 >= 150%", 0, 0, "proven"),
        ("memory <= 120MB", 0, 0, "kept, not proven"),
        ("explanation_agreement >= 0.95", 0, 0, "proven"),
        ("explanation_agreement >= 0.965", 0, 0, "kept, not proven"),
        ("accuracy >= 94%", 0, 0, "kept, not proven"),
    ],
)
def test_verdicts(limit: str, worse: int, better: int, verdict: str) -> None:
    (found, slower) = promises([limit], worse, better)
    assert (found.limit, found.verdict) == (limit, verdict), found
    assert found.method
    assert slower.verdict == "proven"


def test_what_the_data_can_prove_is_said_with_how_many_would() -> None:
    found, _ = promises(["accuracy_drop <= 0.5%"], 7, 4)
    bound = drop_bound(Discordant(7, 4, N))
    assert found.bound == pytest.approx(bound)
    assert found.shown == f"0.25%, at most {100 * bound:.3g}%"
    assert found.note.startswith(
        f"1,200 examples cannot prove accuracy_drop <= 0.5%: they prove at most {100 * bound:.3g}%; "
    )
    assert found.note.endswith(" would")
    exactly, _ = promises(["accuracy_drop <= 0.5%"], 8, 2)
    assert exactly.note.endswith("no number would, as it is that near to the limit")


def test_few_requests_bound_no_slow_call() -> None:
    found, _ = promises(["latency_p99 <= 5ms"], n=200)
    assert (found.verdict, found.bound) == ("kept, not proven", None)
    assert found.note == "200 requests bound no latency_p99: 299 would"


def test_what_is_slower_than_fp32_is_broken_and_noise_is_not() -> None:
    assert promises([], ours_ms=2.1)[-1].verdict == "broken"
    assert promises([], ours_ms=2.0)[-1].verdict == "kept, not proven"
    same = Evidence(candidate=candidate("fp32"), reference=candidate("fp32"), same=True, pairs={Load(1): pair(2, 2)})
    (found,) = judge(parse_objective("latency_p99", ["accuracy_drop <= 0.1%"]), same)
    assert (found.verdict, found.method) == ("proven", "it is the reference itself")
    assert [each.name for each in figures(same)] == ["latency_p50@1", "latency_p99@1", "throughput@1"]


def test_weights_and_losses_have_bounds_that_unseen_mistakes_do_not_undo() -> None:
    """Balanced accuracy without a seen difference is not proven to be the same: a rare class may be worse."""
    ours, theirs = scores(0, 0)
    weights = np.where(np.arange(N) < 30, 20.0, 0.5)
    weighted = [ExampleScores(values=each.values, weights=weights) for each in (ours, theirs)]
    found = worsening(*weighted)
    assert found is not None
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert found[0].high == pytest.approx(drop_bound(Discordant(0, 0, effective)))
    assert found[0].high > 10 * drop_bound(Discordant(0, 0, N))
    random = np.random.default_rng(0)
    losses = [ExampleScores(values=random.exponential(size=N) + up, higher_is_better=False) for up in (0.2, 0.0)]
    worse = worsening(*losses)
    assert worse is not None
    assert worse[0].low < 0.2 < worse[0].high
    assert worse[0].value == pytest.approx(losses[0].values.mean() - losses[1].values.mean())


def test_bundles_have_it_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    about = Certificate(candidate="int8 e", reference="fp32 e", goal="minimize size", promises=(), served=False)
    manifest = Manifest(
        name="x",
        task="image-classification",
        family="convnet",
        signature={"inputs": (), "outputs": ()},  # type: ignore[arg-type]
    )
    assert certificate_of(write_bundle(tmp_path, manifest)) is None
    (tmp_path / "certificate.json").write_text(json.dumps(about.model_dump(mode="json")))
    assert certificate_of(write_bundle(tmp_path, manifest)) == about
    (tmp_path / "certificate.json").write_text('{"candidate": "int8 e"}')
    with pytest.raises(BundleError, match="the certificate of 'x' is malformed at 'reference'"):
        certificate_of(write_bundle(tmp_path, manifest))
