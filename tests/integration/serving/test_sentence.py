"""A Chinese sentence, asked of a served model that the product trained on real reviews."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.serving.running import serving

from glassworks.flow import train
from glassworks.job_files import load_job
from glassworks.progress import Silent
from glassworks.registry import Registry

SENTENCE = "这是一个关于人工智能的文章"
JOB = Path(__file__).parents[3] / "examples" / "reviews.toml"


def test_a_served_model_classifies_the_sentence_and_says_why(tmp_path: Path) -> None:
    few = ("data.per_class=200", "training.epochs=2", 'data.unlabeled=""', "model.vocabulary=2000")
    made = train(load_job(JOB, few), Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}), Silent())
    assert made.bundle.manifest.metrics["accuracy"].interval[0] > 0.6
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [SENTENCE]}
    with serving(tmp_path / "served", str(made.bundle.folder)) as server:
        status, answer = server.post("infer", json.dumps({"inputs": [tensor]}).encode())
        assert status == 200, answer
        probabilities = answer["outputs"][0]["data"]
        assert len(probabilities) == 2
        assert abs(sum(probabilities) - 1) < 1e-5
        status, answer = server.post("explain", json.dumps({"inputs": [tensor]}).encode())
        assert status == 200, answer
        found = {each["name"]: each["data"] for each in answer["outputs"]}
        spans = list(zip(found["spans:text"][::2], found["spans:text"][1::2], strict=True))
        assert len(found["attributions:text"]) == len(spans)
    assert "".join(SENTENCE[begin:end] for begin, end in spans) == SENTENCE
