"""Tables show what others named as it is."""

from __future__ import annotations

import pytest

from glassworks.cli.output import stdout, table


def test_brackets_in_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table("of [/x]", ("label",), [("[red]apple",), ("[/b]",)], stdout())
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("of [/x]", "[red]apple", "[/b]"))
