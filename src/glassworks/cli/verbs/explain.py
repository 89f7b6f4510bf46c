"""`glassworks explain`: why a model answered as it did, and how far that can be trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.answering import Data, answer_all, require_one
from glassworks.cli.following import Detach
from glassworks.cli.output import AsJson, Reference, read_input, stdout, write_json, write_output
from glassworks.cli.verbs.predict import InputFile, Itself
from glassworks.errors import InputError

if TYPE_CHECKING:
    from glassworks.cli.drawing import Drawn
    from glassworks.contracts import Explanation


_Method = Annotated[str | None, typer.Option(help="One of the model's methods; see 'glassworks show MODEL'.")]
_Target = Annotated[
    str | None,
    typer.Option(
        help="A class by label or number, the predicted one if left out; of a picture X,Y or X,Y,WIDTH,HEIGHT."
    ),
]
_Baseline = Annotated[
    float | None,
    typer.Option(help="What counts as 'nothing there': 0 is black, 1 white; of operators 255 is."),
]
_Parts = Annotated[
    str | None, typer.Option(help="Of a prompt: words (as long as the budget allows), sentences, passages or turns.")
]
_Answer = Annotated[str | None, typer.Option(help="Of a prompt: the answer to explain, instead of the model's own.")]
_Against = Annotated[str | None, typer.Option(help="Of a prompt: why the answer rather than this one.")]
_Span = Annotated[
    str | None, typer.Option(metavar="START-END", help="Of a prompt: only these characters of the answer, from 0.")
]
_Budget = Annotated[
    str | None, typer.Option(help="Longest time to spend, such as 50ms, or of a prompt variants of it: 100rows.")
]
_ROWS = re.compile(r"([1-9][0-9]{0,8}) ?rows?", re.ASCII)
_Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Write the heat map (PNG), the shaded text (HTML) or the lines."),
]


def explain(
    model: Reference,
    value: InputFile = None,
    data: Data = None,
    method: _Method = None,
    target: _Target = None,
    baseline: _Baseline = None,
    parts: _Parts = None,
    answer: _Answer = None,
    against: _Against = None,
    span: _Span = None,
    budget: _Budget = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    output: _Output = None,
    limit: Annotated[int | None, typer.Option(min=1, help="With --data at most so many examples.")] = None,
    itself: Itself = False,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Explain the answer for one input file, in this process, or with --data for every example of a source.

    Killed and given again with the same -o, the latter goes on where it was.
    """
    alone = {"budget": budget, "text": itself, "answer": answer, "span": span}
    require_one(value, data, background, {f"--{name}": each for name, each in alone.items()})
    options = _options(method=method, target=target, baseline=baseline, seed=seed, parts=parts, against=against)
    if value is None:
        answer_all("explain", model, str(data), output, background, **options, limit=limit, as_json=as_json)
    else:
        _explain_one(model, value, {**options, **alone}, output, as_json)


def _options(**given: Any) -> dict[str, Any]:
    return given


def _explain_one(model: str, value: str, options: Mapping[str, Any], output: Path | None, as_json: bool) -> None:
    from glassworks.cli.drawing import draw
    from glassworks.packaging.answered import explanation_json
    from glassworks.registry import Registry
    from glassworks.registry.opening import open_model
    from glassworks.storage import require_other

    if output and not options["text"]:
        require_other(output, value)
    opened = open_model(model, Registry.open())
    example = opened.read(read_input(value, literal=opened.task.literal, itself=bool(options["text"])))
    asked = {key: each for key, each in options.items() if key != "text"}
    asked |= {"budget": opened.budget(**_limits(options["budget"])), "span": _characters(options["span"])}
    explanation = opened.explain(example, **opened.explaining(example[0], asked))
    values = explanation.attribution.values
    drawn = draw(example[0], values, explanation.spans, explanation.label, explanation.method, explanation.names)
    if output:
        _write(drawn, output)
    record = explanation_json(explanation)
    if as_json:
        write_json({"model": model, **record})
    else:
        _show(model, explanation, drawn, record, output)


def _write(drawn: Drawn, output: Path) -> None:
    if output.suffix.lower() not in (f".{drawn.suffix}", ""):
        raise InputError(
            f"the explanation is drawn as {drawn.suffix.upper()}, not as '{output.suffix}'",
            f"write -o {output.with_suffix('.' + drawn.suffix).name}",
        )
    write_output(output, drawn.file)


def _show(model: str, explanation: Explanation, drawn: Drawn, record: dict[str, Any], output: Path | None) -> None:
    from rich.markup import escape

    from glassworks.catalog import get
    from glassworks.cli.tables import found_nothing, show_answer, show_grade, show_shaded
    from glassworks.contracts import Explainer
    from glassworks.printable import printable

    console = stdout()
    reasons = f"{get(Explainer, explanation.method).says} (red for, blue against; {explanation.method}):"
    if found_nothing(record) or explanation.baseline_to_try is not None:
        reasons = f"nothing was found that explains it ({explanation.method}):"
    console.print(f"[bold]{escape(f'{model}: {printable(explanation.label)}')}[/bold], {reasons}")
    show_shaded(drawn.rows, console)
    if explanation.details:
        show_answer(explanation.details, console)
    for part in explanation.by_section():
        console.print(f"  - {part['name']}: {part['value']:+.4f}", markup=False)
    show_grade({**record, **record["quality"]}, console)
    if output:
        console.print(f"  - drawn: {output}")


def _limits(budget: str | None) -> dict[str, Any]:
    """A time, or a number of rows."""
    from glassworks.durations import parse_duration

    if budget and (found := _ROWS.fullmatch(budget)):
        return {"rows": int(found[1])}
    try:
        return {"milliseconds": 1e3 * parse_duration(budget)} if budget else {}
    except ValueError as error:
        mend = "write for example --budget 50ms, or --budget 100rows"
        raise InputError(f"--budget is '{budget}': {error}", mend) from None


def _characters(span: str | None) -> list[int] | None:
    if span is None:
        return None
    begin, _, end = span.partition("-")
    if not (begin.isdecimal() and end.isdecimal()):
        raise InputError(f"--span is '{span[:100]}'", "write the first character and the one behind the last: 0-12")
    return [int(begin), int(end)]


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(explain)
