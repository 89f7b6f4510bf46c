"""`glassworks models`, `show` and `alias`: what is in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.output import AsJson, LiveProgress, Reference, measured, stdout, table, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.optimization.certificate.record import Certificate
    from glassworks.packaging.manifest import Manifest
    from glassworks.registry import Registry, Version


def models(as_json: AsJson = False) -> None:
    """List models, their versions and aliases."""
    from glassworks.registry import Registry

    registry = Registry.open()
    versions = [version for name in registry.models() for version in registry.versions(name)]
    if as_json:
        write_json({"models": [version.model_dump(mode="json") for version in versions]})
        return
    if not versions:
        stdout().print("no models yet; next: glassworks up examples/digits.toml")
        return
    rows = [(v.reference, ", ".join(v.aliases), v.created_at[:19], v.parent) for v in versions]
    table(f"models in {registry.home}", ("model", "aliases", "created (UTC)", "parent"), rows, stdout())


def show(model: Reference, as_json: AsJson = False) -> None:
    """Show what a model's bundle says of itself."""
    from glassworks.cli.tables import show_about, show_quality, show_warnings
    from glassworks.packaging.certified import certificate_of
    from glassworks.registry import Registry

    bundle = Registry.open().resolve(model).bundle
    manifest, certificate = bundle.manifest, certificate_of(bundle)
    if as_json:
        said = {"model": model, "bundle_sha256": bundle.sha256, "manifest": manifest.model_dump(mode="json")}
        write_json({**said, "certificate": certificate.model_dump(mode="json") if certificate else None})
        return
    console = stdout()
    artifacts = [(a.role, a.precision, a.runtime, a.file) for a in manifest.artifacts]
    title = f"{manifest.name}: {manifest.task} ({manifest.family})"
    table(title, ("role", "precision", "engine", "file"), artifacts, console)
    show_about(manifest, console)
    metrics = [(name, measured(value), str(value.examples)) for name, value in manifest.metrics.items()]
    table("metrics on the test split", ("metric", "value [95 %]", "examples"), metrics, console)
    show_quality(manifest, console)
    show_warnings(manifest.warnings, console)
    _show_explaining(manifest, certificate, console)
    console.print(f"license: {manifest.license}", markup=False)
    console.print(f"card: {bundle.folder / 'card.md'}")


def _show_explaining(manifest: Manifest, certificate: Certificate | None, console: Console) -> None:
    """How far explanations can be trusted, what is certified, and which methods there are."""
    from glassworks.cli.certificates import show_certificate
    from glassworks.packaging.promises import missing_explainers, offered_explainers

    fidelity = [(k, f"{v:.4f}") for k, v in manifest.fidelity.items()]
    title = "fidelity of explanations" if manifest.explainers else "served against float"
    table(title, ("measure", "value"), fidelity, console)
    show_certificate(certificate, console)
    missing = missing_explainers(manifest)
    console.print(f"explains with: {', '.join(offered_explainers(manifest)) or 'nothing'}")
    for name, reason in missing.items():
        console.print(f"  - not with {name}: {reason}", markup=False)


def alias(
    model: Annotated[str, typer.Argument(help="NAME@VERSION.")],
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="Such as champion or candidate.")],
    force: Annotated[bool, typer.Option("--force", help="Although it fell on a gate; this is kept.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let an alias name a version from now on, unless that fell on a gate: see 'evaluate --gate'."""
    from glassworks.registry import Registry

    registry = Registry.open()
    found = registry.find(model)
    _require_passed(registry, found, name, force)
    version = registry.set_alias(found.name, found.version, name)
    if as_json:
        write_json(version.model_dump(mode="json"))
        return
    stdout().print(f"{version.name}@{name} is now {version.reference}")


def _require_passed(registry: Registry, found: Version, name: str, force: bool) -> None:
    """Raise Conflict for a version that fell on a gate; one that is forced is kept."""
    from glassworks.cli.following import user
    from glassworks.comparison.gates import require_passed
    from glassworks.registry.gates import Gates

    gates = Gates(registry)
    if not gates.of(found.name):
        return
    if force:
        gates.force_past(found, name, user())
        return
    progress = LiveProgress()
    try:
        require_passed(found, name, registry, progress)
    finally:
        progress.close()


def register(program: typer.Typer) -> None:
    """Add the commands."""
    for command in (models, show, alias):
        program.command()(command)
