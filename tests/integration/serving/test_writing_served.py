"""A model that writes behind a real server with keys: who leaves frees its slot, what was used is shown, nothing of a
prompt is kept anywhere."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests import toy
from tests.integration.serving.running import Server, serving
from tests.patience import PATIENCE_S, until

from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.transports.grpc.messages import message

CANARY = "Xanthippe-7421"
PATH = "/v2/models/scribe"


class Keyed:
    """A server and the secrets of its keys; its log is in `log`, and what it says on its standard error output too."""

    def __init__(self, server: Server, home: Path, keys: dict[str, str]) -> None:
        self.server, self.home, self.keys = server, home, keys

    def headers(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}

    def post(self, name: str, path: str, **fields: Any) -> tuple[int, Any]:
        return self.server.send("POST", f"{PATH}/{path}", json.dumps(fields).encode(), self.headers(name))

    def metric(self, name: str) -> float:
        connection = self.server.connect()
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers=self.headers("boss"))
            text = connection.getresponse().read().decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def used(self, name: str) -> dict[str, int]:
        """What the usage endpoint says of a key, together."""
        status, answer = self.server.send("GET", "/v2/usage", headers=self.headers(name))
        assert status == 200
        names = ("requests", "errors", "prompt_tokens", "cached_tokens", "completion_tokens", "tokens")
        return {each: sum(total[each] for total in answer["usage"]) for each in names}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("writing")
    home = folder / "home"
    home.mkdir()
    store = KeyStore(home, Clock())
    limits: dict[str, dict[str, Any]] = {
        "shop": {}, "poor": {"tokens_per_day": 20}, "bank": {}, "boss": {"roles": ("infer", "admin")},
    }  # fmt: skip
    keys = {name: store.create(name, **limit)[1] for name, limit in limits.items()}
    with toy.installed(folder / "toy"), pytest.MonkeyPatch.context() as patch:
        found = [str(folder / "toy"), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(found))
        bundle = str(toy.writer(folder / "bundle", streams=2).folder)
        with serving(home, bundle, "--keys", "on", "--access-log", str(folder / "log")) as server:
            yield Keyed(server, folder, keys)
            server.process.kill()
            assert server.process.stderr is not None
            assert CANARY not in server.process.stderr.read()


@contextlib.contextmanager
def asking(keyed: Keyed, path: str, **fields: Any) -> Iterator[Any]:
    """A request that is sent; its connection is closed with the block."""
    connection = keyed.server.connect()
    with contextlib.closing(connection):
        connection.request("POST", f"{PATH}/{path}", json.dumps(fields).encode(), keyed.headers("bank"))
        yield connection


@pytest.mark.parametrize("path", ["generate", "generate_stream"])
def test_who_hangs_up_frees_the_slot_while_the_prompt_is_read(path: str, keyed: Keyed, tmp_path: Path) -> None:
    with asking(keyed, path, text=f"wait {tmp_path}") as connection:
        until((tmp_path / "began").exists)
        if path == "generate_stream":
            assert connection.getresponse().status == 200
        assert keyed.metric('glassworks_streams{model="scribe",state="open"') == 1
    until((tmp_path / "closed").exists)
    until(lambda: keyed.metric('glassworks_streams{model="scribe",state="open"') == 0)
    assert not (tmp_path / "go").exists()


def test_tokens_are_shown_by_kind(keyed: Keyed) -> None:
    before = keyed.used("shop")
    status, answer = keyed.post("shop", "generate", text="a b c d", max_tokens=6)
    assert (status, answer["generated"], answer["finish_reason"]) == (200, "a b c d a b ", "length")
    assert answer["parameters"]["completion_tokens"] == 6
    inputs = [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["x y", "z"]}]
    fields: dict[str, Any] = {"max_tokens": 2, "binary_data_output": False}
    status, answer = keyed.post("shop", "infer", inputs=inputs, parameters=fields)
    assert status == 200
    assert {each["name"]: each["data"] for each in answer["outputs"]} == {
        "generated": ["x y ", "z z "],
        "finish_reason": ["length", "length"],
    }
    now = keyed.used("shop")
    assert {name: now[name] - before[name] for name in now} == {
        "requests": 2, "errors": 0, "prompt_tokens": 7, "cached_tokens": 3, "completion_tokens": 10, "tokens": 17,
    }  # fmt: skip
    everybody = keyed.used("boss")
    assert everybody["tokens"] >= now["tokens"]
    for kind in ("prompt", "cached", "completion"):
        assert keyed.metric(f'glassworks_{kind}_tokens_total{{model="scribe"') == everybody[f"{kind}_tokens"]
    assert keyed.metric('glassworks_first_token_seconds_count{model="scribe"') >= 3


@pytest.mark.parametrize("path", ["generate", "generate_stream"])
def test_a_day_that_is_used_up_is_a_status_on_every_path(path: str, keyed: Keyed) -> None:
    status, answer = keyed.post("poor", path, text="a b", max_tokens=19)
    assert (status, "20 tokens a day" in answer["error"]) == (429, True)
    with grpc.insecure_channel(keyed.server.grpc) as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message("ModelInferResponse").FromString,
        )
        request = message("ModelInferRequest")(model_name="scribe")
        request.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"a b")
        request.parameters["max_tokens"].int64_param = 19
        secret = [("authorization", f"Bearer {keyed.keys['poor']}")]
        with pytest.raises(grpc.RpcError) as refused:
            call(request, timeout=PATIENCE_S, metadata=secret)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert keyed.used("poor")["requests"] == 0


def test_nothing_of_a_prompt_is_logged_or_counted_or_sent_back_with_an_error(keyed: Keyed, tmp_path: Path) -> None:
    """It is asked in any way, whole and streamed, refused, cancelled, and while the engine dies."""
    said = []
    for path in ("generate", "generate_stream"):
        for text in (CANARY, f"die {CANARY}", f"{CANARY} " * 2000):
            connection = keyed.server.connect()
            with contextlib.closing(connection):
                fields = json.dumps({"text": text, "max_tokens": 3}).encode()
                connection.request("POST", f"{PATH}/{path}", fields, keyed.headers("bank"))
                answer = connection.getresponse().read().decode()
                said.append(answer.replace(f'"generated":"{CANARY}', ""))
    keyed.post("bank", "generate", text=CANARY, colour=1)
    with asking(keyed, "generate", text=f"wait {tmp_path} {CANARY}"):
        until((tmp_path / "began").exists)
    until((tmp_path / "closed").exists)
    said.append(json.dumps(keyed.server.send("GET", "/v2/health/ready", headers=keyed.headers("boss"))[1]))
    errors = [text for text in said if "error" in text]
    assert len(errors) >= 4
    until(lambda: len((keyed.home / "log").read_text().splitlines()) > 6, "the access log")
    kept = [path.read_bytes() for path in keyed.home.rglob("*") if path.is_file()]
    assert CANARY.encode() not in b"".join(kept)
    assert not any(CANARY in text for text in errors)


def test_the_ledger_is_exact_when_the_server_is_killed(tmp_path: Path) -> None:
    """What its client has read is in it."""
    home = tmp_path / "home"
    home.mkdir()
    secret = KeyStore(home, Clock()).create("shop")[1]
    with toy.installed(tmp_path / "toy"), pytest.MonkeyPatch.context() as patch:
        found = [str(tmp_path / "toy"), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(found))
        bundle = str(toy.writer(tmp_path / "bundle", token_s=0.02).folder)
        with serving(home, bundle, "--keys", "on") as server:
            fields = json.dumps({"text": "a b", "max_tokens": 500}).encode()
            with contextlib.closing(server.connect()) as connection:
                headers = {"Authorization": f"Bearer {secret}"}
                connection.request("POST", f"{PATH}/generate_stream", fields, headers)
                with contextlib.closing(connection.getresponse()) as response:
                    events = [response.readline() + response.readline() for _ in range(12)]
                    os.kill(server.process.pid, signal.SIGKILL)
                    server.process.wait()
                    with contextlib.suppress(Exception):
                        while event := response.readline() + response.readline():
                            events.append(event)
    given = max(json.loads(each[6:])["parameters"].get("completion_tokens", 0) for each in events if each[6:].strip())
    (total,) = Ledger(home, Clock()).totals()
    assert (total.requests, total.prompt_tokens, total.cached_tokens) == (1, 2, 1)
    assert given <= total.completion_tokens <= given + 1
