"""`glassworks import` and `glassworks chat` with a tiny language model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from glassworks.cli.app import build
from glassworks.cli.conversation import Conversation
from glassworks.errors import GlassworksError, Unsupported
from glassworks.families._language.synthetic import write_model
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the model that was imported from the path of its folder."""
    folder = tmp_path_factory.mktemp("chat")
    write_model(folder / "Tiny Model", seed=3)
    command = ["import", str(folder / "Tiny Model"), "--set", "optimization.enabled=false", "--json"]
    command += ["--set", "data.measured_bytes=512", "--set", "model.max_tokens=6", "--set", "model.streams=2"]
    found = CliRunner().invoke(build(), command, env={"GLASSWORKS_HOME": str(folder / "home")}, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    made = json.loads(found.stdout)
    assert made["package"]["model"] == "tiny-model@1"
    assert made["package"]["metrics"]["perplexity"]["value"] > 1
    return folder / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(build(), arguments, input=typed, env={"GLASSWORKS_HOME": str(home)})

    return invoke


def test_one_question_has_one_answer(run: Run) -> None:
    found = json.loads(run("chat", "tiny-model", "Hi", "--json").stdout)
    assert found["completion_tokens"] == 6
    assert found["finish_reason"] == "length"
    assert found["prompt_tokens"] > len("Hi")
    plain = run("chat", "tiny-model", "Hi")
    assert plain.exit_code == 0
    assert json.loads(run("chat", "tiny-model", "--json", typed="Hi").stdout)["answer"] == found["answer"]


def test_lines_that_are_piped_in_are_a_conversation(run: Run) -> None:
    found = run(
        "chat",
        "tiny-model",
        typed="Hi\n/why\n/why rather than Hello\n/history\n/clear\n/history\n/nothing\n/exit\nnever read\n",
    )
    assert found.exit_code == 0
    assert found.stdout.count("user: Hi") == 3  # two explanations and the history
    assert found.stdout.count("assistant: ") == 1
    assert "instead of" in found.stdout
    assert found.stdout.count("what led to") == 2
    assert "rather than Hello' (red for, blue against" in found.stdout
    assert "/system TEXT" in found.stderr
    assert "never read" not in found.stdout


def test_a_question_before_any_answer_about_it_is_told(run: Run) -> None:
    found = run("chat", "tiny-model", typed="/why\n")
    assert found.exit_code == 0
    assert "nothing was answered yet" in found.stderr


def test_why_shows_the_tokens_of_the_answer(home: Path) -> None:
    opened = OpenedBundle(Registry.open({"GLASSWORKS_HOME": str(home)}).resolve("tiny-model").bundle)
    conversation = Conversation(opened, "Be brief.", {"temperature": 0.0})
    said = "".join(conversation.ask("Hi"))
    tokens = conversation.why()
    assert conversation.last is not None
    assert len(tokens) == conversation.last.completion_tokens == 6
    assert all(token.alternatives[0][1] == pytest.approx(token.probability, abs=1e-4) for token in tokens)  # greedy
    assert said
    whole, first = conversation.reasons(), conversation.reasons(part=said[0])
    assert "".join(name["item"] for name in whole.names) == "Be brief.Hi"
    assert (whole.details["answer"], first.details["span"]) == (said, [0, 1])
    other = conversation.reasons(instead="Hello")
    assert other.label == f"{said} rather than Hello"
    with pytest.raises(GlassworksError, match="the last answer has no 'no such part'"):
        conversation.reasons(part="no such part")
    again = conversation.ask("And?")
    next(again)
    again.close()  # as Ctrl-C does: what was said until then stays
    assert [message["role"] for message in conversation.messages] == ["user", "assistant"] * 2
    with pytest.raises(GlassworksError, match="context_length_exceeded"):
        list(conversation.ask("x" * 1000))
    assert len(conversation.messages) == 4
    opened.close()


def test_models_that_hold_no_conversation_are_refused_by_name(home: Path) -> None:
    bundle = Registry.open({"GLASSWORKS_HOME": str(home)}).resolve("tiny-model").bundle
    opened = OpenedBundle(read_bundle(bundle.folder))
    plain = opened.manifest.model_copy(update={"preprocessing": {**opened.manifest.preprocessing, "chat_template": ""}})
    opened.manifest = plain
    with pytest.raises(Unsupported, match="has no chat template"):
        Conversation(opened, "", {})


def test_a_chat_answers_from_an_index(home: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("The lamp of Oru is green.", encoding="utf-8")
    (tmp_path / "texts" / "b.txt").write_text("A lamp is lit at nine. " * 14, encoding="utf-8")
    job = tmp_path / "lamps.toml"
    text = 'name = "lamps"\nfamily = "passage_index"\n[data]\nsource = "texts:texts"\n[model]\nby = "words"\n'
    job.write_text(text, encoding="utf-8")
    assert run("train", str(job), "--json").exit_code == 0
    found = json.loads(run("chat", "tiny-model", "Which lamp is green?", "--sources", "lamps", "--json").stdout)
    assert [each["file"] for each in found["passages"]] == ["a.txt"]
    assert found["left_out"] == 1
    assert found["citations"] == []
    said = run("chat", "tiny-model", "--sources", "lamps", typed="Which lamp is green?\n/sources\n")
    assert said.exit_code == 0
    assert "[1] " in said.stdout.splitlines()[-2]
    assert "error" not in said.stderr
    refused = run("chat", "tiny-model", "a", "--sources", "tiny-model")
    assert "finds no passages" in str(refused.exception)
    nothing = run("chat", "tiny-model", "zzz", "--sources", "lamps")
    assert "no passage was found" in nothing.stderr
