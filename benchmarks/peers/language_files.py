"""One model's weights in the forms that the others read: a GGUF file in Q8_0 and a folder as transformers writes it.

    python benchmarks/peers/language_files.py FILE.gguf FOLDER BUNDLE

Weights are dequantized exactly, so that everybody begins with the same numbers (Q8_0 rounds them to 8 bits, a graph and
transformers get them in float16). `BUNDLE` has the tokenizer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, dequantize, quantize

from glassworks.language.gguf import GgufFile
from glassworks.language.settings import read_settings

Q8, FOLDER = "model-q8_0.gguf", "transformers"
_WRITTEN_BY_WRITER = ("general.architecture", "general.file_type", "general.quantization_version")


def write_q8(source: Path, target: Path) -> None:
    """The file with each matrix in Q8_0, everything else as it is."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in _WRITTEN_BY_WRITER:
            continue
        if field.types[0] is GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(2)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if values.ndim == 1:
            writer.add_tensor(tensor.name, values)
        else:
            kind = GGMLQuantizationType.Q8_0
            writer.add_tensor(tensor.name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_folder(source: Path, folder: Path) -> None:
    """Weights as they are served in float16, in a file of float32, as `from_pretrained` reads them."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    file = GgufFile(source)
    model = LlamaForCausalLM(LlamaConfig(**configuration(file)))
    found = {
        name: torch.from_numpy(np.array(file.weight(name))).half().float() for name, _ in file.architecture.weights()
    }
    missing = model.load_state_dict(found, strict=False).missing_keys
    if set(missing) - {"lm_head.weight"}:
        raise SystemExit(f"weights are missing: {missing}")
    model.tie_weights()
    model.save_pretrained(folder)


def configuration(file: GgufFile) -> dict[str, Any]:
    a = file.architecture
    return {
        "vocab_size": a.vocabulary,
        "hidden_size": a.width,
        "intermediate_size": a.feed_forward,
        "num_hidden_layers": a.layers,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.key_value_heads,
        "max_position_embeddings": a.context,
        "rms_norm_eps": a.norm_epsilon,
        "rope_theta": a.rope_base,
        "tie_word_embeddings": a.tied_embeddings,
        "bos_token_id": int(file.field("tokenizer.ggml.bos_token_id")),
        "eos_token_id": int(file.field("tokenizer.ggml.eos_token_id")),
    }


def write_tokenizer(bundle: Path, folder: Path) -> None:
    """The bundle's tokenizer and chat template beside the weights."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(bundle / "tokenizer.json"), eos_token="<|im_end|>")
    tokenizer.chat_template = read_settings(bundle).chat_template
    tokenizer.save_pretrained(folder)


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    write_q8(source, folder / Q8)
    write_folder(source, folder / FOLDER)
    write_tokenizer(Path(sys.argv[3]), folder / FOLDER)


if __name__ == "__main__":
    main()
