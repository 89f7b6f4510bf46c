"""llama.cpp's own library as a contender of `language.py`.

    python benchmarks/peers/llama_cpp.py FOLDER FILE.gguf [--plain]

FOLDER holds the libraries as node-llama-cpp's package of binaries ships them (@node-llama-cpp/linux-x64 3.22.1, release
0.5.0 of llama.cpp): one for each kind of processor, of which llama.cpp takes the best, AMX included where the processor
has it. `--plain` switches off the repacked and AMX forms of weights (`use_extra_bufts`).
"""

from __future__ import annotations

import ctypes as c
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from worker import Rounds, serve

THREADS, CONTEXT, BATCH = 1, 16384, 512
STREAMS = 8


class ModelParams(c.Structure):
    _fields_ = [
        ("devices", c.c_void_p),
        ("overrides", c.c_void_p),
        *((name, c.c_int32) for name in ("gpu_layers", "split_mode", "load_mode", "lazy_mode", "main_gpu")),
        *((name, c.c_void_p) for name in ("tensor_split", "progress", "progress_data", "kv_overrides")),
        *((name, c.c_bool) for name in ("vocab_only", "check_tensors", "extra_bufts", "no_host", "no_alloc", "mtp")),
    ]


class ContextParams(c.Structure):
    _fields_ = [
        *(
            (name, c.c_uint32)
            for name in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "outputs", "per_seq")
        ),
        ("n_threads", c.c_int32),
        ("n_threads_batch", c.c_int32),
        *((name, c.c_int32) for name in ("ctx_type", "rope_scaling", "pooling", "attention", "flash_attention")),
        *((name, c.c_float) for name in ("rope_base", "rope_scale", "yarn_ext", "yarn_attn", "yarn_fast", "yarn_slow")),
        ("yarn_orig_ctx", c.c_uint32),
        ("defrag", c.c_float),
        ("cb_eval", c.c_void_p),
        ("cb_eval_data", c.c_void_p),
        ("type_k", c.c_int32),
        ("type_v", c.c_int32),
        ("abort", c.c_void_p),
        ("abort_data", c.c_void_p),
        *(
            (name, c.c_bool)
            for name in ("embeddings", "offload_kqv", "no_perf", "op_offload", "swa_full", "kv_unified")
        ),
        ("samplers", c.c_void_p),
        ("n_samplers", c.c_size_t),
        ("other", c.c_void_p),
    ]


class Batch(c.Structure):
    _fields_ = [
        ("n_tokens", c.c_int32),
        ("token", c.POINTER(c.c_int32)),
        ("embd", c.POINTER(c.c_float)),
        ("pos", c.POINTER(c.c_int32)),
        ("n_seq_id", c.POINTER(c.c_int32)),
        ("seq_id", c.POINTER(c.POINTER(c.c_int32))),
        ("logits", c.POINTER(c.c_int8)),
    ]


class LlamaCpp:
    """One model with room for `STREAMS` answers at once."""

    def __init__(self, folder: Path, file: Path, *, extra: bool) -> None:
        self.lib = _library(folder)
        model_params = self.lib.llama_model_default_params()
        params = self.lib.llama_context_default_params()
        if (params.n_batch, params.type_k, params.offload_kqv, params.n_samplers) != (2048, 1, True, 0):
            raise SystemExit("this release of llama.cpp has other structures than the ones that are written here")
        model_params.extra_bufts = extra
        model = self.lib.llama_model_load_from_file(str(file).encode(), model_params)
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = CONTEXT, 2048, BATCH, STREAMS
        params.n_threads = params.n_threads_batch = THREADS
        self.context = self.lib.llama_init_from_model(model, params)
        self.memory = self.lib.llama_get_memory(self.context)
        self.vocabulary = self.lib.llama_vocab_n_tokens(self.lib.llama_model_get_vocab(model))
        self.batch = self.lib.llama_batch_init(2048, 0, 1)
        self.said = self.lib.llama_print_system_info().decode()

    def write(self, prompts: Sequence[Sequence[int]], tokens: int) -> Rounds:
        self.lib.llama_memory_clear(self.memory, True)
        last = [self._read(row, prompt) for row, prompt in enumerate(prompts)]
        yield [[token] for token in last]
        for step in range(tokens - 1):
            self.batch.n_tokens = len(prompts)
            for row, prompt in enumerate(prompts):
                self._put(row, last[row], len(prompt) + step, row, wanted=True)
            self._decode()
            last = [self._best(row) for row in range(len(prompts))]
            yield [[token] for token in last]

    def _read(self, row: int, prompt: Sequence[int]) -> int:
        self.batch.n_tokens = len(prompt)
        for place, token in enumerate(prompt):
            self._put(place, token, place, row, wanted=place == len(prompt) - 1)
        self._decode()
        return self._best(-1)

    def _put(self, place: int, token: int, position: int, row: int, *, wanted: bool) -> None:
        batch = self.batch
        batch.token[place], batch.pos[place], batch.n_seq_id[place] = token, position, 1
        batch.seq_id[place][0], batch.logits[place] = row, wanted

    def _decode(self) -> None:
        if self.lib.llama_decode(self.context, self.batch):
            raise SystemExit("llama_decode failed")

    def _best(self, row: int) -> int:
        logits = self.lib.llama_get_logits_ith(self.context, row)
        return int(np.ctypeslib.as_array(logits, (self.vocabulary,)).argmax())


def _library(folder: Path) -> Any:
    for name in ("libggml-base.so", "libggml.v0.5.0.so"):
        ggml = c.CDLL(str(folder / name), c.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(str(folder).encode())
    lib = c.CDLL(str(folder / "libllama.v0.5.0.so"))
    lib.llama_model_default_params.restype = ModelParams
    lib.llama_context_default_params.restype = ContextParams
    lib.llama_model_load_from_file.restype = c.c_void_p
    lib.llama_model_load_from_file.argtypes = (c.c_char_p, ModelParams)
    lib.llama_init_from_model.restype = c.c_void_p
    lib.llama_init_from_model.argtypes = (c.c_void_p, ContextParams)
    lib.llama_get_memory.restype = lib.llama_model_get_vocab.restype = c.c_void_p
    lib.llama_get_memory.argtypes = lib.llama_model_get_vocab.argtypes = lib.llama_vocab_n_tokens.argtypes = (
        c.c_void_p,
    )
    lib.llama_memory_clear.argtypes = (c.c_void_p, c.c_bool)
    lib.llama_batch_init.restype = Batch
    lib.llama_decode.argtypes = (c.c_void_p, Batch)
    lib.llama_get_logits_ith.restype = c.POINTER(c.c_float)
    lib.llama_get_logits_ith.argtypes = (c.c_void_p, c.c_int32)
    lib.llama_print_system_info.restype = c.c_char_p
    lib.llama_backend_init()
    return lib


if __name__ == "__main__":
    contender = LlamaCpp(Path(sys.argv[1]), Path(sys.argv[2]), extra="--plain" not in sys.argv)
    serve(contender.write, contender.said)
