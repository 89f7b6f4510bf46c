"""Triton by PyTriton: its C++ front ends on PORT (HTTP) and the next one (gRPC), its Python backend behind them."""

import os

import numpy as np
from classifier import open_session
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

session, source, target = open_session()
shapes = {value.name: tuple(value.shape[1:]) for value in (*session.get_inputs(), *session.get_outputs())}
port = int(os.environ["PORT"])


@batch
def infer(**inputs):
    return {target: session.run(None, inputs)[0]}


with Triton(config=TritonConfig(http_port=port, grpc_port=port + 1, metrics_port=port + 2, log_verbose=0)) as triton:
    triton.bind(
        "digits",
        infer,
        inputs=[Tensor(name=source, dtype=np.float32, shape=shapes[source])],
        outputs=[Tensor(name=target, dtype=np.float32, shape=shapes[target])],
        config=ModelConfig(max_batch_size=32, batcher=DynamicBatcher(max_queue_delay_microseconds=1000)),
    )
    triton.serve()
