"""Classes placed in an embedding: against scikit-learn, through one graph, and with the model below pinned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Exporter, Family, Split
from glassworks.errors import ConfigError, DataError, NotFound, Unsupported
from glassworks.families.few_shot.nearest import NearestClasses, choose, class_vectors
from glassworks.flow import Release, evaluate, explain, prepare, release
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

CLASSES, WIDTH = 4, 16


def clouds(count: int, seed: int, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length 1 around one direction a class."""
    generator = np.random.default_rng(seed)
    y = np.arange(count) % CLASSES
    x = np.eye(CLASSES, WIDTH)[y] + spread * generator.normal(size=(count, WIDTH)) / np.sqrt(WIDTH)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), y


def test_prototypes_and_neighbors_answer_as_scikit_learn_does() -> None:
    x, y = clouds(40, seed=0)
    test, _ = clouds(200, seed=1, spread=1.5)
    # Between vectors of length 1 the nearest is the one of the largest cosine; means are brought to length 1 too.
    centroids = NearestCentroid().fit(x, y)
    centroids.centroids_ /= np.linalg.norm(centroids.centroids_, axis=1, keepdims=True)
    prototypes = class_vectors(x, y, CLASSES, "prototypes").scores(test).argmax(axis=1)
    assert (prototypes == centroids.predict(test)).all()
    nearest = KNeighborsClassifier(1).fit(x, y).predict(test)
    neighbors = class_vectors(x, y, CLASSES, "neighbors").scores(test).argmax(axis=1)
    assert (neighbors == nearest).mean() > 0.85, "the nearest counts almost alone"
    assert (neighbors == prototypes).mean() < 1


def test_one_picture_a_class_is_the_same_by_both() -> None:
    x, y = clouds(CLASSES, seed=0)
    test, _ = clouds(50, seed=1)
    one, two = (class_vectors(x, y, CLASSES, method).scores(test) for method in ("prototypes", "neighbors"))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_opposite_vectors_stay_finite() -> None:
    unit = np.eye(2, WIDTH, dtype=np.float32)
    places = NearestClasses(vectors=np.concatenate([unit, -unit]), shares=np.eye(4, dtype=np.float32), temperature=0.05)
    assert np.isfinite(places.probabilities(unit)).all()


def test_auto_takes_the_method_that_validation_favors() -> None:
    """A class in two clouds that lie opposite has no mean to speak of."""
    generator = np.random.default_rng(0)
    y = np.arange(80) % 2
    sign = np.where(np.arange(80) // 2 % 2, 1, -1)
    x = np.eye(2, WIDTH)[y] * sign[:, None] + 0.2 * generator.normal(size=(80, WIDTH)) / np.sqrt(WIDTH)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    vectors = {"train": x[:60], "validation": x[60:]}
    splits = {"train": Split(x=x[:60], y=y[:60]), "validation": Split(x=x[60:], y=y[60:])}
    data = Dataset(name="two", fingerprint="0", classes=("a", "b"), splits=splits)
    method, places = choose(vectors, data, "auto")
    assert method == "neighbors"
    assert (places.probabilities(x[60:]).argmax(axis=1) == y[60:]).all()
    assert choose(vectors, data, "prototypes")[0] == "prototypes"


def test_nothing_to_validate_with_is_told() -> None:
    empty = {name: Split(x=np.zeros((0, 2)), y=np.zeros(0, np.int64)) for name in ("train", "validation")}
    with pytest.raises(DataError, match="no picture to validate with"):
        choose({}, Dataset(name="none", fingerprint="0", classes=("a", "b"), splits=empty), "auto")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("few")


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(home / "home")})


@pytest.fixture(scope="module")
def below(home: Path, registry: Registry) -> Job:
    job = get(Family, "few_shot").base_model(home)
    assert job is not None
    release(job, registry, Silent())
    return job


@pytest.fixture(scope="module")
def job(home: Path, below: Job) -> Job:
    tiny: Job = get(Family, "few_shot").tiny(home)
    return tiny.model_copy(update={"optimization": tiny.optimization.model_copy(update={"budget": 2.0})})


@pytest.fixture(scope="module")
def made(job: Job, registry: Registry) -> Release:
    return release(job, registry, Silent())


def test_classes_that_were_never_learned_are_told_apart(made: Release) -> None:
    found = made.model.comparison
    own, bare = (next(v for name, v in found.items() if place in name)["accuracy"] for place in ("embedding", "bare"))
    assert own.value > 0.8
    assert own.interval[0] > 1 / len(made.dataset.classes)
    assert own.value > bare.value, "shapes stand at any place, which bare pixels do not forgive"


def test_the_one_graph_gives_what_was_placed(made: Release, job: Job, registry: Registry) -> None:
    settings = made.bundle.manifest.job["model"]
    assert isinstance(settings, dict)
    below = OpenedBundle(registry.resolve(str(settings["embedding"])).bundle)
    x = made.dataset.splits["test"].x
    wanted = made.model.network.probabilities(np.asarray(below.predict(x)["embedding"]))
    opened = OpenedBundle(made.bundle)
    roles = {artifact.role for artifact in made.bundle.manifest.artifacts}
    session = opened.session("reference" if "reference" in roles else "predict")
    found = session.run(opened.task.encode(x, made.model.preprocessing))
    assert list(found) == ["probabilities"]
    np.testing.assert_allclose(np.asarray(found["probabilities"]), wanted, atol=1e-5)


def test_it_keeps_the_version_it_was_built_upon(made: Release, below: Job, registry: Registry) -> None:
    reference = made.version.reference
    before = evaluate(reference, registry)
    training = below.training.model_copy(update={"epochs": 1, "seed": 3})
    assert release(below.model_copy(update={"training": training}), registry, Silent()).version.version == 2
    assert made.bundle.manifest.job["model"] == {"embedding": "tiny-shapes@1"}
    assert evaluate(reference, registry) == before


def test_it_explains_and_leaves_as_other_models_do(made: Release, registry: Registry, tmp_path: Path) -> None:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(made.dataset.splits["test"].x[0, :, :, 0]).save(buffer, "PNG")
    told, _ = explain(made.version.reference, buffer.getvalue(), registry)
    assert told.method == "occlusion"
    get(Exporter, "onnx").export(made.bundle.folder, tmp_path / "onnx")


def test_per_class_keeps_the_test_split_whole(made: Release, job: Job, registry: Registry) -> None:
    few = job.model_copy(update={"data": job.data.model_copy(update={"per_class": 2})})
    data = prepare(few, registry=registry)
    counts = {name: np.bincount(split.y).tolist() for name, split in data.splits.items()}
    assert counts["train"] == counts["validation"] == [2, 2, 2]
    assert len(data.splits["test"]) == len(made.dataset.splits["test"])


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ("nowhere", NotFound, "nowhere"),
        ("", ConfigError, r"model\.embedding"),
        ("tiny-few-shot", ConfigError, "output"),
    ],
)
def test_a_model_below_that_cannot_be_one(
    named: str, error: type[Exception], words: str, made: Release, job: Job, registry: Registry
) -> None:
    with pytest.raises(error, match=words):
        release(job.model_copy(update={"model": {"embedding": named}}), registry, Silent())


def test_a_model_of_another_task_is_refused() -> None:
    from glassworks.families.few_shot import FewShot

    class Words:
        reference, task = "words@1", "text-embedding"

    with pytest.raises(ConfigError, match="'words@1' is for text-embedding, few_shot for image-classification"):
        FewShot().upon(Words())  # type: ignore[arg-type]


def test_without_a_model_below_it_says_so(job: Job) -> None:
    with pytest.raises(Unsupported, match="nothing without its embedding model"):
        get(Family, "few_shot").prepare(job)


def test_other_families_build_upon_nothing() -> None:
    with pytest.raises(Unsupported, match="builds upon no other model"):
        get(Family, "convnet").upon(None)  # type: ignore[arg-type]
