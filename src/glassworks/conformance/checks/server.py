"""The server: what it says of itself, its health, and routes that are none."""

from __future__ import annotations

from glassworks.conformance.target import Failed, Target


def c1_says_what_it_is(target: Target) -> None:
    """GET /v2 gives name, version and extensions."""
    value = target.get("/v2").json
    for name, kind in (("name", str), ("version", str), ("extensions", list)):
        if not isinstance(value.get(name), kind):
            raise Failed(f"{name} is {value.get(name)!r}")


def c1_takes_the_slash_of_the_specification(target: Target) -> None:
    """GET /v2/ is the same as /v2."""
    if target.get("/v2/").json != target.get("/v2").json:
        raise Failed("another answer")


def c1_json_is_called_json(target: Target) -> None:
    """Answers in JSON have the content type application/json."""
    kind = target.get("/v2").headers.get("content-type", "")
    if not kind.startswith("application/json"):
        raise Failed(f"content-type {kind!r}")


def c2_lives(target: Target) -> None:
    """GET /v2/health/live gives 200 and {"live": true}."""
    if target.get("/v2/health/live").json.get("live") is not True:
        raise Failed("live is not true")


def c2_is_ready(target: Target) -> None:
    """GET /v2/health/ready gives 200 and {"ready": true}, which KServe's client reads."""
    if target.get("/v2/health/ready").json.get("ready") is not True:
        raise Failed("ready is not true")


def c4_unknown_route(target: Target) -> None:
    """An unknown route is 404 with {"error": string}."""
    target.send("GET", "/v2/no/such/route").refused(404)


def c4_wrong_verb_on_infer(target: Target) -> None:
    """GET on infer is 405 with {"error": string}."""
    target.send("GET", f"{target.path}/infer").refused(405)


def c4_wrong_verb_on_metadata(target: Target) -> None:
    """DELETE on a model is 405 with {"error": string}."""
    target.send("DELETE", target.path).refused(405)


def c4_wrong_verb_names_the_right_one(target: Target) -> None:
    """A 405 names the verbs that are allowed."""
    if "POST" not in target.send("PUT", f"{target.path}/infer").refused(405).headers.get("allow", ""):
        raise Failed("no header Allow with POST")


def c18_metrics(target: Target) -> None:
    """GET /metrics, where there is one, is Prometheus' text format."""
    reply = target.send("GET", "/metrics")
    if reply.status == 404:
        from glassworks.conformance.target import NotOffered

        raise NotOffered("the server has no /metrics")
    reply.expect(200)
    if "text/plain" not in reply.headers.get("content-type", "") or b"# TYPE" not in reply.body:
        raise Failed(f"content-type {reply.headers.get('content-type')!r}, body {reply.body[:60]!r}")
