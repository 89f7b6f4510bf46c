"""Finds the verbs, one file each; every command puts results on stdout and two-line errors on stderr."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import warnings
from importlib.metadata import entry_points
from typing import Any, NoReturn

import typer

from glassworks.cli import verbs
from glassworks.cli.interrupts import interrupted
from glassworks.errors import Cancelled, GlassworksError, StorageError
from glassworks.printable import printable

_INTERRUPTED = Cancelled.exit_code


def build() -> typer.Typer:
    """The typer application with every verb of the folder `verbs`, and those of other packages."""
    program = typer.Typer(
        name="glassworks",
        help="Models as a service that you can see through: data, train, optimize, package, serve, explain.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    own = sorted(f"{verbs.__name__}.{info.name}" for info in pkgutil.iter_modules(verbs.__path__))
    for module in (*own, *sorted(point.module for point in entry_points(group="glassworks.verb"))):
        importlib.import_module(module).register(program)
    return program


app = build()


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 bad input, 130 interrupted and resumable."""
    warnings.showwarning = _show_warning
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort, Cancelled):
        _interrupted()
    except Exception as error:
        if interrupted():
            _interrupted()
        _exit_for(error)
        raise
    if code == _INTERRUPTED:
        _interrupted()
    sys.exit(code if isinstance(code, int) else 0)


def _exit_for(error: Exception) -> None:
    """Exit for an error that users can mend; return for a bug."""
    match error:
        case GlassworksError():
            _fail(error.problem, error.mend, error.exit_code)
        case typer._click.exceptions.UsageError():
            verb = error.ctx.command_path if error.ctx else "glassworks"
            text = error.ctx and any(each.name == "value" for each in error.ctx.command.params)
            mend = f"see '{verb} --help'" + ("; a text that begins with - stands behind --" if text else "")
            _fail(error.format_message(), mend, 2)
        case BrokenPipeError():
            # The reader of the output is gone, as after `| head`: what Python has buffered is dropped.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(nowhere, stream)
            sys.exit(1)
        case OSError():
            wrapped = StorageError(f"the system refused: {error}", "free the resource named there and try again")
            _fail(wrapped.problem, wrapped.mend, wrapped.exit_code)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """On stderr in one line: who runs a command does not look for the line of our code."""
    sys.stderr.write(printable(f"warning: {message}\n"))


def _interrupted() -> NoReturn:
    """Engines that were stopped in the middle of a call may crash while Python takes them down: leave without that."""
    error = Cancelled()
    sys.stderr.write(f"error: {error}\n")
    sys.stderr.flush()
    os._exit(_INTERRUPTED)


def _fail(problem: str, mend: str, code: int) -> NoReturn:
    sys.stderr.write(printable(f"error: {problem}\nmend: {mend}\n"))
    sys.exit(code)
