"""Writes the methods of the Python client from the routes of the control API: `python docs/generate_client.py FOLDER`.

One module for each tag. The same routes give the same bytes; a test compares them with the files that are there.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from glassworks.control.app import routers

ROOT = Path(__file__).parents[1]
NOTE = "Written by docs/generate_client.py: change the routes, then `make docs`."
HEAD = '''"""The operations of the control API on {tag}.

{note}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from glassworks.client.transport import ServerEvent, Transport, segment
{imports}


class {name}(Transport):
    """One method for each operation."""

{methods}
'''
WHOLE = '''"""All operations of the control API.

{note}
"""

{imports}


class Methods({names}):
    """One method for each operation."""
'''
MOST_FIELDS = 6
"""Of a body; a larger one is given as its record."""


def write(folder: Path) -> None:
    """Write the modules."""
    folder.mkdir(exist_ok=True)
    tags: dict[str, list[APIRoute]] = {}
    for route in _routes():
        tags.setdefault(str(route.tags[0]), []).append(route)
    classes = {tag: f"{tag.title()}Methods" for tag in sorted(tags)}
    for tag, routes in tags.items():
        names = _Names()
        methods = "\n".join(line for route in routes for line in _method(route, names))
        imports = "\n".join(names.imports())
        text = HEAD.format(tag=tag, note=NOTE, imports=imports, name=classes[tag], methods=methods)
        (folder / f"{tag}.py").write_text(text, encoding="utf-8")
    imports = "\n".join(f"from glassworks.client.methods.{tag} import {name}" for tag, name in classes.items())
    whole = WHOLE.format(note=NOTE, imports=imports, names=", ".join(classes.values()))
    (folder / "__init__.py").write_text(whole, encoding="utf-8")
    for command in (["check", "--fix", "--select", "I,F401"], ["format"]):
        ruff = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--quiet",
            "--config",
            str(ROOT / "pyproject.toml"),
            str(folder),
        ]
        subprocess.run(ruff, check=True, cwd=ROOT)


class _Names:
    """The records that are named, and where they are."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def of(self, kind: type[Any]) -> str:
        name, module = kind.__name__, kind.__module__
        alias = name if self._found.get(name, module) == module else f"{name}Of{module.rpartition('.')[2].title()}"
        self._found[alias] = module
        return alias

    def imports(self) -> Iterator[str]:
        modules: dict[str, list[str]] = {}
        for alias, module in self._found.items():
            name = alias.partition("Of")[0] if "Of" in alias and not _has(module, alias) else alias
            modules.setdefault(module, []).append(name if name == alias else f"{name} as {alias}")
        for module, names in sorted(modules.items()):
            yield f"from {module} import {', '.join(sorted(names))}"


def _has(module: str, name: str) -> bool:
    return hasattr(sys.modules[module], name)


def _routes() -> list[APIRoute]:
    found = [route for router in routers() for route in router.routes if isinstance(route, APIRoute)]
    return sorted(found, key=lambda route: route.name)


def _method(route: APIRoute, names: _Names) -> Iterator[str]:
    kinds = typing.get_type_hints(route.endpoint)
    given = list(route.param_convertors)
    query = [(field.name, field.alias) for field in route.dependant.query_params]
    headers = [(field.name, field.alias) for field in route.dependant.header_params if field.name != "last_event_id"]
    body = _body(route)
    streamed = route.response_class is StreamingResponse
    signature = [
        f"{name}: str" if kinds.get(name) is str else f"{name}: {_shown(kinds[name], names)}" for name in given
    ]
    named = [_parameter(route.endpoint, name, kinds[name], names) for name, _ in (*query, *headers)]
    record = _record(route)
    large = record is not None and len(body) > MOST_FIELDS
    fields = [] if large else [_field(name, field, names) for name, field in body.items()]
    raw = ["content: bytes"] if _takes_bytes(route) else []
    keywords = sorted([*fields, *named], key=lambda each: "=" in each)
    positional = ["self", *signature, *([f"asked: {names.of(record)}"] if large and record else []), *raw]
    gives = "Iterator[ServerEvent]" if streamed else _gives(route, names)
    yield f"    def {route.name}({', '.join([*positional, *(['*', *keywords] if keywords else [])])}) -> {gives}:"
    yield f'        """{_summary(route)}"""'
    path = route.path_format
    for name in given:
        path = path.replace(f"{{{name}}}", f"{{segment({name})}}")
    where = f'f"{path}"' if given else f'"{path}"'
    arguments = _arguments(query, headers, [] if large else list(body), raw)
    arguments += ['body=asked.model_dump(mode="json")'] if large else []
    if streamed:
        yield f"        return self.follow({', '.join([where, *arguments[:1]] if query else [where])})"
    else:
        asked = [
            repr(min(route.methods or {"GET"})),
            where,
            *([] if gives in ("None", "bytes") else [gives]),
            *arguments,
        ]
        call = f"self.{'fetch' if gives in ('None', 'bytes') else 'ask'}({', '.join(asked)})"
        yield f"        {'' if gives == 'None' else 'return '}{call}"
    yield ""


def _arguments(
    query: list[tuple[str, str]], headers: list[tuple[str, str]], body: list[str], raw: list[str]
) -> list[str]:
    found = []
    for keyword, pairs in (("query", query), ("headers", headers)):
        if pairs:
            found.append(f"{keyword}={{{', '.join(f'{alias!r}: {name}' for name, alias in pairs)}}}")
    if body:
        found.append(f"body={{{', '.join(f'{name!r}: {name}' for name in body)}}}")
    if raw:
        found.append("content=content")
    return found


def _record(route: APIRoute) -> type[BaseModel] | None:
    field = route.body_field
    kind = field.field_info.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _body(route: APIRoute) -> dict[str, Any]:
    record = _record(route)
    return dict(record.model_fields) if record else {}


def _takes_bytes(route: APIRoute) -> bool:
    content = (route.openapi_extra or {}).get("requestBody", {}).get("content", {})
    return "application/octet-stream" in content


def _gives(route: APIRoute, names: _Names) -> str:
    if route.status_code == 204:
        return "None"
    return "bytes" if route.response_model is None else _shown(route.response_model, names)


def _parameter(endpoint: Any, name: str, kind: Any, names: _Names) -> str:
    default = inspect.signature(endpoint).parameters[name].default
    shown = f"{name}: {_shown(kind, names)}"
    return shown if default is inspect.Parameter.empty else f"{shown} = {default!r}"


def _field(name: str, field: Any, names: _Names) -> str:
    shown = f"{name}: {_shown(field.annotation, names)}"
    if field.is_required():
        return shown
    default = field.get_default(call_default_factory=True, validated_data={})
    return f"{shown} = {default!r}" if not isinstance(default, dict | list | BaseModel) else f"{shown} | None = None"


def _shown(kind: Any, names: _Names) -> str:
    """A type as its source text."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _shown(get_args(kind)[0], names)
    if origin is Literal:
        return f"Literal[{', '.join(repr(each) for each in get_args(kind))}]"
    if origin in (Union, types.UnionType):
        return " | ".join(_shown(each, names) for each in get_args(kind))
    if origin is not None:
        arguments = ", ".join("..." if each is ... else _shown(each, names) for each in get_args(kind))
        return f"{origin.__name__}[{arguments}]"
    if kind in (None, type(None)):
        return "None"
    if kind is Any:
        return "Any"
    generic = getattr(kind, "__pydantic_generic_metadata__", {})
    if generic.get("origin"):
        arguments = ", ".join(_shown(each, names) for each in generic["args"])
        return f"{names.of(generic['origin'])}[{arguments}]"
    return names.of(kind) if kind.__module__ != "builtins" else str(kind.__name__)


def _summary(route: APIRoute) -> str:
    text = " ".join(route.description.partition("\n\n")[0].split())
    return text if len(text) <= 100 else text[:97].rsplit(" ", 1)[0] + " ..."


if __name__ == "__main__":
    write(Path(sys.argv[1]))
