"""The certificate in a bundle: its file, and how it stands in the card."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from glassworks.errors import BundleError
from glassworks.optimization.certificate.record import Certificate, Figure
from glassworks.packaging.bundle import Bundle, reading

CERTIFICATE_FILE = "certificate.json"


def certificate_of(bundle: Bundle) -> Certificate | None:
    """None for a bundle that has none: older ones, and those of models that were served as they were trained.

    Raises BundleError for one that is not what it says, StorageError where it cannot be read.
    """
    if CERTIFICATE_FILE not in bundle.manifest.files:
        return None
    with reading(bundle.folder):
        content = (bundle.folder / CERTIFICATE_FILE).read_bytes()
    try:
        return Certificate.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise BundleError(
            f"the certificate of '{bundle.manifest.name}' is malformed at '{key}': {fault['msg']}",
            "optimize the model again for a new one",
        ) from error


def about(certificate: Certificate) -> Iterator[str]:
    """Sentences on how and where it was measured."""
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(certificate.libraries.items()))
    threads = f"{certificate.threads} thread" + ("s" if certificate.threads != 1 else "")
    where = certificate.processor or "an unknown processor"
    yield f"{certificate.candidate} against {certificate.reference}, {certificate.goal}, {certificate.made_at}"
    if certificate.served:
        yield (
            f"as it is served: {certificate.requests:,} requests over HTTP in random turns, {certificate.examples:,} "
            f"held-out examples answered by both"
        )
    else:
        yield f"as the search measured it, on {certificate.examples:,} held-out examples"
    yield f"on {where} ({', '.join(certificate.instruction_set) or 'unknown instruction sets'}), {threads}, {libraries}"
    yield from certificate.notes


def figure_in_words(figure: Figure) -> tuple[str, str, str, str]:
    """Name, value of the model, value of the reference, ratio; each with its bounds."""
    return (
        f"{figure.name} ({figure.unit})",
        _between(figure.value, figure.bounds),
        _between(figure.reference, figure.reference_bounds),
        _between(figure.ratio, figure.ratio_bounds),
    )


def _between(value: float, bounds: tuple[float | None, float | None]) -> str:
    low, high = ("?" if each is None else f"{each:.4g}" for each in bounds)
    return f"{value:.4g} [{low}, {high}]"
