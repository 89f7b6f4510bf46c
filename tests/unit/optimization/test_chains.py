"""Chains of passes: their order, their parameters, and what an artifact records of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from glassworks.catalog import found
from glassworks.contracts import STAGES, Artifact, Opened, Pass, Step, Value
from glassworks.errors import GlassworksError, Unsupported
from glassworks.optimization import chains
from glassworks.optimization.exactness import exactness

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class Written(Pass):
    """Adds its name and parameters to a file."""

    accepts = frozenset({"toy"})
    exactness = 3
    precision = "int4"

    def apply(self, opened: Opened, calibration: Sequence[Tensors], **parameters: Value) -> Artifact:
        file = self.file(opened, **parameters)
        before = json.loads(opened.path.read_text())
        (opened.folder / file).write_text(json.dumps([*before, [self.name, parameters]]))
        return opened.artifact.model_copy(update={"file": file, "precision": self.precision})


class Rewritten(Written):
    """Of an earlier stage."""

    name, stage, precision = "rewritten", "graph", "fp32"


class Rounded(Written):
    """With parameters."""

    name = "rounded"
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = {"bits": (4, 3), "even": (False, True)}


class Completed(Written):
    """Takes what another one makes."""

    name, after = "completed", "rounded"


class Broken(Written):
    """Meets a graph that its library does not know."""

    name = "broken"

    def apply(self, opened: Opened, calibration: Sequence[Tensors], **parameters: Value) -> Artifact:
        raise KeyError("no such operator")


PASSES = {each.name: each for each in (Rewritten(), Rounded(), Completed(), Broken())}


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setattr(chains, "get", lambda kind, name: PASSES[name])
    monkeypatch.setattr(chains, "found", lambda kind: PASSES)
    (tmp_path / "model.json").write_text("[]")
    return Opened(artifact=Artifact(role="predict", format="toy", file="model.json", made_by="export"), folder=tmp_path)


def test_a_chain_is_applied_in_order_and_recorded_whole(opened: Opened) -> None:
    steps = [Step(name="rewritten"), Step(name="rounded", parameters={"bits": 3}), Step(name="completed")]
    made = chains.make(steps, opened, [])
    assert json.loads((opened.folder / made.file).read_text()) == [
        ["rewritten", {}],
        ["rounded", {"bits": 3, "even": False}],
        ["completed", {}],
    ]
    assert made.made_by == "completed"  # which says what it completes
    assert chains.make(steps[:2], opened, []).made_by == "rewritten + rounded(bits=3)"
    assert made.passes == (steps[0], Step(name="rounded", parameters={"bits": 3, "even": False}), steps[2])
    again = Artifact.model_validate_json(made.model_dump_json())
    assert again == made
    assert [type(value) for value in again.passes[1].parameters.values()] == [int, bool]


def test_every_choice_has_a_file_of_its_own(opened: Opened) -> None:
    first = chains.make([Step(name="rewritten")], opened, [])
    choices = [
        Step(name="rounded", parameters={"bits": bits, "even": even}) for bits in (4, 3) for even in (False, True)
    ]
    files = [
        chains.make([*before, each], opened, []).file for before in ([], [Step(name="rewritten")]) for each in choices
    ]
    assert len({first.file, *files}) == 9
    assert {"model.rounded.json", "model.rewritten.rounded.bits-3.even-True.json"} <= set(files)


@pytest.mark.parametrize(
    ("names", "problem", "mend"),
    [
        (("rounded", "rewritten"), r"'rewritten' \(graph\) cannot follow 'rounded'", "structure, training, graph"),
        (("rounded", "broken"), r"'broken' \(precision\) cannot follow 'rounded'", "at most one pass of a stage"),
        (("completed",), "'completed' takes what 'rounded' makes", "put 'rounded' before it"),
        (("rewritten", "completed"), "'completed' takes what 'rounded' makes", "put 'rounded' before it"),
    ],
)
def test_what_cannot_follow_is_refused(opened: Opened, names: Sequence[str], problem: str, mend: str) -> None:
    with pytest.raises(Unsupported, match=problem) as raised:
        chains.make([Step(name=name) for name in names], opened, [])
    assert mend in raised.value.mend
    assert [path.name for path in opened.folder.iterdir()] == ["model.json"]


@pytest.mark.parametrize(
    ("parameters", "problem", "mend"),
    [
        ({"bit": 3}, "'rounded' has no parameter 'bit'", "its parameters: bits, even"),
        ({"bits": 5}, "'rounded' does not take bits = 5", "choose one of: 4, 3"),
        ({"bits": 3.0}, "does not take bits = 3.0", "choose one of: 4, 3"),
        ({"even": 0}, "does not take even = 0", "choose one of: False, True"),
    ],
)
def test_parameters_are_those_that_are_declared(parameters: Mapping[str, Value], problem: str, mend: str) -> None:
    with pytest.raises(Unsupported, match=problem) as raised:
        PASSES["rounded"].checked(parameters)
    assert raised.value.mend == mend


def test_a_graph_that_a_library_fails_on_and_another_format_have_reasons(opened: Opened) -> None:
    with pytest.raises(Unsupported, match="'broken' failed on this graph: 'no such operator'"):
        chains.applied(PASSES["broken"], opened, [])
    other = Opened(artifact=opened.artifact.model_copy(update={"format": "onnx"}), folder=opened.folder)
    with pytest.raises(Unsupported, match="'broken' takes no onnx files"):
        chains.applied(PASSES["broken"], other, [])


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"stage": "polish"}, "of the stage 'polish', which is none of structure"),
        ({"space": {"bits": ()}}, "no values to try for 'bits'"),
        ({"space": {"bits": (1, 1)}}, "no values to try for 'bits', or one twice"),
        ({"apply": lambda self, opened, calibration, bits: None}, r"declares the parameters \[\] and its apply takes"),
        ({"space": {"bits": (1,)}, "apply": lambda self, opened, calibration: None}, r"apply takes \[\]"),
    ],
)
def test_a_wrong_declaration_is_told_at_once(declared: dict[str, object], problem: str) -> None:
    with pytest.raises(Unsupported, match=problem):
        type("Wrong", (Written,), {"name": "wrong", **declared})


def test_stages_are_in_order_and_hold_every_pass_that_completes_none() -> None:
    staged = chains.by_stage("onnx")
    assert tuple(staged) == STAGES
    names = [name for each in staged.values() for name in each]
    assert sorted(names) == [name for name, each in found(Pass).items() if "onnx" in each.accepts]
    assert chains.by_stage("decoder")["precision"] == ("int4_decoder", "int4_decoder_mixed", "int8_decoder")


def test_a_new_precision_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [exactness(each) for each in ("fp32", "bf16", "int8", "int4", "nf4")] == [24, 8, 7, 3, 0]
    new = type("Nf4", (Written,), {"name": "nf4", "precision": "nf4", "exactness": 4})()
    monkeypatch.setattr("glassworks.optimization.exactness.found", lambda kind: {**found(Pass), "nf4": new})
    assert exactness("int8") > exactness("nf4") > exactness("int4")
    assert Artifact(role="predict", format="toy", file="x", precision="nf4").precision == "nf4"
    with pytest.raises(ValueError, match="precision"):
        Artifact(role="predict", format="toy", file="x", precision="4 bits")


def test_an_older_record_opens() -> None:
    older = '{"role": "predict", "format": "onnx", "file": "x", "precision": "int8", "made_by": "int8"}'
    assert Artifact.model_validate_json(older).passes == ()
    assert issubclass(Unsupported, GlassworksError)
