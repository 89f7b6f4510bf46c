"""Explanations from compiled graphs against captum on the same weights, and against the cost of a prediction.

    python benchmarks/explanation.py

One trained network, one thread for everyone, the contenders taking turns on the same test pictures.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from report import medians_ms, publish

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.contracts import Attribution, Budget, Explainer, Session
from glassworks.flow import Release, release
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

PICTURES, ROUNDS, CAPTUM_STEPS = 100, 5, 50


def made(recipe: str, home: Path) -> Release:
    """Digits by a recipe, served in fp32 so that every engine computes the same."""
    job = Job(
        name=f"digits-{recipe}",
        family="convnet",
        data=DataConfig(source="sample:mnist-5k"),
        training=TrainingConfig(recipe=recipe),
    )
    plain = job.model_copy(update={"optimization": job.optimization.model_copy(update={"enabled": False})})
    return release(plain, Registry.open({"GLASSWORKS_HOME": str(home)}), Silent())


def explained(method: str, session: Session, image: NDArray[np.float32], target: int) -> Attribution:
    """Our method with its default tolerance of 1 %."""
    return get(Explainer, method).explain(session, image, target, np.zeros_like(image), Budget(), 0)


def compare(recipe: str, home: Path) -> dict[str, float]:
    """Times and gaps over test pictures for one recipe."""
    done = made(recipe, home)
    opened, network = OpenedBundle(done.bundle), get_network(done)
    predict, gradient, cam = (opened.session(role) for role in ("predict", "gradient", "cam"))
    captum = IntegratedGradients(network)
    tensors = opened.task.encode(done.dataset.splits["test"].x[:PICTURES], opened.manifest.preprocessing)
    images = np.asarray(tensors["image"], np.float32)
    rows: list[list[float]] = []
    for index in range(len(images)):
        image = np.ascontiguousarray(images[index : index + 1])
        target = int(np.asarray(predict.run({"image": image})["probabilities"]).argmax())
        tensor = torch.from_numpy(image)
        times = medians_ms(
            [
                lambda image=image: predict.run({"image": image}),  # type: ignore[misc]
                lambda image=image, target=target: explained("grad_cam", cam, image, target),  # type: ignore[misc]
                lambda image=image, target=target: explained("saliency", gradient, image, target),  # type: ignore[misc]
                lambda image=image, target=target: explained("integrated_gradients", gradient, image, target),  # type: ignore[misc]
                lambda tensor=tensor, target=target: captum.attribute(tensor, target=target, n_steps=CAPTUM_STEPS),  # type: ignore[misc]
            ],
            ROUNDS,
        )
        ours = explained("integrated_gradients", gradient, image, target)
        theirs, delta = captum.attribute(tensor, target=target, n_steps=CAPTUM_STEPS, return_convergence_delta=True)
        change = ours.score - (ours.baseline_score or 0.0)
        correlation = float(np.corrcoef(ours.values.ravel(), theirs.float().numpy().ravel())[0, 1])
        rows.append(
            [*times, ours.gap or 0.0, float(ours.converged), ours.forward, abs(float(delta)) / abs(change), correlation]
        )
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = ("predict_ms", "grad_cam_ms", "saliency_ms", "ig_ms", "captum_ig_ms")
    middle = {name: statistics.median(column) for name, column in zip(names, columns, strict=False)}
    return {
        **middle,
        "grad_cam_over_predict": middle["grad_cam_ms"] / middle["predict_ms"],
        "captum_over_ours": middle["captum_ig_ms"] / middle["ig_ms"],
        "share_within_1_percent": statistics.mean(columns[6]),
        "mean_nodes": statistics.mean(columns[7]),
        "captum_share_within_1_percent": statistics.mean(float(gap <= 0.01) for gap in columns[8]),
        "median_correlation_with_captum": statistics.median(columns[9]),
    }


def get_network(done: Release) -> torch.nn.Module:
    """The trained network as the compiler saw it."""
    from glassworks.contracts import Family

    network: torch.nn.Module = get(Family, "convnet").differentiable(done.model).network
    return network


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        found: dict[str, dict[str, float]] = {}
        for recipe in ("default", "classic"):
            made(recipe, Path(home))
            torch.set_num_threads(1)
            found[recipe] = compare(recipe, Path(home))
    ours, classic = found["default"], found["classic"]
    publish(
        "explanation",
        {"pictures": PICTURES, "threads": 1, **found},
        [
            ("default: captum's 50 steps over integrated gradients at 1 %", ours["captum_over_ours"], ">= 3"),
            (
                "default: pictures within the 1 % gap: ours / captum",
                f"{ours['share_within_1_percent']:.2f} / {ours['captum_share_within_1_percent']:.2f}",
                "",
            ),
            ("default: nodes, mean", ours["mean_nodes"], ""),
            ("default: Grad-CAM over a prediction", ours["grad_cam_over_predict"], "<= 2.2"),
            (
                "default: prediction, Grad-CAM, integrated gradients in ms",
                f"{ours['predict_ms']:.3f} {ours['grad_cam_ms']:.3f} {ours['ig_ms']:.2f}",
                "",
            ),
            ("classic: captum's 50 steps over integrated gradients at 1 %", classic["captum_over_ours"], ""),
            ("classic: Grad-CAM over a prediction", classic["grad_cam_over_predict"], ""),
        ],
    )
