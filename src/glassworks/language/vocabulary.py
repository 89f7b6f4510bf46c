"""A model's tokens by their bytes, as the engine needs them to keep an answer to a grammar."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.language.tokenizer import LanguageTokenizer

if TYPE_CHECKING:
    import openvino_genai


def contents_of(tokenizer: LanguageTokenizer, size: int, visible: Collection[int]) -> list[bytes]:
    """Bytes of each of `size` tokens; special ones have none, so that no text is made of them, but for `visible`."""
    hidden = tokenizer.special_ids - frozenset(visible)
    return [b"" if number in hidden else tokenizer.content(number) for number in range(size)]


def engine_tokenizer(contents: Sequence[bytes]) -> openvino_genai.Tokenizer:
    """The engine's own tokenizer, which only decodes: an exact table of bytes."""
    import openvino
    import openvino_genai
    from openvino_tokenizers import tokenizer_pipeline as steps
    from openvino_tokenizers.utils import change_inputs_type

    pipeline = steps.TokenizerPipeline()
    pipeline.skip_tokens = []
    # The engine cannot open a graph that skips nothing. It is never asked to decode.
    decoder = steps.VocabDecoderStep(vocab=list(contents), skip_tokens=[0])
    pipeline.add_steps([decoder, steps.FuseStep(), steps.UTF8ValidateStep(mode=steps.UTF8ReplaceMode.REPLACE)])
    graph = change_inputs_type(pipeline.get_detokenizer_ov_subgraph(), openvino.Type.i64)
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(graph, Path(folder) / "openvino_detokenizer.xml", compress_to_fp16=False)
        return openvino_genai.Tokenizer(folder)
