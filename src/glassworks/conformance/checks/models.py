"""Models: metadata, readiness and versions."""

from __future__ import annotations

from glassworks.conformance.target import Failed, NotOffered, Target


def c3_metadata(target: Target) -> None:
    """A model's metadata give name, platform, inputs and outputs with name, datatype and shape."""
    value = target.metadata
    if value.get("name") != target.model or not isinstance(value.get("platform"), str):
        raise Failed(f"name {value.get('name')!r}, platform {value.get('platform')!r}")
    for tensor in (*value["inputs"], *value["outputs"]):
        if not (isinstance(tensor["name"], str) and isinstance(tensor["datatype"], str)):
            raise Failed(f"a tensor is {tensor!r}")
        if not all(isinstance(size, int) for size in tensor["shape"]):
            raise Failed(f"a shape is {tensor['shape']!r}")


def c3_ready(target: Target) -> None:
    """GET on ready of a model gives 200, its name and true."""
    value = target.get(f"{target.path}/ready").json
    if value.get("ready") is not True or value.get("name") != target.model:
        raise Failed(f"{value!r}")


def c3_unknown_model(target: Target) -> None:
    """Metadata of an unknown model are 404."""
    target.send("GET", "/v2/models/no-such-model-here").refused(404)


def c3_unknown_model_is_not_ready(target: Target) -> None:
    """Readiness of an unknown model is not 200, and {"error": string}."""
    target.send("GET", "/v2/models/no-such-model-here/ready").refused(404, 400, 503)


def c3_inference_of_an_unknown_model(target: Target) -> None:
    """Inference with an unknown model is 404."""
    target.post("/v2/models/no-such-model-here/infer", target.request()).refused(404)


def _version(target: Target) -> str:
    versions = target.metadata.get("versions")
    if not versions:
        raise NotOffered("the model names no versions")
    return str(versions[-1])


def c3_metadata_of_a_version(target: Target) -> None:
    """A version's metadata are found under /versions/{v}."""
    target.get(f"{target.path}/versions/{_version(target)}")


def c3_readiness_of_a_version(target: Target) -> None:
    """A version's readiness is found under /versions/{v}/ready."""
    target.get(f"{target.path}/versions/{_version(target)}/ready")


def c3_inference_of_a_version(target: Target) -> None:
    """A version answers under /versions/{v}/infer, and says which it is."""
    version = _version(target)
    value = target.post(f"{target.path}/versions/{version}/infer", target.request()).expect(200).json
    if value.get("model_version") != version:
        raise Failed(f"model_version {value.get('model_version')!r} instead of {version!r}")


def c3_unknown_version(target: Target) -> None:
    """An unknown version is 404."""
    _version(target)
    target.send("GET", f"{target.path}/versions/987654321").refused(404)
    target.post(f"{target.path}/versions/987654321/infer", target.request()).refused(404)
