"""Writes the reference pages from the code: the command line, the job file, the errors and the catalog.

Run as `python docs/generate.py FOLDER`; the same code gives the same bytes.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glassworks import catalog, errors
from glassworks.config import DataConfig, Job
from glassworks.contracts import Family
from glassworks.data.kinds import schemes_of
from glassworks.errors import GlassworksError
from glassworks.job_files import modalities
from glassworks.job_schema import field_notes

NOTE = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->"


def cli_page() -> str:
    """Every command with its arguments and options."""
    import typer
    from typer.cli import get_docs_for_click

    from glassworks.cli.app import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="glassworks", title="Command line")
    return f"{text.strip()}\n"


def job_page() -> str:
    """Every table and key of a job file, and each family's `[model]` table."""
    parts = ["# Job file", inspect.getdoc(Job) or "", *_record(Job, "")]
    for kind, data in modalities().items():
        schemes = ", ".join(f"`{scheme}:`" for scheme in schemes_of(kind))
        parts += [f"## `[data]` of {kind}", f"{inspect.getdoc(data)} Sources: {schemes}. Beside the keys above:"]
        parts += [_keys(data, without=DataConfig)]
    for name, family in catalog.found(Family).items():
        parts += [f"## `[model]` of the family `{name}`", inspect.getdoc(family.config) or "", _keys(family.config)]
    return "\n\n".join(parts) + "\n"


def errors_page() -> str:
    """Every error with its parent, its exit code and its meaning."""
    rows = [
        (f"`{name}`", f"`{value.__mro__[1].__name__}`", str(value.exit_code), catalog.first_paragraph(value))
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, GlassworksError)
    ]
    introduction = "Every error is two lines: what is wrong (what was given, what is allowed), and `mend:` what to do."
    return f"# Errors\n\n{introduction}\n\n{_table(('Error', 'Is a', 'Exit code', 'Meaning'), rows)}\n"


def catalog_page() -> str:
    """Everything that can be named in a job file or a request."""
    parts = ["# Catalog", "What ships with Glassworks; `glassworks catalog` also lists what other packages add."]
    for kind in catalog.kinds():
        contract = catalog.contract_of(kind)
        rows = [
            (
                f"`{name}`",
                catalog.first_paragraph(type(found)),
                ", ".join(f"`{library}`" for library in getattr(found, "needs", ())),
            )
            for name, found in catalog.found(contract).items()
            if type(found).__module__.startswith("glassworks.")
        ]
        parts += [
            f"## {contract.__name__}",
            catalog.first_paragraph(contract),
            _table(("Name", "What it is", "Needs"), rows),
        ]
    return "\n\n".join(parts) + "\n"


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"cli.md": cli_page, "job.md": job_page, "errors.md": errors_page, "catalog.md": catalog_page}
)


def write(folder: Path) -> None:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(f"{NOTE}\n\n{page()}", encoding="utf-8")


def _record(record: type[BaseModel], path: str) -> Iterator[str]:
    """The keys of a record, then the tables inside it."""
    yield _keys(record)
    for name, field in record.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"## `[{path}{name}]`"
            yield inspect.getdoc(field.annotation) or ""
            yield from _record(field.annotation, f"{path}{name}.")


def _keys(record: type[BaseModel], without: type[BaseModel] = BaseModel) -> str:
    """A row for each key that is no table, but for those of the record `without`."""
    notes = field_notes(record)
    types = record.model_json_schema()["properties"]
    rows = [
        (f"`{name}`", _type(types[name]), _default(field), notes.get(name, ""))
        for name, field in record.model_fields.items()
        if name not in without.model_fields
        and not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
    ]
    return _table(("Key", "Type", "Default", "Meaning"), rows) if rows else "It has no keys."


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words: the type, its limits, and examples."""
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(_type(choice) for choice in choices if choice.get("type") != "null")
    if "$ref" in schema:
        return "table"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in schema["enum"])
    words = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<", "pattern": "like"}
    limits = [f"{word} `{schema[key]}`" for key, word in words.items() if key in schema]
    examples = [f"such as `{json.dumps(example)}`" for example in schema.get("examples", ())]
    return ", ".join([schema.get("type", "any"), *limits, *examples])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
