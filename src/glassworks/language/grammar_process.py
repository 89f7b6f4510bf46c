"""A process that compiles grammars as the engine does, so that one which breaks or never ends harms no answer.

It reads a folder with tokenizer and settings, then grammars line by line (JSON texts), and answers each with a line: an
empty text, or the compiler's words.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import openvino
import openvino_genai

from glassworks.language.architecture import Architecture
from glassworks.language.decoder_graph import build
from glassworks.language.prompts import Prompts
from glassworks.language.settings import GRAPH, TOKENIZER, read_settings
from glassworks.language.tokenizer import LanguageTokenizer
from glassworks.language.vocabulary import contents_of, engine_tokenizer


class GrammarCompiler:
    """A tiny model with the vocabulary of the one in `model`."""

    def __init__(self, model: Path) -> None:
        settings, tokenizer = read_settings(model), LanguageTokenizer.read(model / TOKENIZER)
        vocabulary = settings.architecture.vocabulary
        contents = contents_of(tokenizer, vocabulary, Prompts(settings, tokenizer).marks)
        self._end = min(settings.stop_ids)
        self._numbers = itertools.count()
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.num_kv_blocks = 8
        with tempfile.TemporaryDirectory() as folder:
            openvino.save_model(_graph(vocabulary), Path(folder) / GRAPH)
            self._pipeline = openvino_genai.ContinuousBatchingPipeline(
                folder, engine_tokenizer(contents), scheduler, "CPU"
            )

    def compile(self, grammar: str) -> str:
        """Empty where it can be used, else the compiler's words; after these no further one can be compiled."""
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.apply_chat_template = 1, False
        config.eos_token_id, config.stop_token_ids = self._end, {self._end}
        config.structured_output_config = openvino_genai.StructuredOutputConfig(grammar=grammar)
        try:
            ids = openvino.Tensor(np.array([[0]], np.int64))
            handle = self._pipeline.add_request(next(self._numbers), ids, config)
            while self._pipeline.has_non_finished_requests():
                self._pipeline.step()
            handle.read_all()
        except Exception as error:  # noqa: BLE001 - whatever a compiler says
            return str(error) or type(error).__name__
        return ""


def _graph(vocabulary: int) -> openvino.Model:
    tiny = Architecture(
        kind="llama",
        layers=1,
        width=8,
        heads=1,
        key_value_heads=1,
        head_width=8,
        feed_forward=8,
        vocabulary=vocabulary,
        context=64,
        rope_base=1e4,
        norm_epsilon=1e-5,
        tied_embeddings=True,
    )
    shapes, random = dict(tiny.weights()), np.random.default_rng(0)
    return build(tiny, lambda name: random.normal(size=shapes[name]).astype(np.float32))


def main() -> None:
    """Answer on what was standard output; libraries that print do so elsewhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    compiler = GrammarCompiler(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        words = compiler.compile(json.loads(line))
        answers.write(json.dumps(words) + "\n")
        answers.flush()
        if words:
            return


if __name__ == "__main__":
    main()
