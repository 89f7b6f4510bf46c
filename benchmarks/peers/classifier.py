"""The model that every peer serves: one ONNX Runtime session with one thread over the file that MODEL names."""

from __future__ import annotations

import os
from typing import Any


def open_session() -> tuple[Any, str, str]:
    """The session, and the names of its only input and output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
    return session, session.get_inputs()[0].name, session.get_outputs()[0].name
