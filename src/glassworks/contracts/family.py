"""A kind of model."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.config import DataConfig
from glassworks.errors import Unsupported

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.config import Job
    from glassworks.contracts.embedding import Embedder
    from glassworks.contracts.progress import Progress
    from glassworks.contracts.records import Artifact, Dataset, Differentiable, Model, Opened, Split
    from glassworks.contracts.simpler import Simpler
    from glassworks.contracts.teacher import Teacher
    from glassworks.record import Record


class Family(ABC):
    """A kind of model, through every stage of the flow."""

    name: ClassVar[str]
    task: ClassVar[str]
    config: ClassVar[type[Record]]
    """Validates the job's `[model]` table."""
    data: ClassVar[type[DataConfig]] = DataConfig
    """Validates the job's `[data]` table."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys of `[model]` under an earlier name -> their name now."""
    unsupported: ClassVar[Mapping[str, str]] = {}
    """Stage -> a reason that users can read, for stages this family cannot do. `learn`: its `train` returns what the
    job declares, so no loss falls and no seed matters; `distill`: it takes no teacher; `gradient`: its models have no
    gradient graph, so only explainers that need predictions alone fit; `cam`: only Grad-CAM does not fit."""
    needs: ClassVar[tuple[str, ...]] = ()
    variants: ClassVar[tuple[str, ...]] = ()
    """Names of jobs that the conformance suite tries beside the plain one."""

    def upon(self, embedder: Embedder) -> Family:
        """This family for a job that names a registered model in `model.embedding`: every family whose `config` has
        that key. Raises ConfigError for a model that it cannot build upon.
        """
        raise Unsupported(f"the family '{self.name}' builds upon no other model", "leave model.embedding out")

    def seeks(self, job: Job, dataset: Dataset) -> Sequence[str]:
        """Texts that an encoder should know, where a job that names none in `model.embedding` is better built upon one:
        a registered one is taken, else one that is installed. Empty where none is looked for.
        """
        return ()

    def installed(self, texts: Sequence[str]) -> Job | None:
        """A job for a model that came with an installed library, if it knows the signs of these texts."""
        return None

    def continuing(self, exported: Opened) -> Family:
        """This family for a job whose `model.source` is `registered:NAME`: it begins with the exported artifact of that
        model. Every family whose `config` has that key."""
        raise Unsupported(f"the family '{self.name}' continues no other model", "give another model.source")

    def settings(self, job: Job) -> Any:
        """The job's `[model]` table, a record of `config`. Raises ConfigError with the key's path."""
        from glassworks.config import validate

        model = dict(job.model)
        for old, new in self.renamed.items():
            if old in model and new not in model:
                warnings.warn(f"job '{job.name}': 'model.{old}' is now 'model.{new}'", FutureWarning, stacklevel=2)
                model[new] = model.pop(old)
        return validate(self.config, model, where=f"job '{job.name}'", prefix="model.")

    @abstractmethod
    def prepare(self, job: Job) -> Dataset:
        """Read, check and split the job's data."""

    def taught(self, job: Job, dataset: Dataset, teacher: Teacher, progress: Progress) -> Dataset:
        """The data with what a model that writes says of them; asked of families whose models write, where the job
        names a teacher. Raises Unsupported for families and jobs that take none.
        """
        raise Unsupported(f"the family '{self.name}' takes no teacher that writes", "leave training.teacher out")

    @abstractmethod
    def read(self, source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
        """All examples of another source, stored as `preprocessing` says, with targets counted in `labels`."""

    @abstractmethod
    def train(self, dataset: Dataset, job: Job, folder: Path, progress: Progress) -> Model:
        """Train on `train`, choose on `validation`; checkpoints and metrics go to `folder`."""

    def simpler(self, job: Job, dataset: Dataset, model: Model) -> Simpler | None:
        """A model of another family that could do the same, to be trained on the same rows and printed beside the
        trained `model`; None, as here, where the task's own baseline is all there is.
        """
        return None

    def rehearse(
        self, job: Job, folder: Path, progress: Progress, export: Callable[[Model, Path], tuple[Artifact, ...]]
    ) -> None:
        """Try in seconds, before training, what comes after it, where models of others may not be able to.

        `export` writes a model's artifacts into a folder, as it is done after training. Raises Unsupported.
        """
        return

    def refit(self, model: Model, dataset: Dataset, job: Job, progress: Progress) -> Model | None:
        """The model fitted once more as it is, on everything, what it was measured on too; None where that is not done.

        It is asked for after all measuring, and what it returns is served.
        """
        return None

    @abstractmethod
    def export(self, model: Model, folder: Path) -> Artifact:
        """Write the fp32 `predict` artifact into `folder`."""

    @abstractmethod
    def differentiable(self, model: Model) -> Differentiable:
        """The function from explainable input to scores, for `explanation.compile` to trace. Raises Unsupported for a
        model that has no gradient where others of the family have one: predictions alone explain it then.
        """

    def explanations(self, model: Model, folder: Path) -> tuple[Artifact, ...]:
        """Artifacts of explainers that it writes into `folder` itself; a `gradient` may be left to `differentiable`."""
        return ()

    @abstractmethod
    def tiny(self, folder: Path) -> Job:
        """A job that trains in seconds on data written to `folder`; feeds the conformance suite."""

    def variant(self, name: str, folder: Path) -> Job:
        """A further one, by a name from `variants`: another kind of data or answer, for the same suite."""
        raise Unsupported(f"{self.name} has no variant '{name}'", f"variants: {', '.join(self.variants) or 'none'}")

    def base_model(self, folder: Path) -> Job | None:
        """A job for the model that `tiny` names in `model.embedding`; None where it names none."""
        return None
