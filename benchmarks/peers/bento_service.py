"""BentoML, which has a JSON form of its own."""

import bentoml
import numpy as np
from classifier import open_session


@bentoml.service(workers=1)
class Classifier:
    def __init__(self):
        self.session, self.source, self.target = open_session()

    @bentoml.api(route="/v2/models/digits/infer")
    def infer(self, inputs: list) -> dict:
        values = np.asarray(inputs[0]["data"], np.float32).reshape(inputs[0]["shape"])
        scores = self.session.run(None, {self.source: values})[0]
        output = {"name": self.target, "datatype": "FP32", "shape": list(scores.shape), "data": scores.ravel().tolist()}
        return {"outputs": [output]}
