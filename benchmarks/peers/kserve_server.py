"""KServe's Python server, REST on PORT and gRPC on the next one."""

import logging
import os

from classifier import open_session
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.protocol.grpc import interceptors


class Classifier(Model):
    def load(self):
        self.session, self.source, self.target = open_session()
        self.ready = True

    async def get_input_types(self):
        return [{"name": self.source, "datatype": "FP32", "shape": [-1, 1, 28, 28]}]

    async def get_output_types(self):
        return [{"name": self.target, "datatype": "FP32", "shape": [-1, 10]}]

    async def predict(self, payload, headers=None, response_headers=None):
        scores = self.session.run(None, {self.source: payload.inputs[0].as_numpy()})[0]
        output = InferOutput(name=self.target, shape=list(scores.shape), datatype="FP32")
        output.set_data_from_numpy(scores, binary_data=False)
        return InferResponse(model_name=self.name, infer_outputs=[output], response_id=payload.id or "1")


if __name__ == "__main__":
    # It logs every call of gRPC, which would be what is measured.
    logging.getLogger(interceptors.logger.name).setLevel(logging.ERROR)
    port = int(os.environ["PORT"])
    model = Classifier("digits")
    model.load()
    server = ModelServer(
        http_port=port, grpc_port=port + 1, enable_grpc=True, workers=1, access_log_format=None, enable_docs_url=False
    )
    server.start([model])
