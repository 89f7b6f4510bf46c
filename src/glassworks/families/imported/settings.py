"""What the `[model]` table of an imported model says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from glassworks.locations import Location, Naming
from glassworks.record import Record

SCHEMES: Mapping[str, Naming] = {"file": "path", "folder": "path"}
Named = Literal["", "unit", "imagenet", "signed", "bytes", "caffe", "stated"]


class ImportedConfig(Record):
    """The `[model]` table of a job whose family is `imported`."""

    source: Annotated[str, Location(SCHEMES)] = Field(pattern=r"^(file|folder):.+")
    """The model, `file:PATH` or `folder:PATH`; which form it is, the path and its content say."""
    labels: tuple[str, ...] = ()
    """The classes in the order of the model's outputs; left out, those that its file names."""
    preprocessing: Named = ""
    """How pixels become what the model takes: `unit` (0 to 1), `imagenet` (by mean and deviation of ImageNet), `signed`
    (-1 to 1), `bytes` (0 to 255), `caffe` (blue first, 0 to 255 less the mean of ImageNet), `stated` (by `mean` and
    `std`). Left out: what the file says, else what answers best on labeled examples of the validation split."""
    mean: tuple[float, ...] = ()
    """A number a channel, of pixels from 0 to 1, that is subtracted."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """A number a channel by which the difference is divided."""
    shape: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = ()
    """Height, width and channels of a picture; needed only where the graph takes any size, or one row of numbers."""
    outputs: Literal["", "scores", "probabilities"] = ""
    """What the model puts out; left out, it is found from the last operator, or from the answers themselves."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.shape) not in (0, 3):
            raise ValueError("'shape' is height, width and channels")
        if len(self.mean) != len(self.std):
            raise ValueError("'mean' and 'std' go together, a number a channel")
        if (self.preprocessing == "stated") != bool(self.mean):
            raise ValueError("'mean' and 'std' go with preprocessing = \"stated\", and it with them")
        return self
