"""`glassworks data list` and `data check`: what there is to learn from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.output import AsJson, measured, stdout, table, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.config import DataConfig, Job
    from glassworks.data.interactions.checks import InteractionsReport
    from glassworks.data.text.checks import TextReport

group = typer.Typer(
    help="Sources of data: list the samples, check a source.", no_args_is_help=True, rich_markup_mode=None
)
_FIRST, _SHOWN, _CLASSES = 10, 80, 50


@group.command("list")
def list_samples(as_json: AsJson = False) -> None:
    """List what was uploaded to this machine, the samples that ship in packages, and the kinds of sources."""
    from glassworks.catalog import summaries
    from glassworks.contracts import Sample, Source
    from glassworks.data.uploads.store import DataStore

    samples, schemes, uploaded = summaries(Sample), summaries(Source), DataStore().items()
    if as_json:
        listed = [{"source": item.source, **item.model_dump(mode="json")} for item in uploaded]
        write_json({"uploaded": listed, "samples": dict(samples), "schemes": dict(schemes)})
        return
    if uploaded:
        rows = [(item.source, item.name, item.kind or "open", f"{item.examples or 0:,}") for item in uploaded]
        table("uploaded", ("source", "name", "kind", "examples"), rows, stdout())
    table("samples", ("source", "what it is"), [(f"sample:{k}", v) for k, v in samples.items()], stdout())
    table("kinds of sources", ("source", "what it is"), [(f"{k}:...", v) for k, v in schemes.items()], stdout())


@group.command("check")
def check(
    source: Annotated[str, typer.Argument(help="Such as sample:mnist-5k, folder:PATH, csv:PATH, or JOB.toml, a job.")],
    text: Annotated[str, typer.Option(help="Texts: the column that holds the text.")] = "",
    label: Annotated[str, typer.Option(help="Texts: the column that holds the label.")] = "",
    separator: Annotated[str, typer.Option(help="Texts: what stands between several labels of one.")] = "",
    split: Annotated[str, typer.Option(help="Texts: the column that says the part of each row.")] = "",
    group: Annotated[str, typer.Option(help="Texts: the column whose equal values stay in one part.")] = "",
    user: Annotated[str, typer.Option(help="Interactions: the column of who.")] = "",
    item: Annotated[str, typer.Option(help="Interactions: the column of what.")] = "",
    time: Annotated[str, typer.Option(help="Interactions: the column of when.")] = "",
    weight: Annotated[str, typer.Option(help="Interactions: the column of how much.")] = "",
    positive: Annotated[float | None, typer.Option(help="Interactions: liked from this weight on.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Any key of [data]: encoding=Big5")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Texts: only what takes no classifier.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report duplicates, contradictory labels, imbalance, unreadable files, tiny classes and sizes.
    For texts also what a leaking split would have pretended, and labels that look wrong: all of them with --json.
    With --user and --item a table is read as interactions.
    """
    job = _job(source, overrides or ())
    if job and not _labelled(job):
        _check_unlabelled(job, as_json)
        return
    keys: dict[str, Any] = {"text": text, "label": label, "separator": separator, "split": split, "group": group}
    keys |= {"user": user, "item": item, "time": time, "weight": weight, "positive": positive}
    found = _data(job.data if job else None, source, "interactions" if user or item else None)
    data = _with(found, keys, () if job else overrides or ())
    report = _CHECKS[data.kind](data, quick)
    write_json(report.model_dump(mode="json")) if as_json else _SHOWN_AS[data.kind](report, source, stdout())


def _job(source: str, overrides: Sequence[str]) -> Job | None:
    """The job of a file, whose folder is where paths of `overrides` count from."""
    from glassworks.job_files import load_job

    of_data = [each if each.startswith("data.") else f"data.{each}" for each in overrides]
    return load_job(Path(source), of_data) if source.endswith(".toml") else None


def _labelled(job: Job) -> bool:
    from glassworks.catalog import named
    from glassworks.contracts import Family, Task

    return named(Task, named(Family, job.family).task).labelled


def _check_unlabelled(job: Job, as_json: bool) -> None:
    """What the family makes of examples that have no labels."""
    from glassworks import flow
    from glassworks.cli.tables import data_json, show_data

    dataset = flow.prepare(job)
    if as_json:
        write_json(data_json(dataset))
    else:
        show_data(dataset, stdout())


def _data(given: DataConfig | None, source: str, wanted: str | None) -> DataConfig:
    """The data of a job, or of a source alone, as a record of their kind."""
    from glassworks.data.kinds import kind_of
    from glassworks.job_files import modalities

    if given is None:
        return modalities()[kind_of(source, wanted)](source=source)
    kind = kind_of(given.source, given.kind or wanted)
    return given if given.kind else modalities()[kind].model_validate(given.model_dump())


def _with(data: DataConfig, given: Mapping[str, Any], overrides: Sequence[str]) -> DataConfig:
    """With the keys that are given and that its kind has."""
    from glassworks.job_files import data_with

    known = {key: value for key, value in given.items() if value not in (None, "") and key in type(data).model_fields}
    return data_with(data.model_copy(update=known), overrides)


def _check_pictures(data: Any, quick: bool) -> Any:
    from glassworks.data.checks import check_pictures
    from glassworks.data.dataset import part_findings
    from glassworks.data.duplicates import find_duplicates
    from glassworks.data.reader import Reading, read_pictures

    pictures = read_pictures(data.source, Reading.of(data))
    duplicates = find_duplicates(pictures.looks)
    report, between = check_pictures(pictures, duplicates), part_findings(pictures, duplicates, data)
    return report.model_copy(update={"findings": (*between, *report.findings)})


def _check_interactions(data: Any, quick: bool) -> InteractionsReport:
    from glassworks.data.interactions.checks import check_interactions
    from glassworks.data.interactions.reading import read_interactions

    return check_interactions(read_interactions(data), data)


def _check_texts(data: Any, quick: bool) -> TextReport:
    from glassworks.data.text.checks import check_texts
    from glassworks.data.text.reader import Columns, read_texts
    from glassworks.data.text.study import study_texts

    texts = read_texts(data.source, Columns.of(data))
    if quick:
        return check_texts(texts)
    return study_texts(texts, validation=data.validation, test=data.test, seed=data.seed)


def _show(report: Any, source: str, console: Console) -> None:
    counts = [(name, f"{count:,}") for name, count in report.class_counts.items()]
    if len(counts) > _CLASSES:
        counts = [*counts[:_FIRST], (f"... and {len(counts) - _FIRST:,} more (--json has all)", "")]
    table(source, ("class", "examples"), counts, console)
    console.print(f"{report.examples:,} examples, {report.distinct:,} distinct")
    for finding in report.findings:
        console.print(f"  - {finding}", markup=False)


def _show_interactions(report: InteractionsReport, source: str, console: Console) -> None:
    counted = ("examples", "users", "items", "likes", "distinct", "never_liked")
    rows = [(name.replace("_", " "), f"{getattr(report, name):,}") for name in counted]
    rows += [("density", f"{report.density:.3%}"), ("likes on the top 1 % of items", f"{report.top_items_share:.1%}")]
    rows += [("from, until", f"{report.begin}, {report.end}")] if report.begin else []
    rows += [(f"likes of a user, {name}", f"{value:,}") for name, value in report.likes_of_users.items()]
    table(source, ("interactions", ""), rows, console)
    for finding in report.findings:
        console.print(f"  - {finding}", markup=False)


def _show_texts(report: TextReport, source: str, console: Console) -> None:
    table("the first texts, as they are read", ("text", "label"), report.sample, console)
    _show(report, source, console)
    pairs = [(_PAIRS[each.kind], each.one, each.other) for each in report.pairs]
    if pairs:
        table("the first pairs of texts", ("what they are", "one", "other"), pairs, console)
    table("lengths", ("quantile", "characters"), [(k, f"{v:,}") for k, v in report.lengths.items()], console)
    splits = (("the product's own", report.honest_split), ("random, with copies", report.random_split))
    rows = [(name, measured(value), f"{value.examples:,}") for name, value in splits if value]
    if rows:
        table("an n-gram classifier", ("split", "test accuracy [95 %]", "texts"), rows, console)
    if report.candidates:
        title = f"the first of {len(report.candidates):,} labels that look wrong"
        head = ("where", "label", "perhaps", "probability", "text")
        first = report.candidates[:_FIRST]
        found = [(c.name, c.label, c.suggested, f"{c.probability:.4f}", c.text[:_SHOWN]) for c in first]
        table(title, head, found, console)


_PAIRS = {
    "copies": "the same: one is kept",
    "contradictory": "the same, labels differ: left out",
    "alike": "signs differ: kept",
    "near": "nearly the same: kept in one part",
}
_CHECKS: Mapping[str, Callable[[Any, bool], Any]] = {
    "pictures": _check_pictures,
    "texts": _check_texts,
    "interactions": _check_interactions,
}
_SHOWN_AS: Mapping[str, Callable[[Any, str, Console], None]] = {
    "pictures": _show,
    "texts": _show_texts,
    "interactions": _show_interactions,
}


def register(program: typer.Typer) -> None:
    """Add the group."""
    program.add_typer(group, name="data")
