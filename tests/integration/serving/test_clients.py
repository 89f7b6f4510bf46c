"""Clients of the field, unmodified: NVIDIA's tritonclient over HTTP, gRPC and asyncio, and KServe's own."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.integration.serving.running import WAIT_S, Server, rows, serving

from glassworks.packaging.bundle import Bundle


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), str(tiny_bundle.folder)) as running:
        yield running


def expected(server: Server, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The answer over plain JSON."""
    tensor = {"name": "image", "shape": list(values.shape), "datatype": "FP32", "data": values.ravel().tolist()}
    answer = server.post("infer", json.dumps({"inputs": [tensor]}).encode())[1]
    (output,) = answer["outputs"]
    return np.asarray(output["data"], np.float32).reshape(output["shape"])


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_tritonclient(protocol: str, server: Server) -> None:
    client = pytest.importorskip(f"tritonclient.{protocol}")
    asked = client.InferenceServerClient(server.address if protocol == "http" else server.grpc)
    assert asked.is_server_live()
    assert asked.is_server_ready()
    assert asked.is_model_ready(server.model)
    assert asked.is_model_ready(server.model, "1")
    assert not asked.is_model_ready("nobody")
    values = rows(3)
    given = client.InferInput("image", values.shape, "FP32")
    given.set_data_from_numpy(values)
    wanted = client.InferRequestedOutput("probabilities")
    answer = asked.infer(server.model, [given], request_id="r1", outputs=[wanted], priority=1, timeout=10_000_000)
    assert np.array_equal(answer.as_numpy("probabilities"), expected(server, values))
    assert as_dict(answer.get_response())["id"] == "r1"
    classes = asked.infer(server.model, [given], outputs=[client.InferRequestedOutput("probabilities", class_count=2)])
    assert classes.as_numpy("probabilities").shape == (3, 2)
    config = as_dict(asked.get_model_config(server.model))
    assert config.get("config", config)["max_batch_size"] == 32
    stats = as_dict(asked.get_inference_statistics(server.model))["model_stats"][0]
    assert int(stats["inference_count"]) >= 6
    index = asked.get_model_repository_index()
    assert server.model in str(index)
    with pytest.raises(Exception, match="there is no model 'nobody'"):
        asked.infer("nobody", [given])
    asked.close()


def as_dict(message: Any) -> dict[str, Any]:
    if isinstance(message, dict):
        return message
    from google.protobuf import json_format

    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def test_tritonclient_sends_json_and_compresses(server: Server) -> None:
    client = pytest.importorskip("tritonclient.http")
    asked = client.InferenceServerClient(server.address)
    values = rows(2)
    given = client.InferInput("image", values.shape, "FP32")
    given.set_data_from_numpy(values, binary_data=False)
    for request, response in (("gzip", "deflate"), ("deflate", "gzip"), (None, None)):
        answer = asked.infer(
            server.model,
            [given],
            request_compression_algorithm=request,
            response_compression_algorithm=response,
            outputs=[client.InferRequestedOutput("probabilities", binary_data=False)],
        )
        assert np.array_equal(answer.as_numpy("probabilities"), expected(server, values))
    futures = [asked.async_infer(server.model, [given]) for _ in range(8)]
    assert all(future.get_result().as_numpy("probabilities").shape == (2, 3) for future in futures)
    asked.close()


def test_tritonclient_with_asyncio(server: Server) -> None:
    http, rpc = pytest.importorskip("tritonclient.http.aio"), pytest.importorskip("tritonclient.grpc.aio")
    values = rows(2)
    wanted = expected(server, values)

    async def main() -> None:
        for client, address in ((http, server.address), (rpc, server.grpc)):
            asked = client.InferenceServerClient(address)
            given = client.InferInput("image", values.shape, "FP32")
            given.set_data_from_numpy(values)
            answers = await asyncio.gather(*(asked.infer(server.model, [given]) for _ in range(20)))
            for answer in answers:
                assert np.array_equal(answer.as_numpy("probabilities"), wanted)
            await asked.close()

    asyncio.run(main())


def test_tritonclient_streams_and_explains(server: Server) -> None:
    client = pytest.importorskip("tritonclient.grpc")
    asked = client.InferenceServerClient(server.grpc)
    values = rows()
    given = client.InferInput("image", values.shape, "FP32")
    given.set_data_from_numpy(values)
    told: list[Any] = []
    asked.start_stream(lambda result, error: told.append(error or result))
    for name in (server.model, "nobody", server.model):
        asked.async_stream_infer(name, [given], request_id=name)
    asked.stop_stream()
    assert len(told) == 3
    assert "there is no model 'nobody'" in str(told[1])
    assert np.array_equal(told[2].as_numpy("probabilities"), expected(server, values))
    explained = asked.infer(server.model, [given], parameters={"glassworks_verb": "explain", "seed": 1})
    assert explained.as_numpy("attributions:image").shape == values.shape
    assert explained.get_response().parameters["method"].string_param
    asked.close()


# Its messages and tritonclient's have the same names, so that one process can import only one of them.
KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, grpc, name = sys.argv[1:4]
values = np.random.default_rng(0).random((2, 1, 16, 16), np.float32)

def request():
    given = InferInput("image", list(values.shape), "FP32")
    given.set_data_from_numpy(values, binary_data=True)
    return InferRequest(name, [given])

async def main():
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await rest.is_server_live(url) and await rest.is_server_ready(url)
    assert await rest.is_model_ready(url, name)
    answer = await rest.infer(url, request(), name)
    first = answer.outputs[0].as_numpy()
    old = InferenceRESTClient(RESTConfig(protocol="v1"))
    instances = {"instances": values.tolist()}
    predicted = await old.infer(url, instances, name)
    explained = await old.explain(url, name, instances)
    rpc = InferenceGRPCClient(grpc)
    assert await rpc.is_server_live() and await rpc.is_server_ready() and await rpc.is_model_ready(name)
    second = (await rpc.infer(request())).outputs[0].as_numpy()
    await rpc.close()
    print(json.dumps({
        "rest": first.reshape(2, 3).tolist(), "grpc": second.reshape(2, 3).tolist(),
        "v1": predicted["predictions"], "explanations": len(explained["explanations"]),
    }))

asyncio.run(main())
"""


def test_kserve_client(server: Server) -> None:
    if importlib.util.find_spec("kserve") is None:
        pytest.skip("the client of KServe is not installed")
    command = [sys.executable, "-c", KSERVE, f"http://{server.address}", server.grpc, server.model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    wanted = expected(server, rows(2))
    for protocol in ("rest", "grpc", "v1"):
        assert np.allclose(found[protocol], wanted, atol=1e-7), protocol
    assert found["explanations"] == 2


def test_grpc_tells_its_health_and_describes_itself(server: Server) -> None:
    import grpc
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(server.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "inference.GRPCInferenceService"):
            asked = health_pb2.HealthCheckRequest(service=name)
            assert health.Check(asked, timeout=WAIT_S).status == health_pb2.HealthCheckResponse.SERVING
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= set(database.get_services())
        pool = DescriptorPool(database)
        service = pool.FindServiceByName("inference.GRPCInferenceService")
        assert "ModelInfer" in [method.name for method in service.methods]
