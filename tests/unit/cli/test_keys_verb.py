"""Keys on the command line: roles are named, kept and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.errors import GlassworksError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path))


def roles(*options: str) -> list[str]:
    result = CliRunner().invoke(build(), ["keys", "create", "shop", "--json", *options])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    found: list[str] = json.loads(result.stdout)["key"]["roles"]
    return sorted(found)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ["infer"]),
        (("--admin",), ["admin", "infer"]),
        (("--role", "viewer"), ["viewer"]),
        (("--role", "viewer, infer"), ["infer", "viewer"]),
        (("--role", "operator", "--role", "infer", "--admin"), ["admin", "infer", "operator"]),
    ],
)
def test_roles_are_named_once_or_again(options: tuple[str, ...], expected: list[str]) -> None:
    assert roles(*options) == expected


@pytest.mark.parametrize("role", ["root", "", "admin,", "Viewer"])
def test_what_is_no_role(role: str) -> None:
    with pytest.raises(GlassworksError, match="is not a role"):
        roles("--role", role)


def test_the_table_shows_roles() -> None:
    roles("--role", "operator")
    assert "operator" in CliRunner().invoke(build(), ["keys", "list"]).stdout
