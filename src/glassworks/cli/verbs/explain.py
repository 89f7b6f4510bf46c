"""`glassworks explain`: why a model answered as it did, and how far that can be trusted."""

from __future__ import annotations

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
    budget: Annotated[str | None, typer.Option(help="Longest time to spend, such as 50ms.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    output: _Output = None,
    limit: Annotated[int | None, typer.Option(min=1, help="With --data at most so many examples.")] = None,
    itself: Itself = False,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Explain the answer for one input file, in this process.

    With --data for every example of a source: killed and given again with the same -o, it goes on where it was.
    """
    require_one(value, data, background, {"--budget": budget, "--text": itself})
    options = {"method": method, "target": target, "baseline": baseline, "seed": seed}
    if value is None:
        answer_all("explain", model, str(data), output, background, **options, limit=limit, as_json=as_json)
    else:
        _explain_one(model, value, {**options, "budget": _milliseconds(budget), "itself": itself}, output, as_json)


def _explain_one(model: str, value: str, options: Mapping[str, Any], output: Path | None, as_json: bool) -> None:
    from glassworks.cli.drawing import draw
    from glassworks.packaging.answered import explanation_json
    from glassworks.registry import Registry
    from glassworks.registry.opening import open_model
    from glassworks.storage import require_other

    if output and not options["itself"]:
        require_other(output, value)
    opened = open_model(model, Registry.open())
    example = opened.read(read_input(value, literal=opened.task.literal, itself=bool(options["itself"])))
    asked = {key: each for key, each in options.items() if key != "itself"}
    explanation = opened.explain(example, **{**asked, "budget": opened.budget(options["budget"])})
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
    from glassworks.cli.tables import found_nothing, show_grade, show_shaded
    from glassworks.contracts import Explainer

    console = stdout()
    reasons = f"{get(Explainer, explanation.method).says} (red for, blue against; {explanation.method}):"
    if found_nothing(record) or explanation.baseline_to_try is not None:
        reasons = f"nothing was found that explains it ({explanation.method}):"
    console.print(f"[bold]{escape(f'{model}: {explanation.label}')}[/bold], {reasons}")
    show_shaded(drawn.rows, console)
    for part in explanation.by_section():
        console.print(f"  - {part['name']}: {part['value']:+.4f}", markup=False)
    show_grade({**record, **record["quality"]}, console)
    if output:
        console.print(f"  - drawn: {output}")


def _milliseconds(budget: str | None) -> float | None:
    from glassworks.durations import parse_duration

    try:
        return 1e3 * parse_duration(budget) if budget else None
    except ValueError as error:
        raise InputError(f"--budget is '{budget}': {error}", "write for example --budget 50ms") from None


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(explain)
