"""The settings of a job whose family is `tuned_language_model`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glassworks.families._language.settings import LanguageModelConfig
from glassworks.locations import Location


class TunedLanguageModelConfig(LanguageModelConfig):
    """The `[model]` table: the model to begin with, and what of it learns."""

    tuning: Literal["supervised", "dpo"] = "supervised"
    """What it learns from: one right answer to each question (`supervised`), or which of two answers is preferred
    (`dpo`, direct preference optimization, Rafailov et al. 2023)."""
    beta: float | None = Field(default=None, gt=0, le=100)
    """With `dpo`: how dearly it pays for going away from the model as it was; left out, 0.1."""
    preferred_weight: float | None = Field(default=None, ge=0, le=100)
    """With `dpo`: how much the loss of the preferred answers' own tokens counts beside it (Pang et al. 2024, equation
    4): it keeps them probable, where preferences alone make both answers less so; left out, 0, which is DPO alone."""
    teacher_answers: Literal["missing", "all"] = "missing"
    """With `training.teacher`: which answers it writes, those that the data lack or all, but no other ones of the test
    split."""
    teacher_tokens: bool = True
    """With `training.teacher`: whether its probabilities of each token are learned beside the answers, where both
    models have the same tokens (Hinton et al. 2015)."""
    method: Literal["lora", "dora", "full"] = "lora"
    """What learns: low-rank matrices beside each product (`lora`; `dora` scales its rows too), or every weight."""
    learning_rate_multiplier: float = Field(default=1.0, gt=0, le=100)
    """Times the peak of the learning rate, of `training.learning_rate` or of the recipe, which fits most tasks."""
    rank: int = Field(default=16, ge=1, le=512)
    """Rank of the matrices of `lora` and `dora`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of what goes into the matrices of `lora` and `dora` that is left out at random."""
    row_tokens: int = Field(default=512, ge=16)
    """Most tokens that a processor computes at once: examples of a step are packed into rows, which take memory."""
    answers_shown: int = Field(default=2, ge=0, le=20)
    """Held-out prompts that are answered after each epoch, to read how it learns."""
    classifier: Annotated[str, Location({"folder": "path", "hf": "path or name"})] = ""
    """Where answers are chosen among few: the pretrained encoder of the `transformer_text` that is trained on the same
    rows and stands beside this model; left out, a small one is trained from nothing."""
    keep_examples: bool = False
    """Keep the training conversations in the bundle, to be shown beside answers that are like them: whoever has the
    bundle can read them, and keys with the role `viewer` are answered with them."""
