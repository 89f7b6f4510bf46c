"""A certificate as the terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.cli.output import table

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.optimization.certificate.record import Certificate


def show_certificate(certificate: Certificate | None, console: Console) -> None:
    """Each limit with its verdict, what the served path took, and how it was measured; nothing without one."""
    if certificate is None:
        return
    from glassworks.packaging.certified import about, figure_in_words

    rows = [(each.limit, each.shown, each.verdict, f"{each.samples:,}") for each in certificate.promises]
    table("certificate", ("limit", "measured, 95 % bound", "verdict", "samples"), rows, console)
    if certificate.figures:
        head = ("as served", certificate.candidate, certificate.reference, "ratio")
        table("as served, with 95 % bounds", head, [figure_in_words(each) for each in certificate.figures], console)
    for each in certificate.promises:
        if each.note:
            console.print(f"  - {each.note}", markup=False, soft_wrap=True)
    for line in about(certificate):
        console.print(f"  - {line}", markup=False, soft_wrap=True)
