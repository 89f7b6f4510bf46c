"""What the parts of Glassworks agree on: the abstractions, one a module, and the records that pass between them.

No logic and no heavy import: listing what exists must not load numpy, torch or an engine.
The letters of shapes are those of `records`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.contracts.capabilities import (
    Feedback as Feedback,
    Generation as Generation,
    Pictures as Pictures,
    Tables as Tables,
)
from glassworks.contracts.embedding import (
    EMBEDDING as EMBEDDING,
    Embedder as Embedder,
    Embedding as Embedding,
    Tokens as Tokens,
)
from glassworks.contracts.evaluation import (
    Difference as Difference,
    Evaluation as Evaluation,
    ExampleScores as ExampleScores,
    Opening as Opening,
    Questions as Questions,
    Understood as Understood,
)
from glassworks.contracts.explainer import Explainer as Explainer
from glassworks.contracts.exporter import Exporter as Exporter
from glassworks.contracts.family import Family as Family
from glassworks.contracts.grader import Answered as Answered, Choice as Choice, Grader as Grader
from glassworks.contracts.importer import Imported as Imported, Importer as Importer
from glassworks.contracts.memory import Memory as Memory
from glassworks.contracts.optimization_pass import Pass as Pass
from glassworks.contracts.presentation import Presentation as Presentation
from glassworks.contracts.progress import Progress as Progress
from glassworks.contracts.quantity import Load as Load, Probe as Probe, Quantity as Quantity
from glassworks.contracts.reader import Reader as Reader
from glassworks.contracts.records import (
    DECISION as DECISION,
    Artifact as Artifact,
    Attribution as Attribution,
    Budget as Budget,
    Candidate as Candidate,
    ClassMeasurement as ClassMeasurement,
    Dataset as Dataset,
    Datatype as Datatype,
    Device as Device,
    Differentiable as Differentiable,
    Explanation as Explanation,
    Lineage as Lineage,
    Measurement as Measurement,
    Model as Model,
    Opened as Opened,
    Precision as Precision,
    Signature as Signature,
    Split as Split,
    TensorSpec as TensorSpec,
)
from glassworks.contracts.retrieval import Retrieval as Retrieval
from glassworks.contracts.runtime import Runtime as Runtime
from glassworks.contracts.sample import Sample as Sample
from glassworks.contracts.session import Layer as Layer, Session as Session
from glassworks.contracts.simpler import Simpler as Simpler
from glassworks.contracts.source import Source as Source
from glassworks.contracts.step import STAGES as STAGES, Step as Step, Value as Value
from glassworks.contracts.streaming import Chunk as Chunk
from glassworks.contracts.subject import Subject as Subject, View as View
from glassworks.contracts.task import Task as Task
from glassworks.contracts.teacher import Teacher as Teacher
from glassworks.contracts.work import Work as Work
from glassworks.record import Record as Record

if TYPE_CHECKING:
    from glassworks.contracts.records import Array as Array, Tensors as Tensors
