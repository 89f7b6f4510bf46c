"""Tables and JSON of the flow's results, as several verbs print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.cli.certificates import show_certificate
from glassworks.cli.classes import show_classes
from glassworks.cli.output import measured, table
from glassworks.contracts import Candidate

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.contracts import Dataset, Measurement, Model
    from glassworks.flow import Release
    from glassworks.optimization.report import OptimizationReport
    from glassworks.packaging.manifest import Manifest

_BEYOND_CHANCE = 2.0
"""Standard deviations from which on an explanation differs from chance."""
_LARGE_KB = 10_000
_SURE, _UNSURE = 0.5, 3
_QUALITY = {
    "deletion_auc": "deletion area {:.3f} (low is good)",
    "insertion_auc": "insertion area {:.3f} (high is good)",
    "comprehensiveness": "comprehensiveness {:.3f}: what the most important parts take along (high is good)",
    "sufficiency": "sufficiency {:.3f}: what they do not say alone (low is good)",
}


def show_data(dataset: Dataset, console: Console) -> None:
    """The splits and what the checks found."""
    rows = [(name, f"{len(split):,}") for name, split in dataset.splits.items()]
    table(f"data: {dataset.name}", ("split", "examples"), rows, console)
    for finding in dataset.findings:
        console.print(f"  - {finding}", markup=False)


def data_json(dataset: Dataset) -> dict[str, Any]:
    """The splits and what the checks found, as one object."""
    return {
        "fingerprint": dataset.fingerprint,
        "examples": dataset.examples,
        "classes": len(dataset.classes),
        "splits": {name: len(split) for name, split in dataset.splits.items()},
        "findings": list(dataset.findings),
    }


def show_training(model: Model, console: Console) -> None:
    """How training ended; nothing of a model that was taken as it is."""
    rows = [(name, measured(value), str(value.examples)) for name, value in model.metrics.items()]
    seconds = f"{model.seconds:.1f} s" + (", resumed" if model.resumed else "")
    if rows:
        table(f"train: {seconds}", ("metric on validation", "value [95 %]", "examples"), rows, console)


def show_comparison(made: Release, console: Console) -> None:
    """The model beside simpler ones on the test split, where the family compares."""
    compared = _compared(made)
    metrics = list(dict.fromkeys(name for found in made.model.comparison.values() for name in found))
    whole = {name: found for name, found in compared.items() if len(found) == len(metrics)}
    if not whole:
        return
    rows = [(metric, *(_known(found, metric) for found in whole.values())) for metric in metrics]
    table("side by side on the test split, value [95 %]", ("metric", *whole), rows, console)
    for name, found in compared.items():
        if name not in whole:
            console.print(f"  - {name}: {', '.join(f'{key} {_known(found, key)}' for key in found)}")


def _compared(made: Release) -> Mapping[str, Mapping[str, Measurement | None]]:
    """Of a model that writes, what is served is among them, and what answers everything alike; some of the metrics are
    not known of all. Other families measure themselves beside the others.
    """
    from glassworks.contracts import Generation, Task

    found, manifest = made.model.comparison, made.bundle.manifest
    if not found or not isinstance(get(Task, manifest.task), Generation):
        return found
    every = {"this model": manifest.metrics, **manifest.comparison}
    metrics = list(dict.fromkeys(name for each in found.values() for name in each))
    return {name: {metric: each.get(metric) for metric in metrics} for name, each in every.items()}


def _known(found: Mapping[str, Measurement | None], metric: str) -> str:
    value = found[metric]
    return measured(value) if value else ""


def show_test(manifest: Manifest, title: str, console: Console) -> None:
    """The metrics of the served artifact beside those of the simple classifier."""
    simple = manifest.baseline
    head = ("metric on the test split", "value [95 %]", *(("simple baseline",) if simple else ()), "examples")
    rows = [
        (
            name,
            measured(value),
            *((measured(simple[name]) if name in simple else "",) if simple else ()),
            str(value.examples),
        )
        for name, value in manifest.metrics.items()
    ]
    table(title, head, rows, console)
    show_quality(manifest, console)


def show_quality(manifest: Manifest, console: Console) -> None:
    """How each class fares, by what costs the model answers where it has any, and whether it learned more since."""
    from glassworks.packaging.card import decision_of

    show_classes(manifest.classes, console)
    show_refit(manifest, console)
    for line in decision_of(manifest):
        console.print(f"  - {line}", markup=False, soft_wrap=True)


def warnings_of(made: Release) -> tuple[str, ...]:
    """Those of its bundle, and what is unlike the version that is served under its name."""
    from glassworks.registry import Registry
    from glassworks.registry.succession import unlike

    return (*made.bundle.manifest.warnings, *unlike(Registry.open(), made.version))


def show_warnings(warnings: Sequence[str], console: Console) -> None:
    """That a model does not beat something simpler, or is unlike the one that is served under its name."""
    from rich.markup import escape

    for warning in warnings:
        console.print(f"[bold red]WARNING:[/bold red] {escape(warning)}", soft_wrap=True)


def show_about(manifest: Manifest, console: Console) -> None:
    """What people should know of a language model before they ask it."""
    from glassworks.catalog import found, get
    from glassworks.contracts import Generation, Task

    if manifest.task in found(Task) and isinstance(task := get(Task, manifest.task), Generation):
        for name, value in task.about(manifest.preprocessing).items():
            console.print(f"  {name:16} {value}", markup=False, soft_wrap=True)


def show_refit(manifest: Manifest, console: Console) -> None:
    """A note where the served model learned more than the measured one."""
    if manifest.refitted:
        console.print(
            "  - measured before the last fit: what is served has learned from everything, the test split too"
        )


def show_report(report: OptimizationReport, console: Console) -> None:
    """Every candidate, the chosen one marked, and the notes."""
    batches = sorted({batch for candidate in report.candidates for batch in candidate.latency_p50_ms})
    speeds = ("tokens/s", "first token: p50 / p99 ms") if any(each.speeds for each in report.candidates) else ()
    times = (*(f"batch {batch}: p50 / p99 ms" for batch in batches), *speeds)
    rows = [_row(candidate, report.chosen, batches, len(times)) for candidate in report.candidates]
    header = ("candidate", *times, "size", _metric(report))
    goal = f"maximize {report.maximize}" if report.maximize else f"minimize {report.minimize}"
    table(f"optimize: {goal} within {', '.join(report.within)}", header, rows, console)
    for candidate in report.candidates:
        if candidate.excluded:
            console.print(f"  - {candidate.name}: {candidate.excluded}", markup=False)
        elif candidate.computes_fp32:
            console.print(f"  - {candidate.name} computes in fp32: {', '.join(candidate.computes_fp32)}", markup=False)
    for note in report.notes:
        console.print(f"  - {note}", markup=False)
    show_certificate(report.certificate, console)


def _metric(report: OptimizationReport) -> str:
    """The name of the metric that stands first."""
    return next((name for candidate in report.candidates for name in candidate.metrics), "metric")


def _row(candidate: Candidate, chosen: str, batches: Sequence[int], columns: int) -> tuple[str, ...]:
    mark = "-> " if candidate.name == chosen else "   "
    if candidate.excluded:
        left = ("", "not possible") if not candidate.size_bytes else (_shown(candidate.size_bytes), "not measured")
        return (mark + candidate.name, *("" for _ in range(columns)), *left)
    times = [f"{candidate.latency_p50_ms[batch]:.3f} / {candidate.latency_p99_ms[batch]:.3f}" for batch in batches]
    if speeds := candidate.speeds:
        times.append(f"{speeds['tokens_per_second']:.1f}")
        times.append(f"{speeds['first_token_p50']:.1f} / {speeds['first_token_p99']:.1f}")
    times += [""] * (columns - len(times))
    metric = next(iter(candidate.metrics.values()))
    return mark + candidate.name, *times, _shown(candidate.size_bytes), f"{metric.value:.4f}"


def _shown(size_bytes: int) -> str:
    size = size_bytes / 1000
    return f"{size:.0f} kB" if size < _LARGE_KB else f"{size / 1000:.0f} MB"


def report_json(report: OptimizationReport) -> dict[str, Any]:
    """The report with one flat latency per batch size beside the whole tables."""
    candidates = []
    for candidate in report.candidates:
        row = candidate.model_dump(mode="json")
        for percentile in ("p50", "p99"):
            by_batch = row[f"latency_{percentile}_ms"]
            row[f"latency_{percentile}_ms_by_batch"] = by_batch
            row[f"latency_{percentile}_ms"] = next(iter(by_batch.values()), None)
        candidates.append(row)
    return {
        "candidates": candidates,
        "chosen": report.chosen,
        "reference": report.reference,
        "minimize": report.minimize,
        "maximize": report.maximize,
        "within": list(report.within),
        "seconds": report.seconds,
        "notes": list(report.notes),
        "certificate": report.certificate.model_dump(mode="json") if report.certificate else None,
    }


def found_nothing(values: Mapping[str, Any]) -> bool:
    """Whether a method that searches, and promises no sum, found nothing."""
    return values.get("completeness_gap") is None and not values["converged"]


def _against_chance(z: float) -> str:
    if z >= _BEYOND_CHANCE:
        return f"deletion beats random orders by {z:.1f} standard deviations"
    said = "does not beat random orders" if z < 0 else "is not told apart from random orders"
    return f"deletion {said} ({z:.1f} standard deviations): do not rely on this explanation"


def show_grade(values: Mapping[str, Any], console: Console) -> None:
    """How far an explanation can be trusted, in words."""
    if (another := values.get("baseline_to_try")) is not None:
        console.print("  - the input is the baseline itself: nothing can be taken out of it, so nothing is explained")
        console.print(f"  - try another baseline: --baseline {another:g}")
        return
    gap = values.get("completeness_gap")
    if gap is not None:
        kept = "kept" if values["converged"] else "NOT kept: trust it less"
        console.print(f"  - the values add up to the score within {gap:.2%} (promise {kept})")
    elif found_nothing(values):
        console.print("  - nothing was found within what may be tried: the values say nothing")
    if values.get("faithfulness_z") is not None:
        console.print(f"  - {_against_chance(values['faithfulness_z'])}")
    for name, form in _QUALITY.items():
        if values.get(name) is not None:
            console.print(f"  - {form.format(values[name])}")
    if "faithfulness_z" not in values:
        console.print("  - not graded: the time budget was spent")
    console.print(f"  - {values['forward']} forward and {values['backward']} backward rows")


def show_answer(details: Mapping[str, Any], console: Console) -> None:
    """The tokens of an answer of which the model was least sure, and what was made coarser or left out."""
    unsure = sorted((each for each in details["tokens"] if each["probability"] < _SURE), key=_probability)[:_UNSURE]
    for token in unsure:
        others = ", ".join(f"{other['token']!r} {other['probability']:.2f}" for other in token["runners_up"][:2])
        line = f"  - {token['token']!r} had the probability {token['probability']:.2f}; instead: {others}"
        console.print(line, markup=False)
    for note in details["notes"]:
        console.print(f"  - {note}", markup=False)


def _probability(token: Mapping[str, Any]) -> float:
    return float(token["probability"])


def show_shaded(rows: Sequence[Sequence[tuple[str, str]]], console: Console) -> None:
    """Parts of a picture or a text with their styles: red speaks for the class, blue against it."""
    from rich.text import Text

    for row in rows:
        line = Text("  ")
        for part, style in row:
            line.append(part, style=style)
        console.print(line)
