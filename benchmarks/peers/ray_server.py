"""Ray Serve with its batching on."""

import os
import time
from pathlib import Path

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

HERE = str(Path(__file__).resolve().parent)


@serve.deployment(num_replicas=1, max_ongoing_requests=200, ray_actor_options={"num_cpus": 0.5})
class Classifier:
    def __init__(self):
        import sys

        sys.path.insert(0, HERE)
        from classifier import open_session

        self.session, self.source, self.target = open_session()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def run(self, inputs):
        return list(self.session.run(None, {self.source: np.concatenate(inputs)})[0])

    async def __call__(self, request: Request):
        tensor = (await request.json())["inputs"][0]
        row = await self.run(np.asarray(tensor["data"], np.float32).reshape(tensor["shape"]))
        output = {"name": self.target, "datatype": "FP32", "shape": [1, len(row)], "data": row.tolist()}
        return {"outputs": [output]}


if __name__ == "__main__":
    environment = {"env_vars": {"MODEL": os.environ["MODEL"]}}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env=environment)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Classifier.bind(), route_prefix="/v2/models/digits/infer")
    time.sleep(3600)
