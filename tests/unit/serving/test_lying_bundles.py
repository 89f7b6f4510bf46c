"""Bundles whose manifests are not true: each is a BundleError in two lines when it is opened, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from glassworks.contracts import Artifact, Signature, TensorSpec
from glassworks.errors import BundleError
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.manifest import Manifest
from glassworks.record import Record
from glassworks.serving.core.models import Models

Change = Callable[[Manifest], dict[str, Any]]


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    models = Models()
    yield models
    models.close()


def lying(bundle: Bundle, **changes: Any) -> Bundle:
    return Bundle(folder=bundle.folder, manifest=bundle.manifest.model_copy(update=changes), sha256=bundle.sha256)


def _changed(record: Record, **changes: Any) -> Any:
    return record.model_copy(update=changes)


def _input(**changes: Any) -> Change:
    return lambda told: {"signature": _changed(told.signature, inputs=(_changed(told.signature.inputs[0], **changes),))}


def _output(**changes: Any) -> Change:
    return lambda told: {
        "signature": _changed(
            told.signature, outputs=(_changed(told.signature.outputs[0], **changes), *told.signature.outputs[1:])
        )
    }


def _inputs(*specs: TensorSpec, keep: bool = True) -> Change:
    return lambda told: {
        "signature": _changed(told.signature, inputs=(*(told.signature.inputs if keep else ()), *specs))
    }


def _outputs(*specs: TensorSpec, keep: bool = True) -> Change:
    return lambda told: {
        "signature": _changed(told.signature, outputs=(*(told.signature.outputs if keep else ()), *specs))
    }


def _artifact(role: str, **changes: Any) -> Change:
    return lambda told: {
        "artifacts": tuple(_changed(each, **changes) if each.role == role else each for each in told.artifacts)
    }


def _without_artifact(role: str) -> Change:
    return lambda told: {"artifacts": tuple(each for each in told.artifacts if each.role != role)}


def _preprocessing(**changes: Any) -> Change:
    return lambda told: {"preprocessing": {**told.preprocessing, **changes}}


def _without_preprocessing(key: str) -> Change:
    return lambda told: {"preprocessing": {name: value for name, value in told.preprocessing.items() if name != key}}


def _file(role: str) -> Callable[[Manifest], str]:
    return lambda told: next(each.file for each in told.artifacts if each.role == role)


MORE = TensorSpec(name="more", datatype="FP32", shape=(-1, 2))
LIES: dict[str, Change] = {
    "no input": _inputs(keep=False),
    "another input": _inputs(MORE, keep=False),
    "one input more": _inputs(MORE),
    "an input twice": lambda told: _inputs(told.signature.inputs[0])(told),
    "an input's name": _input(name="picture"),
    "an input without a name": _input(name=""),
    "an input's datatype": _input(datatype="FP64"),
    "an input of texts": _input(datatype="BYTES"),
    "an input of bfloat16": _input(datatype="BF16"),
    "an input's rank": _input(shape=(-1, 256)),
    "an input without dimensions": _input(shape=()),
    "an input's size": _input(shape=(-1, 1, 16, 17)),
    "an input's channels": _input(shape=(-1, 3, 16, 16)),
    "an input's size below -1": _input(shape=(-1, 1, 16, -2)),
    "an input of nothing": _input(shape=(-1, 1, 0, 16)),
    "an input of too much": _input(shape=(-1, 2**20, 2**20, 2**20)),
    "no output": _outputs(keep=False),
    "another output": _outputs(MORE, keep=False),
    "one output more": _outputs(MORE),
    "an output's name": _output(name="answer"),
    "an output's datatype": _output(datatype="INT64"),
    "an output's rank": _output(shape=(-1,)),
    "an output's classes": _output(shape=(-1, 999)),
    "the task": lambda told: {"task": "text_classification"},
    "a task that is not there": lambda told: {"task": "fortune_telling"},
    "a task of recommendations": lambda told: {"task": "recommendation"},
    "a runtime that is not there": _artifact("predict", runtime="abacus"),
    "another runtime": _artifact("predict", runtime="opencv"),
    "arrays": _artifact("predict", runtime="arrays"),
    "a runtime that is not there for explanations": _artifact("gradient", runtime="abacus"),
    "a file that is not there": _artifact("predict", file="nothing.onnx"),
    "a file that is no graph": _artifact("predict", file="card.md"),
    "the graph of another role": lambda told: _artifact("predict", file=_file("gradient")(told))(told),
    "no graph to predict": _without_artifact("predict"),
    "no graph to explain": _without_artifact("gradient"),
    "threads": _artifact("predict", threads=-5),
    "no preprocessing": lambda told: {"preprocessing": {}},
    "too few labels": lambda told: {"labels": told.labels[:1]},
    "no labels": lambda told: {"labels": ()},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_told_in_two_lines(lie: str, models: Models, tiny_bundle: Bundle) -> None:
    bundle = lying(tiny_bundle, **LIES[lie](tiny_bundle.manifest))
    try:
        models.open(bundle, "m", "1").close()
    except BundleError as error:
        assert len(str(error).splitlines()) == 2
        assert error.mend
    else:
        pytest.fail("it was opened")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_preprocessing_raises_anything_else(data: st.DataObject, models: Models, tiny_bundle: Bundle) -> None:
    """Each setting is left out, or replaced by something of another kind."""
    preprocessing = tiny_bundle.manifest.preprocessing
    key = data.draw(st.sampled_from(sorted(preprocessing)))
    wrong = data.draw(st.sampled_from([None, -1, 0, 2.5, "x", True, [], [1, 2, 3, 4], {}, {"a": 1}, 1e9, [0, 0]]))
    change = _without_preprocessing(key) if wrong is None else _preprocessing(**{key: wrong})
    try:
        model = models.open(lying(tiny_bundle, **change(tiny_bundle.manifest)), "m", "1")
    except BundleError as error:
        assert len(str(error).splitlines()) == 2
    else:
        model.close()


SPECS = st.builds(
    TensorSpec,
    name=st.sampled_from(["image", "probabilities", "x", ""]),
    datatype=st.sampled_from(["FP32", "FP16", "BF16", "INT64", "BYTES", "BOOL"]),
    shape=st.lists(st.sampled_from([-1, 0, 1, 3, 16, -7, 2**40]), max_size=5).map(tuple),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inputs=st.lists(SPECS, max_size=2), outputs=st.lists(SPECS, max_size=2))
def test_only_a_signature_that_is_true_is_served(
    inputs: list[TensorSpec], outputs: list[TensorSpec], models: Models, tiny_bundle: Bundle
) -> None:
    signature = Signature(inputs=tuple(inputs), outputs=tuple(outputs))
    with pytest.raises(BundleError) as told:
        models.open(lying(tiny_bundle, signature=signature), "m", "1")
    assert len(str(told.value).splitlines()) == 2


def test_what_is_not_installed_is_left_out_and_said(
    models: Models, tiny_bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("tea_leaves", *tiny_bundle.manifest.explainers)
    with caplog.at_level(logging.WARNING):
        model = models.open(lying(tiny_bundle, explainers=names), "m", "7")
    assert model.manifest.explainers == tiny_bundle.manifest.explainers
    assert model.opened.explain(np.zeros((1, 16, 16, 1), np.uint8), grade=False).attribution is not None
    assert list(model.opened.missing_explainers) == ["tea_leaves"]
    assert "m@7 is served without the explanation method 'tea_leaves': there is no explainer" in caplog.text
    model.close()


def test_a_bundle_of_unknown_explainers_alone_is_served_without_any(models: Models, tiny_bundle: Bundle) -> None:
    model = models.open(lying(tiny_bundle, explainers=("tea_leaves",)), "m", "1")
    assert model.manifest.explainers == ()
    model.close()


def test_a_true_bundle_is_opened(models: Models, tiny_bundle: Bundle) -> None:
    model = models.open(lying(tiny_bundle), "m", "1")
    assert not model.opened.missing_explainers
    model.close()
    assert isinstance(tiny_bundle.manifest.artifacts[0], Artifact)
