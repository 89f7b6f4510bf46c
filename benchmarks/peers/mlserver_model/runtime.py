"""MLServer with its adaptive batching on."""

import os
import sys

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

sys.path.insert(0, os.environ["PEERS"])
from classifier import open_session


class Classifier(MLModel):
    async def load(self):
        self.session, self.source, self.target = open_session()
        return True

    async def predict(self, payload):
        values = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        scores = self.session.run(None, {self.source: values})[0]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(self.target, scores)])
