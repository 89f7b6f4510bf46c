"""Explanations in a process of their own: the same answers, and which graphs are open where."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.patience import PATIENCE_S, until

from glassworks import errors
from glassworks.contracts import Explanation
from glassworks.errors import InputError, NotFound, Overloaded, Tampered
from glassworks.packaging.bundle import Bundle, read_bundle, write_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.core.engines import messages
from glassworks.serving.core.engines.local import LocalEngine
from glassworks.serving.core.engines.opening import Placement
from glassworks.serving.core.engines.process import ProcessEngine
from glassworks.serving.core.explanations import ExplainOptions
from glassworks.serving.core.models import Models
from glassworks.serving.supervision import Supervisor

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


def explainer(bundle: Bundle) -> ProcessEngine:
    """A process that explains; it starts with the first row."""
    opening = messages.Open(str(bundle.folder), bundle.sha256, "", False, True)
    return ProcessEngine("bars@1", opening, Supervisor())


@pytest.fixture(scope="module")
def remote(tiny_bundle: Bundle) -> Iterator[ProcessEngine]:
    engine = explainer(tiny_bundle)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def local(tiny_bundle: Bundle) -> Iterator[LocalEngine]:
    engine = LocalEngine(OpenedBundle(tiny_bundle))
    yield engine
    engine.close()


@pytest.fixture
def copied(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    """A bundle of the test's own."""
    return read_bundle(Path(shutil.copytree(tiny_bundle.folder, tmp_path / "copied")))


def example(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    return {"image": np.random.default_rng(seed).random((1, 1, 16, 16), np.float32)}


def flat(explanation: Explanation) -> dict[str, Any]:
    """An explanation as plain values, arrays as their bytes; without the time that it took."""
    attribution = vars(explanation.attribution)
    values = {**vars(explanation), **attribution, **explanation.outputs}
    plain = {
        name: (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
        if name not in ("attribution", "outputs", "milliseconds")
    }
    return {**plain, "quality": dict(explanation.quality)}


def test_another_process_gives_the_same_bits(remote: ProcessEngine, local: LocalEngine, tiny_bundle: Bundle) -> None:
    assert len(tiny_bundle.manifest.explainers) > 1
    for method in tiny_bundle.manifest.explainers:
        for options in (
            ExplainOptions(method=method),
            ExplainOptions(method=method, target=1, baseline=0.25, seed=7),
            ExplainOptions(method=method, grade=False, budget_ms=0.0),
        ):
            there, here = remote.explain(example(), options), local.explain(example(), options)
            assert flat(there) == flat(here)
            assert there.artifact_sha256 == tiny_bundle.artifact_sha256("predict")
            assert there.milliseconds > 0


def test_its_prediction_is_that_of_predict(remote: ProcessEngine, local: LocalEngine) -> None:
    predicted = local.infer(example(3))
    found = remote.explain(example(3), ExplainOptions(grade=False))
    assert {name: values.tobytes() for name, values in found.outputs.items()} == {
        name: values.tobytes() for name, values in predicted.items()
    }


@pytest.mark.parametrize(
    ("options", "tensors", "kind", "text"),
    [
        (ExplainOptions(target=99), example(), InputError, "target is 99, but the model has 3 classes"),
        (ExplainOptions(method="astrology"), example(), NotFound, "astrology"),
        (ExplainOptions(), {"image": np.full((1, 1, 16, 16), np.nan, np.float32)}, InputError, "not finite"),
        (ExplainOptions(), {}, RuntimeError, "in the engine process:\nTraceback"),
    ],
)
def test_errors_come_through_and_cost_only_their_row(
    options: ExplainOptions, tensors: Tensors, kind: type[Exception], text: str, remote: ProcessEngine
) -> None:
    remote.explain(example(), ExplainOptions(grade=False))
    before = remote.stats().process_id
    with pytest.raises(kind, match=text) as raised:
        remote.explain(tensors, options)
    assert type(raised.value) is kind
    assert remote.explain(example(), ExplainOptions(grade=False)).method
    assert remote.stats().process_id == before


def test_rows_asked_at_once_get_their_own_answers(remote: ProcessEngine, local: LocalEngine) -> None:
    options = ExplainOptions(method="saliency", grade=False)
    alone = [flat(local.explain(example(seed), options)) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: flat(remote.explain(example(seed), options)), range(24)))
    assert together == alone
    assert len({each["values"] for each in alone}) == 24


def test_a_killed_process_costs_its_row_and_the_next_one_has_another(remote: ProcessEngine, local: LocalEngine) -> None:
    options = ExplainOptions()
    first = remote.explain(example(), options)
    killed = remote.stats().process_id
    assert killed is not None
    os.kill(killed, signal.SIGSTOP)  # it has a row for sure when it dies
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(remote.explain, example(), options)
        until(lambda: bool(remote._child and remote._child.waiting))
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(Overloaded, match=r"the explaining process of bars@1 was ended by SIGKILL") as raised:
            asked.result(PATIENCE_S)
    assert raised.value.mend == "send the request again"
    assert flat(remote.explain(example(), options)) == flat(first)
    assert remote.stats().process_id != killed


@pytest.mark.parametrize("damage", ["another bundle", "a changed file"])
def test_what_has_changed_on_the_disk_is_refused(damage: str, copied: Bundle) -> None:
    engine, text = explainer(copied), "another bundle lies here than the one that is served"
    if damage == "another bundle":
        write_bundle(copied.folder, copied.manifest.model_copy(update={"name": "other"}))
    else:
        file, text = copied.artifact("predict").path, "differs from its recorded SHA-256"
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Tampered, match=text):
        engine.explain(example(), ExplainOptions())
    engine.close()


def test_the_process_of_an_unloaded_model_ends(tiny_bundle: Bundle) -> None:
    async def live() -> None:
        engine = Models(placement=Placement(explain_in="process"))
        try:
            model = engine.load(tiny_bundle, "bars", "1")
            (found,) = await model.explain(example(), ExplainOptions(grade=False))
            assert found.artifact_sha256 == tiny_bundle.artifact_sha256("predict")
            assert model.statistics.explain.count == 1
            running = model.engines.explaining.stats().process_id
            assert running is not None
            engine.remove("bars", "1")
            # One thread loads and closes: what is asked of it now is done after the closing.
            await asyncio.get_running_loop().run_in_executor(engine.threads.loading, str)
            with pytest.raises(ProcessLookupError):
                os.kill(running, 0)
        finally:
            engine.close()

    asyncio.run(live())


@pytest.mark.parametrize(
    ("placement", "open_here"),
    [
        (Placement(), {"predict", "gradient", "cam"}),
        (Placement(explain_in="process"), {"predict"}),
        (Placement(engine="process"), set()),
    ],
)
def test_the_server_keeps_open_what_it_computes_itself(
    placement: Placement, open_here: set[str], tiny_bundle: Bundle
) -> None:
    engine = Models(placement=placement)
    model = engine.load(tiny_bundle, "bars", "1")
    assert set(model.opened._sessions) == open_here
    engine.close()


@pytest.mark.parametrize("placement", [Placement(explain_in="process"), Placement(engine="process")])
def test_an_explanation_graph_that_cannot_be_opened_is_known_before_it_is_served(
    placement: Placement, copied: Bundle
) -> None:
    graph = copied.artifact("gradient").path
    graph.write_bytes(b"no graph")
    changed = write_bundle(copied.folder, copied.manifest)
    engine = Models(placement=placement)
    with pytest.raises(errors.BundleError, match="ONNX Runtime cannot open"):
        engine.load(changed, "bars", "1")
    engine.close()
