"""LitServe with its batching on."""

import os

import litserve
import numpy as np
from classifier import open_session


class Classifier(litserve.LitAPI):
    def setup(self, device):
        self.session, self.source, self.target = open_session()

    def decode_request(self, request):
        tensor = request["inputs"][0]
        return np.asarray(tensor["data"], np.float32).reshape(tensor["shape"][1:])

    def batch(self, inputs):
        return np.stack(inputs)

    def predict(self, values):
        return self.session.run(None, {self.source: values})[0]

    def unbatch(self, output):
        return list(output)

    def encode_response(self, row):
        output = {"name": self.target, "datatype": "FP32", "shape": [1, len(row)], "data": row.tolist()}
        return {"outputs": [output]}


if __name__ == "__main__":
    api = Classifier(max_batch_size=32, batch_timeout=0.001, api_path="/v2/models/digits/infer")
    litserve.LitServer(api, accelerator="cpu").run(
        port=int(os.environ["PORT"]), log_level="error", generate_client_file=False
    )
