"""The model card: what an auditor reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from glassworks.catalog import found, get
from glassworks.contracts import DECISION, Candidate, ClassMeasurement, Generation, Measurement, Task, TensorSpec
from glassworks.optimization.certificate.record import Certificate
from glassworks.packaging.certified import about, figure_in_words
from glassworks.packaging.manifest import Manifest

_SHOWN = 50
"""Classes in a table."""


def write_card(
    manifest: Manifest,
    candidates: Sequence[Candidate],
    chosen: str,
    findings: Sequence[str],
    reference: str = "",
    certificate: Certificate | None = None,
) -> str:
    """The card in Markdown. `chosen` names one of `candidates`, and so does `reference`, which the others are compared
    with; `findings` are the sentences about the data."""
    sections = (
        ("What it does", _purpose(manifest)),
        ("Data", _data(manifest, findings)),
        ("How good it is", _quality(manifest)),
        ("How it was chosen", [*_candidates(candidates, chosen), *_kept(candidates, chosen, reference)]),
        ("What is certified", _certified(certificate)),
        ("How it explains itself", _explaining(manifest)),
        ("Where it came from", _lineage(manifest)),
        ("Limits", _limits(manifest)),
        ("License", [_text(manifest.license)]),
    )
    lines = [f"# {_text(manifest.name)}"]
    for title, body in sections:
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _quality(manifest: Manifest) -> list[str]:
    parts = (_warnings, _metrics, _classes, _baseline, _comparison)
    return [line for part in parts for line in part(manifest)]


def _purpose(manifest: Manifest) -> list[str]:
    lines = [f"Task: {_text(manifest.task)}. Family: {_text(manifest.family)}.", ""]
    if manifest.labels:
        lines += [f"Labels ({len(manifest.labels)}): {', '.join(_text(label) for label in manifest.labels)}.", ""]
    if manifest.task in found(Task) and isinstance(task := get(Task, manifest.task), Generation):
        known = ((name, _text(value)) for name, value in task.about(manifest.preprocessing).items())
        lines += [*_table(("", ""), known), ""]
    rows = [("input", spec) for spec in manifest.signature.inputs]
    rows += [("output", spec) for spec in manifest.signature.outputs]
    return lines + _table(("", "name", "type", "shape"), ((side, *_spec(spec)) for side, spec in rows))


def _data(manifest: Manifest, findings: Sequence[str]) -> list[str]:
    lines = [f"- source: {_text(manifest.lineage.data or 'not recorded')}"]
    lines += [f"- fingerprint: {_text(manifest.data_fingerprint or 'not recorded')}"]
    lines += [f"- found: {_text(finding)}" for finding in findings]
    return lines if findings else [*lines, "- found: nothing to report"]


def _warnings(manifest: Manifest) -> list[str]:
    return [line for warning in manifest.warnings for line in (f"**Warning: {_text(warning)}.**", "")]


def _metrics(manifest: Manifest) -> list[str]:
    if not manifest.metrics:
        return ["It was not measured."]
    how = (
        "Measured on the test split. Then the same settings were fitted once more on everything, the test split too: "
        "what is served was not measured itself."
        if manifest.refitted
        else "Measured on the test split, with the artifact that is served."
    )
    return [how, "", *_measured(manifest.metrics)]


def _measured(metrics: Mapping[str, Measurement]) -> list[str]:
    rows = (
        (
            name,
            _number(value.value) + _over(value),
            _interval(value),
            f"{value.examples}",
            ("lower", "higher")[value.higher_is_better],
        )
        for name, value in sorted(metrics.items())
    )
    return _table(("metric", "value", "95 % interval", "examples", "better is"), rows)


def _classes(manifest: Manifest) -> list[str]:
    """How each class fares; of many those with the least recall."""
    decision = [f"{_text(line)}." for line in decision_of(manifest)]
    found = sorted(manifest.classes, key=lambda each: each.recall.value if each.recall else -1.0)
    if len(found) <= _SHOWN:
        found = list(manifest.classes)
    if not found:
        return decision
    cut = f" (the {_SHOWN} worst of {len(manifest.classes)})" if len(found) < len(manifest.classes) else ""
    unmeasured = [_text(each.label) for each in manifest.classes if not each.examples]
    none = f"Nothing is known of {', '.join(unmeasured[:_SHOWN])}: the test split has no example." if unmeasured else ""
    rows = (
        (each.label, f"{each.examples}", *map(_share, (each.recall, each.precision)), _mistaken(each))
        for each in found[:_SHOWN]
    )
    head = ("class", "examples", "recall", "class precision", "taken for")
    return ["", *decision, "", f"Each class{cut}. {none}".strip(), "", *_table(head, rows)]


def decision_of(manifest: Manifest) -> list[str]:
    """What decides the answer where it is not the largest probability."""
    decision = manifest.preprocessing.get(DECISION)
    if not isinstance(decision, dict):
        return []
    costs, weights = (dict(zip(manifest.labels, decision[key], strict=True)) for key in ("costs", "weights"))  # type: ignore[arg-type]
    dear = ", ".join(f"{label} {cost:g}" for label, cost in costs.items() if cost != 1) or "all alike"
    heavy = ", ".join(f"{label} {weight:.4g}" for label, weight in list(weights.items())[:_SHOWN])
    return [
        f"Answers are chosen by what mistakes cost (missing {dear}; every other class 1): the class with the largest "
        f"weight times probability; the weights, chosen on the validation split: {heavy}"
    ]


def _mistaken(one: ClassMeasurement) -> str:
    return ", ".join(f"{label} ({count})" for label, count in one.mistaken.items())


def _share(value: Measurement | None) -> str:
    return f"{_number(value.value)} {_interval(value)}" if value else "not measured"


def _over(value: Measurement) -> str:
    return f" (over {value.classes[0]} of {value.classes[1]} classes)" if value.classes else ""


def _baseline(manifest: Manifest) -> list[str]:
    if not manifest.baseline:
        return []
    return [
        "",
        "A simple classifier, fitted on the same training split, on the same test split:",
        "",
        *_measured(manifest.baseline),
    ]


def _comparison(manifest: Manifest) -> list[str]:
    rows = [
        (_text(name), metric, _number(value.value), _interval(value), f"{value.examples}")
        for name, metrics in manifest.comparison.items()
        for metric, value in metrics.items()
    ]
    head = ("of", "metric", "value", "95 % interval", "examples")
    return ["", "Side by side on the test split, as the training saw it:", "", *_table(head, rows)] if rows else []


def _candidates(candidates: Sequence[Candidate], chosen: str) -> list[str]:
    if not candidates:
        return ["There was no search: the trained model is served as it is."]
    rows = ((*_candidate(candidate), _verdict(candidate, chosen)) for candidate in candidates)
    writes = any(candidate.speeds for candidate in candidates)
    time, how = ("speed", _SPEED) if writes else ("latency", _LATENCY)
    return [
        f"{how}; metrics are on validation data.",
        "",
        *_table(("candidate", "engine", "precision", time, "size", "metrics", "verdict"), rows),
    ]


_LATENCY = "Latencies are of one call, in milliseconds, p50 / p99 at each batch size"
_SPEED = "Speeds are of one answer at a time; the wait for its first token is in milliseconds, p50 / p99"


def _kept(candidates: Sequence[Candidate], chosen: str, reference: str) -> list[str]:
    """What a compressed language model has kept of the weights that it came with, on the same texts."""
    by_name = {candidate.name: candidate for candidate in candidates}
    served, own = by_name.get(chosen), by_name.get(reference)
    if served is None or own is None or not served.speeds:
        return []
    lines = [""]
    for name, value in served.metrics.items():
        before = own.metrics[name].value
        change = f" ({value.value / before - 1:+.2%})" if before else ""
        lines.append(f"Served {name} {_number(value.value)}, with the weights as they came {_number(before)}{change}.")
    return lines


def _certified(certificate: Certificate | None) -> list[str]:
    """Each limit with its verdict, then what the served path took."""
    if certificate is None:
        return ["Nothing: no certificate was made."]
    promises = (
        (each.limit, each.shown, each.verdict, f"{each.samples:,}", each.method, each.note)
        for each in certificate.promises
    )
    lines = [*(f"- {_text(line)}" for line in about(certificate)), ""]
    lines += _table(("limit", "measured, 95 % bound", "verdict", "samples", "method", ""), promises)
    if certificate.figures:
        head = ("as served, with 95 % bounds", certificate.candidate, certificate.reference, "ratio")
        lines += ["", *_table(head, map(figure_in_words, certificate.figures))]
    return lines


def _candidate(candidate: Candidate) -> tuple[str, ...]:
    latencies = [
        f"batch {size}: {p50:.3g} / {_optional(candidate.latency_p99_ms.get(size))}"
        for size, p50 in sorted(candidate.latency_p50_ms.items())
    ]
    if speeds := candidate.speeds:
        waits = f"{speeds['first_token_p50']:.3g} / {speeds['first_token_p99']:.3g}"
        latencies = [f"{speeds['tokens_per_second']:.3g} tokens/s", f"first token: {waits}"]
    metrics = [f"{name} {_number(value.value)} {_interval(value)}" for name, value in sorted(candidate.metrics.items())]
    size = f"{candidate.size_bytes / 1000:.1f} kB" if candidate.size_bytes else ""
    computed: str = candidate.precision
    if candidate.computes_fp32:
        computed += f", but fp32: {', '.join(candidate.computes_fp32)}"
    return candidate.name, candidate.engine, computed, "; ".join(latencies), size, "; ".join(metrics)


def _verdict(candidate: Candidate, chosen: str) -> str:
    if candidate.name == chosen:
        return "chosen"
    return f"excluded: {candidate.excluded}" if candidate.excluded else ""


def _explaining(manifest: Manifest) -> list[str]:
    if not manifest.explainers:
        return ["It offers no explanations."]
    lines = [f"Methods: {', '.join(_text(name) for name in manifest.explainers)}."]
    if manifest.fidelity:
        lines += ["", "Agreement of the explanations of the float model and of the served one:", ""]
        lines += [f"- {_text(name)}: {_number(value)}" for name, value in sorted(manifest.fidelity.items())]
    return lines


def _lineage(manifest: Manifest) -> list[str]:
    lineage = manifest.lineage
    facts = {
        "run": lineage.run,
        "parent": lineage.parent,
        "passes": ", ".join(lineage.passes),
        "weights SHA-256": lineage.weights_sha256,
        "libraries": ", ".join(f"{name} {version}" for name, version in sorted(manifest.libraries.items())),
    }
    return [f"- {name}: {_text(value or 'none recorded')}" for name, value in facts.items()]


def _limits(manifest: Manifest) -> list[str]:
    isa = ", ".join(manifest.isa) or "unknown"
    return [
        f"- Certified on a machine with these instruction sets: {_text(isa)}. Others may round differently.",
        "- The intervals hold for data like the test split. Other data must be measured first.",
        "- An explanation says what this model used, not what is true of the world.",
    ]


def _spec(spec: TensorSpec) -> tuple[str, str, str]:
    return spec.name, spec.datatype, " x ".join("any" if size < 0 else str(size) for size in spec.shape)


def _interval(value: Measurement) -> str:
    return f"[{_number(value.interval[0])}, {_number(value.interval[1])}]"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _optional(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *([_text(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _text(value: str) -> str:
    """One line that cannot break a table or begin HTML: names and labels come from other people's data."""
    return " ".join(value.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
