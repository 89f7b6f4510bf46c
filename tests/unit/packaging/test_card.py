"""The card holds what an auditor asks for, and other people's text cannot break it."""

from __future__ import annotations

from glassworks.contracts import Candidate, Lineage, Measurement
from glassworks.packaging.card import write_card
from glassworks.packaging.manifest import Manifest

ACCURACY = Measurement(value=0.98125, interval=(0.9703, 0.9912), examples=750)
CANDIDATES = (
    Candidate(
        name="fp32-ort",
        engine="onnxruntime",
        precision="fp32",
        latency_p50_ms={1: 0.0361, 32: 1.2},
        latency_p99_ms={1: 0.05},
        size_bytes=123_456,
        metrics={"accuracy": ACCURACY},
    ),
    Candidate(name="int8-ov", engine="openvino", precision="int8", excluded="accuracy fell by 2 %"),
)


def test_the_card_answers_an_auditor(manifest: Manifest) -> None:
    full = manifest.model_copy(
        update={
            "explainers": ("integrated_gradients",),
            "fidelity": {"cosine": 0.9987},
            "data_fingerprint": "sha256:abc",
            "lineage": Lineage(run="r-1", data="sample:digits", passes=("int8",), weights_sha256="w" * 64),
            "libraries": {"torch": "2.13.0"},
            "isa": ("avx2", "avx512f"),
            "license": "Apache-2.0",
        }
    )
    card = write_card(full, CANDIDATES, "fp32-ort", ["47 pictures have two labels"])
    for line in (
        "# digits",
        "Task: image-classification. Family: convnet.",
        "Labels (2): zero, 零.",
        "| input | image | FP32 | any x 1 x 28 x 28 |",
        "- source: sample:digits",
        "- fingerprint: sha256:abc",
        "- found: 47 pictures have two labels",
        "| accuracy | 0.981 | [0.97, 0.99] | 750 | higher |",
        "| fp32-ort | onnxruntime | fp32 | batch 1: 0.0361 / 0.05; batch 32: 1.2 / not measured | 123.5 kB "
        "| accuracy 0.9812 [0.9703, 0.9912] | chosen |",
        "| int8-ov | openvino | int8 |  |  |  | excluded: accuracy fell by 2 % |",
        "Methods: integrated_gradients.",
        "- cosine: 0.9987",
        "- passes: int8",
        "- libraries: torch 2.13.0",
        "- Certified on a machine with these instruction sets: avx2, avx512f. Others may round differently.",
        "Apache-2.0",
    ):
        assert line in card.splitlines()


def test_what_is_not_known_is_said(manifest: Manifest) -> None:
    card = write_card(manifest.model_copy(update={"metrics": {}}), (), "", ())
    for line in (
        "It was not measured.",
        "There was no search: the trained model is served as it is.",
        "It offers no explanations.",
        "- fingerprint: not recorded",
        "- found: nothing to report",
        "- run: none recorded",
    ):
        assert line in card.splitlines()


def test_foreign_text_breaks_neither_table_nor_page(manifest: Manifest) -> None:
    odd = Candidate(name="a|b\n## c <script>", engine="e", precision="fp32")
    card = write_card(manifest, [odd], "", ())
    assert "| a\\|b ## c &lt;script> | e | fp32 |  |  |  |  |" in card.splitlines()


def written(name: str, perplexity: float) -> Candidate:
    """A measured form of a language model."""
    value = Measurement(value=perplexity, interval=(20.0, 26.0), examples=40, higher_is_better=False)
    speeds = {"tokens_per_second": 48.25, "first_token_p50": 123.4, "first_token_p99": 150.0}
    return Candidate(
        name=name,
        engine="openvino_genai",
        precision="int8",
        speeds=speeds,
        size_bytes=1000,
        metrics={"perplexity": value},
    )


def test_a_language_model_shows_its_speed_and_what_it_kept_of_its_file(manifest: Manifest) -> None:
    candidates = [written("fp32", 23.0), written("int8", 23.23)]
    lines = write_card(manifest, candidates, "int8", (), "fp32").splitlines()
    assert "Served perplexity 23.23, with the weights as they came 23 (+1.00%)." in lines
    told = "48.2 tokens/s; first token: 123 / 150 | 1.0 kB | perplexity 23.23 [20, 26] | chosen |"
    assert f"| int8 | openvino_genai | int8 | {told}" in lines
    assert "| candidate | engine | precision | speed | size | metrics | verdict |" in lines
    assert not any("as they came" in line for line in write_card(manifest, CANDIDATES, "fp32-ort", ()).splitlines())
