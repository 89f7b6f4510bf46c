"""What reaches a terminal of text that others wrote: signs for control characters, and the console's own styles."""

from __future__ import annotations

import io
import json

import pytest
from rich.text import Text

from glassworks.cli import app, output
from glassworks.cli.console import PrintableConsole
from glassworks.errors import InputError

EVIL = "cat\x1b]0;owned\x07\x1b[2J\x9b31m"


@pytest.fixture
def console() -> PrintableConsole:
    return PrintableConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=100)


def printed(console: PrintableConsole) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_labels_do_not_steer_the_terminal(console: PrintableConsole) -> None:
    console.print(f"[bold]the answer is[/bold] {EVIL}")
    console.print(Text(EVIL, "red"))
    output.table(EVIL, ("class", EVIL), [(EVIL, "1")], console)
    with console.status(EVIL):
        console.print("working")
    text = printed(console)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\x9b" not in text
    assert "cat␛]0;owned" in text
    assert "\x1b[1mthe answer is\x1b[0m" in text


def test_the_consoles_of_all_verbs_are_such() -> None:
    assert isinstance(output.stdout(), PrintableConsole)
    assert isinstance(output.stderr(), PrintableConsole)


def test_errors_and_json_do_not_steer_it_either(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app._exit_for(InputError(f"no class '{EVIL}'", "give another"))
    output.write_json({"label": EVIL})
    reported = capsys.readouterr()
    assert not {"\x1b", "\x07", "\x9b"} & set(reported.out + reported.err)
    assert json.loads(reported.out) == {"label": EVIL}
