"""Explanations in a process of their own: the same answers, and what happens when it dies."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.patience import PATIENCE_S

from glassworks import errors
from glassworks.contracts import Attribution, Explanation
from glassworks.errors import InputError, NotFound, Overloaded, Tampered
from glassworks.packaging.bundle import Bundle, read_bundle, write_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.codec.tensors import DTYPES
from glassworks.serving.core.engine import Engine
from glassworks.serving.core.explaining import messages
from glassworks.serving.core.explaining.process import Apart
from glassworks.serving.core.explaining.rows import ExplainOptions, Here
from glassworks.serving.core.explaining.worker import Bundles

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

WAIT_S = PATIENCE_S


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    apart = Apart()
    yield apart
    apart.close()


@pytest.fixture(scope="module")
def opened(tiny_bundle: Bundle) -> Iterator[OpenedBundle]:
    opened = OpenedBundle(tiny_bundle)
    yield opened
    opened.close()


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


def test_another_process_gives_the_same_bits(apart: Apart, opened: OpenedBundle) -> None:
    assert len(opened.manifest.explainers) > 1
    for method in opened.manifest.explainers:
        for options in (
            ExplainOptions(method=method),
            ExplainOptions(method=method, target=1, baseline=0.25, seed=7),
            ExplainOptions(method=method, grade=False, budget_ms=0.0),
        ):
            there, here = apart.explain(opened, example(), options), Here().explain(opened, example(), options)
            assert flat(there) == flat(here)
            assert there.artifact_sha256 == opened.bundle.artifact_sha256("predict")
            assert there.milliseconds > 0


def test_its_prediction_is_that_of_predict(apart: Apart, opened: OpenedBundle) -> None:
    predicted = opened.session("predict").run(example(3))
    told = apart.explain(opened, example(3), ExplainOptions(grade=False))
    assert {name: values.tobytes() for name, values in told.outputs.items()} == {
        name: values.tobytes() for name, values in predicted.items()
    }


@pytest.mark.parametrize(
    ("options", "tensors", "kind", "text"),
    [
        (ExplainOptions(target=99), example(), InputError, "target is 99, but the model has 3 classes"),
        (ExplainOptions(method="astrology"), example(), NotFound, "astrology"),
        (ExplainOptions(), {"image": np.full((1, 1, 16, 16), np.nan, np.float32)}, InputError, "not finite"),
        (ExplainOptions(), {}, RuntimeError, "in the process that explains:\nTraceback"),
    ],
)
def test_errors_come_through_and_cost_only_their_row(
    options: ExplainOptions, tensors: Tensors, kind: type[Exception], text: str, apart: Apart, opened: OpenedBundle
) -> None:
    apart.explain(opened, example(), ExplainOptions(grade=False))
    before = apart.process_id
    with pytest.raises(kind, match=text) as raised:
        apart.explain(opened, tensors, options)
    assert type(raised.value) is kind
    assert apart.explain(opened, example(), ExplainOptions(grade=False)).method
    assert apart.process_id == before


def test_a_killed_process_costs_a_row_and_the_next_one_has_another(apart: Apart, opened: OpenedBundle) -> None:
    first = apart.explain(opened, example(), ExplainOptions())
    killed = apart.process_id
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(Overloaded, match=r"the process that explains was ended by SIGKILL") as raised:
        apart.explain(opened, example(), ExplainOptions())
    assert raised.value.mend == "send the request again"
    assert apart.process_id is None
    assert flat(apart.explain(opened, example(), ExplainOptions())) == flat(first)
    assert apart.process_id != killed


def test_a_process_that_ends_by_itself_says_its_code(opened: OpenedBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, code in (("glassworks.serving.core.explaining.rows", 0), ("no_such_module", 1)):
        monkeypatch.setattr("glassworks.serving.core.explaining.process._WORKER", module)
        with pytest.raises(Overloaded, match=f"the process that explains ended with the code {code}"):
            Apart().explain(opened, example(), ExplainOptions())


def test_a_process_that_writes_something_else_is_ended(opened: OpenedBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.serving.core.explaining.process._WORKER", "this")
    with pytest.raises(Overloaded, match="the process that explains ended with the code"):
        Apart().explain(opened, example(), ExplainOptions())


def test_a_process_that_cannot_be_started_is_told(opened: OpenedBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Overloaded, match=r"the process that explains cannot be started: .*No such file"):
        Apart().explain(opened, example(), ExplainOptions())


def test_rows_asked_at_once_get_their_own_answers(apart: Apart, opened: OpenedBundle) -> None:
    options = ExplainOptions(method="saliency", grade=False)
    alone = [flat(Here().explain(opened, example(seed), options)) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: flat(apart.explain(opened, example(seed), options)), range(24)))
    assert together == alone
    assert len({each["values"] for each in alone}) == 24


def test_a_closed_one_ends_its_process_in_the_middle_of_a_row(opened: OpenedBundle) -> None:
    apart = Apart()
    apart.explain(opened, example(), ExplainOptions(grade=False))
    running, told, began = apart.process_id, list[str](), threading.Event()
    assert running is not None

    def ask() -> None:
        began.set()
        try:
            while True:
                apart.explain(opened, example(), ExplainOptions(method="occlusion"))
        except Overloaded as error:
            told.append(error.problem)

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(WAIT_S)
    apart.close()
    asking.join(WAIT_S)
    assert told == ["the process that explains has ended with the service"]
    with pytest.raises(ProcessLookupError):
        os.kill(running, 0)
    with pytest.raises(Overloaded, match="has ended with the service"):
        apart.explain(opened, example(), ExplainOptions())


def test_a_bundle_that_is_let_go_is_closed_there(apart: Apart, copied: Bundle) -> None:
    mine = OpenedBundle(copied)
    apart.explain(mine, example(), ExplainOptions(grade=False))
    shutil.rmtree(copied.folder)
    # It is open, so nothing is read any more.
    apart.explain(mine, example(), ExplainOptions(grade=False))
    apart.let_go(mine)
    with pytest.raises(NotFound, match="there is no bundle at"):
        apart.explain(mine, example(), ExplainOptions(grade=False))


def test_another_bundle_in_the_same_place_is_refused(apart: Apart, copied: Bundle) -> None:
    mine = OpenedBundle(copied)
    write_bundle(copied.folder, copied.manifest.model_copy(update={"name": "other"}))
    with pytest.raises(Tampered, match="another bundle lies here than the one that is served"):
        apart.explain(mine, example(), ExplainOptions())


def test_a_file_that_changed_since_is_refused(apart: Apart, copied: Bundle) -> None:
    mine = OpenedBundle(copied)
    file = copied.artifact("predict").path
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Tampered, match="differs from its recorded SHA-256"):
        apart.explain(mine, example(), ExplainOptions())


def test_an_unloaded_model_is_closed_there_too(copied: Bundle) -> None:
    async def live() -> None:
        engine = Engine(explain_in="process")
        try:
            model = engine.load(copied, "bars", "1")
            (told,) = await model.explain(example(), ExplainOptions(grade=False))
            assert told.artifact_sha256 == copied.artifact_sha256("predict")
            assert model.statistics.explain.count == 1
            shutil.rmtree(copied.folder)
            engine.remove("bars", "1")
            # One thread loads and closes: what is asked of it now is done after the closing.
            await asyncio.get_running_loop().run_in_executor(engine.threads.loading, str)
            with pytest.raises(NotFound):
                engine.threads.rows.explain(model.opened, example(), ExplainOptions())
        finally:
            engine.close()

    asyncio.run(live())


def test_a_served_model_keeps_no_explanation_graph_open_where_another_process_has_it(tiny_bundle: Bundle) -> None:
    for explain_in, kept in (("process", {"predict"}), ("thread", {"predict", "gradient", "cam"})):
        engine = Engine(explain_in=explain_in)  # type: ignore[arg-type]
        model = engine.load(tiny_bundle, "bars", "1")
        assert set(model.opened._sessions) == kept
        engine.close()


def test_an_explanation_graph_that_cannot_be_opened_is_known_before_it_is_served(copied: Bundle) -> None:
    copied.artifact("gradient").path.write_bytes(b"no graph")
    engine = Engine(explain_in="process")
    with pytest.raises(errors.BundleError, match="ONNX Runtime cannot open"):
        engine.load(copied, "bars", "1")
    engine.close()


def test_a_worker_opens_a_bundle_once(tiny_bundle: Bundle) -> None:
    bundles, key = Bundles(), (str(tiny_bundle.folder), tiny_bundle.sha256)
    first = bundles.opened(*key)
    assert bundles.opened(*key) is first
    bundles.let_go(*key)
    bundles.let_go(*key)
    assert bundles.opened(*key) is not first


def test_arrays_come_as_they_were_sent() -> None:
    values = [np.arange(6).reshape(2, 3).astype(dtype) for dtype in DTYPES.values()]
    values += [np.zeros((0, 4), np.float32), np.asarray(2.5, np.float64), np.arange(8, dtype=np.int32)[::-2]]
    texts = np.empty((1, 3), object)
    texts[:] = [[b"\xff\x00", "你好", b""]]
    tensors = {str(number): array for number, array in enumerate([*values, texts])}
    pipe = io.BytesIO()
    sent = messages.Explain("folder", "0", tensors, ExplainOptions(target=2, baseline=0.1))
    messages.send(pipe, sent)
    messages.send(pipe, messages.LetGo("folder", "0"))
    pipe.seek(0)
    came = messages.question(pipe)
    assert isinstance(came, messages.Explain)
    assert came.options == sent.options
    for name, array in tensors.items():
        assert (came.example[name].dtype, came.example[name].shape) == (array.dtype, array.shape)
        assert came.example[name].tolist() == array.tolist()
    assert messages.question(pipe) == messages.LetGo("folder", "0")
    with pytest.raises(EOFError):
        messages.question(pipe)


def test_an_explanation_comes_as_it_was_sent() -> None:
    attribution = Attribution(values=np.ones((1, 2), np.float32), score=0.1, gap=np.float64(1e-17), converged=False)
    whole = Explanation(
        method="m", target=1, label="好", input="text", attribution=attribution, outputs={"p": np.ones((1, 2))},
        seed=2**32 - 1, artifact_sha256="0", milliseconds=0.1, quality={"z": np.float64(0.3)}, spans=((0, 1), (1, 5)),
    )  # fmt: skip
    pipe = io.BytesIO()
    messages.send(pipe, messages.explained(whole))
    pipe.seek(0)
    told = messages.answer(pipe)
    assert isinstance(told, messages.Explained)
    came = messages.explanation(told)
    assert flat(came) == flat(whole)
    assert [field.name for field in fields(came)] == [field.name for field in fields(whole)]
    assert came.spans == whole.spans


def test_half_a_message_is_an_end() -> None:
    pipe = io.BytesIO()
    messages.send(pipe, messages.LetGo("folder", "0"))
    with pytest.raises(EOFError):
        messages.question(io.BytesIO(pipe.getvalue()[:-1]))


def test_what_a_message_cannot_hold_is_told() -> None:
    with pytest.raises(TypeError, match="a message cannot hold object"):
        messages.send(io.BytesIO(), messages.Explain("", "", {"x": object()}, ExplainOptions()))


def test_an_error_of_an_extension_comes_as_the_nearest_that_is_known() -> None:
    class Unheard(errors.DataError):
        """An error of somebody else's package."""

    came = messages.error(messages.refused(Unheard("odd", "make it even")))
    assert type(came) is errors.DataError
    assert (came.problem, came.mend) == ("odd", "make it even")
