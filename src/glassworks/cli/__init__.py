"""The command line: `main` is its entry point."""

from glassworks.cli.app import main

__all__ = ["main"]
